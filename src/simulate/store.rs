//! What the simulated Zep remembers: users, their threads, the messages, and the context they make.
//!
//! Bounded: past the cap the oldest user leaves with all threads, and a thread keeps its newest messages.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;
use serde_json::Value;

use crate::clock::{self, Clock};

const MAX_USERS: usize = 16_384;
const MAX_THREADS: usize = 32_768;
const MAX_MESSAGES: usize = 400;
const MAX_FACTS: usize = 20;
const EMPTY_FACTS: &str =
    "# Facts, each with the time from and until which it held\n<FACTS>\n</FACTS>";

/// A user as stored.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StoredUser {
    /// The caller's id.
    pub user_id: String,
    /// The first name, if told.
    pub first_name: Option<String>,
    /// Facts given by `Simulator::seed_memory`.
    pub facts: Vec<String>,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// The body it was made from; null for a seeded one.
    pub body: Value,
}

/// A thread as stored.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StoredThread {
    /// The caller's id.
    pub thread_id: String,
    /// Whose thread it is.
    pub user_id: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// Messages, oldest first.
    pub messages: VecDeque<StoredMessage>,
}

/// A message as stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoredMessage {
    /// The server's id.
    pub uuid: String,
    /// `user`, `assistant`, ….
    pub role: String,
    /// The speaker's name, if told.
    pub name: Option<String>,
    /// The words.
    pub content: String,
    /// When it was said, RFC 3339.
    pub created_at: String,
}

/// Everything stored.
#[derive(Debug, Default)]
pub(super) struct Store {
    users: BTreeMap<String, StoredUser>,
    threads: BTreeMap<String, StoredThread>,
    /// Users and threads by age.
    users_by_age: VecDeque<String>,
    threads_by_age: VecDeque<String>,
    /// Threads that already had their one 404.
    missed: BTreeSet<String>,
}

impl Store {
    pub(super) fn users(&self) -> Vec<StoredUser> {
        self.users.values().cloned().collect()
    }

    pub(super) fn threads(&self) -> Vec<StoredThread> {
        self.threads.values().cloned().collect()
    }

    pub(super) fn user(&self, id: &str) -> Option<&StoredUser> {
        self.users.get(id)
    }

    pub(super) fn thread(&self, id: &str) -> Option<&StoredThread> {
        self.threads.get(id)
    }

    /// Adds a user; false when there is one of that id.
    pub(super) fn add_user(&mut self, user: StoredUser) -> bool {
        if self.users.contains_key(&user.user_id) {
            return false;
        }
        self.users_by_age.push_back(user.user_id.clone());
        self.users.insert(user.user_id.clone(), user);
        while self.users.len() > MAX_USERS {
            let Some(oldest) = self.users_by_age.front().cloned() else {
                break;
            };
            self.remove_user(&oldest);
        }
        true
    }

    /// Adds a thread; false when there is one of that id.
    pub(super) fn add_thread(&mut self, thread: StoredThread) -> bool {
        if self.threads.contains_key(&thread.thread_id) {
            return false;
        }
        self.threads_by_age.push_back(thread.thread_id.clone());
        self.threads.insert(thread.thread_id.clone(), thread);
        while self.threads.len() > MAX_THREADS {
            let Some(oldest) = self.threads_by_age.front().cloned() else {
                break;
            };
            self.remove_thread(&oldest);
        }
        true
    }

    /// Removes a user with all threads; false when there was none.
    pub(super) fn remove_user(&mut self, id: &str) -> bool {
        self.users_by_age.retain(|user| user != id);
        self.threads.retain(|_, thread| thread.user_id != id);
        let threads = &self.threads;
        self.threads_by_age
            .retain(|thread| threads.contains_key(thread));
        self.users.remove(id).is_some()
    }

    /// Removes a thread; false when there was none.
    pub(super) fn remove_thread(&mut self, id: &str) -> bool {
        self.threads_by_age.retain(|thread| thread != id);
        self.missed.remove(id);
        self.threads.remove(id).is_some()
    }

    /// Adds messages to a thread that exists.
    pub(super) fn add_messages(&mut self, id: &str, messages: Vec<StoredMessage>) {
        if let Some(thread) = self.threads.get_mut(id) {
            thread.messages.extend(messages);
            let surplus = thread.messages.len().saturating_sub(MAX_MESSAGES);
            thread.messages.drain(..surplus);
        }
    }

    /// Gives a user facts, and makes the user when there is none.
    pub(super) fn seed(&mut self, user_id: &str, facts: &[&str]) {
        self.add_user(StoredUser {
            user_id: user_id.to_owned(),
            created_at: clock::rfc3339(Clock::System.now_ms()),
            ..StoredUser::default()
        });
        if let Some(user) = self.users.get_mut(user_id) {
            user.facts
                .extend(facts.iter().map(|fact| (*fact).to_owned()));
        }
    }

    /// Whether this is the first time the thread is asked for.
    pub(super) fn first_miss(&mut self, id: &str) -> bool {
        if self.missed.len() >= MAX_THREADS {
            self.missed.clear();
        }
        self.missed.insert(id.to_owned())
    }

    /// The context block of a user; `None` when nothing is stored.
    pub(super) fn context(&self, user_id: &str) -> Option<String> {
        let user = self.users.get(user_id)?;
        let name = user.first_name.as_deref().unwrap_or("The user");
        let (heard, facts) = self.facts(user);
        if facts.is_empty() {
            return None;
        }
        let facts: String = facts.into_iter().take(MAX_FACTS).collect();
        Some(format!(
            "# A summary of the person\n<USER_SUMMARY>\n{name} is in coaching and has been heard {heard} times.\n\
             </USER_SUMMARY>\n\n# Facts, each with the time from and until which it held\n<FACTS>\n{facts}</FACTS>"
        ))
    }

    /// The facts of a user that share a word with the query, those with most of them first, as far as
    /// they go into so many characters; empty when there is none.
    pub(super) fn search(&self, user_id: &str, query: &str, most: usize) -> String {
        let Some(user) = self.users.get(user_id) else {
            return String::new();
        };
        let asked = telling(query);
        // Not the time behind it.
        let words = |fact: &str| telling(fact.rsplit_once(" (").map_or(fact, |(words, _)| words));
        let shared = |fact: &String| words(fact).intersection(&asked).count();
        let (_, mut facts) = self.facts(user);
        facts.retain(|fact| shared(fact) > 0);
        facts.sort_by_key(|fact| Reverse(shared(fact)));
        let mut left = most.saturating_sub(EMPTY_FACTS.len());
        let fitting: String = facts
            .into_iter()
            .map_while(|fact| {
                left = left.checked_sub(fact.chars().count())?;
                Some(fact)
            })
            .collect();
        match fitting.is_empty() {
            true => String::new(),
            false => EMPTY_FACTS.replace("</", &format!("{fitting}</")),
        }
    }

    /// How often a user was heard, and everything known of them as lines: first what was given, then
    /// what they said, the newest first.
    fn facts(&self, user: &StoredUser) -> (usize, Vec<String>) {
        let name = user.first_name.as_deref().unwrap_or("The user");
        let mut said: Vec<&StoredMessage> = self
            .threads
            .values()
            .filter(|thread| thread.user_id == user.user_id)
            .flat_map(|thread| &thread.messages)
            .filter(|message| message.role == "user")
            .collect();
        said.sort_by(|a, b| b.created_at.cmp(&a.created_at));
        let seeded = user
            .facts
            .iter()
            .map(|fact| format!("  - {fact} ({} - present)\n", date(&user.created_at)));
        let heard = said.iter().map(|message| {
            let speaker = message.name.as_deref().unwrap_or(name);
            let words = message
                .content
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            format!(
                "  - {speaker} said: {words} ({} - present)\n",
                date(&message.created_at)
            )
        });
        (said.len(), seeded.chain(heard).collect())
    }
}

/// The words of a text that say what it is about: those of more than three letters, in lower case.
fn telling(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    let long = words.filter(|word| word.chars().count() > 3);
    long.map(str::to_lowercase).collect()
}

/// RFC 3339 as the context writes it: `2026-11-03 08:40:11+00:00`.
fn date(rfc3339: &str) -> String {
    match (rfc3339.get(..10), rfc3339.get(11..19)) {
        (Some(day), Some(time)) => format!("{day} {time}+00:00"),
        _ => "date unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_made_of_facts_and_words() {
        let mut store = Store::default();
        store.seed("u", &["Ines leads a payments team."]);
        assert!(store.add_thread(StoredThread {
            thread_id: "t".into(),
            user_id: "u".into(),
            ..StoredThread::default()
        }));
        let said = |role: &str, content: &str| StoredMessage {
            role: role.into(),
            name: Some("Ines".into()),
            content: content.into(),
            created_at: "2026-11-22T09:15:02Z".into(),
            ..StoredMessage::default()
        };
        store.add_messages(
            "t",
            vec![said("user", "I froze again."), said("assistant", "Where?")],
        );
        let context = store.context("u").unwrap();
        assert!(context.contains("<USER_SUMMARY>") && context.ends_with("</FACTS>"));
        assert!(context.contains("  - Ines leads a payments team. ("));
        assert!(
            context.contains("  - Ines said: I froze again. (2026-11-22 09:15:02+00:00 - present)")
        );
        assert!(!context.contains("Where?"));
        let found = |query: &str, most: usize| store.search("u", query, most);
        assert_eq!(found("Which TEAM?", 0), "");
        assert_eq!(found("present at home", 2_500), "");
        let found = found("I froze: the payments team", 2_500);
        let at = |fact: &str| found.find(fact).unwrap();
        assert!(at("payments team") < at("froze again"), "{found}");
        assert!(store.remove_user("u") && store.thread("t").is_none());
    }
}
