//! Upstream's events in, the caller's events out.

use std::convert::Infallible;
use std::hint::black_box;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use actix_web::body::MessageBody;
use actix_web_lab::sse::{Data, Event, Sse};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use eventsource_stream::Eventsource as _;
use futures::FutureExt as _;
use futures::StreamExt as _;
use futures::stream;
use quest_clm::http::callers::{EventMouth, Frame};
use quest_clm::pipeline::Mouth as _;
use quest_clm::sse::Decoder;
use tokio::sync::mpsc;

use crate::recording::{RECORDING, one_by_one};
use crate::request::COACH_LINE;

// Upstream's events in.

/// Counts the events and their bytes.
fn decoded_here(reads: &[&'static [u8]]) -> (usize, usize) {
    let mut decoder = Decoder::new();
    let (mut events, mut bytes) = (0, 0);
    for read in reads {
        decoder.feed(Bytes::from_static(read));
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

pub(crate) fn sse_decode(criterion: &mut Criterion) {
    let (events, bytes) = decoded_here(&[RECORDING]);
    let mut group = criterion.benchmark_group("sse/decode");
    group.throughput(Throughput::Elements(events as u64));
    let cut = |size| RECORDING.chunks(size).collect::<Vec<&'static [u8]>>();
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

pub(crate) fn http_words(criterion: &mut Criterion) {
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
