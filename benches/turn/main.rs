//! What a turn costs this process, part by part, in the order a turn meets them: who speaks, what is
//! asked, which coach, which prompt, upstream's events in, the caller's events out. Nothing here
//! does IO; records and memory wait for nobody and are left out.
//!
//! Two parts stand beside what was not chosen, so that `docs/DECISIONS.md` can name its price.
//! Figures: `docs/BENCH.md`. To add a part: a function that takes a `Criterion`, and its line in
//! `main`.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot be set up has nothing to measure"
)]

#[path = "../common/recording.rs"]
mod recording;
#[path = "../common/request.rs"]
mod request;
mod words;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use quest_clm::clock::Clock;
use quest_clm::coach::{Roster, select};
use quest_clm::config::{self, Sources};
use quest_clm::http::callers::decode;
use quest_clm::http::callers::hume::{self, HUME};
use quest_clm::prompt::compose;
use quest_clm::session::{MintRequest, Pseudonyms, Revoked, Sessions, Unproven};
use quest_clm::telemetry::{spans, traces};
use quest_clm::turn::{FinishReason, Message, Outcome, TraceContext, Usage};
use quest_clm::vault::DataKey;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

use request::{CHOOSING_LINE, COACH_LINE, USER_LINE, conversation};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    session_identify(&mut criterion);
    http_decode(&mut criterion);
    coach_unsay(&mut criterion);
    coach_select(&mut criterion);
    prompt_compose(&mut criterion);
    words::sse_decode(&mut criterion);
    words::http_words(&mut criterion);
    telemetry_spans(&mut criterion);
    criterion.final_summary();
}

// Who speaks.

fn session_identify(criterion: &mut Criterion) {
    const NEW: &str = "a-new-signing-key-of-some-length";
    const OLD: &str = "an-old-signing-key-of-some-length";
    let sessions = |keys: &str| {
        let sources = Sources::from_pairs([("SESSION_SIGNING_KEYS", keys)]);
        Sessions::new(&config::load(&sources).unwrap(), Clock::System)
    };
    let request = MintRequest {
        user_id: "coachee-42".to_owned(),
        coach: Some("career".to_owned()),
        ..MintRequest::default()
    };
    let minted = sessions(OLD).mint(request).unwrap().session;
    let mut group = criterion.benchmark_group("session/identify");
    for (name, keys) in [
        ("signed", OLD.to_owned()),
        ("signed with the key before", format!("{NEW},{OLD}")),
    ] {
        let sessions = sessions(&keys);
        let unproven = Unproven {
            session: Some(minted.as_str()),
            ..Unproven::default()
        };
        let user = sessions.identify(unproven).unwrap().user;
        assert_eq!(user.as_deref(), Some("coachee-42"));
        group.bench_function(name, |b| b.iter(|| sessions.identify(black_box(unproven))));
    }
    let names = Pseudonyms::new(&DataKey::load(&data_key()).unwrap());
    let revoked = Revoked::new(names);
    revoked.take((0..10_000).map(|n| (format!("s_{n:032x}"), i64::MAX)), 0);
    let heeding = sessions(OLD).heeding(Arc::new(revoked));
    // One byte of the claims: all is hashed before it shows.
    let mut edited = minted.as_str().to_owned();
    let other = if edited.get(10..11) == Some("A") {
        "B"
    } else {
        "A"
    };
    edited.replace_range(10..11, other);
    assert!(!heeding.holds(&edited));
    for (name, sessions, id) in [
        ("signed, 10,000 others revoked", &heeding, minted.as_str()),
        ("edited", &heeding, edited.as_str()),
    ] {
        let unproven = Unproven {
            session: Some(id),
            ..Unproven::default()
        };
        group.bench_function(name, |b| b.iter(|| sessions.identify(black_box(unproven))));
    }
    group.finish();
}

fn data_key() -> config::Store {
    let sources = Sources::from_pairs([("DATA_KEY", "a-data-key-of-some-length")]);
    config::load(&sources).unwrap().store
}

// What is asked.

fn http_decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("http/decode");
    for turns in [3, 200] {
        let body = hume::request(turns, USER_LINE);
        let decoded = decode(body.as_bytes(), &HUME).unwrap().conversation;
        assert_eq!(decoded.history.len(), 2 * (turns - 1));
        assert_eq!(decoded.expressions.len(), 3);
        assert_eq!(decoded.ask.words(), USER_LINE);
        group.throughput(Throughput::Bytes(body.len() as u64));
        let name = format!("{turns} turns, {} KB", body.len() / 1000);
        group.bench_function(name, |b| {
            b.iter(|| decode(black_box(body.as_bytes()), &HUME))
        });
    }
    group.finish();
}

// Which coach, which prompt.

/// Our own phrases out of a history of 10,000 lines, 200 bytes each. What was taken out once is not
/// there again, so a line with a phrase is measured by itself.
fn coach_unsay(criterion: &mut Criterion) {
    let roster = Roster::built_in().unwrap();
    let both = format!("{COACH_LINE} {USER_LINE}");
    let line = format!("{}.", both.get(..199).unwrap());
    let pair = [Message::user(&*line), Message::assistant(&*line)];
    let led_in = format!("{} {line}", roster.master().lead_ins().first().unwrap());
    assert_eq!(roster.unsay(&led_in), line);
    let mut group = criterion.benchmark_group("coach/unsay");
    for (name, message) in [("the assistant's alone", 1), ("in turns", 0)] {
        let lines = pair.iter().skip(message).cycle().take(10_000).cloned();
        let mut history: Vec<Message> = lines.collect();
        group.bench_function(format!("10,000 lines, {name}"), |b| {
            b.iter(|| roster.unsay_all(black_box(&mut history)))
        });
        assert!(history.len() == 10_000 && history.iter().all(|m| m.text == line));
    }
    group.bench_function("a line with a lead-in", |b| {
        b.iter(|| roster.unsay(black_box(&led_in)).len())
    });
    group.finish();
}

fn coach_select(criterion: &mut Criterion) {
    let roster = Roster::built_in().unwrap();
    let mut group = criterion.benchmark_group("coach/select");
    for (name, turns, last, chosen) in [
        ("first turn, a keyword", 1, CHOOSING_LINE, "career"),
        (
            "200 turns, a keyword in the last",
            200,
            CHOOSING_LINE,
            "career",
        ),
        ("200 turns, none anywhere", 200, USER_LINE, "master"),
    ] {
        let conversation = conversation(turns, last);
        let select = || select(&roster, black_box(&conversation).lines(), None);
        assert_eq!(select().coach.id, chosen);
        group.bench_function(name, |b| b.iter(select));
    }
    group.finish();
}

fn prompt_compose(criterion: &mut Criterion) {
    let memory = "Leads a payments team of six since last spring. Wants to be heard by her own \
        manager before she asks for a new role.\n"
        .repeat(8);
    let roster = Roster::built_in().unwrap();
    let mut group = criterion.benchmark_group("prompt/compose");
    for (name, turns, memory) in [
        ("first turn", 1, None),
        ("200 turns with memory", 200, Some(memory.as_str())),
    ] {
        let conversation = conversation(turns, USER_LINE);
        group.bench_function(name, |b| {
            b.iter(|| compose(roster.master(), black_box(&conversation), memory))
        });
    }
    group.finish();
}

// What is told of it.

/// The spans of a turn with one upstream call, as the corridor makes and fills them.
fn one_turns_spans() {
    let trace = TraceContext::new();
    let request = spans::request("POST", "/chat/completions", &trace);
    let turn = request.in_scope(|| spans::turn("01a20669-9e3e-7607-91ca-bbf281bc2d96", "master"));
    drop(turn.in_scope(|| spans::retrieval("zep")));
    drop(spans::recall(&turn));
    let race = spans::race(&turn);
    let server = ("openrouter.ai", 443);
    let chat = race.in_scope(|| spans::chat("openai/gpt-6.1-terra", server, "d41d8cd98f00"));
    spans::spoke(&chat, Some("gen-1234567890"), Duration::from_millis(300));
    drop(race);
    drop(spans::relay(&turn));
    spans::answered(&request, 200);
    let usage = Usage::default();
    let (model, finish) = (Some("openai/gpt-6.1-terra"), Some(FinishReason::Stop));
    spans::spoken(&chat, model, finish, Some(&usage));
    spans::settled(&turn, &request, Outcome::Complete, "d41d8cd98f00");
}

fn telemetry_spans(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("telemetry/spans");
    let log = || tracing_subscriber::fmt::layer().with_writer(std::io::sink);
    let lines = FilterFn::new(|meta| meta.is_event());
    let unsent = tracing_subscriber::registry().with(log().with_filter(lines.clone()));
    tracing::subscriber::with_default(unsent, || {
        group.bench_function("no collector", |b| b.iter(one_turns_spans));
    });
    let sampler = config::load(&Sources::default()).unwrap().otlp.sampler;
    let (tracer, mut queue) = traces::tracer(sampler);
    let sent = tracing_subscriber::registry()
        .with(log().with_filter(lines))
        .with(traces::layer(tracer));
    let mut batch = Vec::new();
    tracing::subscriber::with_default(sent, || {
        group.bench_function("to a collector", |b| {
            b.iter(|| {
                one_turns_spans();
                // Emptied as it is filled, so that nothing is ever dropped unqueued.
                batch.clear();
                queue.fill(&mut batch)
            });
        });
    });
    assert_eq!(batch.len(), 7);
    group.finish();
}
