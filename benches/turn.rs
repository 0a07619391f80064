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

use std::convert::Infallible;
use std::fmt::Write as _;
use std::hint::black_box;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web_lab::sse::{Data, Event, Sse};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use eventsource_stream::Eventsource as _;
use futures::stream;
use futures::{FutureExt as _, StreamExt as _};
use quest_clm::clock::Clock;
use quest_clm::coach::{Roster, select};
use quest_clm::config::{self, Sources};
use quest_clm::http::callers::hume::HUME;
use quest_clm::http::callers::{EventMouth, Frame, decode};
use quest_clm::pipeline::Mouth as _;
use quest_clm::prompt::compose;
use quest_clm::session::{MintRequest, Pseudonyms, Revoked, Sessions, Unproven};
use quest_clm::sse::Decoder;
use quest_clm::telemetry::{spans, traces};
use quest_clm::turn::{Conversation, FinishReason, Message, Outcome, TraceContext, Usage};
use quest_clm::vault::DataKey;
use tokio::sync::mpsc;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    session_identify(&mut criterion);
    http_decode(&mut criterion);
    coach_unsay(&mut criterion);
    coach_select(&mut criterion);
    prompt_compose(&mut criterion);
    sse_decode(&mut criterion);
    http_words(&mut criterion);
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

/// The names of Hume's 48 expression scores.
const EXPRESSIONS: &str = "Admiration,Adoration,Aesthetic Appreciation,Amusement,Anger,Anxiety,Awe,\
    Awkwardness,Boredom,Calmness,Concentration,Confusion,Contemplation,Contempt,Contentment,Craving,\
    Desire,Determination,Disappointment,Disgust,Distress,Doubt,Ecstasy,Embarrassment,Empathic Pain,\
    Entrancement,Envy,Excitement,Fear,Guilt,Horror,Interest,Joy,Love,Nostalgia,Pain,Pride,\
    Realization,Relief,Romance,Sadness,Satisfaction,Shame,Surprise (negative),Surprise (positive),\
    Sympathy,Tiredness,Triumph";

/// Without a name or a keyword of any coach, so that choosing one has to read on.
const USER_LINE: &str = "Well, I slept on it and I still cannot tell what I want from all of this, \
    to be honest with you.";
const COACH_LINE: &str = "That sounds like a lot to hold at once. If you look at the last two weeks, \
    which moment gave you energy, and what was different about it?";
const CHOOSING_LINE: &str = "I was passed over for a promotion again.";

/// A request as Hume sends it: the whole call, every line of the user's with its scores.
fn hume_body(turns: usize, last: &str) -> String {
    let mut scores = String::new();
    for (n, name) in EXPRESSIONS.split(',').enumerate() {
        let comma = if n == 0 { "" } else { "," };
        let score = 0.002_838_134_765_625 * (n * 7 % 48 + 1) as f64;
        write!(scores, r#"{comma}"{name}":{score}"#).unwrap();
    }
    let mut body = r#"{"messages":["#.to_owned();
    for turn in 0..turns {
        let user = |words: &str| {
            let (begin, end) = (turn * 20_000, turn * 20_000 + 6_800);
            format!(
                r#"{{"role":"user","content":"{words} {{slightly doubtful, quite calm}}","type":"user_message","time":{{"begin":{begin},"end":{end}}},"models":{{"prosody":{{"scores":{{{scores}}}}}}}}}"#
            )
        };
        if turn + 1 == turns {
            body.push_str(&user(last));
        } else {
            body.push_str(&user(USER_LINE));
            write!(
                body,
                r#",{{"role":"assistant","content":"{COACH_LINE}","type":"assistant_message"}},"#
            )
            .unwrap();
        }
    }
    body.push_str(r#"],"model":"hume","stream":true}"#);
    body
}

fn conversation(turns: usize, last: &str) -> Conversation {
    let body = hume_body(turns, last);
    decode(body.as_bytes(), &HUME).unwrap().conversation
}

fn http_decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("http/decode");
    for turns in [3, 200] {
        let body = hume_body(turns, USER_LINE);
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

// Upstream's events in.

/// A recorded answer with bursts of comments in it.
const RECORDING: &[u8] = include_bytes!(
    "../tests/fixtures/openrouter/reasoning-haiku45-bedrock-comments-midstream-2026-06.sse"
);

/// Counts the events and their bytes.
fn decoded_here(reads: &[&[u8]]) -> (usize, usize) {
    let mut decoder = Decoder::new();
    let (mut events, mut bytes) = (0, 0);
    for read in reads {
        decoder.feed(read);
        while let Some(data) = decoder.next_event().unwrap() {
            events += 1;
            bytes += black_box(data).len();
        }
    }
    (events, bytes)
}

/// The same with the decoder that `reqwest-eventsource` uses.
fn decoded_there(reads: &[&[u8]]) -> (usize, usize) {
    stream::iter(reads.iter().map(Ok::<_, Infallible>))
        .eventsource()
        .fold((0, 0), async |(events, bytes), event| {
            (events + 1, bytes + black_box(event.unwrap().data).len())
        })
        .now_or_never()
        .unwrap()
}

/// Each event and each comment as a read of its own, as a model that speaks slowly sends them.
fn one_by_one(mut rest: &[u8]) -> Vec<&[u8]> {
    let mut reads = Vec::new();
    while let Some(at) = rest.windows(2).position(|end| end == b"\n\n") {
        let (read, after) = rest.split_at(at + 2);
        reads.push(read);
        rest = after;
    }
    reads
}

fn sse_decode(criterion: &mut Criterion) {
    let (events, bytes) = decoded_here(&[RECORDING]);
    let mut group = criterion.benchmark_group("sse/decode");
    group.throughput(Throughput::Elements(events as u64));
    let cut = |size| RECORDING.chunks(size).collect::<Vec<&[u8]>>();
    for (name, reads) in [
        ("whole", vec![RECORDING]),
        ("an event a read", one_by_one(RECORDING)),
        ("1448-byte reads", cut(1448)),
        ("16-byte reads", cut(16)),
    ] {
        assert_eq!(decoded_here(&reads), (events, bytes));
        assert_eq!(decoded_there(&reads), (events, bytes));
        group.bench_function(BenchmarkId::new("here", name), |b| {
            b.iter(|| decoded_here(black_box(&reads)))
        });
        group.bench_function(BenchmarkId::new("eventsource-stream", name), |b| {
            b.iter(|| decoded_there(black_box(&reads)))
        });
    }
    group.finish();
}

// The caller's events out.

/// Makes one chunk's JSON as a `String`, which is what `actix-web-lab` takes; for a token the same
/// text as the mouth writes into its buffer.
struct Template {
    before: String,
    after: String,
}

impl Template {
    fn of(mouth: &mut EventMouth) -> Self {
        mouth.take();
        mouth.words("|");
        let event = String::from_utf8(mouth.take().to_vec()).unwrap();
        let json = event.strip_prefix("data: ").unwrap().trim_end();
        let (before, after) = json.split_once(r#""|""#).unwrap();
        Self {
            before: before.to_owned(),
            after: after.to_owned(),
        }
    }

    fn event(&self, token: &str) -> Event {
        let room = self.before.len() + token.len() + 2 + self.after.len();
        let mut json = Vec::with_capacity(room);
        json.extend_from_slice(self.before.as_bytes());
        serde_json::to_writer(&mut json, token).unwrap();
        json.extend_from_slice(self.after.as_bytes());
        Data::new(String::from_utf8(json).unwrap()).into()
    }
}

/// What a body has to give at this moment.
fn polled(body: std::pin::Pin<&mut impl MessageBody>) -> Option<Bytes> {
    match body.poll_next(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(Ok(bytes))) => Some(bytes),
        _ => None,
    }
}

fn http_words(criterion: &mut Criterion) {
    let tokens: Rc<[&str]> = COACH_LINE.split_inclusive(' ').collect();
    let mut mouth = EventMouth::new(
        &Frame {
            trace_id: String::new(),
            id: "chatcmpl-01a20536-75a6-7661-b267-7e0289648657".to_owned(),
            created: 1_795_338_902,
            model: "clm".to_owned(),
            fingerprint: "01a20536-75a6-7661-b267-7e0289648657".to_owned(),
        },
        false,
    );
    let template = Rc::new(Template::of(&mut mouth));
    let mut said = |tokens: &[&str], sink: &mut dyn FnMut(Bytes)| {
        for token in tokens {
            mouth.words(token);
            sink(mouth.take());
        }
    };
    // The responder asks a stream for each event, with no task and no channel in between.
    let streamed = |tokens: &Rc<[&'static str]>, sink: &mut dyn FnMut(Bytes)| {
        let (tokens, template) = (Rc::clone(tokens), Rc::clone(&template));
        let events = (0..tokens.len()).filter_map(move |n| Some(template.event(tokens.get(n)?)));
        let mut body = pin!(Sse::from_infallible_stream(stream::iter(events)));
        while let Some(bytes) = polled(body.as_mut()) {
            sink(bytes);
        }
    };
    // The responder at the end of its channel, without the wake-up of another task.
    let sent = |tokens: &[&str], sink: &mut dyn FnMut(Bytes)| {
        let (sender, receiver) = mpsc::channel(8);
        let mut body = pin!(Sse::from_infallible_receiver(receiver));
        for token in tokens {
            sender.try_send(template.event(token)).unwrap();
            sink(polled(body.as_mut()).unwrap());
        }
    };
    let mut outputs = [Vec::new(), Vec::new(), Vec::new()];
    {
        let [a, b, c] = &mut outputs;
        said(&tokens, &mut |bytes| a.push(bytes));
        streamed(&tokens, &mut |bytes| b.push(bytes));
        sent(&tokens, &mut |bytes| c.push(bytes));
    }
    let [first, others @ ..] = &outputs;
    assert_eq!(first.len(), tokens.len());
    assert!(others.iter().all(|other| other == first));

    // Each is dropped once it is taken, as it is when it has gone to the socket.
    let sink = &mut |bytes: Bytes| drop(black_box(bytes));
    let mut group = criterion.benchmark_group("http/words");
    group.throughput(Throughput::Elements(tokens.len() as u64));
    group.bench_function("plain body", |b| {
        b.iter(|| said(black_box(&tokens), sink));
    });
    group.bench_function("actix-web-lab, stream", |b| {
        b.iter(|| streamed(black_box(&tokens), sink));
    });
    group.bench_function("actix-web-lab, channel", |b| {
        b.iter(|| sent(black_box(&tokens), sink));
    });
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
