//! Hume EVI's custom language model.
//!
//! | matter | as Hume has it |
//! |---|---|
//! | session | the query, which Hume adds once it knows an id; ours comes back from `system_fingerprint` |
//! | comments | none: nobody has shown that EVI takes them |
//! | retries | a request twice, and once more after 57 s; both hear the first answer |
//! | speculation | a sentence that went on is asked anew, longer |
//! | errors | 401 ends the chat; a failed stream does too, so failures are spoken |
//! | how the user sounds | `models.prosody.scores` of each message |
//!
//! Source: Hume's "Custom Language Model" guide, and captures of real traffic.

use crate::turn::CallerProfile;

use super::{Dialect, Place};

/// The names of Hume's 48 expression scores, in its order.
const EXPRESSIONS: &str = "Admiration,Adoration,Aesthetic Appreciation,Amusement,Anger,Anxiety,Awe,\
    Awkwardness,Boredom,Calmness,Concentration,Confusion,Contemplation,Contempt,Contentment,Craving,\
    Desire,Determination,Disappointment,Disgust,Distress,Doubt,Ecstasy,Embarrassment,Empathic Pain,\
    Entrancement,Envy,Excitement,Fear,Guilt,Horror,Interest,Joy,Love,Nostalgia,Pain,Pride,\
    Realization,Relief,Romance,Sadness,Satisfaction,Shame,Surprise (negative),Surprise (positive),\
    Sympathy,Tiredness,Triumph";

/// What the user says in a request that is made up: without a name or a keyword of any coach, so that
/// choosing one has to read on.
pub const USER_LINE: &str = "Well, I slept on it and I still cannot tell what I want from all of this, \
    to be honest with you.";
/// And the coach.
pub const COACH_LINE: &str = "That sounds like a lot to hold at once. If you look at the last two weeks, \
    which moment gave you energy, and what was different about it?";

pub static HUME: Dialect = Dialect {
    profile: CallerProfile::Hume,
    prefixes: &["", "/api/hume-clm-sse"],
    streams_by_default: true,
    heeds_system: false,
    sessions: &[Place::Query],
    users: &[&["user_id"]],
    readings: &[&["emotion"]],
    model_names_coach: false,
    keeps_alive: false,
};

/// A request that is made up, as Hume sends the turn after `turns` - 1 others: the whole call, every line of
/// the user's with its scores, and the user's `last`.
#[must_use]
pub fn request(turns: usize, last: &str) -> String {
    let scores = EXPRESSIONS.split(',').zip(0_u32..).map(|(name, n)| {
        let score = 0.002_838_134_765_625 * f64::from(n * 7 % 48 + 1);
        format!(r#""{name}":{score}"#)
    });
    let scores = scores.collect::<Vec<_>>().join(",");
    let user = |turn: usize, words: &str| {
        let (begin, end) = (turn * 20_000, turn * 20_000 + 6_800);
        format!(
            r#"{{"role":"user","content":"{words} {{slightly doubtful, quite calm}}","type":"user_message","time":{{"begin":{begin},"end":{end}}},"models":{{"prosody":{{"scores":{{{scores}}}}}}}}}"#
        )
    };
    let coach =
        format!(r#"{{"role":"assistant","content":"{COACH_LINE}","type":"assistant_message"}}"#);
    let before = (1..turns).flat_map(|turn| [user(turn - 1, USER_LINE), coach.clone()]);
    let now = user(turns.saturating_sub(1), last);
    let messages = before.chain([now]).collect::<Vec<_>>().join(",");
    format!(r#"{{"messages":[{messages}],"model":"hume","stream":true}}"#)
}
