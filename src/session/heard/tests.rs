use super::*;
use Role::{Assistant, User};

fn lines(history: &[(Role, &str)]) -> Vec<Message> {
    let message = |(role, text): &(Role, &str)| Message {
        role: *role,
        text: (*text).into(),
        raw: None,
    };
    history.iter().map(message).collect()
}

#[test]
fn a_reply_is_heard_to_the_word() {
    let reply: Vec<String> = (1..=40).map(|n| format!("wörd{n},")).collect();
    let whole = reply.join(" ");
    for k in 1..=reply.len() {
        let said = reply[..k].join(" ");
        let bare = said.trim_end_matches(',');
        let part = &whole[..whole.floor_char_boundary(said.len() + 4)];
        for (line, expected) in [
            (said.clone(), said.as_str()),
            (format!("{bare}…"), bare),
            (format!("{bare}..."), bare),
            (format!("{said} …"), said.as_str()),
            (format!("{said} -"), said.as_str()),
            (part.to_owned(), said.as_str()),
            (format!("{}-", part.trim_end_matches(',')), said.as_str()),
        ] {
            let history = [(User, "Hi"), (Assistant, line.as_str())];
            let got = heard("Hi", &whole, &lines(&history)).unwrap();
            let is_whole = k == reply.len() && got.trim_end_matches(CUT_MARKS) == bare;
            let is_same = got == expected || is_whole;
            assert!(is_same, "{k} {line}: {got}");
            assert_eq!(got.split(' ').count(), k);
        }
    }
}

#[test]
fn scripts_without_spaces_are_heard_to_the_character() {
    let reply = "你好，今天怎么样？";
    let history = [(User, "Hi"), (Assistant, "你好，今天…")];
    let got = heard("Hi", reply, &lines(&history));
    assert_eq!(got.as_deref(), Some("你好，今天"));
}

#[test]
fn dashes_part_words_and_apostrophes_do_not() {
    let reply = "Well—I don't know. It’s “odd”.";
    for (line, expected) in [
        ("Well — I don", "Well — I"),
        ("Well, I don't", "Well, I don't"),
        ("Well I don't know. It's", "Well I don't know. It's"),
        (
            "Well I don't know. It's \"odd\".",
            "Well I don't know. It's \"odd\".",
        ),
    ] {
        let history = [(User, "Hi"), (Assistant, line)];
        let got = heard("Hi", reply, &lines(&history));
        assert_eq!(got.as_deref(), Some(expected), "{line}");
    }
}

#[test]
fn an_endless_line_is_not_read() {
    let line = "a ".repeat(4 << 20);
    let history = [(User, "Hi"), (Assistant, line.as_str())];
    assert_eq!(heard("Hi", "a a a", &lines(&history)), None);
}

proptest::proptest! {
    /// Whatever the two say, what was heard is at most what was said.
    #[test]
    fn any_two_texts_can_be_compared(reply in "\\PC{0,40}", line in "\\PC{0,40}", cut in 0..40_usize) {
        let count = |text: &str| words(&squeeze(text)).count();
        let begun: String = reply.chars().take(cut).collect();
        for line in [line, begun] {
            let history = [(User, "Hi"), (Assistant, line.as_str())];
            if let Some(got) = heard("Hi", &reply, &lines(&history)) {
                assert!(squeeze(&line).starts_with(&got));
                assert!(count(&got) <= count(&reply));
            }
        }
    }
}
