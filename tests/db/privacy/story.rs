//! What happens to the service: everything planted is said, sent or broken here.

use quest_clm::memory::Person;
use quest_clm::simulate::MemoryFault;
use serde_json::{Value, json};

use super::stage::{Stage, nothing_in, saying};
use super::{BARE, holds, planted, search, user};
use crate::caller::Request;
use crate::heard::Heard;
use crate::service::until;

/// The number of the user who has a signed session.
pub(super) const SIGNED: usize = 0;
const OF_A_BODY: usize = 1;
const IN_AN_OUTAGE: usize = 2;

/// What is no turn, or not to be answered.
pub(super) async fn odd_requests(stage: &Stage) {
    let words = planted("a malformed body");
    let path = "/chat/completions";
    for body in [
        format!(r#"{{"messages":[{{"role":"user","content":"{words}"#).into_bytes(),
        format!(r#"{{"messages":"{words}"}}"#).into_bytes(),
        format!(r#""{words}""#).into_bytes(),
        [b"\xff\xfe{", words.as_bytes()].concat(),
        format!("{}\"{words}\"", "[".repeat(100)).into_bytes(),
    ] {
        let request = Stage::signed(Request::bytes(path, body));
        assert_eq!(stage.service.send(&request).await.status, 400);
    }
    let wrong = planted("a wrong key");
    for (name, value) in [
        ("authorization", format!("Bearer {wrong}")),
        ("authorization", format!("Basic {wrong}")),
        ("x-api-key", wrong),
    ] {
        let request = Request::hume("s", "Hello").header(name, &value);
        assert_eq!(stage.service.send(&request).await.status, 401);
    }
    let word = planted("an address");
    for (path, status) in [
        (format!("/{word}"), 404),
        (format!("/v1/turns/{word}"), 404),
        (format!("/v1/turns?outcome={word}"), 400),
        (format!("/v1/turns?{word}={word}&session={word}"), 400),
        (format!("/v1/sessions/{word}"), 404),
        (format!("/v1/export/{word}"), 404),
        (format!("/healthz?custom_session_id={word}"), 200),
    ] {
        let answer = stage.admin(Request::get(&path)).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
    operators(stage).await;
}

/// What a front end's backend, or whoever judges a turn, gets wrong.
async fn operators(stage: &Stage) {
    let word = planted("a front end's backend");
    for body in [
        json!({ "user_id": "u", "coach": word }),
        json!({ "user_id": "u", "tier": word }),
        json!({ "user_id": "u", (word.clone()): 1 }),
        json!({ "user_id": format!("{word}\n") }),
        json!(word),
    ] {
        let request = Request::post("/v1/sessions", &body);
        assert_eq!(stage.admin(request).await.status, 400, "{body}");
    }
    let turn = Heard::strictly(stage.service.send(&headed()).await).turn_id;
    stage.is_kept().await;
    let thought = planted("what somebody thought of it");
    for (body, status) in [
        (json!({ "satisfaction": 5, "comment": thought }), 400),
        (json!({ "satisfaction": thought }), 400),
        (json!({ "satisfaction": 5 }), 202),
    ] {
        let path = format!("/v1/turns/{turn}/feedback");
        let answer = stage.admin(Request::post(&path, &body)).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}

/// A turn with words in every header that somebody may send.
fn headed() -> Request {
    let trace = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";
    let request = Request::hume("headers", "Hello").header("traceparent", trace);
    let word = planted("headers").replace(" and ", "-");
    let names = [
        "user-agent",
        "referer",
        "cookie",
        "baggage",
        "tracestate",
        "x-request-id",
        "x-forwarded-for",
        "x-clm-fault",
        "x-clm-errors",
        "accept-language",
    ];
    let add = |request: Request, name: &&str| request.header(name, &format!("a={word}"));
    Stage::signed(names.iter().fold(request, add))
}

/// A conversation of somebody with a signed session, of whom memory knows something.
pub(super) async fn conversation(stage: &Stage) {
    let person = Person::new(user(SIGNED), "");
    stage
        .simulator
        .seed_memory(person.zep_user(), &[&planted("memory")]);
    let session = stage.mint(user(SIGNED)).await;
    // The id carries its user, which a search that cannot read it would not see.
    assert_eq!(search().found(session.as_bytes()).len(), 1, "{session}");
    let reply = format!("{} it is.", planted("the model's answer"));
    let mut messages = told(&planted("the user's words"));
    stage.talk(&session, &messages, &reply).await;
    goes_on(&mut messages, &reply, "Well?");
    stage.talk(&session, &messages, "Well.").await;
    until("what was said, in memory", async || {
        let threads = stage.simulator.ledger().zep_threads();
        let mut said = threads.iter().flat_map(|thread| &thread.messages);
        said.any(|message| message.content.contains(&reply))
            .then_some(())
    })
    .await;
    until("a prompt with what memory knows", async || {
        let (thread, known) = (messages.clone(), planted("memory"));
        let mut messages = thread;
        let calls = stage.simulator.ledger().chats().len();
        goes_on(&mut messages, "Well.", &format!("And {calls}?"));
        stage.talk(&session, &messages, "Yes.").await;
        let asked = stage.simulator.ledger().chats();
        let last = asked.last().unwrap().body.to_string();
        last.contains(&known).then_some(())
    })
    .await;
}

/// History, and words with their sound.
fn told(words: &str) -> Value {
    let history = planted("history");
    let (asked, answered) = history.split_once(" and ").unwrap();
    let sound = planted("how somebody sounds");
    json!([
        { "role": "user", "content": format!("I know {asked}.") },
        { "role": "assistant", "content": format!("And {answered}?") },
        { "role": "user", "content": words, "models": { "prosody": { "scores":
            { "Joy": 0.7, (sound.clone()): 0.9 }, "note": sound } } },
    ])
}

fn goes_on(messages: &mut Value, reply: &str, words: &str) {
    let messages = messages.as_array_mut().unwrap();
    messages.push(json!({ "role": "assistant", "content": reply }));
    messages.push(json!({ "role": "user", "content": words }));
}

/// How somebody sounds, told by a request, by a message, and beside the turns.
pub(super) async fn readings(stage: &Stage) {
    let neutral = planted("a neutral reading");
    let (whole, single) = neutral.split_once(" and ").unwrap();
    let felt = |label: &str| json!([{ "label": label, "confidence": 0.8 }]);
    for body in [
        json!({ "stream": true, "emotion": felt(whole),
            "messages": [{ "role": "user", "content": "Hello" }] }),
        json!({ "stream": true,
            "messages": [{ "role": "user", "content": "Hello again", "emotion": felt(single) }] }),
    ] {
        let request = Stage::signed(Request::post("/v1/chat/completions", &body));
        Heard::strictly(stage.service.send(&request).await);
    }
    let session = stage.mint(user(SIGNED)).await;
    let path = format!("/v1/sessions/{session}/emotion");
    let late = felt(&planted("a reading by itself"));
    for (body, status) in [
        (json!({ "emotion": late }), 202),
        (json!({ "emotion": late, "note": late }), 400),
    ] {
        let answer = stage.admin(Request::post(&path, &body)).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    let messages = json!([{ "role": "user", "content": "How do I sound?" }]);
    stage.talk(&session, &messages, "Fine.").await;
}

/// A system message and tools, in the other dialect; the model calls one too.
pub(super) async fn tools(stage: &Stage) {
    let tools = planted("tools");
    let [tool, call, result] = tools.split(" and ").collect::<Vec<_>>()[..] else {
        panic!("{tools}")
    };
    let function = json!({ "name": "save_goal", "description": tool });
    let called = json!({ "role": "assistant", "content": null, "tool_calls": [
        { "id": "call_0", "type": "function",
          "function": { "name": "save_goal", "arguments": json!({ "goal": call }).to_string() } }] });
    let body = json!({
        "stream": true,
        "tools": [{ "type": "function", "function": function }],
        "messages": [
            { "role": "system", "content": planted("a system message") },
            { "role": "user", "content": "Save that." },
            called,
            { "role": "tool", "tool_call_id": "call_0", "content": result },
        ],
    });
    for fault in ["ok", "tool"] {
        stage.simulator.script(vec![fault]);
        let session = stage.mint(user(SIGNED)).await;
        let request = Request::post("/v1/chat/completions", &body);
        let request = Stage::signed(request.header("x-clm-session", &session));
        Heard::strictly(stage.service.send(&request).await);
    }
}

/// Somebody whom nobody vouches for.
pub(super) async fn named_by_the_body(stage: &Stage) {
    let body = json!({ "user_id": user(OF_A_BODY), "messages": told("Hello there.") });
    let path = format!("/chat/completions?custom_session_id={BARE}");
    let request = Stage::signed(Request::post(&path, &body));
    Heard::strictly(stage.service.send(&request).await);
}

/// Models that fail, and quote what they were asked.
pub(super) async fn failures(stage: &Stage) {
    let words = planted("an upstream error");
    let (refused, broken) = words.split_once(" and ").unwrap();
    let quoting = format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"Well, \"}},\"finish_reason\":null}}]}}\n\n\
         data: {{\"{broken}\n\n\
         data: {{\"error\":{{\"code\":400,\"message\":\"flagged: {broken}\",\"metadata\":\
         {{\"raw\":\"{broken}\",\"flagged_input\":\"{broken}\"}}}},\"choices\":[]}}\n\n"
    );
    stage.simulator.add_recording("quoting", quoting, 0);
    let unread = format!(": {broken}\n\n{}", format!("data: {broken}\n\n").repeat(4));
    stage.simulator.add_recording("unread", unread, 0);
    let page = format!("{{\"error\":{{\"message\":\"{broken}\"}}}}");
    stage.simulator.add_recording("page", page, 0);
    // A fault that cannot be read is refused with a 400 that quotes it.
    for fault in [
        &format!("cut:{refused}"),
        "replay:quoting",
        "replay:unread",
        "replay:page",
    ] {
        for count in [1, 8] {
            for errors in ["speak", "signal"] {
                stage.simulator.script(vec![fault; count]);
                let request = Request::hume(&format!("{count}-{errors}"), fault_words(fault));
                let request = Stage::signed(request).header("x-clm-errors", errors);
                let answer = stage.service.send(&request).await;
                assert!(search().found(&answer.body).is_empty(), "{}", answer.text());
            }
        }
    }
    stage.simulator.script(Vec::new());
}

/// Words that differ by fault and say nothing of it.
fn fault_words(fault: &str) -> &'static str {
    match fault {
        "replay:quoting" => "First.",
        "replay:unread" => "Second.",
        "replay:page" => "Third.",
        _ => "Fourth.",
    }
}

/// A hang-up in mid-word, and what the next request makes of it.
pub(super) async fn hang_up(stage: &Stage) {
    let session = stage.mint(user(SIGNED)).await;
    let reply = format!("{} ", planted("what was cut off")).repeat(20);
    let mut options = stage.simulator.options();
    let quick = options.clone();
    options.gap = std::time::Duration::from_millis(30);
    stage.simulator.set_options(options);
    stage.simulator.script(vec![&saying(&reply)]);
    let mut messages = told(&planted("what was cut off"));
    let request = Stage::signed(Request::talk(&session, &messages));
    let mut call = stage.service.call(&request).await;
    call.hear_words().await;
    call.reset();
    stage.simulator.set_options(quick);
    goes_on(&mut messages, &reply[..10], "Go on.");
    stage.talk(&session, &messages, "Yes.").await;
}

/// Turns while the database and memory take nothing: all that waits lies on the disk.
pub(super) async fn outage(stage: &mut Stage) {
    let mut options = stage.simulator.options();
    options.memory_fault = Some(MemoryFault::RateLimited);
    stage.simulator.set_options(options);
    stage.postgres.kill().await;
    let session = stage.mint(user(IN_AN_OUTAGE)).await;
    let words = planted("words to a store that is away");
    let mut messages = told(&words);
    stage.talk(&session, &messages, &words).await;
    goes_on(&mut messages, &words, "Well?");
    let last = stage.talk(&session, &messages, &words).await.turn_id;
    until("rows and words that wait on the disk", async || {
        let ready = stage.ready().await;
        let dependencies = &ready["dependencies"];
        let rows = dependencies["spool"]["rows"].as_u64()?;
        let words = dependencies["memory"]["on_disk"].as_u64()?;
        (rows >= 4 && words >= 1).then_some(())
    })
    .await;
    let files = stage.files();
    assert!(
        files.iter().any(|file| holds(file, &last)),
        "a row of the turn"
    );
    nothing_in(&files, &search());
    let paths = ["/v1/turns", "/readyz", "/metrics", "/v1/live"];
    let paths = paths.map(str::to_owned);
    nothing_in(&stage.answers(&paths).await, &search());
}

/// All are there again, and get what waited.
pub(super) async fn recovery(stage: &mut Stage) {
    let mut options = stage.simulator.options();
    options.memory_fault = None;
    stage.simulator.set_options(options);
    stage.postgres.start_again().await;
    stage.start_again().await;
    until("nothing waits any more", async || {
        let ready = stage.ready().await;
        let dependencies = &ready["dependencies"];
        let rows = dependencies["spool"]["rows"].as_u64()?;
        let words = dependencies["memory"]["writes_waiting"].as_u64()?;
        (rows == 0 && words == 0).then_some(())
    })
    .await;
}

/// Somebody asks to be forgotten.
pub(super) async fn erasure(stage: &Stage) {
    let person = Person::new(user(SIGNED), "");
    let is_known = |stage: &Stage| {
        let users = stage.simulator.ledger().zep_users();
        users.iter().any(|u| u.user_id == person.zep_user())
    };
    assert!(is_known(stage));
    let path = format!("/v1/users/{}", user(SIGNED));
    let answer = stage.admin(Request::method("DELETE", &path)).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.json()["erased"]["memory"]["store"], "deleted");
    assert!(!is_known(stage));
    until("nobody's turns", async || {
        let erased = "turn where session_id = 'erased' and user_hash is null";
        (stage.count(erased).await? > 0).then_some(())
    })
    .await;
}
