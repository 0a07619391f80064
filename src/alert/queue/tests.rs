//! When letters are tried, on a clock that stands still but for what a test adds to it.

use super::*;

const DOWN: Answer = Answer::TimedOut;

fn letter(id: &str) -> Letter {
    Letter {
        id: id.to_owned(),
        at_ms: 0,
        body: String::new(),
    }
}

fn arrival(id: &str) -> Arrival {
    Arrival {
        letter: letter(id),
        seq: None,
        age: Duration::ZERO,
        stretch: 1.0,
    }
}

fn due(queue: &Queue, now: Instant) -> Option<String> {
    queue.due(now).map(|letter| letter.id.clone())
}

/// The ages at which a letter is tried that never arrives, each try taking `takes`.
fn tries(arrival: Arrival, takes: Duration) -> Vec<u64> {
    let start = Instant::now();
    let mut queue = Queue::new(PAUSES);
    let before = arrival.age;
    queue.push(arrival, start);
    let mut tried = Vec::new();
    while let Some(at) = queue.next() {
        assert_eq!(due(&queue, at).as_deref(), Some("a"));
        tried.push((before + (at - start)).as_secs());
        if !queue.put_off("a", &DOWN, at + takes) {
            queue.remove("a");
        }
    }
    tried
}

#[test]
fn a_letter_is_tried_for_three_days() {
    let at_once = [
        0, 5, 35, 155, 755, 4355, 15155, 36755, 79955, 166_355, 252_755,
    ];
    assert_eq!(tries(arrival("a"), Duration::ZERO), at_once);
    // A try that takes long uses up the times it takes.
    let slow = tries(arrival("a"), Duration::from_secs(10));
    assert_eq!(slow[..3], [0, 35, 155]);
    let stretched = Arrival {
        stretch: 1.1,
        ..arrival("a")
    };
    let stretched = tries(stretched, Duration::ZERO);
    let expected = at_once.map(|s| s * 11 / 10);
    assert_eq!(stretched.len(), expected.len());
    for (is, should) in stretched.iter().zip(expected) {
        assert!(is.abs_diff(should) <= 1, "{stretched:?}");
    }
}

#[test]
fn a_letter_found_at_the_start_goes_on_where_it_was() {
    for (age, expected) in [
        (100, [100, 155, 755].as_slice()),
        (100_000, &[100_000, 166_355, 252_755]),
        (252_755, &[252_755]),
        (9_000_000, &[9_000_000]),
    ] {
        let found = Arrival {
            age: Duration::from_secs(age),
            ..arrival("a")
        };
        let tried = tries(found, Duration::ZERO);
        assert_eq!(tried[..expected.len()], *expected, "{age}");
        assert!(tried.len() == expected.len() || age == 100);
    }
}

#[test]
fn the_oldest_goes_first_and_holds_nobody_up() {
    let now = Instant::now();
    let mut queue = Queue::new(PAUSES);
    assert!(queue.next().is_none());
    for id in ["a", "b", "c"] {
        queue.push(arrival(id), now);
    }
    assert_eq!(due(&queue, now).as_deref(), Some("a"));
    assert!(queue.put_off("a", &DOWN, now));
    assert_eq!(due(&queue, now).as_deref(), Some("b"));
    assert!(queue.put_off("b", &Answer::Refused(400), now));
    assert_eq!(due(&queue, now).as_deref(), Some("c"));
    assert_eq!(queue.remove("c"), None);
    assert_eq!(due(&queue, now), None);
    assert_eq!(queue.next(), Some(now + Duration::from_secs(5)));
    // Somebody is there again: who was refused for its own sake still waits.
    queue.hurry(now);
    assert_eq!(due(&queue, now).as_deref(), Some("a"));
    queue.remove("a");
    assert_eq!(due(&queue, now), None);
    assert_eq!(queue.len(), 1);
    assert!(!queue.put_off("a", &DOWN, now), "it is not there any more");
}

#[test]
fn who_is_undecided_shows_in_the_answer() {
    for (answer, hurries) in [
        (Answer::TimedOut, true),
        (Answer::Unreachable(String::new()), true),
        (Answer::Refused(500), true),
        (Answer::Refused(503), true),
        (Answer::Refused(429), true),
        (Answer::Refused(400), false),
        (Answer::Refused(302), false),
        (Answer::Refused(404), false),
    ] {
        let now = Instant::now();
        let mut queue = Queue::new(PAUSES);
        queue.push(arrival("a"), now);
        queue.put_off("a", &answer, now);
        queue.hurry(now);
        assert_eq!(due(&queue, now).is_some(), hurries, "{answer:?}");
    }
}
