use super::*;
use crate::session::{Piece, REPLAY_FOR, Replay};
use crate::turn::{Ask, FinishReason, Message, Role, TraceContext, TurnId};
use futures::FutureExt as _;
mod aging;
mod closing;
mod elsewhere;
mod sequences;

fn spoken(words: &str, reply: &str) -> Spoken<()> {
    Spoken {
        words: words.into(),
        reply: reply.into(),
        whole: true,
        at_ms: 7,
        owner: (),
    }
}

fn head() -> Arc<Head> {
    Arc::new(Head {
        turn_id: TurnId::new(),
        coach: "career".into(),
        coach_reason: String::new(),
        model_reason: String::new(),
        model: "m".into(),
        trace: TraceContext::new(),
    })
}

fn ask(history: &[(Role, &str)], ask: Ask) -> Conversation {
    let message = |(role, text): &(Role, &str)| Message {
        role: *role,
        text: (*text).into(),
        raw: None,
    };
    Conversation {
        history: history.iter().map(message).collect(),
        ask,
        context: vec![],
        expressions: vec![],
        tools: None,
        last_reply: None,
        silences: 0,
    }
}

fn next(history: &[(Role, &str)], words: &str) -> Conversation {
    ask(history, Ask::Words(words.into()))
}

fn begin(turns: &Turns<()>, session: &str, next: &Conversation) -> Begun<()> {
    let key = turns.key(session, "career", next);
    turns.begin(session, key, next, head())
}

fn fresh(turns: &Turns<()>, session: &str, next: &Conversation) -> Fresh<()> {
    match begin(turns, session, next) {
        Begun::Fresh(fresh) => fresh,
        other => panic!("{other:?}: {next:?}"),
    }
}

fn repeat(turns: &Turns<()>, session: &str, next: &Conversation) -> Option<Listener> {
    match begin(turns, session, next) {
        Begun::Repeat(listener) => Some(listener),
        _ => None,
    }
}

/// Says all of a reply and ends whole.
fn speak(turns: &Turns<()>, session: &str, turn: Fresh<()>, words: &str, reply: &str) {
    turn.generation.say(reply);
    turn.generation.end(FinishReason::Stop, None, Replay::Keep);
    let said = spoken(words, reply);
    assert_eq!(turns.end(session, turn.ticket, Some(said)), None);
}

/// Everything that is there to be heard.
fn hear(listener: &mut Listener) -> String {
    let mut heard = String::new();
    while let Some(Piece::Words(words)) = listener.next().now_or_never() {
        heard.push_str(&words);
    }
    heard
}

type Sides = Option<(Option<String>, Option<String>)>;

fn sides(c: Option<Committed<()>>) -> Sides {
    c.map(|c| (c.user, c.assistant))
}

fn cut(words: &str) -> Option<LastReply> {
    Some(LastReply::CutAfter(words.into()))
}

#[tokio::test(start_paused = true)]
async fn silence_for_a_minute_commits_what_was_read_to_its_end() {
    let turns = Turns::default();
    let a = fresh(&turns, "a", &next(&[], "Hi")).ticket;
    let b = fresh(&turns, "b", &next(&[], "Yo")).ticket;
    assert_eq!(turns.end("a", a, Some(spoken("Hi", "Hello"))), None);
    let cut = Spoken {
        whole: false,
        ..spoken("Yo", "He")
    };
    assert_eq!(turns.end("b", b, Some(cut)), None);
    assert!(turns.due(Instant::now()).is_empty());
    tokio::time::advance(COMMIT_AFTER).await;
    assert_eq!(turns.due(Instant::now()).len(), 1);
    assert!(turns.drain().is_empty());
}

#[test]
fn what_was_overtaken_counts_only_if_the_newer_request_holds_it() {
    let overtaken = |history: &[(Role, &str)], words: &str| {
        let turns = Turns::default();
        let first = fresh(&turns, "s", &next(&[], "I am stuck"));
        let second = fresh(&turns, "s", &next(history, words));
        assert!(second.committed.is_empty());
        let said = spoken("I am stuck", "Where exactly?");
        sides(turns.end("s", first.ticket, Some(said)))
    };
    assert_eq!(overtaken(&[], "I am stuck at work"), None);
    assert_eq!(overtaken(&[], "Something else"), None);
    let cut = [(Role::User, "I am stuck"), (Role::Assistant, "Where")];
    let heard = Some((Some("I am stuck".into()), Some("Where".into())));
    assert_eq!(overtaken(&cut, "Wait"), heard);
    // Talked over before anything was heard: the words were said all the same.
    let unheard = Some((Some("I am stuck".into()), None));
    assert_eq!(overtaken(&[(Role::User, "I am stuck")], "Wait"), unheard);
}

#[test]
fn what_a_request_says_is_held_only_while_the_turn_it_speaks_of_runs() {
    let turns = Turns::<()>::default();
    let first = fresh(&turns, "s", &next(&[], "Hi"));
    let second = fresh(&turns, "s", &next(&[(Role::User, "Hi")], "Wait"));
    let holds = || turns.lock().by_id.get("s").unwrap().evidence.is_some();
    assert!(holds());
    assert_eq!(turns.end("s", first.ticket, None), None);
    assert!(!holds());
    assert_eq!(turns.end("s", second.ticket, None), None);
}

#[test]
fn the_same_request_joins_the_turn_that_runs() {
    let turns = Turns::default();
    for (n, kind) in [
        Ask::Nothing,
        Ask::Silence,
        Ask::Greeting,
        Ask::Words("Hi".into()),
    ]
    .into_iter()
    .enumerate()
    {
        let session = n.to_string();
        let request = ask(&[(Role::Assistant, "Hm")], kind);
        let first = fresh(&turns, &session, &request);
        first.generation.say("One ");
        let mut listener = repeat(&turns, &session, &request).unwrap();
        assert_eq!(listener.head().turn_id, first.generation.head().turn_id);
        assert!(!listener.is_replay() && !first.generation.close_if_alone());
        assert_eq!(hear(&mut listener), "One ");
        first.generation.say("two");
        assert_eq!(hear(&mut listener), "two");
        assert!(!first.generation.superseded().is_cancelled());
        // Another session's is another request.
        assert!(repeat(&turns, "another", &request).is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_ended_whole_is_given_again_for_a_while() {
    let turns = Turns::default();
    let request = next(&[], "Hi");
    let first = fresh(&turns, "s", &request);
    first.generation.phrase("Well. ");
    speak(&turns, "s", first, "Hi", "Hello");
    tokio::time::advance(REPLAY_FOR).await;
    turns.due(Instant::now());
    let mut again = repeat(&turns, "s", &request).unwrap();
    assert!(again.is_replay());
    assert_eq!(hear(&mut again), "Well. Hello");
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(repeat(&turns, "s", &request).is_none());
}

#[test]
fn what_did_not_end_whole_is_answered_anew() {
    let ends: [fn(Fresh<()>); 3] = [
        |turn| {
            turn.generation
                .end(FinishReason::Stop, None, Replay::Forget)
        },
        drop,
        |turn| {
            turn.generation.say(&"x".repeat(65 << 10));
            turn.generation.end(FinishReason::Stop, None, Replay::Keep);
        },
    ];
    for end in ends {
        let turns = Turns::default();
        let request = next(&[], "Hi");
        let first = fresh(&turns, "s", &request);
        let ticket = first.ticket;
        end(first);
        assert_eq!(turns.end("s", ticket, None), None);
        assert!(repeat(&turns, "s", &request).is_none());
    }
}

#[test]
fn a_repeat_leaves_the_turn_that_is_held_back() {
    let turns = Turns::default();
    let first = fresh(&turns, "s", &next(&[], "Hi"));
    speak(&turns, "s", first, "Hi", "Hello");
    let tickets = turns.tickets.load(Ordering::Relaxed);
    assert!(repeat(&turns, "s", &next(&[], "Hi")).is_some());
    assert_eq!(turns.tickets.load(Ordering::Relaxed), tickets);
    assert_eq!(turns.drain().len(), 1);
}

#[test]
fn a_late_repeat_of_an_older_turn_disturbs_nothing() {
    let turns = Turns::default();
    let requests: Vec<_> = ["a", "b", "c", "d"].map(|w| next(&[], w)).into();
    for (request, words) in requests.iter().zip(["a", "b", "c"]) {
        let turn = fresh(&turns, "s", request);
        speak(&turns, "s", turn, words, &words.repeat(3));
    }
    let live = fresh(&turns, "s", &requests[3]);
    // Of the turns beside the newest, two are kept.
    for (request, reply) in [(&requests[2], "ccc"), (&requests[1], "bbb")] {
        assert_eq!(hear(&mut repeat(&turns, "s", request).unwrap()), reply);
    }
    assert!(!live.generation.superseded().is_cancelled());
    assert!(repeat(&turns, "s", &requests[0]).is_none());
    assert!(live.generation.superseded().is_cancelled());
    // It is superseded: its own repeat is a turn of its own.
    assert!(repeat(&turns, "s", &requests[3]).is_none());
}

#[test]
fn fragments_that_were_given_up_take_no_answers_place() {
    let turns = Turns::default();
    let whole = next(&[], "Hi");
    let first = fresh(&turns, "s", &whole);
    speak(&turns, "s", first, "Hi", "Hello");
    let held: Vec<_> = [
        "I",
        "I am",
        "I am stuck",
        "I am stuck at",
        "I am stuck at work",
    ]
    .map(|words| fresh(&turns, "s", &next(&[], words)))
    .into();
    assert!(turns.lock().by_id.get("s").unwrap().speeches.len() <= 1 + REPLAYABLE + REMEMBERED);
    assert_eq!(hear(&mut repeat(&turns, "s", &whole).unwrap()), "Hello");
    let live = held
        .iter()
        .filter(|f| !f.generation.superseded().is_cancelled());
    assert_eq!(live.count(), 1);
}

#[test]
fn a_different_request_supersedes_what_runs_in_its_session_only() {
    let turns = Turns::default();
    let a = fresh(&turns, "a", &next(&[], "Hi"));
    let b = fresh(&turns, "b", &next(&[], "Hi"));
    let mut listener = repeat(&turns, "a", &next(&[], "Hi")).unwrap();
    let newer = fresh(&turns, "a", &next(&[], "Hi there"));
    assert!(a.generation.superseded().is_cancelled());
    assert!(!b.generation.superseded().is_cancelled());
    assert!(!newer.generation.superseded().is_cancelled());
    drop(a);
    let end = Some(Piece::End(FinishReason::Stop, None));
    assert_eq!(listener.next().now_or_never(), end);
}

#[tokio::test(start_paused = true)]
async fn the_last_reply_is_found_whatever_became_of_its_turn() {
    let history = [(Role::User, "Hi"), (Role::Assistant, "One two")];
    let wait = next(&history, "Wait");
    let turns = Turns::default();
    // Still running, and heard as far as it went: the user broke in.
    let running = fresh(&turns, "a", &next(&[], "Hi"));
    running.generation.phrase("Hm. ");
    running.generation.say("One two three");
    assert_eq!(fresh(&turns, "a", &wait).last_reply, cut("One two"));
    let running = fresh(&turns, "b", &next(&[], "Hi"));
    running.generation.say("One two");
    assert_eq!(fresh(&turns, "b", &wait).last_reply, cut("One two"));
    // Ended, held back, and committed long ago.
    let ended = fresh(&turns, "c", &next(&[], "Hi"));
    speak(&turns, "c", ended, "Hi", "One two three");
    tokio::time::advance(REPLAY_FOR * 2).await;
    assert_eq!(turns.due(Instant::now()).len(), 1);
    let newer = fresh(&turns, "c", &wait);
    assert_eq!(
        (newer.last_reply, newer.committed.len()),
        (cut("One two"), 0)
    );
    // Interrupted by the caller.
    let left = fresh(&turns, "d", &next(&[], "Hi"));
    left.generation.say("One two three");
    drop(left);
    assert_eq!(fresh(&turns, "d", &wait).last_reply, cut("One two"));
    // Broken off by upstream, and heard as far as it went: nobody broke in.
    let failed = fresh(&turns, "e", &next(&[], "Hi"));
    failed.generation.say("One two");
    drop(failed);
    assert_eq!(fresh(&turns, "e", &wait).last_reply, None);
    // Speculated upon: the newest never came to be.
    let ended = fresh(&turns, "f", &next(&[], "Hi"));
    speak(&turns, "f", ended, "Hi", "One two three");
    let guess = fresh(&turns, "f", &next(&history, "Wa"));
    assert_eq!(guess.last_reply, cut("One two"));
    assert_eq!(fresh(&turns, "f", &wait).last_reply, cut("One two"));
    assert_eq!(fresh(&turns, "f", &next(&[], "Hm")).last_reply, None);
}

#[test]
fn the_reply_and_the_memory_of_it_are_cut_at_the_same_word() {
    let words: Vec<String> = (1..=40).map(|n| format!("word{n}")).collect();
    for k in 1..40 {
        for mark in ["", "…", " …"] {
            let turns = Turns::default();
            let first = fresh(&turns, "s", &next(&[], "Hi"));
            speak(&turns, "s", first, "Hi", &words.join(" "));
            let heard = words[..k].join(" ");
            let line = format!("{heard}{mark}");
            let history = [(Role::User, "Hi"), (Role::Assistant, line.as_str())];
            let newer = fresh(&turns, "s", &next(&history, "Wait"));
            let tail = words[k.saturating_sub(8)..k].join(" ");
            assert_eq!(newer.last_reply, cut(&tail));
            assert_eq!(newer.committed[0].assistant, Some(heard));
        }
    }
}

#[test]
fn the_oldest_answers_lose_their_words_when_there_are_too_many() {
    let turns = Turns::default();
    let long = "x".repeat(60 << 10);
    let each = long.len() + "Hi".len();
    let fits = MAX_KEPT_BYTES / each;
    let request = next(&[], "Hi");
    let mut held = None;
    for n in 0..fits + 3 {
        let session = n.to_string();
        let turn = fresh(&turns, &session, &request);
        speak(&turns, &session, turn, "Hi", &long);
        if n == 0 {
            held = repeat(&turns, &session, &request);
        }
    }
    // The first is still listened to: it goes when that is over, the next two went instead.
    assert_eq!(turns.kept.load(Ordering::Relaxed), fits * each);
    assert_eq!(hear(&mut held.take().unwrap()), long);
    assert_eq!(turns.kept.load(Ordering::Relaxed), (fits - 1) * each);
    assert!(repeat(&turns, "0", &request).is_none());
    assert!(repeat(&turns, &fits.to_string(), &request).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_lead_in_is_seldom_and_never_the_same_twice_in_a_row() {
    let turns = Turns::<()>::default();
    let _first = fresh(&turns, "s", &next(&[], "Hi"));
    let lead_in = |phrases| turns.lead_in("s", phrases, Instant::now());
    assert_eq!(lead_in(0), None);
    let mut last = lead_in(3).unwrap();
    assert!(last < 3);
    for phrases in [3, 3, 2, 2, 5, 2, 4] {
        tokio::time::advance(LEAD_IN_AGAIN - Duration::from_millis(1)).await;
        assert_eq!(lead_in(phrases), None);
        tokio::time::advance(Duration::from_millis(1)).await;
        let phrase = lead_in(phrases).unwrap();
        assert!(phrase < phrases && phrase != last);
        last = phrase;
    }
    tokio::time::advance(LEAD_IN_AGAIN).await;
    assert_eq!(lead_in(1), Some(0));
    assert!(turns.lead_in("unknown", 3, Instant::now()).unwrap() < 3);
    assert!(turns.lock().by_id.get("unknown").is_none());
}
