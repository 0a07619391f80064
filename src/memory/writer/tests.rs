use super::*;
use crate::memory::Exchange;

#[test]
fn only_what_was_not_written_is_tried_again() {
    use Trouble::{Before, Write};
    let after = Duration::from_secs(60);
    let endless = 5000;
    for (outcome, calls) in [
        (Ok(Reception::Accepted), 1),
        (Ok(Reception::Stranger), 3),
        (Err(Write(MemoryError::RateLimited { after })), endless),
        (Err(Write(MemoryError::Unauthorized)), endless),
        (Err(Write(MemoryError::Timeout)), 1),
        (Err(Write(MemoryError::Status(500))), 1),
        (Err(Write(MemoryError::Status(400))), 1),
        (Err(Write(MemoryError::Quota)), 1),
        (Err(Write(MemoryError::TooLarge { limit: 1 })), 1),
        (Err(Before(MemoryError::RateLimited { after })), endless),
        (Err(Before(MemoryError::Timeout)), endless),
        (Err(Before(MemoryError::Status(502))), endless),
        (Err(Before(MemoryError::Status(400))), 1),
        (Err(Before(MemoryError::Quota)), 1),
    ] {
        let mut tries = Tries::default();
        let again = |_: &u32| matches!(tries.after(&outcome, 0), Next::Again(_));
        let made = (1..endless).take_while(again).count() + 1;
        assert_eq!(made, endless.min(calls) as usize, "{outcome:?}");
    }
}

#[test]
fn pauses_grow_to_their_bound() {
    assert_eq!(backoff(1, 0), PAUSE);
    assert_eq!(backoff(3, 0), PAUSE * 4);
    assert_eq!(backoff(3, 1000), PAUSE * 4 * 9 / 10);
    assert_eq!(backoff(u32::MAX, 0), LONGEST_PAUSE);
    assert!((0..100).all(|_| jitter() < 1000));
}

#[test]
fn what_is_told_is_left_out_once_a_telling() {
    let line = |text: &str| Line {
        speaker: Speaker::User,
        text: text.to_owned(),
        at_ms: 1_795_338_902_123,
    };
    let told = |role: &str, content: &str, created_at: Option<&str>| Told {
        role: role.to_owned(),
        content: content.to_owned(),
        created_at: created_at.map(str::to_owned),
    };
    let at = Some("2026-11-22T09:15:02Z");
    let left = |told: Vec<Told>| {
        let mut lines = vec![line("a"), line("a"), line("b")];
        leave_out(&mut lines, told);
        lines.into_iter().map(|l| l.text).collect::<Vec<_>>()
    };
    for (stored, expected) in [
        (vec![], vec!["a", "a", "b"]),
        (vec![told("user", "a", at)], vec!["a", "b"]),
        (
            vec![told("user", "a", at), told("user", "a", None)],
            vec!["b"],
        ),
        (vec![told("assistant", "a", at)], vec!["a", "a", "b"]),
        (
            vec![told("user", "b", Some("2026-11-22T09:15:02.123000+00:00"))],
            vec!["a", "a"],
        ),
        (
            vec![told("user", "b", Some("2026-11-22T09:15:03Z"))],
            vec!["a", "a", "b"],
        ),
    ] {
        assert_eq!(left(stored), expected);
    }
}

#[test]
fn exchanges_spread_into_lines_without_empty_ones() {
    let exchange = |user: &str, assistant: Option<&str>| Item {
        exchange: Exchange {
            user: Some(user.to_owned()),
            assistant: assistant.map(str::to_owned),
            at_ms: 7,
        },
        seq: None,
        is_old: false,
    };
    let exchanges = [
        exchange("aaaa bbbb", Some("c")),
        exchange("  ", None),
        exchange("", Some("d")),
    ];
    let lines = spread(&exchanges, 6);
    let told: Vec<_> = lines.iter().map(|l| (l.speaker, l.text.as_str())).collect();
    use Speaker::{Assistant, User};
    assert_eq!(
        told,
        [
            (User, "aaaa "),
            (User, "bbbb"),
            (Assistant, "c"),
            (Assistant, "d")
        ]
    );
}
