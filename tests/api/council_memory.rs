//! What each specialist of a council knows of the person: what bears on its own ground.

use quest_clm::simulate::MemoryFault;
use serde_json::json;

use crate::app::{TestApp, saying};
use crate::council::{PLAN, team};
use crate::memory::seed;

const ASKED: &str = "What would the whole team say?";
/// One for each ground, in the order of the plan.
const FACTS: [&str; 3] = [
    "Hopes for the promotions at Brill.",
    "Practised an opening sentence.",
    "Got introductions from Marco.",
];

async fn known() -> TestApp {
    let app = team(&[("ZEP_API_KEY", "z_secret")]).await;
    seed(&app, "s", &FACTS);
    app.script(&[&saying(PLAN)]);
    app
}

/// Of each specialist, in the plan's order, which of the facts it was told.
fn told(app: &TestApp) -> [[bool; 3]; 3] {
    let prompts = app.chats();
    let prompts = prompts.iter().map(|chat| chat.body["messages"].to_string());
    let prompts: Vec<_> = prompts.collect();
    ["career", "skills", "network"].map(|coach| {
        let asked = format!("asks you, the {coach} coach");
        let prompt = prompts.iter().find(|prompt| prompt.contains(&asked));
        FACTS.map(|fact| prompt.unwrap().contains(fact))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_specialist_is_told_what_bears_on_its_own_ground() {
    let app = known().await;
    let heard = app.say("s", ASKED).await;
    assert_eq!(app.record(&heard.turn_id).await["outcome"], "complete");
    let only = |n: usize| [0, 1, 2].map(|at| at == n);
    assert_eq!(told(&app), [only(0), only(1), only(2)]);
    let zep = app.simulator().ledger().zep();
    let mut searches = zep
        .iter()
        .filter(|call| call.path.ends_with("/graph/search"));
    let queries: Vec<_> = searches
        .by_ref()
        .map(|call| call.body["query"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(queries.len(), 3);
    for query in queries {
        assert!(query.ends_with(ASKED), "{query}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_search_does_not_answer_a_specialist_knows_what_the_turn_knows() {
    let app = known().await;
    app.options(|o| o.memory_fault = Some(MemoryFault::SearchHangs));
    let heard = app.say("s", ASKED).await;
    assert_eq!(told(&app), [[true; 3]; 3]);
    let record = app.record(&heard.turn_id).await;
    assert_eq!(record["memory_outcome"], json!("hit"), "{record}");
    app.stop().await;
}
