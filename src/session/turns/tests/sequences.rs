//! Whatever callers do in whatever order: one live turn a session, and repeats change nothing.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Begin { session: usize, request: usize },
    Say(usize),
    End { turn: usize, replay: Replay },
    Drop(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let replay = prop_oneof![Just(Replay::Keep), Just(Replay::Forget)];
    prop_oneof![
        4 => (0..2_usize, 0..5_usize).prop_map(|(session, request)| Step::Begin { session, request }),
        3 => (0..8_usize).prop_map(Step::Say),
        3 => (0..8_usize, replay).prop_map(|(turn, replay)| Step::End { turn, replay }),
        1 => (0..8_usize).prop_map(Step::Drop),
        1 => (0..90_u64).prop_map(Step::Wait),
    ]
}

/// A turn as the test knows it.
struct Known {
    session: usize,
    request: usize,
    ticket: Ticket,
    id: TurnId,
    said: String,
    /// Until its end.
    generation: Option<Arc<Generation>>,
}

const SESSIONS: [&str; 2] = ["a", "b"];

/// Five requests; three of them follow one another.
fn request(n: usize) -> Conversation {
    let history = [
        (Role::User, "Hi"),
        (Role::Assistant, "x x"),
        (Role::User, "I am stuck"),
        (Role::Assistant, "x"),
    ];
    let words = ["Hi", "I am stuck", "At work", "Hi there", ""];
    let of = [0, 2, 4, 0, 2];
    next(&history[..of[n]], words[n])
}

/// What a session holds back: the turn's time of beginning, as the test numbers them.
fn held_back(turns: &Turns<()>, session: &str) -> Option<(i64, Option<u64>)> {
    let sessions = turns.lock();
    let entry = sessions.by_id.peek(session)?;
    let pending = entry
        .pending
        .as_ref()
        .map_or(-1, |(spoken, _)| spoken.at_ms);
    Some((pending, Some(entry.newest)))
}

/// What counts, by the turn's time of beginning: each once.
#[derive(Default)]
struct Counted(HashSet<i64>);

impl Counted {
    fn add(&mut self, committed: impl IntoIterator<Item = Committed<()>>) {
        for turn in committed {
            assert!(self.0.insert(turn.at_ms), "{turn:?} counts twice");
        }
    }
}

fn begin(
    turns: &Turns<()>,
    known: &mut Vec<Known>,
    counted: &mut Counted,
    (session, n): (usize, usize),
) {
    let before = held_back(turns, SESSIONS[session]);
    let other = held_back(turns, SESSIONS[1 - session]);
    let tickets = turns.tickets.load(Ordering::Relaxed);
    match super::begin(turns, SESSIONS[session], &request(n)) {
        Begun::Repeat(mut listener) => {
            assert_eq!(held_back(turns, SESSIONS[session]), before);
            assert_eq!(turns.tickets.load(Ordering::Relaxed), tickets);
            let id = listener.head().turn_id;
            let heard = known.iter().find(|k| k.id == id).unwrap();
            assert_eq!((heard.session, heard.request), (session, n));
            assert_eq!(hear(&mut listener), heard.said);
        }
        Begun::Full => panic!("nobody stays to listen"),
        Begun::Fresh(turn) => {
            assert_eq!(turn.ticket, Ticket(tickets + 1));
            counted.add(turn.committed);
            known.push(Known {
                session,
                request: n,
                ticket: turn.ticket,
                id: turn.generation.head().turn_id,
                said: String::new(),
                generation: Some(turn.generation),
            });
        }
    }
    assert_eq!(held_back(turns, SESSIONS[1 - session]), other);
}

/// With no `replay`, as a guard does whose turn is dropped.
fn end(
    turns: &Turns<()>,
    known: &mut Known,
    replay: Option<Replay>,
    at_ms: i64,
) -> Option<Committed<()>> {
    let generation = known.generation.take()?;
    assert_eq!(*generation.reply(), *known.said);
    if let Some(replay) = replay {
        generation.end(FinishReason::Stop, None, replay);
    }
    drop(generation);
    let conversation = request(known.request);
    let said = Spoken {
        at_ms,
        ..spoken(conversation.ask.words(), &known.said)
    };
    turns.end(SESSIONS[known.session], known.ticket, Some(said))
}

fn say(known: &mut Known) {
    if let Some(generation) = &known.generation {
        generation.say("x ");
        known.said.push_str("x ");
    }
}

fn check(known: &[Known]) {
    let mut live = HashMap::<usize, usize>::new();
    for turn in known {
        let generation = turn.generation.as_ref();
        if generation.is_some_and(|g| !g.superseded().is_cancelled()) {
            *live.entry(turn.session).or_default() += 1;
        }
    }
    assert!(live.values().all(|count| *count == 1), "{live:?}");
}

proptest! {
    #[test]
    fn a_session_has_one_live_turn_and_repeats_change_nothing(
        steps in proptest::collection::vec(step(), 1..60)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let turns = Turns::default();
            let mut known: Vec<Known> = Vec::new();
            let mut counted = Counted::default();
            for (times, step) in (0..).zip(steps) {
                let turn = match step {
                    Step::Say(turn) | Step::End { turn, .. } | Step::Drop(turn) => turn,
                    _ => 0,
                };
                let at = known.len().checked_sub(1 + turn);
                let known_turn = at.and_then(|at| known.get_mut(at));
                match (step, known_turn) {
                    (Step::Begin { session, request }, _) => {
                        begin(&turns, &mut known, &mut counted, (session, request));
                    }
                    (Step::Say(_), Some(turn)) => say(turn),
                    (Step::End { replay, .. }, Some(turn)) => {
                        counted.add(end(&turns, turn, Some(replay), times));
                    }
                    (Step::Drop(_), Some(turn)) => counted.add(end(&turns, turn, None, times)),
                    (Step::Wait(seconds), _) => {
                        tokio::time::advance(Duration::from_secs(seconds)).await;
                        counted.add(turns.due(Instant::now()));
                        let sessions = turns.lock();
                        let mut held = sessions.by_id.iter().filter_map(|(_, s)| s.pending.as_ref());
                        assert!(held.all(|(_, since)| since.elapsed() < COMMIT_AFTER));
                    }
                    _ => {}
                }
                check(&known);
            }
            counted.add(turns.drain());
        });
    }
}
