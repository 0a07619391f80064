//! Whom the master wants to hear, and why: the question to a quick model, and what is made of its
//! answer, whatever that is.
//!
//! The form asked for is one line a coach, `career: why`. Models add markdown, JSON and chatter of their
//! own; all of it is read as far as it names coaches there are. What names none is no plan, and the
//! user's own words decide.

use serde_json::Value;

use super::MAX_SPECIALISTS;
use crate::coach::{MASTER, Roster, asks_everybody};
use crate::prompt::{PromptMessage, Source, is_plain, quote};
use crate::turn::{Conversation, Role};

/// So many of the newest lines tell a planner what the talk is about.
const NEWEST: usize = 6;
/// Bytes of one line that a planner reads.
const LINE: usize = 600;
/// Characters of a reason that are kept.
pub const WHY: usize = 120;
/// Bytes of an answer that are read.
const MOST: usize = 4 << 10;
/// The coach who is heard where neither plan nor words name anybody.
const USUAL: &str = "career";

const RULES: &str = "You are the master coach of a team, and you hold a council on what the person \
    just said. Decide which one to three of your colleagues are to be heard, the most telling first. \
    Take more than one only where each would see something that the others do not. Answer with one \
    line for each and nothing else, in this form:\n\
    id: why, in at most eight words\n\n\
    The ids, and what each knows about:";
const ASKED: &str = "(Who is to be heard? Answer in lines of id: why.)";

/// A specialist whom the plan names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// A coach's id; never the master's.
    pub coach: String,
    /// Letters, figures and plain marks, 120 characters at most; empty where no reason was given.
    pub why: String,
}

/// The question to the planner. Its first message is the same for a roster, so that it can be cached.
#[must_use]
pub fn question(roster: &Roster, conversation: &Conversation) -> Vec<PromptMessage> {
    let colleagues = roster.iter().filter(|coach| coach.id != MASTER);
    let mut rules = RULES.to_owned();
    for coach in colleagues {
        rules.push_str(&format!("\n{}: {}", coach.id, coach.keywords.join(", ")));
    }
    let said = conversation.history.iter().filter_map(|m| match m.role {
        Role::User => Some(("person", m.text.as_str())),
        Role::Assistant => Some(("coach", m.text.as_str())),
        Role::Tool => None,
    });
    let said: Vec<_> = said.collect();
    let newest = said.split_at(said.len().saturating_sub(NEWEST)).1;
    let now = [("person", conversation.ask.words())];
    let talk: Vec<String> = newest
        .iter()
        .chain(&now)
        .map(|(who, text)| format!("{who}: {}", one_line(text)))
        .collect();
    let quoted = quote(Source::Talk, &talk.join("\n")).unwrap_or_default();
    vec![
        PromptMessage::System(rules.into()),
        PromptMessage::User(format!("{quoted}\n\n{ASKED}")),
    ]
}

/// The end of a line, on one.
fn one_line(text: &str) -> String {
    let from = text.char_indices().rev().map(|(at, _)| at);
    let from = from.take_while(|at| text.len() - at <= LINE).last();
    let end = text.get(from.unwrap_or(0)..).unwrap_or_default();
    end.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The specialists that an answer names, in its order, each once, three at most; none where it names
/// nobody.
#[must_use]
pub fn parse(answer: &str, roster: &Roster) -> Vec<Named> {
    let end = answer.char_indices().map(|(at, _)| at);
    let end = end.take_while(|at| *at <= MOST).last().unwrap_or(0);
    let answer = match answer.len() > MOST {
        true => answer.get(..end).unwrap_or_default(),
        false => answer,
    };
    // What a model thinks aloud is no plan.
    let answer = match answer.rsplit_once("</think>") {
        Some((_, answer)) => answer,
        None => answer,
    };
    let mut table = Table::of(roster);
    table.json(answer);
    if table.named.is_empty() {
        table.lines(answer);
    }
    if table.named.is_empty() {
        table.mentions(answer);
    }
    table.named
}

/// These specialists, named by whoever calls the council: each once, three at most, as far as there
/// are such.
#[must_use]
pub fn named(ids: &[String], roster: &Roster) -> Vec<Named> {
    let mut table = Table::of(roster);
    for id in ids {
        table.take(id, "");
    }
    table.named
}

/// Who is heard where there is no plan: whomever the newest of the user's lines concerns that concerns
/// anybody, or the usual one.
#[must_use]
pub fn instead(conversation: &Conversation, roster: &Roster) -> Vec<Named> {
    let lines: Vec<&str> = conversation.lines().map(|(_, line)| line).collect();
    let newest = lines.iter().rev().take(NEWEST);
    let found = newest.map(|line| concerned(line, roster));
    if let Some(found) = found.into_iter().find(|found| !found.is_empty()) {
        return found;
    }
    let first = roster.iter().find(|coach| coach.id != MASTER);
    let usual = roster.get(USUAL).or(first);
    named(usual.map(|c| c.id.clone()).as_slice(), roster)
}

/// Whom a line concerns. The team that it asks for is nobody's subject.
fn concerned(line: &str, roster: &Roster) -> Vec<Named> {
    let mut ids = Vec::new();
    for sentence in line.split_inclusive(['.', '!', '?', '\n']) {
        if !asks_everybody(sentence) {
            ids.extend(roster.touched(sentence).map(|coach| coach.id.clone()));
        }
    }
    named(&ids, roster)
}

/// Who is named so far.
struct Table<'r> {
    roster: &'r Roster,
    named: Vec<Named>,
}

impl<'r> Table<'r> {
    fn of(roster: &'r Roster) -> Self {
        Self {
            roster,
            named: Vec::new(),
        }
    }

    /// Whether this is a coach's id, or its name; it is noted unless it is there or there is no room.
    fn take(&mut self, id: &str, why: &str) -> bool {
        let id = id.trim().to_lowercase();
        let id = id.strip_prefix("the ").unwrap_or(&id);
        let id = id.strip_suffix(" coach").unwrap_or(id).trim();
        let Some(coach) = self.roster.get(id).filter(|coach| coach.id != MASTER) else {
            return false;
        };
        let is_known = self.named.iter().any(|n| n.coach == coach.id);
        if !is_known && self.named.len() < MAX_SPECIALISTS {
            self.named.push(Named {
                coach: coach.id.clone(),
                why: reason(why),
            });
        }
        true
    }

    /// JSON of any shape, wherever it stands in the answer.
    fn json(&mut self, answer: &str) {
        let (Some(from), Some(to)) = (answer.find(['{', '[']), answer.rfind(['}', ']'])) else {
            return;
        };
        let json = answer.get(from..=to).unwrap_or_default();
        if let Ok(value) = serde_json::from_str::<Value>(json) {
            self.value(&value);
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::String(text) => {
                self.take(text, "");
            }
            Value::Array(items) => items.iter().for_each(|item| self.value(item)),
            Value::Object(fields) => {
                let text = |names: &[&str]| names.iter().find_map(|n| fields.get(*n)?.as_str());
                let who = text(&["coach", "id", "name", "specialist"]);
                let why = text(&["why", "reason"]).unwrap_or_default();
                if who.is_some() && is_refusal(why) || who.is_some_and(|who| self.take(who, why)) {
                    return;
                }
                for (key, inner) in fields {
                    let why = inner.as_str().unwrap_or_default();
                    let is_no = is_refusal(key) || is_refusal(why) || *inner == Value::Bool(false);
                    if !is_no && !self.take(key, why) {
                        self.value(inner);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Lines that begin with a coach, whatever marks stand around it.
    fn lines(&mut self, answer: &str) {
        for line in answer.lines() {
            let mut line = line.trim_start_matches(|c: char| !c.is_alphabetic());
            loop {
                let end = line.find([':', '–', '—', '-', '*', '"', '`', '(', ',']);
                let (head, rest) = line.split_at(end.unwrap_or(line.len()));
                let next = rest.strip_prefix(',').map(str::trim_start);
                // What follows a comma is another coach, or else the reason.
                let next = next.filter(|next| self.begins(next));
                let why = if next.is_some() { "" } else { rest };
                if is_refusal(why) || !self.take(head, why) {
                    break;
                }
                match next {
                    Some(next) => line = next,
                    None => break,
                }
            }
        }
    }

    /// Whether a text begins with a coach.
    fn begins(&self, text: &str) -> bool {
        let word = text
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .next();
        let word = word.unwrap_or_default().to_lowercase();
        word != MASTER && self.roster.get(&word).is_some()
    }

    /// Coaches mentioned anywhere, in the order in which they are; but where somebody is ruled out.
    fn mentions(&mut self, answer: &str) {
        for sentence in answer.split(['.', '!', '?', ';', '\n']) {
            let words = sentence.split(|c: char| !c.is_alphanumeric() && !"_'’".contains(c));
            let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
            if !words.iter().any(|word| rules_out(word)) {
                for word in words {
                    self.take(word, "");
                }
            }
        }
    }
}

/// Whether a reason, or the name of a list, says that somebody is not to be heard.
fn is_refusal(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_alphanumeric() && !"'’".contains(c));
    words.find(|word| !word.is_empty()).is_some_and(|word| {
        rules_out(word)
            || [
                "irrelevant",
                "unneeded",
                "unnecessary",
                "na",
                "excluded",
                "skip",
                "skipped",
            ]
            .iter()
            .any(|no| word.eq_ignore_ascii_case(no))
    })
}

fn rules_out(word: &str) -> bool {
    let word = word.to_lowercase().replace('’', "'");
    ["no", "not", "none", "never", "nobody", "without"].contains(&word.as_str())
        || word.ends_with("n't")
}

/// A reason fit to stand between quotation marks in a stage note: nothing in it can close either, and
/// nothing is unseen.
fn reason(text: &str) -> String {
    let plain = text.chars().map(|c| match c {
        '’' => '\'',
        c if c.is_alphanumeric() && is_plain(c) || ",.'-%&/".contains(c) => c,
        _ => ' ',
    });
    let plain: String = plain.take(4 * WHY).collect();
    let words = plain
        .split_whitespace()
        .skip_while(|w| !w.contains(char::is_alphanumeric));
    let line = words.collect::<Vec<_>>().join(" ");
    line.chars()
        .take(WHY)
        .collect::<String>()
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests;
