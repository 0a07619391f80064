//! Several coaches heard as one answer: what is heard, what is recorded, and what one of them that is
//! slow, fails or says nothing changes.

use std::time::Duration;

use quest_clm::coach::Roster;
use serde_json::{Value, json};

use crate::app::{TestApp, is_fallback_line, saying, until};
use crate::caller::Request;
use crate::heard::Heard;

const ASKED: &str = "What would the whole team say?";
pub(crate) const PLAN: &str = "career: one\nskills: two\nnetwork: three";
/// The master's own answers have room for so many tokens; nobody else's do.
const MASTER_TOKENS: u64 = 1500;

/// A model that says exactly this.
fn model(text: &str) -> String {
    format!("sim/{}", saying(text))
}

/// A team of which each member has a model of its own, and only that.
pub(crate) async fn team(settings: &[(&str, &str)]) -> TestApp {
    let says = ["career", "skills", "network"].map(|coach| model(&format!("I am {coach}.")));
    let master = model("Here is what we think.");
    let ours = [
        ("ZEP_API_KEY", ""),
        ("HEDGING", "false"),
        ("OPENROUTER_FALLBACK_ENABLED", "false"),
        ("COACH_MODEL_CAREER", &says[0]),
        ("COACH_MODEL_SKILLS", &says[1]),
        ("COACH_MODEL_NETWORK", &says[2]),
        ("COACH_MODEL_MASTER", &master),
    ];
    let all: Vec<_> = ours.iter().chain(settings).copied().collect();
    TestApp::spawn(&all).await
}

/// The answer behind one of the master's openings.
pub(crate) fn after_opening(text: &str) -> &str {
    let roster = Roster::built_in().unwrap();
    let mut openings = roster.master().openings.iter();
    let rest = openings.find_map(|opening| text.strip_prefix(opening.as_str()));
    rest.unwrap_or_else(|| panic!("no opening: {text}"))
        .trim_start()
}

/// What the master was told of its colleagues, one line each; of the last time it was asked.
fn colleagues(app: &TestApp) -> Vec<String> {
    let chats = app.chats();
    let mut masters = chats
        .iter()
        .rev()
        .filter(|c| c.body["max_tokens"] == MASTER_TOKENS);
    let body = &masters.next().expect("the master was asked").body;
    let messages = body["messages"].as_array().unwrap().iter();
    let mut texts = messages.filter_map(|m| m["content"].as_str());
    let quoted = texts.find(|text| text.contains("<colleagues>"));
    let lines = quoted.unwrap_or_default().lines();
    lines
        .filter_map(|l| l.strip_prefix("| "))
        .map(str::to_owned)
        .collect()
}

fn causes(record: &Value) -> Vec<&str> {
    let attempts = record["attempts"].as_array().unwrap().iter();
    attempts.map(|a| a["cause"].as_str().unwrap()).collect()
}

pub(crate) fn microusd(dollars: &Value) -> i64 {
    let dollars: f64 = dollars.as_str().unwrap().parse().unwrap();
    format!("{:.0}", dollars * 1e6).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_team_is_heard_as_one_answer_and_the_master_speaks_at_once() {
    let app = team(&[]).await;
    app.script(&[&saying(PLAN)]);
    let slow = Duration::from_millis(300);
    app.options(|o| o.first_token = slow);
    let heard = app.say("s", ASKED).await;
    assert_eq!(after_opening(&heard.text), "Here is what we think.");
    assert!(
        heard.spoke.unwrap() < slow,
        "before any model has answered: {heard:?}"
    );
    assert!(
        heard.ended > slow * 3,
        "plan, specialists, master: {heard:?}"
    );
    assert!(
        heard.ended < slow * 4,
        "the specialists think side by side: {heard:?}"
    );
    assert_eq!(
        colleagues(&app),
        [
            "career coach: I am career.",
            "skills coach: I am skills.",
            "network coach: I am network."
        ]
    );
    let record = app.record(&heard.turn_id).await;
    assert_eq!(record["outcome"], "complete", "{record}");
    assert_eq!(
        (&record["coach"], &record["coach_reason"]),
        (&json!("master"), &json!("council:asked"))
    );
    assert_eq!(
        causes(&record),
        ["plan", "specialist", "specialist", "specialist", "first"]
    );
    let timed = |field: &str| record[field].as_f64().unwrap();
    let opened = timed("first_speakable_ms");
    assert!(opened < timed("plan_ms"), "the opening: {record}");
    assert!(timed("first_token_ms") > 900.0, "the master's: {record}");
    assert!(timed("overhead_ms") <= opened, "{record}");
    let billed: i64 = app.chats().iter().map(|c| c.bill_microusd()).sum();
    assert_eq!(microusd(&record["cost_usd"]), billed, "{record}");
    let asked = record["attempts"].as_array().unwrap().iter();
    let asked: Vec<_> = asked.map(|a| a["coach"].as_str()).collect();
    let coaches = ["career", "skills", "network"].map(Some);
    assert_eq!(asked[1..4], coaches, "whose call each was: {record}");
    assert_eq!((asked[0], asked[4]), (None, None), "the master's: {record}");
    let session = app.send(&Request::get("/v1/sessions/s")).await.json();
    assert_eq!(
        session["totals"]["cost_usd"], record["cost_usd"],
        "{session}"
    );
    let coaches = session["coaches"].as_array().unwrap();
    let used: Vec<_> = coaches
        .iter()
        .map(|m| m["coach"].as_str().unwrap())
        .collect();
    assert_eq!(used, ["career", "master", "network", "skills"], "{session}");
    let paid: i64 = coaches.iter().map(|m| microusd(&m["cost_usd"])).sum();
    assert_eq!(paid, billed, "each coach's own share: {session}");
    let again = app.say("s", ASKED).await;
    assert_eq!(again.text, heard.text);
    assert_eq!(app.chats().len(), 5, "what comes again is not paid again");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_slow_fails_or_says_nothing_changes_nothing_but_the_trace() {
    let (career, skills) = ("career coach: I am career.", "skills coach: I am skills.");
    let network = "network coach: I am network.";
    let all = [career, skills, network];
    let plan = saying(PLAN);
    for (planner, broken, heard, calls) in [
        // A plan that names nobody, does not come, or fails: the user's words decide, or the usual one.
        (saying("Sorry, I cannot."), "", &[career][..], 3),
        ("empty".to_owned(), "", &[career], 3),
        ("500".to_owned(), "", &[career], 3),
        ("cut:1".to_owned(), "", &[career], 3),
        ("hang".to_owned(), "", &[career], 3),
        (plan.clone(), "", &all, 5),
        (plan.clone(), "sim/500", &[career, network], 5),
        (plan.clone(), "sim/empty", &[career, network], 5),
        (plan.clone(), "sim/cut:2", &[career, network], 5),
        (plan.clone(), "sim/hang", &[career, network], 5),
        (plan.clone(), "sim/stall:2", &[career, network], 5),
    ] {
        let settings = [("COACH_MODEL_SKILLS", broken)];
        let app = team(if broken.is_empty() { &[] } else { &settings }).await;
        app.script(&[&planner]);
        let said = app.say("s", ASKED).await;
        let what = format!("{planner} {broken}");
        assert_eq!(
            after_opening(&said.text),
            "Here is what we think.",
            "{what}"
        );
        assert_eq!(colleagues(&app), heard, "{what}");
        let record = app.record(&said.turn_id).await;
        assert_eq!(record["outcome"], "complete", "{what}: {record}");
        assert_eq!(causes(&record).len(), calls, "{what}: {record}");
        assert!(
            said.ended < Duration::from_millis(4_500),
            "{what}: {said:?}"
        );
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_nobody_left_the_master_answers_alone_and_without_it_a_line_is_said() {
    let broken = [
        ("COACH_MODEL_CAREER", "sim/500"),
        ("COACH_MODEL_SKILLS", "sim/empty"),
        ("COACH_MODEL_NETWORK", "sim/cut:1"),
    ];
    let app = team(&broken).await;
    app.script(&[&saying(PLAN)]);
    let heard = app.say("s", ASKED).await;
    assert_eq!(after_opening(&heard.text), "Here is what we think.");
    assert!(colleagues(&app).is_empty());
    assert_eq!(app.record(&heard.turn_id).await["outcome"], "complete");
    app.stop().await;
    let all = broken.iter().chain(&[("COACH_MODEL_MASTER", "sim/500")]);
    let app = team(&all.copied().collect::<Vec<_>>()).await;
    let heard = app.say("s", ASKED).await;
    assert!(
        is_fallback_line(after_opening(&heard.text)),
        "{}",
        heard.text
    );
    assert!(heard.ended < Duration::from_secs(5), "{heard:?}");
    assert_eq!(app.record(&heard.turn_id).await["outcome"], "failed");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_everything_stalls_the_line_is_said_by_its_deadline() {
    let ms = Duration::from_millis;
    let hangs = [
        "COACH_MODEL_CAREER",
        "COACH_MODEL_SKILLS",
        "COACH_MODEL_NETWORK",
        "COACH_MODEL_MASTER",
    ]
    .map(|model| (model, "sim/hang"));
    let stalled = async |deadline: &str, least: Duration, most: Duration| {
        let settings = [&hangs[..], &[("SPOKEN_FALLBACK_MS", deadline)]].concat();
        let app = team(&settings).await;
        // Both planners; everybody else's model hangs by its name.
        app.script(&["hang", "hang"]);
        let pinned = json!({
            "model": "council", "stream": true,
            "messages": [{ "role": "user", "content": "Should I go?" }],
        });
        let pinned = Request::post("/v1/chat/completions", &pinned);
        let (asked, pinned) = tokio::join!(app.say("s", ASKED), app.hear(&pinned));
        for (heard, reason) in [(asked, "council:asked"), (pinned, "council:pinned")] {
            assert!(is_fallback_line(after_opening(&heard.text)), "{heard:?}");
            assert!(heard.ended >= least && heard.ended < most, "{heard:?}");
            let record = app.record(&heard.turn_id).await;
            assert_eq!(record["outcome"], "failed", "{record}");
            assert_eq!(record["coach_reason"], reason, "{record}");
            assert_eq!(causes(&record), ["plan", "specialist", "first"], "{record}");
        }
        app.stop().await;
    };
    // As it is shipped, and where an operator wants it sooner.
    tokio::join!(
        stalled("5000", ms(5_000), ms(6_200)),
        stalled("2000", ms(2_000), ms(4_000)),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_breaks_off_is_gone_on_with_by_one_who_knows_what_was_said() {
    let app = team(&[
        ("COACH_MODEL_MASTER", "sim/cut:5"),
        ("OPENROUTER_FALLBACK_ENABLED", "true"),
    ]);
    let app = app.await;
    app.script(&[&saying(PLAN)]);
    let heard = app.say("s", ASKED).await;
    let record = app.record(&heard.turn_id).await;
    assert_eq!(record["outcome"], "partial_recovered", "{record}");
    assert_eq!(causes(&record).last(), Some(&"resume"));
    assert_eq!(colleagues(&app).len(), 3);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hang_up_closes_every_call() {
    for (what, planner, settings, calls) in [
        ("plan", "hang".to_owned(), &[][..], 1),
        (
            "specialists",
            saying(PLAN),
            &[
                ("COACH_MODEL_CAREER", "sim/hang"),
                ("COACH_MODEL_SKILLS", "sim/stall:2"),
                ("COACH_MODEL_NETWORK", "sim/hang"),
            ],
            4,
        ),
        (
            "synthesis",
            saying(PLAN),
            &[("COACH_MODEL_MASTER", "sim/stall:3")],
            5,
        ),
    ] {
        let app = team(settings).await;
        app.script(&[&planner]);
        let mut call = app.call(&Request::hume("s", ASKED)).await;
        let turn = call.turn_id().await;
        until("everybody is asked", async || {
            (app.chats().len() == calls).then_some(())
        })
        .await;
        call.reset();
        until("everything is closed", async || {
            app.chats().iter().all(|c| c.end.is_some()).then_some(())
        })
        .await;
        let record = app.record(&turn).await;
        assert_eq!(record["outcome"], "interrupted", "{what}: {record}");
        assert_eq!(causes(&record).len(), calls, "{what}: {record}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_or_a_model_name_pins_the_council_and_a_switch_ends_it() {
    let keys = [("SESSION_SIGNING_KEYS", "signing-key-0123456789")];
    let app = team(&keys).await;
    let wanted = json!({ "user_id": "ada", "coach": "council" });
    let minted = app
        .send(&Request::post("/v1/sessions", &wanted))
        .await
        .json();
    let session = minted["session_id"].as_str().unwrap();
    let reason = async |heard: Heard| app.record(&heard.turn_id).await["coach_reason"].clone();
    assert_eq!(
        reason(app.say(session, "Should I go?").await).await,
        "council:pinned"
    );
    assert_eq!(reason(app.say(session, "mm-hm").await).await, "default");
    let body = json!({ "model": "council", "stream": true, "messages": [{ "role": "user", "content": "Go?" }] });
    let heard = app
        .hear(&Request::post("/v1/chat/completions", &body))
        .await;
    assert_eq!(reason(heard).await, "council:pinned");
    app.stop().await;
    let app = team(&[("COUNCIL", "false")]).await;
    let heard = app.say("s", ASKED).await;
    assert_eq!(heard.text, "Here is what we think.");
    assert_eq!(app.record(&heard.turn_id).await["coach_reason"], "default");
    let asked = json!({ "message": "Which one?", "coaches": ["network"] });
    let told = app.send(&Request::post("/v1/council", &asked)).await.json();
    assert_eq!(
        (&told["answer"], &told["plan"]),
        (&json!("Here is what we think."), &json!([]))
    );
    assert_eq!(app.chats().len(), 2);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn specialists_beyond_the_cap_are_not_asked() {
    // Models without a price count as the dearest there are.
    let dear = [
        ("COACH_MODEL_CAREER", "x/dear"),
        ("COACH_MODEL_SKILLS", "x/dear"),
        ("COACH_MODEL_NETWORK", "x/dear"),
    ];
    let app = team(&dear).await;
    let message = "What now? ".repeat(2_000);
    let asked = json!({ "message": message, "coaches": ["career", "skills", "network"] });
    let told = app.send(&Request::post("/v1/council", &asked)).await.json();
    let outcomes: Vec<_> = told["coaches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["outcome"])
        .collect();
    assert_eq!(outcomes, ["answered", "answered", "dropped"], "{told}");
    assert_eq!(told["answer"], "Here is what we think.");
    assert_eq!(app.chats().len(), 3);
    let budget = app.send(&Request::get("/v1/budget")).await.json();
    assert_eq!(budget["reserved_usd"], "0.000000", "{budget}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silence_behind_the_opening_is_bridged_once() {
    // A voice so quick, and a line so late, that there is a silence to be bridged.
    let app = team(&[
        ("COACH_MODEL_CAREER", "sim/hang"),
        ("SPEECH_WPM", "400"),
        ("SPOKEN_FALLBACK_MS", "8000"),
    ])
    .await;
    app.script(&["hang"]);
    let heard = app.say("s", ASKED).await;
    let rest = after_opening(&heard.text).to_owned();
    let roster = Roster::built_in().unwrap();
    let mut phrases = roster.master().lead_ins().iter();
    let answer = phrases.find_map(|phrase| rest.strip_prefix(phrase.as_str()));
    assert_eq!(answer, Some(" Here is what we think."), "{rest}");
    assert_eq!(app.record(&heard.turn_id).await["lead_in"], true);
    app.stop().await;
}
