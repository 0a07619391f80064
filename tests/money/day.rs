//! A simulated day: who calls, on which tier, for how long, and what they say. The same on every
//! machine: nothing here is drawn by lot.

use quest_clm::turn::Tier;

/// Sessions of the whole day: every coach's share with every tier's and every length.
pub(crate) const SESSIONS: usize = 1_000;

/// Of twenty sessions so many are each coach's: the mix of the seed design.
pub(crate) const COACHES: &[(&str, usize)] = &[
    ("master", 4),
    ("career", 5),
    ("skills", 4),
    ("leadership", 3),
    ("network", 4),
];
/// Of ten.
pub(crate) const TIERS: &[(Tier, usize)] =
    &[(Tier::Free, 5), (Tier::Premium, 4), (Tier::Enterprise, 1)];
/// Turns of a session; all are as frequent.
pub(crate) const LENGTHS: &[usize] = &[4, 6, 8, 10, 12];
/// One turn in so many, after a session's first, asks for more than most.
pub(crate) const DEMANDING: u64 = 20;
/// One session in so many ends with a caller who is gone after a turn's first words.
pub(crate) const GONE: u64 = 6;

/// What goes wrong upstream: of a thousand calls so many.
pub(crate) const FAULTS: &[(usize, &str, &str)] = &[
    (
        10,
        "slow-first:2000",
        "slow, so that another model is asked too and the slow one hung up on",
    ),
    (
        5,
        "cut:12",
        "broken off after twelve words, and another model goes on",
    ),
    (5, "503", "refused, and another model is asked"),
];

pub(crate) const UTTERANCES: &str = include_str!("utterances.tsv");

/// One call of one person.
pub(crate) struct Session {
    pub(crate) number: usize,
    pub(crate) coach: &'static str,
    pub(crate) tier: Tier,
    pub(crate) lines: Vec<&'static str>,
    /// Whoever calls does not hear the last answer to its end.
    pub(crate) is_left: bool,
}

/// The sessions in the order in which they are held. Any beginning is a fair sample.
pub(crate) fn sessions() -> impl Iterator<Item = Session> {
    // Prime to their number: each once, far apart.
    (0..SESSIONS).map(|place| session(place * 37 % SESSIONS))
}

fn session(number: usize) -> Session {
    let coach = share(COACHES, number % 20);
    let length = LENGTHS[number / 200];
    Session {
        number,
        coach,
        tier: share(TIERS, number / 20 % 10),
        lines: (0..length).map(|turn| line(coach, number, turn)).collect(),
        is_left: lot(number, usize::MAX).is_multiple_of(GONE),
    }
}

/// Whose share this is, counted from the first.
fn share<T: Copy>(shares: &[(T, usize)], at: usize) -> T {
    let each = shares
        .iter()
        .flat_map(|(what, share)| std::iter::repeat_n(*what, *share));
    each.into_iter().nth(at).unwrap()
}

fn line(coach: &str, number: usize, turn: usize) -> &'static str {
    let kind = match turn {
        0 => "opening",
        _ if lot(number, turn).is_multiple_of(DEMANDING) => "demanding",
        _ => "turn",
    };
    let lines = utterances(coach, kind);
    lines[(number * 5 + turn) % lines.len()]
}

/// What people say of this kind to this coach.
pub(crate) fn utterances(coach: &str, kind: &str) -> Vec<&'static str> {
    let rows = UTTERANCES.lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|row| {
        let mut cells = row.splitn(3, '\t');
        let is_wanted = cells.next() == Some(coach) && cells.next() == Some(kind);
        cells.next().filter(|_| is_wanted)
    })
    .collect()
}

/// A number that looks drawn and is not: FNV-1a of both.
fn lot(number: usize, turn: usize) -> u64 {
    let bytes = [number.to_le_bytes(), turn.to_le_bytes()].concat();
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash >> 32
}
