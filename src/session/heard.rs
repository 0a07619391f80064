//! How much of a reply was heard, as a later request's history tells it. Pure.
//!
//! Replies and histories are compared word by word, by letters and digits alone: platforms give a
//! reply back with other spaces, quotes and dashes, and end one that was cut with an ellipsis or in
//! the middle of a word. A word is heard when it is there whole.

use std::ops::Range;
use std::sync::Arc;

use crate::turn::{Ask, Conversation, LastReply, Message, Role};

use super::spoken::{MAX_REMEMBERED_BYTES, beginning};

/// Words by which a reply's end is told.
const TAIL: usize = 8;
/// A line beyond this is none of ours, however it is spaced.
const MAX_LINE_BYTES: usize = 4 * MAX_REMEMBERED_BYTES;
/// Lines of the assistant's, side by side at a history's end, that are tried as a reply's first.
const MAX_STARTS: usize = 6;
/// What platforms end a cut line with.
const CUT_MARKS: [char; 5] = ['…', '-', '–', '—', '.'];

/// What a turn answered, and so where a later history holds its reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// After this line of the user's.
    Words(String),
    /// Before everything else.
    Greeting,
    /// After the newest tool result.
    Tool,
    /// After whatever was said last.
    Nothing,
}

impl Asked {
    pub(super) fn of(ask: &Ask) -> Self {
        match ask {
            Ask::Words(words) => Self::Words(beginning(words, MAX_REMEMBERED_BYTES).to_owned()),
            Ask::Greeting => Self::Greeting,
            Ask::ToolResult => Self::Tool,
            Ask::Silence | Ask::Told | Ask::Nothing => Self::Nothing,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Words(words) => words.len(),
            _ => 0,
        }
    }
}

/// A turn of the session, as far as it went.
#[derive(Clone, Debug)]
pub(super) struct Past {
    pub(super) asked: Asked,
    /// The model's words so far.
    pub(super) reply: Arc<str>,
    /// A newer request came before its end: there were more words to come.
    pub(super) broken_off: bool,
}

/// What a history says of one turn's reply.
enum Verdict {
    /// It does not hold the turn.
    Elsewhere,
    Known(Option<LastReply>),
}

/// What the history says of the last reply in it. `past` gives the session's turns, newest first:
/// the first one that the history holds decides.
pub(super) fn last_reply(
    past: impl IntoIterator<Item = Past>,
    next: &Conversation,
) -> Option<LastReply> {
    if next.history.is_empty() {
        return None;
    }
    let last = last_lines_of_assistant(&next.history);
    past.into_iter()
        .find_map(|turn| match verdict(&turn, next, last.clone()) {
            Verdict::Elsewhere => None,
            Verdict::Known(told) => Some(told),
        })
        .flatten()
}

/// The last lines of the assistant's that stand side by side. Only a reply that begins there is the
/// history's last; of any other it tells nothing that the next answer needs.
fn last_lines_of_assistant(history: &[Message]) -> Range<usize> {
    let is_ours = |m: &Message| m.role == Role::Assistant;
    let end = history.iter().rposition(is_ours).map_or(0, |at| at + 1);
    let mut before = history.iter().take(end);
    let start = before.rposition(|m| !is_ours(m)).map_or(0, |at| at + 1);
    start..end
}

fn verdict(turn: &Past, next: &Conversation, last: Range<usize>) -> Verdict {
    let history = &next.history;
    let after = match &turn.asked {
        Asked::Words(words) => history.iter().rposition(|m| is_line(m, words)),
        Asked::Tool => history.iter().rposition(|m| m.role == Role::Tool),
        Asked::Greeting if last.start == 0 && last.end > 0 => {
            return read(&turn.reply, lines(history, last)).map_or(Verdict::Known(None), |heard| {
                Verdict::Known(heard.last_reply(turn))
            });
        }
        Asked::Greeting => None,
        Asked::Nothing => return after_the_last(turn, history, last),
    };
    let Some(after) = after.map(|at| at + 1) else {
        return Verdict::Elsewhere;
    };
    if after == last.start && last.end > last.start {
        let heard = read(&turn.reply, lines(history, last));
        return Verdict::Known(heard.and_then(|heard| heard.last_reply(turn)));
    }
    let goes_on = match &turn.asked {
        Asked::Words(words) => is_grown(words, next.ask.words()),
        _ => false,
    };
    if after < last.end || goes_on {
        return Verdict::Elsewhere;
    }
    Verdict::Known((!turn.reply.trim().is_empty()).then_some(LastReply::Unheard))
}

/// A reply that followed no line: any of the last ones may be its first.
fn after_the_last(turn: &Past, history: &[Message], last: Range<usize>) -> Verdict {
    last.clone()
        .rev()
        .take(MAX_STARTS)
        .find_map(|start| read(&turn.reply, lines(history, start..last.end)))
        .filter(|heard| !heard.text.is_empty())
        .map_or(Verdict::Elsewhere, |heard| {
            Verdict::Known(heard.last_reply(turn))
        })
}

fn lines(history: &[Message], range: Range<usize>) -> &[Message] {
    history.get(range).unwrap_or_default()
}

/// The part of a reply that the history holds right after the words it answered: all of it, or its
/// beginning where it was cut off. Platforms may split one answer over neighbouring messages.
pub(super) fn heard(words: &str, reply: &str, history: &[Message]) -> Option<String> {
    // A greeting answers nobody: it stands before the first of the user's lines.
    let after = match words.trim().is_empty() {
        true => 0,
        false => history.iter().rposition(|m| is_line(m, words))? + 1,
    };
    let answer = history
        .iter()
        .skip(after)
        .take_while(|m| m.role == Role::Assistant);
    let heard = read(reply, answer)?.text;
    Some(heard).filter(|text| !text.is_empty())
}

/// The user said exactly this.
pub(super) fn is_line(message: &Message, words: &str) -> bool {
    message.role == Role::User && message.text.split_whitespace().eq(words.split_whitespace())
}

/// The same words again, or the sentence they were a fragment of.
pub(super) fn is_grown(before: &str, now: &str) -> bool {
    let (before, now) = (squeeze(before), squeeze(now));
    let (mut before, mut now) = (words(&before).peekable(), words(&now));
    before.peek().is_some()
        && before.all(|(_, word)| now.next().is_some_and(|(_, other)| is_same(word, other)))
}

/// As far as some lines go along with a reply.
struct Heard {
    /// In the lines' own spelling, one space between words.
    text: String,
    /// Where its last few words begin.
    tail: usize,
    /// Every word of the reply is there.
    whole: bool,
}

impl Heard {
    fn last_reply(self, turn: &Past) -> Option<LastReply> {
        if self.whole && !turn.broken_off {
            return None;
        }
        let tail = self.text.get(self.tail..).unwrap_or_default();
        Some(match tail {
            "" => LastReply::Unheard,
            tail => LastReply::CutAfter(tail.to_owned()),
        })
    }
}

/// Nothing if the lines say something else. Reads no further than they go along.
fn read<'a>(reply: &str, lines: impl IntoIterator<Item = &'a Message>) -> Option<Heard> {
    let reply = squeeze(reply);
    let all: Vec<&str> = words(&reply).map(|(_, word)| word).collect();
    if all.is_empty() {
        return None;
    }
    let mut run = String::new();
    let mut spans: Vec<Range<usize>> = Vec::new();
    // How many words, and how far the run went with them.
    let mut best = None;
    'lines: for line in lines {
        if line.text.len() > MAX_LINE_BYTES {
            break;
        }
        if !run.is_empty() {
            run.push(' ');
        }
        let start = run.len();
        squeeze_into(&mut run, &line.text);
        let mut said = words(run.get(start..).unwrap_or_default()).peekable();
        while let Some((at, word)) = said.next() {
            match all.get(spans.len()) {
                Some(due) if is_same(due, word) => {
                    spans.push(start + at..start + at + word.len());
                }
                Some(due) if said.peek().is_none() && begins(due, word) => {
                    best = Some((spans.len(), 0));
                    break 'lines;
                }
                _ => break 'lines,
            }
        }
        best = Some((spans.len(), run.len()));
    }
    let (count, whole_run) = best?;
    spans.truncate(count);
    let tail = spans.get(count.saturating_sub(TAIL)).map_or(0, |s| s.start);
    let whole = count == all.len();
    let mut end = spans.last().map_or(0, |last| last.end);
    let word = spans.last().and_then(|last| run.get(last.clone()));
    if let Some(word) = word.filter(|word| !whole && all.get(count - 1) != Some(word)) {
        end -= word.len() - word.trim_end_matches(CUT_MARKS).len();
    }
    // What follows the last word without being one, a closing quote, is heard with it.
    if reply.starts_with(run.get(..whole_run).unwrap_or_default()) {
        end = end.max(whole_run);
    }
    run.truncate(end);
    Some(Heard {
        text: run,
        tail,
        whole,
    })
}

/// The words of a squeezed text and where they begin. What has neither letter nor digit is none.
fn words(squeezed: &str) -> impl Iterator<Item = (usize, &str)> {
    let ends = |c: char| matches!(c, ' ' | '—' | '–' | '…') || is_unspaced(c);
    let mut next = 0;
    squeezed
        .split_inclusive(ends)
        .map(move |piece| {
            let at = next;
            next += piece.len();
            (at, piece.trim_end())
        })
        .filter(|(_, word)| word.contains(char::is_alphanumeric))
}

/// Scripts that put no spaces between words; there each character is heard by itself.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}' // Thai, Lao
        | '\u{1000}'..='\u{109f}' // Burmese
        | '\u{1780}'..='\u{17ff}' // Khmer
        | '\u{3040}'..='\u{30ff}' // Kana
        | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' // Han
    )
}

fn letters(word: &str) -> impl Iterator<Item = char> {
    word.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
}

fn is_same(a: &str, b: &str) -> bool {
    a == b || letters(a).eq(letters(b))
}

/// The word was broken off after this part.
fn begins(word: &str, part: &str) -> bool {
    let mut word = letters(word);
    letters(part).all(|c| word.next() == Some(c))
}

/// One space between words, none around.
pub(super) fn squeeze(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    squeeze_into(&mut out, text);
    out
}

/// The same, behind what is there.
pub(super) fn squeeze_into(out: &mut String, text: &str) {
    let mut is_first = true;
    for word in text.split_whitespace() {
        if !is_first {
            out.push(' ');
        }
        is_first = false;
        out.push_str(word);
    }
}

#[cfg(test)]
mod tests;
