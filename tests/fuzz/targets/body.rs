use quest_clm::http::callers::{ALL, decode};
use quest_clm::turn::ProsodyPolicy;

/// A request's body: read the same twice, and never more words than came. A character is three bytes at most
/// for one that was broken.
pub(crate) fn body(input: &[u8]) {
    for dialect in ALL {
        let Ok(mut decoded) = decode(input, dialect) else {
            continue;
        };
        let again = decode(input, dialect).unwrap();
        assert_eq!(format!("{decoded:?}"), format!("{again:?}"));
        let talk = &decoded.conversation;
        let words = talk.history.iter().map(|m| m.text.len()).sum::<usize>();
        let words = words + talk.ask.words().len();
        assert!(words <= 3 * input.len(), "{words} of {}", input.len());
        assert!(talk.expressions.iter().all(|e| e.score.is_finite()));
        decoded.hear(ProsodyPolicy::Off, 0, |_| Vec::new());
        assert!(decoded.conversation.expressions.is_empty());
    }
}
