use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use futures::FutureExt as _;
use futures::executor::block_on;

use super::*;
use crate::session::heard::Asked;
use crate::session::key::Keys;
use crate::turn::{Ask, Conversation, TraceContext, TurnId};

fn generation(kept: &Arc<AtomicUsize>) -> Generation {
    let head = Arc::new(Head {
        turn_id: TurnId::new(),
        coach: "career".into(),
        coach_reason: String::new(),
        model_reason: String::new(),
        model: "m".into(),
        trace: TraceContext::new(),
    });
    let next = Conversation {
        history: vec![],
        ask: Ask::Nothing,
        context: vec![],
        expressions: vec![],
        tools: None,
        last_reply: None,
        silences: 0,
    };
    let key = Keys::default().of("s", "career", &next);
    let speech = Speech::new(head, key, Asked::Nothing, Arc::clone(kept));
    Generation::new(Arc::new(speech))
}

fn listen(turn: &Generation) -> Listener {
    Listener::join(&turn.speech, Instant::now()).unwrap()
}

fn fresh() -> Generation {
    generation(&Arc::default())
}

fn call() -> ToolCall {
    ToolCall {
        id: "1".into(),
        name: "weather".into(),
        arguments: "{}".into(),
    }
}

fn now(listener: &mut Listener) -> Option<Piece> {
    listener.next().now_or_never()
}

fn words(text: &str) -> Option<Piece> {
    Some(Piece::Words(text.into()))
}

const STOP: Option<Piece> = Some(Piece::End(FinishReason::Stop, None));

#[test]
fn a_listener_hears_everything_from_the_first_word_in_order() {
    let turn = fresh();
    turn.phrase("Hm. ");
    turn.say("One ");
    let mut early = listen(&turn);
    assert_eq!(early.head().turn_id, turn.head().turn_id);
    assert_eq!(now(&mut early), words("Hm. One "));
    assert_eq!(now(&mut early), None);
    turn.say("two ");
    turn.tool(&call());
    turn.say("three");
    let mut late = listen(&turn);
    turn.end(FinishReason::ToolCalls, None, Replay::Keep);
    turn.say("never");
    turn.end(FinishReason::Stop, None, Replay::Keep);
    let mut after = listen(&turn);
    assert_eq!(now(&mut early), words("two "));
    for listener in [&mut late, &mut after] {
        assert_eq!(now(listener), words("Hm. One two "));
    }
    let end = Some(Piece::End(FinishReason::ToolCalls, None));
    for listener in [&mut early, &mut late, &mut after] {
        assert_eq!(now(listener), Some(Piece::Tool(call())));
        assert_eq!(now(listener), words("three"));
        assert_eq!(now(listener), end);
        assert_eq!(now(listener), end);
    }
    assert!(!late.is_replay());
    assert!(after.is_replay());
    assert_eq!(&*turn.reply(), "One two three");
}

#[test]
fn a_turn_dropped_without_an_end_ends_for_its_listeners() {
    let turn = fresh();
    turn.say("One");
    let mut listener = listen(&turn);
    let waiting = listen(&turn);
    thread::scope(|scope| {
        let heard = scope.spawn(move || {
            let mut waiting = waiting;
            block_on(waiting.next());
            block_on(waiting.next())
        });
        thread::yield_now();
        drop(turn);
        assert_eq!(heard.join().ok(), STOP);
    });
    assert_eq!(now(&mut listener), words("One"));
    assert_eq!(now(&mut listener), STOP);
}

#[test]
fn a_turn_is_deserted_when_its_last_listener_goes_and_then_nobody_can_join() {
    let turn = fresh();
    let first = listen(&turn);
    let second = listen(&turn);
    assert!(!turn.close_if_alone());
    let (count, waker) = counting_waker();
    let mut context = Context::from_waker(&waker);
    {
        // Given up half-way and begun anew, by the same task.
        let _ = pin!(turn.deserted()).poll(&mut context);
    }
    let mut deserted = pin!(turn.deserted());
    assert!(deserted.as_mut().poll(&mut context).is_pending());
    drop(second);
    assert_eq!(count.load(Ordering::SeqCst), 0);
    // One more may come while somebody listens.
    drop(listen(&turn));
    drop(first);
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert!(deserted.as_mut().poll(&mut context).is_ready());
    let late = Listener::join(&turn.speech, Instant::now());
    assert_eq!(late.unwrap_err(), Join::Over);
}

#[test]
fn a_turn_whose_caller_left_alone_cannot_be_joined() {
    let turn = fresh();
    assert!(turn.close_if_alone());
    let late = Listener::join(&turn.speech, Instant::now());
    assert_eq!(late.unwrap_err(), Join::Over);
}

#[test]
fn so_many_may_listen_and_no_more() {
    let turn = fresh();
    let all: Vec<Listener> = (0..8).map(|_| listen(&turn)).collect();
    let one_more = Listener::join(&turn.speech, Instant::now());
    assert_eq!(one_more.unwrap_err(), Join::Full);
    drop(all);
    drop(listen(&turn));
}

#[test]
fn a_fault_is_told_to_who_listens_and_to_nobody_later() {
    let turn = fresh();
    let mut listener = listen(&turn);
    turn.say("Well");
    turn.fail(Fault::BrokenOff);
    assert_eq!(now(&mut listener), words("Well"));
    assert_eq!(now(&mut listener), Some(Piece::Fault(Fault::BrokenOff)));
    let late = Listener::join(&turn.speech, Instant::now());
    assert_eq!(late.unwrap_err(), Join::Over);
}

struct Count(Arc<AtomicUsize>);

impl futures::task::ArcWake for Count {
    fn wake_by_ref(count: &Arc<Self>) {
        count.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn counting_waker() -> (Arc<AtomicUsize>, std::task::Waker) {
    let count = Arc::new(AtomicUsize::new(0));
    let waker = futures::task::waker(Arc::new(Count(Arc::clone(&count))));
    (count, waker)
}

#[test]
fn a_listener_that_waits_is_woken_once_for_what_it_has_not_taken() {
    let turn = fresh();
    let mut listener = listen(&turn);
    let (count, waker) = counting_waker();
    let mut context = Context::from_waker(&waker);
    for _ in 0..3 {
        assert!(pin!(listener.next()).poll(&mut context).is_pending());
    }
    turn.say("One ");
    turn.say("two");
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert_eq!(now(&mut listener), words("One two"));
    // Polled by another task since: that one is woken.
    let (other, others_waker) = counting_waker();
    assert!(pin!(listener.next()).poll(&mut context).is_pending());
    let mut others = Context::from_waker(&others_waker);
    assert!(pin!(listener.next()).poll(&mut others).is_pending());
    turn.say("three");
    let woken = |count: &AtomicUsize| count.load(Ordering::SeqCst);
    assert_eq!((woken(&count), woken(&other)), (1, 1));
}

#[test]
fn the_reply_is_the_models_words_as_far_as_they_are_remembered() {
    let turn = fresh();
    turn.phrase("Ah. ");
    turn.say("ä");
    turn.phrase("Where was I? ");
    turn.say(&"ö".repeat(20_000));
    turn.say("x");
    let reply = turn.reply();
    assert!(reply.starts_with("äöö") && !reply.contains('x'));
    assert_eq!(reply.len(), 16 << 10);
}

#[test]
fn what_has_ended_is_one_with_what_is_remembered_of_it() {
    let turn = fresh();
    turn.say("One two");
    assert!(!Arc::ptr_eq(&turn.reply(), &turn.text()));
    turn.end(FinishReason::Stop, None, Replay::Keep);
    assert_eq!(&*turn.reply(), "One two");
    assert!(Arc::ptr_eq(&turn.reply(), &turn.text()));
}

#[test]
fn an_endless_turn_is_kept_no_further_and_never_again() {
    let kept = Arc::default();
    let turn = generation(&kept);
    let mut listener = listen(&turn);
    let part = "x".repeat(100 << 10);
    for _ in 0..3 {
        turn.say(&part);
    }
    // No hole: what would still fit comes after what did not.
    turn.say("x");
    turn.tool(&call());
    turn.end(FinishReason::Stop, None, Replay::Keep);
    assert!(!turn.speech.may_be_replayed(Instant::now()));
    assert_eq!(now(&mut listener), words(&part.repeat(2)));
    assert_eq!(now(&mut listener), STOP);
    // The text goes with the last who may want it.
    assert_eq!(kept.load(Ordering::SeqCst), 200 << 10);
    drop(listener);
    assert_eq!(kept.load(Ordering::SeqCst), 0);
    assert_eq!(&*turn.reply(), "");
}

#[test]
fn what_is_kept_is_counted_from_the_end_until_it_goes() {
    let kept = Arc::default();
    let (one, two) = (generation(&kept), generation(&kept));
    for turn in [&one, &two] {
        turn.say("12345");
        assert_eq!(&*turn.speech.reply(), "12345");
    }
    assert_eq!(kept.load(Ordering::SeqCst), 0);
    one.end(FinishReason::Stop, None, Replay::Keep);
    two.end(FinishReason::Stop, None, Replay::Forget);
    assert_eq!(kept.load(Ordering::SeqCst), 10);
    drop(two);
    assert_eq!(kept.load(Ordering::SeqCst), 5);
    one.speech.release();
    one.speech.release();
    assert_eq!(kept.load(Ordering::SeqCst), 0);
    drop(one);
    assert_eq!(kept.load(Ordering::SeqCst), 0);
}

/// One talks, eight listen from random moments on: each hears all of it, in order, and one end.
#[test]
fn listeners_on_other_threads_hear_the_whole_text() {
    let whole: String = (0..4_000).map(|n| format!("{n} ")).collect();
    let whole = whole.as_str();
    for round in 0..20 {
        let turn = Arc::new(fresh());
        thread::scope(|scope| {
            for n in 0..8 {
                let turn = Arc::clone(&turn);
                scope.spawn(move || {
                    for _ in 0..rand::random::<u16>() % 2_000 {
                        thread::yield_now();
                    }
                    let listener = listen(&turn);
                    hear(listener, whole, (round + n) % 4 == 0);
                });
            }
            let talker = turn;
            scope.spawn(move || {
                for word in whole.split_inclusive(' ') {
                    talker.say(word);
                    if rand::random::<u8>() < 8 {
                        thread::yield_now();
                    }
                }
                talker.end(FinishReason::Stop, None, Replay::Keep);
                block_on(talker.deserted());
            });
        });
    }
}

fn hear(mut listener: Listener, whole: &str, leaves: bool) {
    let mut heard = String::new();
    loop {
        match block_on(listener.next()) {
            Piece::Words(words) => heard.push_str(&words),
            Piece::End(reason, None) => {
                assert_eq!(reason, FinishReason::Stop);
                break;
            }
            other => panic!("{other:?}"),
        }
        assert!(whole.starts_with(&heard));
        if leaves && heard.len() > whole.len() / 2 {
            return;
        }
    }
    assert_eq!(heard, whole);
}
