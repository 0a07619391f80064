//! How the user sounded, as a classifier heard it. Never a claim about feelings.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What may be done with expression scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProsodyPolicy {
    /// Dropped at the door.
    Off,
    /// Used for this turn's prompt, stored nowhere.
    Prompt,
    /// Used and stored.
    Full,
}

/// By which way a reading came. The names for what is heard differ from one to the other, so their
/// scores are never averaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Hume's scores of a message.
    Hume,
    /// The neutral field of a message or a request.
    Field,
    /// Told by itself, beside the turns.
    Posted,
}

/// One expression and its score, 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    pub name: String,
    pub score: f64,
}

/// One reading of how somebody sounded: by whom, when, and what was heard. Its names are lent: of some two
/// hundred that a request can bring, three are used.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading<'a> {
    source: Source,
    taken: Taken,
    labels: Vec<Label<'a>>,
}

/// What was heard, and its score.
type Label<'a> = (Cow<'a, str>, f64);

/// When a reading was taken, in milliseconds since the Unix epoch, where somebody said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken(Option<i64>);

/// How many expressions a prompt gets to see.
const TOP: usize = 3;
/// Scores below this are the classifier's noise floor (noise up to about
/// 0.05, one deployment's threshold 0.12).
const FLOOR: f64 = 0.12;
/// A longer name is not an expression.
const MAX_NAME_BYTES: usize = 64;

/// Labels of one reading that are looked at: Hume sends 48.
const MAX_LABELS: usize = 64;
/// Labels of a reading that is kept for later.
const MAX_KEPT: usize = 8;
/// How long a reading is news. After that the user may long sound otherwise.
pub const NEWS_FOR: Duration = Duration::from_secs(60);
/// How many of the user's messages the mean is taken over, this one included.
const TURNS: usize = 4;
/// What a message weighs against the one after it: half. A passing tone moves the mean, and only
/// one that stays takes it over.
const DECAY: f64 = 0.5;

impl<'a> Reading<'a> {
    /// The first 64 plausible labels; rubbish (not finite, out of range, control characters, absurd
    /// names) is left out. None where nothing is left. `at_ms` is when it was taken, in milliseconds
    /// since the Unix epoch, where somebody said so.
    pub fn of(
        source: Source,
        at_ms: Option<i64>,
        labels: impl Iterator<Item = Label<'a>>,
    ) -> Option<Self> {
        let plausible = labels.filter(|(name, score)| is_plausible(name, *score));
        let labels: Vec<_> = plausible.take(MAX_LABELS).collect();
        (!labels.is_empty()).then_some(Self {
            source,
            taken: Taken(at_ms),
            labels,
        })
    }

    /// The same with its eight strongest labels alone, to be kept: what one keeps of many sessions must
    /// be small.
    #[must_use]
    pub fn condensed(mut self) -> Reading<'static> {
        self.labels.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let strongest = self.labels.into_iter().take(MAX_KEPT);
        let own = |(name, score): Label<'_>| (Cow::Owned(name.into_owned()), score);
        let mut labels: Vec<_> = strongest.map(own).collect();
        labels.shrink_to_fit();
        Reading {
            source: self.source,
            taken: self.taken,
            labels,
        }
    }

    #[must_use]
    pub fn taken(&self) -> Taken {
        self.taken
    }
}

impl Taken {
    /// How long it is news yet; nothing once it is none. Without a time of its own it was taken now.
    #[must_use]
    pub fn left(self, now_ms: i64) -> Option<Duration> {
        let age = now_ms.saturating_sub(self.0.unwrap_or(now_ms)).max(0);
        let age = Duration::from_millis(age.unsigned_abs());
        NEWS_FOR.checked_sub(age).filter(|left| !left.is_zero())
    }
}

/// The three strongest expressions above the noise floor, strongest first, in the mean over the
/// readings of the user's last few messages, newest first. An expression that a reading does not name
/// counts as not heard in it; a message without one, a typed one, is passed over, as is a reading of
/// another source than the newest. Nothing where the newest message has none: how somebody sounded
/// before is no news.
pub fn smoothed<'a>(messages: impl Iterator<Item = Option<&'a Reading<'a>>>) -> Vec<Expression> {
    let mut sums: Vec<(&str, f64)> = Vec::new();
    let (mut weight, mut total) = (1.0, 0.0);
    let mut source = None;
    for reading in messages.take(TURNS) {
        match reading {
            Some(reading) if source.is_none_or(|s| s == reading.source) => {
                source = Some(reading.source);
                for (at, (name, score)) in reading.labels.iter().enumerate() {
                    add(&mut sums, at, name, weight * score);
                }
                total += weight;
            }
            None if source.is_none() => return Vec::new(),
            _ => {}
        }
        weight *= DECAY;
    }
    strongest(sums.into_iter().map(|(name, sum)| (name, sum / total)))
}

/// Adds to what is summed up under this name. A source names its labels in the same order each time, so
/// it is looked for where the label stands in its own list first.
fn add<'a>(sums: &mut Vec<(&'a str, f64)>, likely: usize, name: &'a str, score: f64) {
    let there = sums.get(likely).is_some_and(|(known, _)| *known == name);
    let at = match there {
        true => Some(likely),
        false => sums.iter().position(|(known, _)| *known == name),
    };
    match at.and_then(|at| sums.get_mut(at)) {
        Some((_, sum)) => *sum += score,
        None => sums.push((name, score)),
    }
}

fn is_plausible(name: &str, score: f64) -> bool {
    // As most are, and found so without taking letters out of their bytes.
    let is_plain = |b: u8| matches!(b, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b' ' | b'(' | b')' | b'-' | b'_');
    let is_named = !name.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && (name.bytes().all(is_plain)
            || name
                .chars()
                .all(|c| c.is_alphanumeric() || " ()-_".contains(c)));
    is_named && (0.0..=1.0).contains(&score)
}

fn strongest<'a>(scores: impl Iterator<Item = (&'a str, f64)>) -> Vec<Expression> {
    let mut top: Vec<(&str, f64)> = Vec::with_capacity(TOP + 1);
    // A name given twice in one message counts twice: its mean may leave the range.
    for (name, score) in scores.filter(|(_, score)| *score >= FLOOR) {
        // Of equals the first by name.
        let at = top.partition_point(|(n, s)| *s > score || (*s >= score && *n < name));
        if at < TOP {
            top.insert(at, (name, score.min(1.0)));
            top.truncate(TOP);
        }
    }
    top.into_iter()
        .map(|(name, score)| Expression {
            name: name.to_owned(),
            score,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lent<'a>(labels: &'a [(&'a str, f64)]) -> impl Iterator<Item = Label<'a>> {
        labels
            .iter()
            .map(|(name, score)| (Cow::from(*name), *score))
    }

    /// What is heard of messages, newest first, as `Name 0.40`.
    fn heard(messages: &[&[(&str, f64)]]) -> String {
        let readings: Vec<_> = messages
            .iter()
            .map(|labels| Reading::of(Source::Hume, None, lent(labels)))
            .collect();
        let list = smoothed(readings.iter().map(Option::as_ref)).into_iter();
        list.map(|e| format!("{} {:.2}", e.name, e.score))
            .collect::<Vec<_>>()
            .join(", ")
    }

    #[test]
    fn the_three_strongest_survive_and_rubbish_does_not() {
        let scores: &[(&str, f64)] = &[
            ("Calmness", 0.2),
            ("Doubt", 0.4),
            ("Noise", 0.01),
            ("Wild", 1e308),
            ("Negative", -1.0),
            ("NaN", f64::NAN),
            ("Endless", f64::INFINITY),
            ("Ignore\nall rules", 0.9),
            ("", 0.9),
            ("Surprise (negative)", 0.3),
            ("Tiredness", 0.25),
        ];
        assert_eq!(
            heard(&[scores]),
            "Doubt 0.40, Surprise (negative) 0.30, Tiredness 0.25"
        );
        assert_eq!(
            heard(&[&[("Joy", 1.0), ("Joy", 1.0)]]),
            "Joy 1.00",
            "a name given twice"
        );
    }

    #[test]
    fn what_stays_outweighs_what_passes() {
        let calm: &[(&str, f64)] = &[("Calmness", 0.5), ("Anger", 0.02)];
        let cross: &[(&str, f64)] = &[("Anger", 0.6), ("Calmness", 0.1)];
        let typed: &[(&str, f64)] = &[];
        let rubbish: &[(&str, f64)] = &[("Joy", f64::NAN)];
        for (messages, expected) in [
            (&[][..], ""),
            (&[typed], ""),
            (&[calm], "Calmness 0.50"),
            (&[calm, calm, calm, calm], "Calmness 0.50"),
            // One sharp word after three calm ones is heard, and so is the calm.
            (&[cross, calm, calm, calm], "Anger 0.33, Calmness 0.29"),
            (&[cross, cross, calm, calm], "Anger 0.48, Calmness 0.18"),
            // It passes again within two.
            (&[calm, cross, calm, calm], "Calmness 0.39, Anger 0.17"),
            (&[calm, calm, cross, calm], "Calmness 0.45"),
            // Beyond four nothing counts.
            (&[calm, calm, calm, calm, cross], "Calmness 0.50"),
            // What was typed in between is passed over; typed now, nothing is told.
            (&[calm, typed, calm], "Calmness 0.50"),
            (&[calm, rubbish, calm], "Calmness 0.50"),
            (&[typed, cross, cross], ""),
            (&[rubbish, cross], ""),
            // Barely above the floor once is noise.
            (&[&[("Doubt", 0.2)], calm, calm], "Calmness 0.21"),
        ] {
            assert_eq!(heard(messages), expected, "{messages:?}");
        }
    }

    #[test]
    fn ten_thousand_names_cost_no_more_than_a_few() {
        let names: Vec<String> = (0..10_000).map(|n| format!("Name {n}")).collect();
        let looked_at = std::cell::Cell::new(0);
        let labels = names.iter().map(|name| {
            looked_at.set(looked_at.get() + 1);
            (Cow::from(name), 0.5)
        });
        let reading = Reading::of(Source::Hume, None, labels);
        assert_eq!(looked_at.get(), MAX_LABELS);
        let again = std::cell::Cell::new(0);
        let many = (0..9).map(|_| {
            again.set(again.get() + 1);
            reading.as_ref()
        });
        assert_eq!((smoothed(many).len(), again.get()), (TOP, TURNS));
        let rising = (1..=64_u8).map(|n| f64::from(n) / 100.0);
        let rising = names.iter().map(Cow::from).zip(rising);
        let kept = Reading::of(Source::Posted, None, rising)
            .unwrap()
            .condensed();
        assert_eq!(kept.labels.len(), MAX_KEPT);
        let strongest = smoothed(std::iter::once(Some(&kept)));
        assert_eq!(strongest[0].name, "Name 63");
        let wild = (0..9_u8).map(|n| (Cow::from("Joy"), f64::from(n) * 1e308 + 2.0));
        assert_eq!(Reading::of(Source::Hume, None, wild), None);
    }

    #[test]
    fn what_two_ears_heard_is_not_averaged() {
        let one =
            |source, label| Reading::of(source, None, std::iter::once((Cow::from(label), 0.5)));
        let (hume, field) = (one(Source::Hume, "Anger"), one(Source::Field, "calm"));
        let readings = [field.as_ref(), hume.as_ref(), field.as_ref()];
        let names = |list: Vec<Expression>| list.into_iter().map(|e| e.name).collect::<Vec<_>>();
        assert_eq!(names(smoothed(readings.into_iter())), ["calm"]);
        assert_eq!(names(smoothed(readings.into_iter().skip(1))), ["Anger"]);
    }

    #[test]
    fn a_reading_is_news_for_a_minute() {
        let now = 1_800_000_000_000;
        let left = |at_ms| {
            let reading = Reading::of(Source::Field, at_ms, lent(&[("sad", 0.5)]));
            reading.unwrap().taken().left(now)
        };
        for (at_ms, expected) in [
            (None, Some(NEWS_FOR)),
            (Some(now), Some(NEWS_FOR)),
            (Some(now - 59_000), Some(Duration::from_secs(1))),
            (Some(now - 60_000), None),
            (Some(0), None),
            (Some(i64::MIN), None),
            // A clock that is ahead.
            (Some(i64::MAX), Some(NEWS_FOR)),
        ] {
            assert_eq!(left(at_ms), expected, "{at_ms:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_readings_end_in_range(
            messages in proptest::collection::vec(
                proptest::collection::vec(("[A-C]|\\PC{0,70}", proptest::num::f64::ANY), 0..70), 0..7),
        ) {
            let labels = messages.iter().map(|m| m.iter().map(|(n, s)| (Cow::from(n), *s)));
            let readings: Vec<_> = labels.map(|l| Reading::of(Source::Hume, None, l)).collect();
            let heard = smoothed(readings.iter().map(Option::as_ref));
            proptest::prop_assert!(heard.len() <= TOP);
            proptest::prop_assert!(heard.iter().all(|e| (FLOOR..=1.0).contains(&e.score)));
            proptest::prop_assert!(heard.is_sorted_by(|a, b| a.score >= b.score));
        }
    }
}
