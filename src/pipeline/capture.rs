//! Keeps the words of turns where the operator asked for it (`CAPTURE_TEXT`): encrypted before they
//! leave the turn, so that neither spool nor store ever holds one in the clear.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::record::{Capture, Recorder};
use crate::speech::Language;
use crate::vault::Vault;

/// What was said in a turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Words {
    /// The user's, cleaned of what the platform wrote into them.
    pub user: String,
    /// The model's, as they were sent.
    pub reply: String,
    /// What the model was asked; absent where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Box<Question>>,
}

/// All that a model was asked, so that it or another can be asked the same again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// In `OpenAI`'s form: rules and persona, history, memory, the user's words; not how they sounded.
    pub messages: Value,
    /// What the caller offered to be called, as it came.
    pub tools: Option<Value>,
    pub tool_choice: Option<Value>,
    pub max_tokens: u32,
    pub temperature: f64,
    /// The language that the answer was made speakable in; absent where it was said as written.
    pub spoken_in: Option<Language>,
}

/// Seals words and hands them over. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Captor {
    vault: Arc<Vault>,
    ttl: Duration,
    recorder: Recorder,
}

impl Captor {
    /// Keeps words for `ttl`.
    #[must_use]
    pub fn new(vault: Arc<Vault>, ttl: Duration, recorder: Recorder) -> Self {
        Self {
            vault,
            ttl,
            recorder,
        }
    }

    /// How long words are kept.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Hands the words of a turn over. Never waits.
    pub(super) fn keep(
        &self,
        turn_id: String,
        user_hash: Option<String>,
        words: &Words,
        created_at: i64,
    ) {
        let Ok(plain) = serde_json::to_vec(words) else {
            return;
        };
        let sealed = self.vault.seal(&context(&turn_id), &plain);
        let ttl = i64::try_from(self.ttl.as_millis()).unwrap_or(i64::MAX);
        self.recorder.capture(Capture {
            turn_id,
            user_hash,
            sealed: STANDARD.encode(sealed),
            created_at,
            expires_at: created_at.saturating_add(ttl),
        });
    }
}

/// The words that were kept of a turn; `None` where they were sealed under another key, or for another
/// turn.
#[must_use]
pub fn unseal(vault: &Vault, turn_id: &str, sealed: &str) -> Option<Words> {
    let sealed = STANDARD.decode(sealed).ok()?;
    let plain = vault.open(&context(turn_id), &sealed)?;
    serde_json::from_slice(&plain).ok()
}

/// Words open only as those of their own turn.
fn context(turn_id: &str) -> String {
    format!("capture:{turn_id}")
}
