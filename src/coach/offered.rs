//! Tells that the user takes up an offer: the coach asked whether to bring in a colleague, and the
//! user said yes. Without it the commonest answer to "shall I bring them in?" would change nothing.
//!
//! When in doubt nothing was offered or taken up: the coach goes on, and the user can ask by name.

use super::named::{self, Name};
use crate::turn::{Message, Murmur, Role};

/// Lines of the coach's, side by side, that are one reply: platforms cut a reply at its sentences.
const MAX_PARTS: usize = 4;
/// Sentences at a reply's end within which the colleague is named and the question asked.
const SENTENCES: usize = 3;
/// Beyond this no reply is read for an offer.
const MAX_REPLY_BYTES: usize = 4 << 10;
/// A longer yes says more than yes.
const MAX_WORDS: usize = 6;
/// Longer lines are not looked into: every line of a long history comes by here.
const MAX_YES_BYTES: usize = 64;

const YES: &[&str] = &[
    "yes",
    "yeah",
    "yep",
    "yup",
    "yea",
    "sure",
    "okay",
    "ok",
    "please",
    "absolutely",
    "definitely",
    "alright",
];
/// What may follow a yes, or stand for it from the second word on.
const REST: &[&str] = &[
    "a", "ahead", "be", "bring", "course", "do", "fine", "go", "good", "great", "helpful", "i",
    "idea", "in", "it", "let's", "like", "love", "nice", "of", "perfect", "please", "sounds",
    "thank", "thanks", "that", "that's", "that'd", "them", "then", "to", "very", "well", "would",
    "you", "i'd",
];
/// Other ways to say it, whole.
const AGREED: &[&str] = &[
    "bring them in",
    "do it",
    "do that",
    "go ahead",
    "good idea",
    "great idea",
    "i'd like that",
    "i would like that",
    "i'd love that",
    "let's do that",
    "let's do it",
    "of course",
    "please do",
    "sounds good",
    "that sounds good",
    "that would be great",
    "that would be good",
    "why not",
];

/// The roster position of the coach whose help was offered right before this line, where the line
/// is no more than a yes to it.
pub(super) fn taken_up(names: &[Name], before: &[Message], line: &str) -> Option<usize> {
    if !is_yes(line) {
        return None;
    }
    let parts = before.iter().rev().take(MAX_PARTS);
    let mut parts: Vec<&str> = parts
        .take_while(|m| m.role == Role::Assistant)
        .map(|m| m.text.trim())
        .collect();
    parts.reverse();
    let reply = parts.join(" ");
    let reply = reply.trim_end();
    if reply.len() > MAX_REPLY_BYTES || !reply.ends_with('?') {
        return None;
    }
    let mut ends = reply
        .char_indices()
        .rev()
        .filter(|(_, c)| ".!?…".contains(*c));
    let from = ends.nth(SENTENCES).map_or(0, |(at, c)| at + c.len_utf8());
    named::only_one(names, reply.get(from..).unwrap_or_default())
}

fn is_yes(line: &str) -> bool {
    if line.len() > MAX_YES_BYTES {
        return false;
    }
    let lower = line.trim().to_lowercase().replace('’', "'");
    let ends = |c: char| c.is_whitespace() || ".,;!…–—".contains(c);
    let words: Vec<&str> = lower.split(ends).filter(|w| !w.is_empty()).collect();
    let Some((first, rest)) = words.split_first() else {
        return false;
    };
    if words.len() > MAX_WORDS {
        return false;
    }
    let known = |w: &&str| YES.contains(w) || REST.contains(w);
    Murmur::of(line) == Some(Murmur::Listening)
        || YES.contains(first) && rest.iter().all(known)
        || AGREED.contains(&words.join(" ").as_str())
}
