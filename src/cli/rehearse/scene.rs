//! The ten ugly turns.

use std::time::Duration;

use serde_json::{Value, json};

/// One turn, what goes wrong in it, and what a listener bears.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) name: &'static str,
    /// What the models asked do, in order; see `clm simulate --help`.
    pub(super) faults: &'static str,
    /// A turn before it that the user breaks into.
    pub(super) before: Option<&'static str>,
    pub(super) words: &'static str,
    /// The longest silence that passes.
    pub(super) at_most: Duration,
}

/// Until a lead-in is said, with room for a busy machine.
const BEFORE_SPEECH: Duration = Duration::from_millis(1300);
/// A stall that is given up, and a model's time to its first word.
const IN_MID_ANSWER: Duration = Duration::from_millis(1300);
const AT_ONCE: Duration = Duration::from_millis(600);

const fn scene(name: &'static str, faults: &'static str, at_most: Duration) -> Scene {
    Scene {
        name,
        faults,
        before: None,
        words: "I was passed over for a promotion.",
        at_most,
    }
}

pub(super) const SCENES: &[Scene] = &[
    scene(
        "a slow first word (2 s)",
        "slow-first:2000,ok",
        BEFORE_SPEECH,
    ),
    scene(
        "every model slow (3 s)",
        "slow-first:3000,slow-first:3000,slow-first:3000",
        Duration::from_millis(2000),
    ),
    scene("429, then 500", "429:3,500,ok", AT_ONCE),
    scene("a black hole", "hang,ok", BEFORE_SPEECH),
    scene("keep-alives and no word", "comments-only,ok", BEFORE_SPEECH),
    scene("a reset in mid-sentence", "cut:12,ok", AT_ONCE),
    scene("a stall in mid-sentence", "stall:12,ok", IN_MID_ANSWER),
    scene(
        "a clean close, the next starts over",
        "fin:9,restart",
        IN_MID_ANSWER,
    ),
    scene("two deaths in one answer", "err-a:14,cut:6", IN_MID_ANSWER),
    Scene {
        name: "the user breaks in, all models down",
        faults: "500,503,529,401",
        before: Some("Tell me everything about salaries."),
        words: "Wait, I meant something else.",
        at_most: AT_ONCE,
    },
];

impl Scene {
    /// The talk so far: lead-ins are for a conversation under way.
    pub(super) fn history(&self) -> Vec<Value> {
        vec![
            json!({ "role": "user", "content": "Hello." }),
            json!({ "role": "assistant", "content": "Hello, good to hear you. What brings you here?" }),
        ]
    }
}
