//! An exchange as it waits on the disk: JSON, sealed. Pure but for the nonce.
//!
//! A version that reads what another wrote passes over fields it does not know.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Exchange, Person};
use crate::vault::Vault;

/// What is sealed here opens nowhere else.
const CONTEXT: &str = "memory";

#[derive(Serialize, Deserialize)]
struct Row<'a> {
    user: Cow<'a, str>,
    thread: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply: Option<Cow<'a, str>>,
    at_ms: i64,
}

pub(super) fn seal(vault: &Vault, who: &Person, exchange: &Exchange) -> Vec<u8> {
    let row = Row {
        user: who.user.as_ref().into(),
        thread: who.thread.as_ref().into(),
        said: exchange.user.as_deref().map(Cow::from),
        reply: exchange.assistant.as_deref().map(Cow::from),
        at_ms: exchange.at_ms,
    };
    // Text and a number cannot fail to become JSON; nothing would be a row that does not open.
    let json = serde_json::to_vec(&row).unwrap_or_default();
    vault.seal(CONTEXT, &json)
}

/// None for what was sealed with another key, or is no row.
pub(super) fn open(vault: &Vault, sealed: &[u8]) -> Option<(Person, Exchange)> {
    let json = vault.open(CONTEXT, sealed)?;
    let row: Row<'_> = serde_json::from_slice(&json).ok()?;
    let who = Person {
        user: row.user.into(),
        thread: row.thread.into(),
    };
    let exchange = Exchange {
        user: row.said.map(Cow::into_owned),
        assistant: row.reply.map(Cow::into_owned),
        at_ms: row.at_ms,
    };
    Some((who, exchange))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::tests::vault;

    #[test]
    fn a_row_comes_back_as_it_was_and_shows_nothing() {
        let vault = vault("a-data-key-0123456789");
        let who = Person::new("ines", "s1");
        for (said, reply) in [
            (Some("planted \u{1F389}\n\"words\""), Some("")),
            (None, None),
        ] {
            let exchange = Exchange {
                user: said.map(str::to_owned),
                assistant: reply.map(str::to_owned),
                at_ms: -7,
            };
            let sealed = seal(&vault, &who, &exchange);
            let shown = String::from_utf8_lossy(&sealed).into_owned();
            assert!(!shown.contains("planted") && !shown.contains("clm-u-"));
            let (back, again) = open(&vault, &sealed).unwrap();
            assert!(back == who);
            assert_eq!(
                (again.user, again.assistant, again.at_ms),
                (exchange.user, exchange.assistant, -7)
            );
        }
    }

    #[test]
    fn later_versions_may_add_fields_and_rubbish_is_no_row() {
        let vault = vault("a-data-key-0123456789");
        let open = |json: &str| open(&vault, &vault.seal(CONTEXT, json.as_bytes()));
        let (_, exchange) = open(r#"{"user":"u","thread":"t","at_ms":1,"mood":"calm"}"#).unwrap();
        assert_eq!((exchange.user, exchange.at_ms), (None, 1));
        assert!(open(r#"{"user":"u"}"#).is_none() && open("").is_none());
    }
}
