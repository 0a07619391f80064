//! A stream that was dropped, and what the simulator's books say of it.

use std::net::TcpListener;
use std::rc::Rc;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::super::*;
use super::turn;
use crate::config::{Sources, load};
use crate::outbound;
use crate::prompt::PromptMessage;
use crate::routing::catalog::Catalog;
use crate::simulate::{Options, Simulator};
use crate::turn::{AttemptRecord, Delta};
use crate::upstream::OpenRouter;
use crate::upstream::log::AttemptLog;
use crate::upstream::wire::Call;

struct Rig {
    simulator: Simulator,
    target: Target,
    corrections: Corrections,
    found: mpsc::Receiver<Correction>,
    _life: Lifecycle,
}

impl Rig {
    async fn start() -> Self {
        let life = Lifecycle::new();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let options = Options {
            first_token: Duration::from_millis(5),
            gap: Duration::from_millis(20),
            require_key: true,
            ..Options::default()
        };
        let simulator = Simulator::start(listener, options, &life).await.unwrap();
        let pairs = [
            ("OPENROUTER_BASE_URL", simulator.openrouter_url()),
            ("OPEN_ROUTER_API_KEY", "k".to_owned()),
        ];
        let settings = load(&Sources::from_pairs(pairs)).unwrap();
        let target = Target::new(&settings.upstream, Catalog::default()).unwrap();
        let (books, found) = mpsc::channel(16);
        let client = outbound::client().unwrap();
        let corrections =
            Corrections::start(target.clone(), client, &life, move |correction, _| {
                books.try_send(correction).unwrap();
            });
        Self {
            simulator,
            target,
            corrections,
            found,
            _life: life,
        }
    }

    /// Asks a model and drops its stream: after the first words, or at the head.
    async fn drop_one(&self, model: &str, after_words: bool) -> AttemptRecord {
        let upstream = OpenRouter::new(self.target.clone(), outbound::client().unwrap());
        let messages = [PromptMessage::User("Should I take the new job?".into())];
        let call = Call {
            messages: &messages,
            tools: None,
            max_tokens: 400,
            temperature: 0.8,
            user: None,
            session: "s",
        };
        let log = AttemptLog::new(Instant::now(), Catalog::default());
        let row = log.begin(model, crate::turn::Cause::First);
        let mut answer = upstream.open(model, &call, &row).await.unwrap();
        if after_words {
            let Some(Delta::Words(words)) = answer.next().await.unwrap() else {
                panic!("no words from {model}");
            };
            row.words(words.len());
            row.describe(answer.meta());
        }
        drop(answer);
        drop(row);
        let mut rows = log.take();
        assert_eq!(Rc::strong_count(&log), 1);
        rows.remove(0)
    }

    /// The correction of the only attempt of this turn, within the five seconds that are promised.
    async fn corrected(&mut self, attempt: AttemptRecord) -> Correction {
        let created_at = Clock::System.now_ms();
        self.corrections
            .consider(&turn("t", created_at, vec![attempt]));
        let found = timeout(Duration::from_secs(5), self.found.recv()).await;
        found.expect("a correction within five seconds").unwrap()
    }
}

/// H2: what is hung up on is charged as upstream charges it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h2_a_dropped_stream_is_corrected_to_upstreams_own_bill() {
    let mut rig = Rig::start().await;
    let mut sum = 0;
    for (model, after_words) in [
        // Stops writing with the stream.
        ("openai/gpt-6-luna", true),
        // Goes on, and bills all of it.
        ("google/gemini-3.1-flash-lite", true),
        // Nothing of the stream was ever seen but its head.
        ("anthropic/claude-haiku-5.5", false),
        // The fee, and the provider's own bill.
        ("sim/generation-byok", true),
        // Trouble first.
        ("sim/generation-500:1", true),
    ] {
        let attempt = rig.drop_one(model, after_words).await;
        assert_eq!(attempt.cost_source, CostSource::Estimated, "{model}");
        let id = attempt.generation_id.clone().expect("the id is known");
        let correction = rig.corrected(attempt).await;
        let call = rig.simulator.ledger().chat(&id).unwrap();
        let (cost, bill) = (correction.cost_microusd.0, call.bill_microusd());
        assert!(cost == bill && bill > 0, "{model}: {cost} of {bill}");
        assert_eq!(
            correction.prompt_tokens,
            Some(call.prompt_tokens),
            "{model}"
        );
        assert_eq!(
            correction.completion_tokens,
            Some(call.billed_tokens),
            "{model}"
        );
        let goes_on = model.starts_with("google/");
        assert_eq!(call.billed_tokens > call.tokens_sent, goes_on, "{model}");
        sum += cost;
    }
    assert_eq!(rig.simulator.ledger().bill_microusd(), sum);
    assert_eq!(rig.corrections.waiting(), 0);
    rig.simulator.stop().await;
}
