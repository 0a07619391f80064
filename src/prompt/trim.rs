//! Brings the history down to a budget: the opening and the newest lines stay.
//!
//! History is cut between units only. A unit is one line, or a tool call with its results, which no
//! provider takes apart; so what is kept can never begin with a result that nobody asked for.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::turn::{Conversation, Message, Role};

/// Characters of history a prompt may hold: about twelve thousand tokens.
const BUDGET: usize = 48_000;
/// Characters of one line.
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
            Self::User(text) | Self::Assistant(text) => text.chars().count(),
            Self::Exchange(raw) => raw.iter().map(|r| r.get().chars().count()).sum(),
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
    // Bytes bound characters from above, so most lines are never counted.
    if text.len() <= LINE {
        return Cow::Borrowed(text);
    }
    match text.char_indices().rev().nth(LINE - 1) {
        Some((start, _)) if start > 0 => {
            Cow::Owned(format!("…{}", text.get(start..).unwrap_or("")))
        }
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
    let opening = units.iter().position(|u| matches!(u, Unit::User(_)));
    let reserved = opening.and_then(|at| units.get(at)).map_or(0, Unit::cost);
    let mut room = budget;
    let mut start = units.len();
    // Newest first. The newest stays whatever it costs: without it there is nothing to answer.
    for (at, unit) in units.iter().enumerate().rev() {
        // Once reached, the opening needs no room set aside.
        let aside = if opening.is_some_and(|o| o < at) {
            reserved
        } else {
            0
        };
        let cost = unit.cost();
        if cost + aside > room && start < units.len() {
            break;
        }
        room = room.saturating_sub(cost);
        start = at;
    }
    if start == 0 {
        return units;
    }
    let first = opening.filter(|at| *at < start);
    let mut kept = Vec::with_capacity(units.len() - start + 2);
    for (at, unit) in units.into_iter().enumerate() {
        if at == start {
            kept.push(Unit::Gap);
        }
        if at >= start || Some(at) == first {
            kept.push(unit);
        }
    }
    kept
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
            (18, "u:one … u:three a:four u:five"),
            (11, "u:one … a:four u:five"),
            (7, "u:one … u:five"),
            (0, "u:one … u:five"),
        ] {
            assert_eq!(shown(&within(call.clone(), budget)), expected, "{budget}");
        }
        let greeted = vec![assistant("hello there"), user("one"), assistant("two")];
        assert_eq!(shown(&within(greeted, 7)), "… u:one a:two");
        assert_eq!(shown(&within(Vec::new(), 7)), "");
    }

    #[test]
    fn a_long_line_loses_its_beginning() {
        let text = format!("start {}", "ü".repeat(LINE));
        let cut = line(&text);
        assert_eq!(cut.chars().count(), LINE + 1);
        assert!(cut.starts_with("…ü"));
        let exact = "ü".repeat(LINE);
        assert_eq!(line(&exact), exact);
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
