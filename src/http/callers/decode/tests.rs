//! Requests as callers really send them, and what becomes of each.

use super::super::hume::HUME;
use super::super::openai::OPENAI;
use super::*;

fn hume(json: &str) -> Decoded {
    decode(json.as_bytes(), &HUME).unwrap()
}

fn messages(json: &str) -> Conversation {
    hume(&format!(r#"{{"messages":{json}}}"#)).conversation
}

#[test]
fn a_hume_turn_is_undone() {
    let c = messages(
        r#"[{"role":"assistant","content":"Good morning."},
            {"role":"user","content":"Fine. {slightly doubtful, quite calm}",
             "time":{"begin":4210,"end":6890.5},
             "models":{"prosody":{"scores":{"Doubt":0.31,"Calmness":0.22,"Noise":0.01}}}}]"#,
    );
    assert_eq!(c.ask, Ask::Words("Fine.".into()));
    assert_eq!(c.history.len(), 1);
    let names: Vec<_> = c.expressions.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["Doubt", "Calmness"]);
}

#[test]
fn every_odd_body_is_survived() {
    for (json, ask) in [
        (r"[]", Ask::Greeting),
        (r#"[{"role":"user","content":null}]"#, Ask::Nothing),
        (r#"[{"role":"user"}]"#, Ask::Nothing),
        (r#"[{"role":"user","content":""}]"#, Ask::Nothing),
        (r#"[{"role":"user","content":7}]"#, Ask::Nothing),
        (
            r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url"},"b"]}]"#,
            Ask::Words("a b".into()),
        ),
        (
            r#"[{"type":"user_message","message":{"role":"user","content":"hi"}}]"#,
            Ask::Words("hi".into()),
        ),
        (
            r#"[{"role":"user","content":"hi","time":{"begin":1e3},"models":null}]"#,
            Ask::Words("hi".into()),
        ),
        (
            r#"[{"role":"user","content":"hi","models":{"prosody":null}}]"#,
            Ask::Words("hi".into()),
        ),
        (
            r#"[{"role":"all","content":"x"},{"role":"context","content":"x"},{"role":7},{}, 3, null, "x"]"#,
            Ask::Greeting,
        ),
        (
            r#"[{"role":"user","content":"[user silent]"}]"#,
            Ask::Silence,
        ),
        (
            r#"[{"role":"user","content":"Speak your greeting to the user."}]"#,
            Ask::Greeting,
        ),
        (
            r#"[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"}]"#,
            Ask::Silence,
        ),
        (
            r#"[{"role":"user","content":"I lost my job"},{"role":"assistant","content":""}]"#,
            Ask::Words("I lost my job".into()),
        ),
        (
            r#"[{"role":"user","content":"I lost my job"},{"role":"user","content":" "}]"#,
            Ask::Words("I lost my job".into()),
        ),
        (
            r#"[{"role":"user","content":"I lost my job"},{"role":"assistant","content":null},
                {"role":"user","content":"{very calm, very sad}"}]"#,
            Ask::Words("I lost my job".into()),
        ),
        (
            r#"[{"role":"user","content":"I lost my job"},{"role":"user","content":"[user silent]"},
                {"role":"assistant","content":""}]"#,
            Ask::Silence,
        ),
        (
            r#"[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},
                {"role":"user","content":""}]"#,
            Ask::Nothing,
        ),
        (
            r#"[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},
                {"role":"assistant","content":""}]"#,
            Ask::Silence,
        ),
        (
            r#"[{"role":"system","content":"You are x"}]"#,
            Ask::Greeting,
        ),
        (
            r#"[{"role":"user","content":"a\ud83d"}]"#,
            Ask::Words("a\u{fffd}".into()),
        ),
    ] {
        let c = messages(json);
        assert_eq!(c.ask, ask, "{json}");
    }
}

#[test]
fn an_application_that_has_the_last_word_tells_what_to_say() {
    const TALK: &str = r#"{"role":"system","content":"You are x"},{"role":"user","content":"Hi"},
        {"role":"assistant","content":"Hello"}"#;
    let bye = |role: &str| format!(r#"{TALK},{{"role":"{role}","content":"Say goodbye."}}"#);
    for (messages, ask) in [
        (bye("system"), Ask::Told),
        (bye("developer"), Ask::Told),
        (
            bye("system") + r#",{"role":"assistant","content":" "}"#,
            Ask::Told,
        ),
        (
            bye("system") + r#",{"role":"assistant","content":"Bye."}"#,
            Ask::Silence,
        ),
        (
            bye("system") + r#",{"role":"user","content":"Wait"}"#,
            Ask::Words("Wait".into()),
        ),
        (
            format!(r#"{TALK},{{"role":"system","content":" "}}"#),
            Ask::Silence,
        ),
        (TALK.to_owned(), Ask::Silence),
        // A page's state that follows what was said is no request of its own.
        (
            r#"{"role":"user","content":"Hi"},{"role":"system","content":"Page: planner"}"#.into(),
            Ask::Words("Hi".into()),
        ),
    ] {
        let body = format!(r#"{{"messages":[{messages}]}}"#);
        let told = decode(body.as_bytes(), &OPENAI).unwrap().conversation;
        assert_eq!(told.ask, ask, "{messages}");
        // What a voice platform's own dialect says so is not heeded.
        let unheeded = hume(&body).conversation;
        assert!(unheeded.ask != Ask::Told && unheeded.context.is_empty());
    }
}

#[test]
fn what_is_no_chat_request_is_refused_with_a_reason() {
    for (body, why) in [
        ("", BadBody::NotAnObject),
        ("[]", BadBody::NotAnObject),
        ("{", BadBody::NotAnObject),
        ("{}", BadBody::NoMessages),
        (r#"{"messages":null}"#, BadBody::NoMessages),
        (r#"{"messages":{}}"#, BadBody::NoMessages),
    ] {
        assert_eq!(decode(body.as_bytes(), &HUME).unwrap_err(), why, "{body}");
    }
    let deep = format!(r#"{{"x":{}}}"#, "[".repeat(100_000));
    assert_eq!(
        decode(deep.as_bytes(), &HUME).unwrap_err(),
        BadBody::TooDeep
    );
    assert_eq!(
        decode(b"{\"messages\":[\xff]}", &HUME).unwrap_err(),
        BadBody::NotAnObject
    );
}

#[test]
fn a_delivery_sent_twice_counts_once_and_a_repeated_word_twice() {
    let twice = r#"{"role":"user","content":"yes","time":{"begin":1,"end":2}}"#;
    let later = r#"{"role":"user","content":"yes","time":{"begin":3,"end":4}}"#;
    assert_eq!(messages(&format!("[{twice},{twice}]")).history.len(), 0);
    assert_eq!(
        messages(&format!("[{twice},{twice},{later}]"))
            .history
            .len(),
        1
    );
}

#[test]
fn neighbours_are_one_delivery_only_where_that_is_sure() {
    let user =
        |content: &str, rest: &str| format!(r#"{{"role":"user","content":"{content}"{rest}}}"#);
    let (begin, longer) = (r#","time":{"begin":1}"#, "I lost my job today");
    let call = |id: &str| {
        format!(r#"{{"role":"assistant","content":null,"tool_calls":[{{"id":"{id}"}}]}}"#)
    };
    for (name, one, two, lines) in [
        ("no time, short", user("yes", ""), user("yes", ""), 2),
        (
            "null time",
            user("yes", r#","time":null"#),
            user("yes", r#","time":null"#),
            2,
        ),
        ("no time, long", user(longer, ""), user(longer, ""), 1),
        (
            "no time, long, not to the byte",
            user(longer, ""),
            user(longer, r#","x":1"#),
            2,
        ),
        ("same time", user("yes", begin), user("yes", begin), 1),
        (
            "same time, other extras",
            user("yes", begin),
            user("yes", r#","time":{"begin":1},"x":1"#),
            1,
        ),
        ("calls", call("1"), call("2"), 2),
        ("the same call", call("1"), call("1"), 2),
    ] {
        let body = format!(
            r#"{{"tools":[{{}}],"messages":[{one},{two},{}]}}"#,
            user("end", "")
        );
        let c = hume(&body).conversation;
        assert_eq!(c.history.len(), lines, "{name}");
    }
}

#[test]
fn a_tool_message_goes_on_with_what_the_model_needs_and_nothing_else() {
    let c = hume(
        r#"{"tools":[{"type":"function"}],"messages":[
            {"type":"assistant_message","models":{"prosody":{"scores":{"Joy":1}}},
             "message":{"role":"assistant","content":null,"tool_calls":[{"id":"1"}],"x":1}},
            {"role":"tool","tool_call_id":"1","name":"end","content":"ok","time":{"begin":1},"models":{}}]}"#,
    )
    .conversation;
    let raw: Vec<_> = c
        .history
        .iter()
        .map(|m| m.raw.as_deref().unwrap().get())
        .collect();
    assert_eq!(
        raw,
        [
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"1"}]}"#,
            r#"{"role":"tool","content":"ok","tool_call_id":"1","name":"end"}"#,
        ]
    );
}

#[test]
fn the_context_of_an_unheard_delivery_is_kept() {
    let c = messages(
        r#"[{"role":"user","content":"Hi {Context: a}"},{"role":"user","content":"{Context: b}"}]"#,
    );
    assert_eq!(c.ask, Ask::Words("Hi".into()));
    assert_eq!(c.context, ["a", "b"]);
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let marked = "\u{feff}{\"messages\":[]}";
    assert!(decode(marked.as_bytes(), &HUME).is_ok());
}

#[test]
fn past_markers_and_tails_leave_the_history() {
    let c = messages(
        r#"[{"role":"user","content":"Speak your greeting to the user."},
            {"role":"assistant","content":"Welcome."},
            {"role":"user","content":"[user silent]"},
            {"role":"user","content":"First {very calm}"},
            {"role":"tool","content":"{}","tool_call_id":"1"},
            {"role":"user","content":"Speak your greeting to the user. Now {Context: in a car}"}]"#,
    );
    let texts: Vec<_> = c.history.iter().map(|m| m.text.as_str()).collect();
    assert_eq!(texts, ["Welcome.", "First"]);
    assert_eq!(c.ask, Ask::Words("Now".into()));
    assert_eq!(c.context, ["in a car"]);
}

#[test]
fn tools_pass_through_and_tool_messages_keep_their_form() {
    let body = br#"{"tools":[{"type":"function"}],"tool_choice":"auto","messages":[
        {"role":"system","content":"Be brief."},
        {"role":"user","content":"Hang up"},
        {"role":"assistant","content":null,"tool_calls":[{"id":"1"}]},
        {"role":"tool","tool_call_id":"1","content":"ok"}]}"#;
    let c = decode(body, &OPENAI).unwrap().conversation;
    assert_eq!(c.ask, Ask::ToolResult);
    assert_eq!(c.history.iter().filter(|m| m.raw.is_some()).count(), 2);
    assert_eq!(c.context, ["Be brief."]);
    assert!(c.tools.is_some());
}

#[test]
fn prosody_can_be_switched_off_before_anybody_sees_it() {
    let mut d = hume(
        r#"{"messages":[{"role":"user","content":"x","models":{"prosody":{"scores":{"Joy":0.9}}}}]}"#,
    );
    assert_eq!(d.conversation.expressions.len(), 1);
    d.hear(ProsodyPolicy::Off, 0, |_| unreachable!("nobody is asked"));
    assert!(d.conversation.expressions.is_empty() && d.heard.is_none());
}

#[test]
fn of_a_long_result_the_beginning_goes_on() {
    for (length, kept) in [(16_000, 16_000), (16_001, 16_003), (2_000_000, 16_003)] {
        let said = "x".repeat(length);
        let body = format!(
            r#"{{"tools":[{{}}],"messages":[{{"role":"user","content":"Hi"}},
            {{"role":"assistant","content":null,"tool_calls":[{{"id":"1"}}]}},
            {{"role":"tool","tool_call_id":"1","content":"{said}"}}]}}"#
        );
        let talk = hume(&body).conversation;
        let raw = talk.history.last().unwrap().raw.as_deref().unwrap();
        let raw: serde_json::Value = serde_json::from_str(raw.get()).unwrap();
        assert_eq!(raw["content"].as_str().unwrap().len(), kept, "{length}");
        assert_eq!(raw["tool_call_id"], "1");
    }
}
