//! A request that comes again on another machine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use quest_clm::config;
use quest_clm::lifecycle::Lifecycle;
use quest_clm::record::Repeats;
use quest_clm::record::counters::Sharing;
use quest_clm::session::{Begun, Generation, Key, Listener, Piece, Repeat, Replay, Ticket, Turns};
use quest_clm::turn::{Ask, Conversation, FinishReason, Head, TraceContext, TurnId};
use quest_clm::vault::DataKey;
use redis::Msg;
use tokio::time::{Instant, sleep};

use super::server::Redis;
use super::{PATIENCE, REST, until};

pub(crate) const PLACE: &str = "planted-session";
pub(crate) const KEY: &str = "a-data-key-0123456789";

pub(crate) struct Machine {
    turns: Arc<Turns<()>>,
    pub(crate) repeats: Repeats,
    lifecycle: Lifecycle,
}

fn data_key(key: &str) -> DataKey {
    let store = config::Store {
        database: None,
        data_dir: Path::new("/nowhere").to_owned(),
        data_key: Some(key.to_owned().into()),
        retention: None,
        capture_ttl: Duration::from_secs(60),
    };
    DataKey::load(&store).unwrap()
}

fn says(words: &str) -> Conversation {
    Conversation {
        history: vec![],
        ask: Ask::Words(words.into()),
        context: vec![],
        expressions: vec![],
        tools: None,
        last_reply: None,
        silences: 0,
    }
}

impl Machine {
    /// As soon as it is connected.
    pub(crate) async fn start(redis: &Redis, key: &str) -> Self {
        let lifecycle = Lifecycle::new();
        let sharing = Sharing {
            url: redis.url().into(),
            rest: REST,
        };
        let key = data_key(key);
        let turns = Arc::new(Turns::shared(&key));
        let before = ears(redis);
        let here = Arc::clone(&turns);
        // That a note is late on a busy machine proves nothing.
        let repeats = Repeats::start(&sharing, &key, &lifecycle, here, PATIENCE).unwrap();
        until("it listens", async || ears(redis) > before).await;
        let machine = Self {
            turns,
            repeats,
            lifecycle,
        };
        machine.is_connected(redis).await;
        machine
    }

    /// A claim of its own can be seen, and a note.
    async fn is_connected(&self, redis: &Redis) {
        let key = self.key(&format!("probe {}", rand::random::<u64>()));
        until("it claims", async || {
            let _ = self.repeats.elsewhere(PLACE, key).await;
            redis.ask::<u64>(&["EXISTS", &claim(key)]) == 1
        })
        .await;
        // Claims that were made and answered late have broken the connection all the same: there is none for a while.
        let place = format!("probe {}", rand::random::<u64>());
        let (_, ticket) = self.begins_at(&place, "probe");
        let noted = format!("clm:{{1}}:newest:{}", self.turns.session_key(&place));
        until("it notes", async || {
            self.repeats.begun(&place, key, ticket);
            redis.ask::<u64>(&["EXISTS", &noted]) == 1
        })
        .await;
    }

    pub(crate) fn key(&self, words: &str) -> Key {
        self.turns.key(PLACE, "career", &says(words))
    }

    async fn asks(&self, words: &str) -> Repeat {
        self.repeats.elsewhere(PLACE, self.key(words)).await
    }

    /// A turn of its own, which nobody else has and every machine is to know of.
    pub(crate) async fn speaks(&self, words: &str) -> Arc<Generation> {
        assert!(matches!(self.asks(words).await, Repeat::Unknown));
        self.begins_and_tells(words)
    }

    pub(crate) fn begins_and_tells(&self, words: &str) -> Arc<Generation> {
        let (turn, ticket) = self.begins(words);
        self.repeats.begun(PLACE, self.key(words), ticket);
        turn
    }

    /// The same, whoever else has it, once every machine may know of it.
    pub(crate) async fn speaks_noted(&self, redis: &Redis, words: &str) -> Arc<Generation> {
        let noted = || redis.ask::<Option<String>>(&["GET", &newest(self)]);
        let before = noted();
        let turn = self.begins_and_tells(words);
        until("it is noted", async || noted() != before).await;
        turn
    }

    pub(crate) fn begins(&self, words: &str) -> (Arc<Generation>, Ticket) {
        self.begins_at(PLACE, words)
    }

    fn begins_at(&self, place: &str, words: &str) -> (Arc<Generation>, Ticket) {
        let head = Arc::new(Head {
            turn_id: TurnId::new(),
            coach: "career".into(),
            coach_reason: "keyword".into(),
            model: "some-model".into(),
            model_reason: "tier".into(),
            trace: TraceContext::new(),
        });
        let key = self.turns.key(place, "career", &says(words));
        let begun = self.turns.begin(place, key, &says(words), head);
        match begun {
            Begun::Fresh(fresh) => (fresh.generation, fresh.ticket),
            other => panic!("{other:?}"),
        }
    }
}

fn ears(redis: &Redis) -> usize {
    redis
        .ask::<Vec<String>>(&["PUBSUB", "CHANNELS", "clm:{1}:ear:*"])
        .len()
}

fn claim(key: Key) -> String {
    format!("clm:{{1}}:turn:{key}")
}

fn listener(repeat: Repeat) -> Listener {
    match repeat {
        Repeat::Heard(listener) => listener,
        other => panic!("{other:?}"),
    }
}

/// All that is heard, and how it ends.
async fn whole(mut listener: Listener) -> (String, Piece) {
    let mut words = String::new();
    loop {
        match listener.next().await {
            Piece::Words(more) => words.push_str(&more),
            end => return (words, end),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_on_another_machine_hears_the_turn_from_its_first_word_and_after_its_end() {
    let redis = Redis::start().await;
    let (a, b) = tokio::join!(Machine::start(&redis, KEY), Machine::start(&redis, KEY));
    let turn = a.speaks("I am stuck").await;
    turn.say("planted ");
    let joined = listener(b.asks("I am stuck").await);
    assert_eq!(joined.head().turn_id, turn.head().turn_id);
    assert_eq!(joined.head().trace.trace_id(), turn.head().trace.trace_id());
    turn.phrase("words ");
    // Longer than who tells is silent without a sign.
    sleep(Duration::from_millis(2500)).await;
    turn.say("come");
    turn.end(FinishReason::Stop, None, Replay::Keep);
    let end = Piece::End(FinishReason::Stop, None);
    assert_eq!(
        whole(joined).await,
        ("planted words come".into(), end.clone())
    );
    let replayed = listener(b.asks("I am stuck").await);
    assert_eq!(whole(replayed).await, ("planted words come".into(), end));
    assert!(matches!(b.asks("I am not").await, Repeat::Unknown));
}

pub(crate) fn is_ended(turn: &Generation) -> bool {
    turn.superseded().is_cancelled()
}

/// Where the session's newest turn is noted.
pub(crate) fn newest(machine: &Machine) -> String {
    format!("clm:{{1}}:newest:{}", machine.turns.session_key(PLACE))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_goes_on_for_who_hears_it_elsewhere_and_no_longer() {
    let redis = Redis::start().await;
    let (a, b) = tokio::join!(Machine::start(&redis, KEY), Machine::start(&redis, KEY));
    let turn = a.speaks("I am stuck").await;
    let elsewhere = listener(b.asks("I am stuck").await);
    turn.say("a");
    assert!(!turn.close_if_alone());
    drop(elsewhere);
    let left = Instant::now();
    turn.deserted().await;
    assert!(
        left.elapsed() < Duration::from_secs(2),
        "{:?}",
        left.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_stalls_cuts_nobody_off_who_hears_a_turn_elsewhere() {
    let redis = Redis::start().await;
    let (a, b) = tokio::join!(Machine::start(&redis, KEY), Machine::start(&redis, KEY));
    let turn = a.speaks("I am stuck").await;
    let mut heard = listener(b.asks("I am stuck").await);
    turn.say("We ");
    assert_eq!(heard.next().await, Piece::Words("We ".into()));
    redis.pause();
    turn.say("will ");
    sleep(Duration::from_millis(700)).await;
    redis.resume();
    turn.say("see.");
    turn.end(FinishReason::Stop, None, Replay::Keep);
    let end = Piece::End(FinishReason::Stop, None);
    assert_eq!(whole(heard).await, ("will see.".into(), end));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_machine_that_is_gone_had_claimed_is_taken_over() {
    let redis = Redis::start().await;
    let (a, b) = tokio::join!(Machine::start(&redis, KEY), Machine::start(&redis, KEY));
    let cut = a.speaks("I am stuck").await;
    cut.say("And");
    let mut heard = listener(b.asks("I am stuck").await);
    assert_eq!(heard.next().await, Piece::Words("And".into()));
    a.lifecycle.hard().cancel();
    a.lifecycle.drained().await;
    let (words, end) = whole(heard).await;
    assert_eq!(words, "");
    assert!(matches!(end, Piece::Fault(_)), "{end:?}");
    until("its ear is gone", async || ears(&redis) == 1).await;
    let anew = b.speaks("I am stuck").await;
    anew.say("yes");
    let c = Machine::start(&redis, KEY).await;
    let heard = listener(c.asks("I am stuck").await);
    assert_eq!(heard.head().turn_id, anew.head().turn_id);
    // One that does not know the turn any more is no owner either.
    anew.end(FinishReason::Stop, None, Replay::Forget);
    assert!(matches!(c.asks("I am stuck").await, Repeat::Unknown));
    until("taken over", async || {
        matches!(b.asks("I am stuck").await, Repeat::Unknown)
            && redis.ask::<u64>(&["EXISTS", &claim(c.key("I am stuck"))]) == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_sees_no_word_and_no_name_and_who_has_another_key_is_a_stranger() {
    let redis = Redis::start().await;
    let (a, b) = tokio::join!(Machine::start(&redis, KEY), Machine::start(&redis, KEY));
    let client = redis::Client::open(redis.url()).unwrap();
    let mut spy = client.get_async_pubsub().await.unwrap();
    spy.psubscribe("*").await.unwrap();
    let turn = a.speaks("planted question").await;
    turn.say("planted words");
    turn.end(FinishReason::Stop, None, Replay::Keep);
    let heard = whole(listener(b.asks("planted question").await)).await;
    assert_eq!(heard.0, "planted words");
    // Nor what ends a turn of another machine.
    let first = a.speaks_noted(&redis, "planted question, and").await;
    b.speaks("planted question, and more").await;
    until("told", async || is_ended(&first)).await;
    let is_to_an_ear = |m: &Msg| m.get_channel_name().starts_with("clm:{1}:ear:");
    let mut seen: Vec<Msg> = Vec::new();
    let mut messages = spy.on_message();
    while seen.iter().filter(|m| is_to_an_ear(m)).count() < 2 {
        seen.push(messages.next().await.unwrap());
    }
    assert!(seen.len() >= 4);
    for message in seen {
        let bytes = String::from_utf8_lossy(message.get_payload_bytes()).into_owned();
        for planted in ["planted", "career", "some-model"] {
            assert!(!bytes.contains(planted), "{bytes}");
        }
    }
    let keys: Vec<String> = redis.ask(&["KEYS", "clm:{1}:turn:*"]);
    for key in keys {
        let left: i64 = redis.ask(&["TTL", &key]);
        assert!((290..=300).contains(&left), "{left}");
        assert_eq!(redis.ask::<String>(&["GET", &key]).len(), 16);
    }
    let keys: Vec<String> = redis.ask(&["KEYS", "*"]);
    assert!(keys.contains(&newest(&a)), "{keys:?}");
    for key in keys {
        let kept = redis.ask::<String>(&["GET", &key]);
        assert!(!format!("{key} {kept}").contains("planted"), "{key} {kept}");
    }
    let stranger = Machine::start(&redis, "another-key-0123456789").await;
    assert!(matches!(
        stranger.asks("planted question").await,
        Repeat::Unknown
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_hangs_holds_few_turns_up_and_a_dead_one_none() {
    let mut redis = Redis::start().await;
    let a = Machine::start(&redis, KEY).await;
    redis.pause();
    let mut waited = Vec::new();
    for n in 0..50 {
        let before = Instant::now();
        assert!(matches!(a.asks(&n.to_string()).await, Repeat::Unknown));
        waited.push(before.elapsed());
    }
    let held = waited
        .iter()
        .filter(|w| **w >= Duration::from_millis(3))
        .count();
    assert!(held <= 6, "{waited:?}");
    assert!(
        waited.iter().max() < Some(&Duration::from_millis(50)),
        "{waited:?}"
    );
    redis.resume();
    a.is_connected(&redis).await;
    redis.kill();
    until("noticed", async || {
        let before = Instant::now();
        let _ = a.asks("I am stuck").await;
        before.elapsed() < Duration::from_millis(1)
    })
    .await;
    redis.start_again().await;
    a.is_connected(&redis).await;
}
