use quest_clm::speech::{Filter, Language, normalize};

/// Marks that go from the middle of a word and leave its halves one. None of them has a partner, with which it
/// could take more away.
const MARKS: [&str; 8] = ["", "~~", "\\", "\u{200b}", "\u{ad}", "\u{fe0f}", "•", "😀"];

fn pieces(text: &str, size: usize) -> impl Iterator<Item = String> {
    let characters: Vec<char> = text.chars().collect();
    let pieces = characters.chunks(size).map(|piece| piece.iter().collect());
    pieces.collect::<Vec<String>>().into_iter()
}

/// What is said of a text in pieces, with a pause after each if wished.
fn said(text: &str, language: Language, size: usize, pauses: bool) -> String {
    let mut filter = Filter::new(language);
    let mut said = String::new();
    for piece in pieces(text, size) {
        filter.push(&piece, &mut said);
        if pauses && filter.holds() {
            filter.pause(&mut said);
            assert!(!filter.holds() || may_link(text), "held: {text:?}");
        }
    }
    filter.end(&mut said);
    assert!(!filter.holds());
    said
}

/// Whether there may be a link in it, which is held to its end.
fn may_link(text: &str) -> bool {
    let count = |wanted: char| {
        text.matches(|c: char| c.eq_ignore_ascii_case(&wanted))
            .count()
    };
    text.contains("](") || count('/') > 1 && count(':') > 0 || count('w') > 2
}

/// What a model writes: the same however it is cut, said the same when it is said again, no figure and no mark
/// left in English, nothing but a link held after a pause, and no address spoken, whatever marks are in it and
/// whatever stands around it. The first byte tells language and cut, the second where the address stands, with
/// which marks and whether with pauses.
pub(crate) fn speech(input: &[u8]) {
    let (how, rest) = input.split_first().map_or((0, input), |(h, t)| (*h, t));
    let (marked, text) = rest.split_first().map_or((0, rest), |(m, t)| (*m, t));
    let language = [Language::English, Language::Other][usize::from(how & 1)];
    let size = usize::from(how >> 1).max(1);
    let text = String::from_utf8_lossy(text);

    let whole = normalize(&text, language);
    assert_eq!(
        said(&text, language, size, false),
        whole,
        "in pieces of {size}: {text:?}"
    );
    assert_eq!(normalize(&whole, language), whole, "said again: {text:?}");
    let unsaid = |c: char| c.is_ascii_digit() || "*_`[]{}<>|\\~^#$%@/=+".contains(c);
    assert!(
        language == Language::Other || !whole.contains(unsaid),
        "{text:?}"
    );

    said(&text, language, size, true);

    // Such a text may say the address's name by itself.
    if text.contains('я') {
        return;
    }
    let place = usize::from(marked >> 1);
    let mut with_address: String = text.chars().take(place).collect();
    let mark = MARKS[place % MARKS.len()];
    with_address.push_str(&format!(" ht{mark}tps://x{mark}я.b "));
    with_address.extend(text.chars().skip(place));
    let said = said(&with_address, language, size, marked & 1 == 1);
    assert!(!said.contains('я'), "spoken: {with_address:?}");
}
