//! A request as Hume sends it, for the benchmarks that take one in.

use std::fmt::Write as _;

use quest_clm::http::callers::decode;
use quest_clm::http::callers::hume::HUME;
use quest_clm::turn::Conversation;

/// The names of Hume's 48 expression scores.
const EXPRESSIONS: &str = "Admiration,Adoration,Aesthetic Appreciation,Amusement,Anger,Anxiety,Awe,\
    Awkwardness,Boredom,Calmness,Concentration,Confusion,Contemplation,Contempt,Contentment,Craving,\
    Desire,Determination,Disappointment,Disgust,Distress,Doubt,Ecstasy,Embarrassment,Empathic Pain,\
    Entrancement,Envy,Excitement,Fear,Guilt,Horror,Interest,Joy,Love,Nostalgia,Pain,Pride,\
    Realization,Relief,Romance,Sadness,Satisfaction,Shame,Surprise (negative),Surprise (positive),\
    Sympathy,Tiredness,Triumph";

/// Without a name or a keyword of any coach, so that choosing one has to read on.
pub(crate) const USER_LINE: &str = "Well, I slept on it and I still cannot tell what I want from all of this, \
    to be honest with you.";
pub(crate) const COACH_LINE: &str = "That sounds like a lot to hold at once. If you look at the last two weeks, \
    which moment gave you energy, and what was different about it?";
pub(crate) const CHOOSING_LINE: &str = "I was passed over for a promotion again.";

/// A request as Hume sends it: the whole call, every line of the user's with its scores.
pub(crate) fn hume_body(turns: usize, last: &str) -> String {
    let mut scores = String::new();
    for (n, name) in EXPRESSIONS.split(',').enumerate() {
        let comma = if n == 0 { "" } else { "," };
        let score = 0.002_838_134_765_625 * (n * 7 % 48 + 1) as f64;
        write!(scores, r#"{comma}"{name}":{score}"#).unwrap();
    }
    let mut body = r#"{"messages":["#.to_owned();
    for turn in 0..turns {
        let user = |words: &str| {
            let (begin, end) = (turn * 20_000, turn * 20_000 + 6_800);
            format!(
                r#"{{"role":"user","content":"{words} {{slightly doubtful, quite calm}}","type":"user_message","time":{{"begin":{begin},"end":{end}}},"models":{{"prosody":{{"scores":{{{scores}}}}}}}}}"#
            )
        };
        if turn + 1 == turns {
            body.push_str(&user(last));
        } else {
            body.push_str(&user(USER_LINE));
            write!(
                body,
                r#",{{"role":"assistant","content":"{COACH_LINE}","type":"assistant_message"}},"#
            )
            .unwrap();
        }
    }
    body.push_str(r#"],"model":"hume","stream":true}"#);
    body
}

pub(crate) fn conversation(turns: usize, last: &str) -> Conversation {
    let body = hume_body(turns, last);
    decode(body.as_bytes(), &HUME).unwrap().conversation
}
