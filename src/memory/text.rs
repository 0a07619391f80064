//! Text to the store's measure and to ours. Pure; cuts never fall inside a character.

/// Cuts `text` into pieces of at most `limit` bytes that joined give the text again.
///
/// A cut falls after a sentence where one ends in the second half of the piece, else after a space
/// there, else anywhere. A `limit` smaller than a character still yields whole characters.
pub(super) fn split(text: &str, limit: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > limit {
        let (piece, after) = rest.split_at(cut(rest, limit));
        pieces.push(piece);
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces
}

/// Where the first piece of a text longer than `limit` ends.
fn cut(text: &str, limit: usize) -> usize {
    let hard = match text.floor_char_boundary(limit) {
        0 => text.chars().next().map_or(text.len(), char::len_utf8),
        end => end,
    };
    let mut sentence = None;
    let mut space = None;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        if end > hard {
            break;
        }
        if end > hard / 2 {
            if ends_sentence(before, c) {
                sentence = Some(end);
            }
            if c.is_whitespace() {
                space = Some(end);
            }
        }
        before = c;
    }
    sentence.or(space).unwrap_or(hard)
}

/// Whether a sentence or a line ends with `c`, which follows `before`.
fn ends_sentence(before: char, c: char) -> bool {
    matches!(c, '\n' | '。' | '！' | '？')
        || (c.is_whitespace() && matches!(before, '.' | '!' | '?' | '…'))
}

/// At most `limit` characters of `text`, without control characters other than line breaks and tabs.
pub(super) fn cap(text: &str, limit: usize) -> String {
    text.chars()
        .filter(|c| matches!(c, '\n' | '\t') || !c.is_control())
        .take(limit)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pieces_end_with_a_sentence_else_with_a_word_else_anywhere() {
        for (text, pieces) in [
            ("", vec![]),
            ("short", vec!["short"]),
            ("One two. Three four", vec!["One two. ", "Three four"]),
            ("aaaa bbbb cccc dddd", vec!["aaaa bbbb ", "cccc dddd"]),
            ("aaaaaaaaaaaaaaa", vec!["aaaaaaaaaaaa", "aaa"]),
            ("ééééééé", vec!["éééééé", "é"]),
        ] {
            assert_eq!(split(text, 12), pieces, "{text}");
        }
    }

    #[test]
    fn ten_thousand_characters_make_three_pieces() {
        let text = "x".repeat(10_000);
        let lengths: Vec<usize> = split(&text, 4000).iter().map(|p| p.len()).collect();
        assert_eq!(lengths, [4000, 4000, 2000]);
    }

    #[test]
    fn what_is_capped_keeps_lines_and_loses_controls() {
        assert_eq!(cap("a\u{1b}[0m\r\n\tb\0c", 100), "a[0m\n\tbc");
        assert_eq!(cap("éééé", 3), "ééé");
    }

    proptest! {
        #[test]
        fn joined_pieces_give_the_text(text in "[ -~é日。\\n]{0,400}", limit in 4usize..60) {
            let pieces = split(&text, limit);
            prop_assert_eq!(&pieces.concat(), &text);
            for piece in pieces {
                prop_assert!(!piece.is_empty() && piece.len() <= limit);
            }
        }

        #[test]
        fn no_limit_is_too_small(text in "\\PC{0,40}", limit in 0usize..4) {
            prop_assert_eq!(split(&text, limit).concat(), text);
        }

        #[test]
        fn a_cap_holds(text in any::<String>(), limit in 0usize..50) {
            prop_assert!(cap(&text, limit).chars().count() <= limit);
        }
    }
}
