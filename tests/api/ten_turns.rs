//! Ten turns as a person hears them, through the whole service: `docs/TURNS.md` is what came out.
//!
//! `WRITE_TURNS=1 cargo test --test api ten_turns` writes the page anew.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use quest_clm::coach::Roster;
use serde_json::{Value, json};

use crate::app::{TestApp, saying};
use crate::caller::Request;
use crate::council::PLAN;
use crate::memory::seed;

const BEGIN: &str = "<!-- turns: written by tests/api/ten_turns.rs -->\n";
const END: &str = "\n<!-- end of turns -->";
const COUNCIL: &str = "I have two offers, one safe and one bold. What would the whole team say?";

/// The page's turns so far.
struct Page {
    app: TestApp,
    text: String,
    turns: usize,
}

/// What happens in one turn.
struct Scene<'a> {
    title: &'a str,
    /// What was said before, as it comes back in the request.
    history: Value,
    user: &'a str,
    /// What the models do, in the order in which they are asked.
    models: &'a [String],
    /// What of it the page tells, if it is worth telling.
    told: &'a str,
}

impl Page {
    async fn play(&mut self, session: &str, scene: Scene<'_>) {
        let models: Vec<&str> = scene.models.iter().map(String::as_str).collect();
        self.app.script(&models);
        let mut messages = scene.history;
        let spoken = json!({"role": "user", "content": scene.user});
        messages.as_array_mut().unwrap().push(spoken);
        let heard = self.app.hear(&Request::talk(session, &messages)).await;
        let record = self.app.record(&heard.turn_id).await;
        self.turns += 1;
        let of = |field: &str| record[field].as_str().unwrap().to_owned();
        let page = &mut self.text;
        writeln!(page, "\n## {}. {}\n", self.turns, scene.title).unwrap();
        if !scene.told.is_empty() {
            writeln!(page, "{}\n", scene.told).unwrap();
        }
        writeln!(page, "> {}\n", scene.user).unwrap();
        for note in notes(&self.app, models.is_empty()) {
            writeln!(page, "The model is told: *{note}*\n").unwrap();
        }
        let (coach, why) = (of("coach"), of("coach_reason"));
        writeln!(page, "Heard, from the {coach} coach ({why}):\n").unwrap();
        for line in usual(&heard.text).lines().filter(|line| !line.is_empty()) {
            writeln!(page, "> {line}").unwrap();
        }
        if heard.text.is_empty() {
            writeln!(page, "> (nothing)").unwrap();
        }
        let (outcome, calls) = (of("outcome"), calls(&record));
        writeln!(page, "\nOutcome `{outcome}`; calls: {calls}.").unwrap();
    }
}

/// Upstream calls in their order, but for specialists, who are asked side by side.
fn calls(record: &Value) -> String {
    let attempts = record["attempts"].as_array().unwrap();
    let runs = attempts.chunk_by(|a, b| !a["coach"].is_null() && !b["coach"].is_null());
    let runs = runs.map(|run| {
        let mut run: Vec<_> = run.iter().map(call).collect();
        run.sort_unstable();
        run.join(" + ")
    });
    let calls = runs.collect::<Vec<_>>().join(", ");
    if calls.is_empty() {
        "none".to_owned()
    } else {
        calls
    }
}

/// One upstream call: whom, why, and what went wrong.
fn call(attempt: &Value) -> String {
    let text = |field: &str| attempt[field].as_str();
    let who = text("coach").or(text("cause")).unwrap();
    match text("error_kind") {
        Some(kind) => format!("{who} (`{kind}`)"),
        None => who.to_owned(),
    }
}

/// Stage notes of the last call.
fn notes(app: &TestApp, nobody_was_asked: bool) -> Vec<String> {
    if nobody_was_asked {
        return Vec::new();
    }
    let asked = app.asked();
    let texts = asked["messages"].as_array().unwrap().iter();
    let texts = texts.filter_map(|m| m["content"].as_str().map(str::to_owned));
    texts.filter(|text| text.starts_with("(The user")).collect()
}

/// Where a coach has several phrases for an occasion, the page has the first.
fn usual(text: &str) -> String {
    let roster = Roster::built_in().unwrap();
    let mut text = text.to_owned();
    for coach in roster.iter() {
        let kinds = [
            &coach.lead_ins,
            &coach.fallback_lines,
            &coach.openings,
            &coach.repairs,
        ];
        for phrases in kinds {
            for phrase in &phrases[1..] {
                text = text.replace(phrase, &phrases[0]);
            }
        }
    }
    text
}

fn talk(lines: &[&str]) -> Value {
    let roles = ["user", "assistant"].into_iter().cycle();
    let lines = roles.zip(lines);
    lines
        .map(|(role, text)| json!({"role": role, "content": text}))
        .collect()
}

fn page_on_disk() -> (std::path::PathBuf, String) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/TURNS.md");
    let text = std::fs::read_to_string(&file).unwrap();
    (file, text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(
    clippy::disallowed_methods,
    reason = "it is the test that is told to write, not the service"
)]
async fn ten_turns_are_heard_as_the_page_says() {
    let settings = [
        ("SILENCE_REPLY", "line"),
        ("HEDGING", "false"),
        // The model that is slow here is slow, and not late.
        ("FIRST_TOKEN_DEADLINE_MS", "20000"),
    ];
    let app = TestApp::spawn(&settings).await;
    seed(
        &app,
        "ines",
        &["The user's name is Ines.", "Leads a payments team."],
    );
    let mut page = Page {
        app,
        text: String::new(),
        turns: 0,
    };
    begin(&mut page).await;
    trouble(&mut page).await;
    together(&mut page).await;
    assert_eq!(page.turns, 10);
    let Page { app, text, .. } = page;
    app.stop().await;
    let (file, document) = page_on_disk();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (kept, after) = rest.split_once(END).unwrap();
    if std::env::var_os("WRITE_TURNS").is_some() {
        std::fs::write(file, format!("{before}{BEGIN}{text}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(text, kept, "to write it anew: WRITE_TURNS=1");
}

/// A call begins, and what models write becomes what can be said.
async fn begin(page: &mut Page) {
    let welcome = "Welcome back, Ines. How did it go with the payments team this week?";
    page.play(
        "ines",
        Scene {
            title: "A call begins",
            history: json!([]),
            user: "Speak your greeting to the user.",
            models: &[saying(welcome)],
            told: "The platform's request for a greeting. Memory knows the name, so the model does.",
        },
    )
    .await;
    let raise = "**Good news:** from $85,000 to $102,000 is a 20% raise, and it starts on 3/1/2027. \
        See [the pay guide](https://example.com/pay?y=2027) 🎉. *smiles* What would you still ask for?";
    page.play(
        "",
        Scene {
            title: "Marks, money and a date",
            history: json!([]),
            user: "They offered me the promotion. Is the money right?",
            models: &[saying(raise)],
            told: &format!("The model writes: `{raise}`"),
        },
    )
    .await;
    let list = "Three steps:\n\n1. Pick *one* skill, e.g. SQL.\n2. Practise 15 min/day, 3-4 times a week.\n\
        3. Show v2.0 to Dr. Lee by 5 pm.\n\nWhich one is first?";
    page.play(
        "",
        Scene {
            title: "A list",
            history: json!([]),
            user: "How do I learn something new beside work? A course?",
            models: &[saying(list)],
            told: &format!("The model writes: `{}`", list.replace('\n', "⏎")),
        },
    )
    .await;
    let german = "Das sind **85.000 Euro** im Jahr, also 20 % mehr. Was wäre dir noch wichtig?";
    page.play(
        "",
        Scene {
            title: "Another language",
            history: json!([]),
            user: "Ich möchte mehr verdienen, aber wie viel ist fair?",
            models: &[saying(german)],
            told: &format!("The model writes: `{german}` Marks go, figures stay for the voice."),
        },
    )
    .await;
}

/// Models that are slow, break off, or fail.
async fn trouble(page: &mut Page) {
    let before = ["I want to lead better.", "Tell me about your team."];
    page.app
        .options(|o| o.first_token = Duration::from_millis(1_500));
    page.play(
        "",
        Scene {
            title: "A slow model",
            history: talk(&before),
            user: "I carry most of their work myself.",
            models: &[saying("That is generous, and it keeps them small. Which decision could you let go of?")],
            told: "The first word takes the model a second and a half. After 1.2 s the coach says a phrase of its own.",
        },
    )
    .await;
    page.app
        .options(|o| o.first_token = Duration::from_millis(5));
    page.play(
        "",
        Scene {
            title: "A model that breaks off",
            history: json!([]),
            user: "How do I ask for a salary that fits the role?",
            models: &["cut:9", "ok"].map(str::to_owned),
            told: "The first model's connection breaks behind its ninth word. Another goes on in the same breath.",
        },
    )
    .await;
    page.play(
        "",
        Scene {
            title: "Every model fails",
            history: talk(&before),
            user: "So what do I do about the team?",
            models: &["500", "429", "empty", "500", "500", "500"].map(str::to_owned),
            told: "Whatever goes wrong, somebody says something that is true.",
        },
    )
    .await;
}

/// Several coaches, and what people do besides talking.
async fn together(page: &mut Page) {
    let says = [
        PLAN,
        "In ten years the bold one will look like the start. I would go, with a date to look back.",
        "The gap is negotiation. I would practise before either; the bold one teaches it faster.",
        "The safe one keeps your allies near. I would stay a year.",
        "My career and skills colleagues would go, for what you learn. The network coach would stay, \
         for the people. That is a difference of priority, and I would put learning first. What would \
         you regret more?",
    ];
    page.play(
        "",
        Scene {
            title: "The whole team",
            history: json!([]),
            user: COUNCIL,
            models: &says.map(saying),
            told: "The master speaks at once, while its colleagues think; they differ, and it says in what.",
        },
    )
    .await;
    let reply =
        "That took courage. You said what you saw, and you let her answer. What did she say?";
    page.app.script(&[&saying(reply)]);
    let told = "I told her what I saw.";
    page.app.say("mm", told).await;
    page.play(
        "mm",
        Scene {
            title: "“Mm-hm”, into the coach's words",
            history: talk(&[told, "That took courage. You said what you saw, and"]),
            user: "Mm-hm.",
            models: &[saying("You let her answer. What did she say?")],
            told: &format!(
                "The coach was saying “{reply}” The platform stopped its voice at a sound that was no \
                 question, and sends back what was heard."
            ),
        },
    )
    .await;
    page.play(
        "",
        Scene {
            title: "Silence, for the second time",
            history: talk(&["Hello", "Hello, what is on your mind?", "[user silent]", "Take all the time you need."]),
            user: "[user silent]",
            models: &[],
            told: "With `SILENCE_REPLY=line`. After the third of these lines nothing is said any more.",
        },
    )
    .await;
}
