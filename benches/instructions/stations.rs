//! The stations: what a turn meets, each done over and over with nothing around it. None does IO.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt as _, stream};
use quest_clm::clock::Clock;
use quest_clm::coach::{Roster, select};
use quest_clm::config::{self, Sources};
use quest_clm::http::callers::hume::{self, HUME};
use quest_clm::http::callers::{EventMouth, Frame, decode};
use quest_clm::pipeline::Mouth as _;
use quest_clm::prompt::compose;
use quest_clm::session::{Generation, MintRequest, Sessions, Unproven};
use quest_clm::speech::{Filter, Language};
use quest_clm::sse::Decoder;
use quest_clm::turn::{Delta, Head, TraceContext, TurnId};
use quest_clm::upstream::{Answer, Call};

use crate::answer::{MIXED, PLAIN, tokens};
use crate::recording::{RECORDING, one_by_one};
use crate::request::{CHOOSING_LINE, COACH_LINE, USER_LINE, conversation};

/// One thing that is counted.
pub(crate) struct Station {
    pub(crate) name: &'static str,
    /// What its figure is for: a token, an event, a request.
    pub(crate) each: &'static str,
    /// How many of these are in a round.
    pub(crate) units: u32,
    pub(crate) rounds: u32,
    pub(crate) round: Box<dyn FnMut()>,
}

/// Makes a station.
pub(crate) type Making = fn() -> Station;

/// In the order in which a turn meets them. Each is made when it is its turn, so that none finds
/// the heap as another has left it.
pub(crate) const ALL: &[Making] = &[
    || request_decoded("http/decode, Hume, 3 turns", 3, 64),
    || request_decoded("http/decode, Hume, 200 turns", 200, 2),
    session_identified,
    || {
        coach_selected(
            "coach/select, a keyword in the first turn",
            1,
            CHOOSING_LINE,
            256,
        )
    },
    || coach_selected("coach/select, 200 turns and none", 200, USER_LINE, 8),
    prompt_composed,
    events_decoded,
    answer_read,
    || filtered("speech/filter, plain words", tokens(PLAIN)),
    || {
        let pieces = PLAIN.split_inclusive(' ').collect();
        filtered("speech/filter, plain words, spaces behind", pieces)
    },
    || filtered("speech/filter, a mixed answer", tokens(MIXED)),
    generation_said,
    words_written,
];

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap()
}

fn request_decoded(name: &'static str, turns: usize, rounds: u32) -> Station {
    let body = hume::request(turns, USER_LINE);
    let done = move || drop(black_box(decode(black_box(body.as_bytes()), &HUME)));
    Station {
        name,
        each: "request",
        units: 1,
        rounds,
        round: Box::new(done),
    }
}

fn session_identified() -> Station {
    let keys = [("SESSION_SIGNING_KEYS", "a-signing-key-of-some-length")];
    let loaded = config::load(&Sources::from_pairs(keys)).unwrap();
    let sessions = Sessions::new(&loaded, Clock::System);
    let wish = MintRequest {
        user_id: "coachee-42".to_owned(),
        coach: Some("career".to_owned()),
        ..MintRequest::default()
    };
    let minted = sessions.mint(wish).unwrap().session;
    let done = move || {
        let unproven = Unproven {
            session: Some(minted.as_str()),
            ..Unproven::default()
        };
        assert!(sessions.identify(black_box(unproven)).is_ok());
    };
    Station {
        name: "session/identify, a signed id",
        each: "request",
        units: 1,
        rounds: 128,
        round: Box::new(done),
    }
}

fn coach_selected(name: &'static str, turns: usize, last: &str, rounds: u32) -> Station {
    let roster = Roster::built_in().unwrap();
    let asked = conversation(turns, last);
    let done = move || {
        black_box(select(&roster, black_box(&asked).lines(), None));
    };
    Station {
        name,
        each: "request",
        units: 1,
        rounds,
        round: Box::new(done),
    }
}

fn prompt_composed() -> Station {
    let memory = "Leads a payments team of six since last spring. Wants to be heard by her own \
        manager before she asks for a new role.\n"
        .repeat(8);
    let roster = Roster::built_in().unwrap();
    let asked = conversation(200, USER_LINE);
    let done = move || {
        let composed = compose(roster.master(), black_box(&asked), Some(&memory));
        drop(black_box(composed));
    };
    Station {
        name: "prompt/compose, 200 turns with memory",
        each: "request",
        units: 1,
        rounds: 16,
        round: Box::new(done),
    }
}

fn events_decoded() -> Station {
    let reads = one_by_one(RECORDING);
    let all = |reads: &[&'static [u8]]| {
        let mut decoder = Decoder::new();
        let mut events = 0;
        for read in reads {
            decoder.feed(Bytes::from_static(read));
            while let Some(data) = decoder.next_event().unwrap() {
                black_box(data);
                events += 1;
            }
        }
        events
    };
    Station {
        name: "sse/decode, an event a read",
        each: "event",
        units: all(&reads),
        rounds: 16,
        round: Box::new(move || {
            black_box(all(black_box(&reads)));
        }),
    }
}

/// One token as `OpenRouter` frames it.
pub(crate) fn framed(token: &str) -> Bytes {
    let token = serde_json::to_string(token).unwrap();
    Bytes::from(
        format!(
            r#"data: {{"id":"gen-1790000000-AbCdEfGhIjKlMnOpQrSt","object":"chat.completion.chunk","created":1790000000,"model":"openai/gpt-6.1-terra-20260901","provider":"OpenAI","choices":[{{"index":0,"delta":{{"role":"assistant","content":{token}}},"finish_reason":null,"native_finish_reason":null}}]}}"#
        ) + "\n\n",
    )
}

/// From a response's bytes to deltas: the decoder, the JSON and what is made of it, and the body of
/// `reqwest` that they come in.
fn answer_read() -> Station {
    let said = tokens(PLAIN).repeat(8);
    let reads: Vec<Bytes> = said.iter().map(|token| framed(token)).collect();
    let units = count(reads.len());
    let done = move || {
        let reads = stream::iter(reads.clone().into_iter().map(Ok::<_, std::io::Error>));
        let body = reqwest::Body::wrap_stream(reads);
        let call = Call {
            messages: &[],
            tools: None,
            max_tokens: 1_000,
            temperature: 0.7,
            user: None,
            session: "",
        };
        let mut answer = Answer::new(http::Response::new(body).into(), &call);
        for _ in 0..units {
            let delta = answer.next().now_or_never().unwrap().unwrap();
            assert!(matches!(black_box(delta), Some(Delta::Words(_))));
        }
    };
    Station {
        name: "upstream/answer, an event a read",
        each: "token",
        units,
        rounds: 4,
        round: Box::new(done),
    }
}

fn filtered(name: &'static str, tokens: Vec<&'static str>) -> Station {
    let mut out = String::with_capacity(4 * tokens.concat().len());
    Station {
        name,
        each: "token",
        units: count(tokens.len()),
        rounds: 16,
        round: Box::new(move || {
            out.clear();
            let mut filter = Filter::new(Language::English);
            for token in black_box(&tokens) {
                filter.push(token, &mut out);
            }
            filter.end(&mut out);
            black_box(&out);
        }),
    }
}

/// What is kept of an answer for whoever asks for it again.
fn generation_said() -> Station {
    let tokens = tokens(PLAIN);
    let head = Arc::new(Head {
        turn_id: TurnId::new(),
        coach: "master".to_owned(),
        coach_reason: String::new(),
        model: String::new(),
        model_reason: String::new(),
        trace: TraceContext::new(),
    });
    Station {
        name: "session/generation, words kept",
        each: "token",
        units: count(tokens.len()),
        rounds: 64,
        round: Box::new(move || {
            let generation = Arc::new(Generation::apart(Arc::clone(&head)));
            for token in black_box(&tokens) {
                generation.say(token);
            }
        }),
    }
}

fn words_written() -> Station {
    let tokens: Vec<&str> = COACH_LINE.split_inclusive(' ').collect();
    let frame = Frame {
        trace_id: String::new(),
        id: "chatcmpl-01a20536-75a6-7661-b267-7e0289648657".to_owned(),
        created: 1_795_338_902,
        model: "clm".to_owned(),
        fingerprint: "01a20536-75a6-7661-b267-7e0289648657".to_owned(),
    };
    let mut mouth = EventMouth::new(&frame, false);
    Station {
        name: "http/words, a chunk",
        each: "token",
        units: count(tokens.len()),
        rounds: 64,
        round: Box::new(move || {
            for token in black_box(&tokens) {
                mouth.words(token);
                drop(black_box(mouth.take()));
            }
        }),
    }
}
