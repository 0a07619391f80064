//! Brings the history down to a budget: the opening and the newest lines stay. The opening is the
//! first exchange, in which the user says what they came for and the coach agrees to it.
//!
//! History is cut between units only. A unit is one line, or a tool call with its results, which no
//! provider takes apart; so what is kept can never begin with a result that nobody asked for.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::value::RawValue;

use super::weight;
use crate::turn::{Conversation, Message, Role};

/// Quarters of a token that a prompt may hold of history: about twelve thousand tokens.
const BUDGET: usize = 48_000;
/// The same of one line.
const LINE: usize = 16_000;

/// A piece of history that is kept or dropped whole.
#[derive(Clone, Debug)]
pub(super) enum Unit<'c> {
    User(Cow<'c, str>),
    Assistant(Cow<'c, str>),
    /// A tool call as the caller sent it, then its results.
    Exchange(Vec<&'c RawValue>),
    /// Where something was left out.
    Gap,
}

impl Unit<'_> {
    fn cost(&self) -> usize {
        match self {
            Self::User(text) | Self::Assistant(text) => weight::of_text(text),
            Self::Exchange(raw) => raw.iter().map(|r| weight::of_text(r.get())).sum(),
            Self::Gap => 0,
        }
    }
}

/// The history that fits, oldest first.
pub(super) fn kept(conversation: &Conversation) -> Vec<Unit<'_>> {
    within(units(conversation), BUDGET)
}

/// A line that is too long loses its beginning: what was said last is what is being answered.
pub(super) fn line(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    // No character weighs more than four, so most lines are never counted.
    if text.len() <= LINE / 4 {
        return Cow::Borrowed(text);
    }
    let mut room = LINE;
    let fitting = text.char_indices().rev().map_while(|(at, c)| {
        room = room.checked_sub(weight::of(c))?;
        Some(at)
    });
    match fitting.last() {
        Some(start) if start > 0 => Cow::Owned(format!("…{}", text.get(start..).unwrap_or(""))),
        _ => Cow::Borrowed(text),
    }
}

/// The history as units. Tool messages count only while the caller offers tools, in their exact
/// form and complete; a call that was never answered is its words alone, a result without its call
/// is nothing.
fn units(conversation: &Conversation) -> Vec<Unit<'_>> {
    let mut units = Vec::new();
    let mut rest = conversation.history.as_slice();
    while let Some((message, tail)) = rest.split_first() {
        rest = tail;
        let text = || Some(line(&message.text)).filter(|t| !t.is_empty());
        match message.role {
            Role::User => units.extend(text().map(Unit::User)),
            Role::Tool => {}
            Role::Assistant => {
                let call = message
                    .raw
                    .as_deref()
                    .filter(|_| conversation.tools.is_some());
                let results: Vec<&RawValue> = tail.iter().map_while(result).collect();
                match call {
                    Some(call) if !results.is_empty() => {
                        rest = tail.get(results.len()..).unwrap_or_default();
                        let exchange = std::iter::once(call).chain(results).collect();
                        units.push(Unit::Exchange(exchange));
                    }
                    _ => units.extend(text().map(Unit::Assistant)),
                }
            }
        }
    }
    units
}

fn result(message: &Message) -> Option<&RawValue> {
    message
        .raw
        .as_deref()
        .filter(|_| message.role == Role::Tool)
}

fn within(units: Vec<Unit<'_>>, budget: usize) -> Vec<Unit<'_>> {
    let opening = opening(&units, budget);
    let reserved: usize = opening
        .clone()
        .filter_map(|at| units.get(at))
        .map(Unit::cost)
        .sum();
    let mut room = budget;
    let mut start = units.len();
    // Newest first. The newest stays whatever it costs: without it there is nothing to answer.
    for (at, unit) in units.iter().enumerate().rev() {
        // Once reached, the opening needs no room set aside.
        let aside = if at >= opening.end { reserved } else { 0 };
        let cost = unit.cost();
        if cost + aside > room && start < units.len() {
            break;
        }
        room = room.saturating_sub(cost);
        start = at;
    }
    let mut kept = Vec::with_capacity(units.len() - start + 3);
    let mut left_out = false;
    for (at, unit) in units.into_iter().enumerate() {
        if at < start && !opening.contains(&at) {
            left_out = true;
            continue;
        }
        if std::mem::take(&mut left_out) {
            kept.push(Unit::Gap);
        }
        kept.push(unit);
    }
    kept
}

/// Where the first exchange stands: the user's first line and the reply to it. A reply that would
/// take more than a quarter of the budget is none of it.
fn opening(units: &[Unit<'_>], budget: usize) -> Range<usize> {
    let Some(first) = units.iter().position(|u| matches!(u, Unit::User(_))) else {
        return 0..0;
    };
    let is_short = |u: &&Unit<'_>| matches!(u, Unit::Assistant(_)) && u.cost() <= budget / 4;
    let reply = units.get(first + 1).filter(is_short);
    first..first + 1 + usize::from(reply.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(text: &str) -> Unit<'_> {
        Unit::User(text.into())
    }

    fn assistant(text: &str) -> Unit<'_> {
        Unit::Assistant(text.into())
    }

    fn shown(units: &[Unit<'_>]) -> String {
        let show = |u: &Unit<'_>| match u {
            Unit::User(t) => format!("u:{t}"),
            Unit::Assistant(t) => format!("a:{t}"),
            Unit::Exchange(raw) => format!("x{}", raw.len()),
            Unit::Gap => "…".to_owned(),
        };
        units.iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_opening_and_the_newest_are_kept() {
        let call = vec![
            user("one"),
            assistant("two"),
            user("three"),
            assistant("four"),
            user("five"),
        ];
        for (budget, expected) in [
            (100, "u:one a:two u:three a:four u:five"),
            (19, "u:one a:two u:three a:four u:five"),
            (18, "u:one a:two … a:four u:five"),
            (14, "u:one a:two … a:four u:five"),
            (13, "u:one a:two … u:five"),
            // The reply is no quarter of it.
            (11, "u:one … a:four u:five"),
            (7, "u:one … u:five"),
            (0, "u:one … u:five"),
        ] {
            assert_eq!(shown(&within(call.clone(), budget)), expected, "{budget}");
        }
        let greeted = vec![assistant("hello there"), user("one"), assistant("two")];
        assert_eq!(shown(&within(greeted.clone(), 12)), "… u:one a:two");
        assert_eq!(shown(&within(greeted, 17)), "a:hello there u:one a:two");
        let pair = vec![user("one"), user("two")];
        assert_eq!(
            shown(&within(pair, 0)),
            "u:one u:two",
            "nothing is left out"
        );
        assert_eq!(shown(&within(Vec::new(), 7)), "");
    }

    proptest::proptest! {
        #[test]
        fn any_history_keeps_its_ends_within_the_budget(
            lines in proptest::collection::vec((0..3_u8, 1..40_usize), 1..30),
            budget in 0..400_usize,
        ) {
            let lines: Vec<_> = lines.iter().enumerate().map(|(at, (kind, size))| {
                let text = format!("{at}{}", "x".repeat(*size));
                if *kind == 0 { Unit::User(text.into()) } else { Unit::Assistant(text.into()) }
            }).collect();
            let all = shown(&lines);
            let opening = opening(&lines, budget);
            let needed: Vec<_> = lines[opening.clone()].iter().chain(lines.last()).cloned().collect();
            let kept = within(lines.clone(), budget);
            let words = shown(&kept);
            for unit in &needed {
                proptest::prop_assert!(words.contains(&shown(std::slice::from_ref(unit))));
            }
            // What is kept are pieces of the whole, in order, with a mark wherever something is out.
            let mut rest = all.as_str();
            for piece in words.split('…').map(str::trim).filter(|p| !p.is_empty()) {
                let at = rest.find(piece);
                proptest::prop_assert!(at.is_some(), "{} in {}", piece, all);
                rest = &rest[at.unwrap() + piece.len()..];
            }
            let size: usize = kept.iter().map(Unit::cost).sum();
            let least: usize = needed.iter().map(Unit::cost).sum();
            proptest::prop_assert!(size <= budget.max(least), "{size} of {budget}");
        }
    }

    #[test]
    fn a_long_line_loses_its_beginning() {
        let text = format!("start {}", "ü".repeat(LINE));
        let cut = line(&text);
        assert_eq!(cut.chars().count(), LINE + 1);
        assert!(cut.starts_with("…ü"));
        let exact = "ü".repeat(LINE);
        assert_eq!(line(&exact), exact);
        // A character of another script is a token of its own.
        let cut = line(&"話".repeat(LINE)).chars().count();
        assert_eq!(cut, LINE / 4 + 1);
    }

    #[test]
    fn tool_messages_come_as_whole_exchanges_or_not_at_all() {
        let raw = |role, text: &str| Message {
            role,
            text: text.to_owned(),
            raw: Some(RawValue::from_string("{}".to_owned()).unwrap()),
        };
        let mut conversation = Conversation {
            history: vec![
                raw(Role::Tool, "orphan"),
                Message::user("hi"),
                raw(Role::Assistant, "checking"),
                raw(Role::Tool, "r"),
                raw(Role::Tool, "r"),
                Message::assistant("done"),
                raw(Role::Assistant, "unanswered"),
            ],
            ask: crate::turn::Ask::Nothing,
            context: Vec::new(),
            expressions: Vec::new(),
            tools: None,
            last_reply: None,
            silences: 0,
        };
        assert_eq!(
            shown(&units(&conversation)),
            "u:hi a:checking a:done a:unanswered"
        );
        conversation.tools = Some(crate::turn::Tools {
            tools: RawValue::from_string("[]".to_owned()).unwrap(),
            tool_choice: None,
        });
        assert_eq!(shown(&units(&conversation)), "u:hi x3 a:done a:unanswered");
    }
}
