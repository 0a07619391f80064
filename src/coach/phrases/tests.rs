//! Phrases as platforms send them back, and what must never be taken for one.

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;

fn roster() -> Roster {
    Roster::built_in().unwrap()
}

const LEAD: &str = "Let me think about that for a second.";
const REPAIR: &str = "Let me put that another way.";
const LINE: &str =
    "Sorry, I lost my train of thought just then, so let's pick it up again in a moment.";
const CLOSE: &str = "and I will pause there for your thoughts.";

#[test]
fn phrases_are_taken_out_and_nothing_else() {
    let roster = roster();
    let rows: &[(&str, &str)] = &[
        // Whole messages.
        (LEAD, ""),
        (LINE, ""),
        ("Take all the time you need.", ""),
        ("  Take all\tthe time you need.\n", ""),
        (
            "That is one I will pass on, so let’s get back to you and the people around you.",
            "",
        ),
        (
            "I am a step behind just now, and that is on me, so please ask me again in a moment.",
            "",
        ),
        ("\"Take all the time you need.\"", ""),
        ("Let me think about that for a second...", ""),
        // With an answer.
        (
            "Let me think about that for a second. What pulls you there?",
            "What pulls you there?",
        ),
        (
            "Let me think\n about that  for a second.\n\nWhat pulls you?",
            "What pulls you?",
        ),
        (
            "Let me think about that for a second.What pulls you?",
            "What pulls you?",
        ),
        ("Okay, I’m with you. And then?", "And then?"),
        (
            "Okay, I'm with you. Okay, I hear you. And then?",
            "And then?",
        ),
        ("Well. Okay, I'm with you. And then?", "Well. And then?"),
        (
            "What pulls you there? Take all the time you need.",
            "What pulls you there?",
        ),
        // Repairs, with their joints.
        (
            "You could… Let me put that another way. Ask him.",
            "You could Ask him.",
        ),
        (
            "You could ... Let me put that another way. Ask him.",
            "You could Ask him.",
        ),
        (
            "You could - Let me put that another way. Ask him.",
            "You could Ask him.",
        ),
        (
            "You could — Let me put that another way.  Ask him.",
            "You could Ask him.",
        ),
        (
            "A well- Let me put that another way. Ask him.",
            "A well- Ask him.",
        ),
        (
            "Ask him. Let me put that another way. Today.",
            "Ask him. Today.",
        ),
        ("You could… Let me put that another way.", "You could"),
        ("Let me put that another way. Ask him.", "Ask him."),
        (
            "One… Let me put that another way. Two… Let me say that more simply. Three.",
            "One Two Three.",
        ),
        // The closing clause.
        (
            "The first is trust and I will pause there for your thoughts.",
            "The first is trust",
        ),
        (
            "The first is… and I will pause there for your thoughts.",
            "The first is",
        ),
        // Cut short, with nothing else said.
        ("Let me", ""),
        ("Let me think about", ""),
        ("Let me think abo", ""),
        ("Let me thi…", ""),
        ("Sorry, I lost my train —", ""),
        ("Sorry, I lo-", ""),
        ("I have a full", ""),
        ("Let me think about that for a second", ""),
        ("Let me think about that for a second. Sorry, I lost my", ""),
        // Too little to tell, or too much.
        ("Let", "Let"),
        ("Let m", "Let m"),
        ("Okay,", "Okay,"),
        ("Let me think.", "Let me think."),
        ("and I will", "and I will"),
        ("You could… Let me put that", "You could… Let me put that"),
        (
            "Let me think about your plan.",
            "Let me think about your plan.",
        ),
        (
            "Sorry, I lost my train of thought again.",
            "Sorry, I lost my train of thought again.",
        ),
        // At word boundaries, and in this case, only.
        (
            "xLet me put that another way.",
            "xLet me put that another way.",
        ),
        (
            "let me put that another way.",
            "let me put that another way.",
        ),
        (
            "Let me put that another wayward",
            "Let me put that another wayward",
        ),
        ("", ""),
        (" \n", " \n"),
    ];
    for (text, left) in rows {
        let unsaid = roster.unsay(text);
        assert_eq!(unsaid, *left, "{text:?}");
        let shown = matches!(unsaid, Cow::Borrowed(_));
        assert!(shown || left.contains(' '), "{text:?}");
    }
    assert!(rows.len() >= 25);
}

#[test]
fn every_phrase_is_known_whole_and_cut() {
    let roster = roster();
    for coach in roster.iter() {
        for kind in Kind::ALL {
            for line in coach.spoken(kind) {
                assert_eq!(roster.unsay(line), "", "{line}");
                let curly = line.replace('\'', "’").replace(' ', " \n");
                assert_eq!(roster.unsay(&curly), "", "{line}");
                let ends: Vec<usize> = line.match_indices(' ').map(|(at, _)| at).collect();
                let second = ends[1];
                for (at, _) in line.char_indices().filter(|(at, _)| *at >= second) {
                    let left = roster.unsay(&line[..at]);
                    assert_eq!(left.is_empty(), kind.opens(), "{}", &line[..at]);
                }
            }
        }
    }
}

fn lines(texts: &[&str]) -> Vec<Message> {
    texts.iter().map(|text| Message::assistant(*text)).collect()
}

fn left(texts: &[&str]) -> Vec<String> {
    let mut history = lines(texts);
    roster().unsay_all(&mut history);
    history.into_iter().map(|m| m.text).collect()
}

#[test]
fn a_phrase_split_over_two_lines_is_known() {
    let none: &[&str] = &[];
    assert_eq!(left(&["Okay,", "I'm with you. And then?"]), ["And then?"]);
    assert_eq!(left(&["Let me think", "about that for a second."]), none);
    assert_eq!(left(&["Let me think", " about that for "]), none);
    assert_eq!(
        left(&["You could… Let me put", "that another way. Ask him."]),
        ["You could", "Ask him."]
    );
    assert_eq!(left(&[LEAD, "What pulls you?"]), ["What pulls you?"]);
    assert_eq!(
        left(&["You could…", REPAIR, "Ask."]),
        ["You could…", "Ask."]
    );
    assert_eq!(left(&["Trust", CLOSE]), ["Trust"]);
    for apart in [
        ["You could… Let me put", "that another day. Ask him."],
        ["Okay,", "I'm with them."],
        ["You could… Let me put", "that another"],
        ["", "with you."],
    ] {
        let kept: Vec<&str> = apart.into_iter().filter(|t| !t.is_empty()).collect();
        assert_eq!(left(&apart), kept);
    }
}

#[test]
fn only_what_an_assistant_said_is_touched() {
    let raw = RawValue::from_string("{}".to_owned()).unwrap();
    let mut history = vec![
        Message::user(LEAD),
        Message {
            raw: Some(raw),
            ..Message::assistant(LEAD)
        },
        Message {
            role: Role::Tool,
            ..Message::assistant(LEAD)
        },
        Message::assistant("Okay,"),
        Message::user("I'm with you."),
        Message::assistant(LINE),
        Message::assistant(format!("{LEAD} And then?")),
    ];
    roster().unsay_all(&mut history);
    let texts: Vec<&str> = history.iter().map(|m| m.text.as_str()).collect();
    assert_eq!(
        texts,
        [LEAD, LEAD, LEAD, "Okay,", "I'm with you.", "And then?"]
    );
}

#[test]
fn overlapping_and_foreign_phrases() {
    let mut coach = roster().master().clone();
    coach.lead_ins = vec![
        "Gut.".to_owned(),
        "Gut. Mal sehen.".to_owned(),
        "Ja, mal sehen.".to_owned(),
        "我想一想。".to_owned(),
        "Los geht’s gleich.".to_owned(),
    ];
    let phrases = Phrases::new(&[coach]).unwrap();
    for (text, left) in [
        ("Gut. Mal sehen. Was noch?", "Was noch?"),
        ("Gut. Ja, mal sehen. Was noch?", "Was noch?"),
        ("我想一想。你怎么看？", "你怎么看？"),
        ("Los geht's gleich. Und?", "Und?"),
    ] {
        assert_eq!(phrases.unsay(text), left);
    }
}

/// The bound is loose, for machines under load; it is there for work that is no longer linear.
#[test]
fn hostile_texts_are_read_once() {
    let roster = roster();
    let start = tokio::time::Instant::now();
    for piece in [
        "second ", "Let me ", "\t", "…", "... ", LEAD, REPAIR, "another", "é",
    ] {
        let text = piece.repeat(100_000 / piece.len());
        let _ = roster.unsay(&text);
        let _ = roster.unsay(&format!("Let me{text}second."));
    }
    let mut history = lines(&["Let me think about"; 5_000]);
    roster.unsay_all(&mut history);
    assert!(start.elapsed() < std::time::Duration::from_secs(8));
}

/// Sentences that hold no phrase, though some of the words that phrases are found by.
fn sentence() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("moment"),
        Just("another"),
        Just("second"),
        Just("let's"),
        Just("thoughts"),
        Just("that’s"),
        Just("work"),
        Just("Zoë"),
    ];
    (prop::collection::vec(word, 1..7), "[.!?]")
        .prop_map(|(words, stop)| format!("Yesterday {}{stop}", words.join(" ")))
}

proptest! {
    #[test]
    fn other_texts_stay_as_they_are(
        sentences in prop::collection::vec(sentence(), 0..5),
        any in "\\PC{0,80}",
    ) {
        let roster = roster();
        for text in [sentences.join(" "), any] {
            prop_assert!(matches!(roster.unsay(&text), Cow::Borrowed(t) if t == text));
        }
    }

    #[test]
    fn a_phrase_put_in_comes_out(
        sentences in prop::collection::vec(sentence(), 1..5),
        which in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        blank in "[ \n\t\u{a0}]{1,3}",
        joint in prop::sample::select(vec!["", "… ", "... ", " ... ", " - ", " — "]),
        curly in any::<bool>(),
    ) {
        let roster = roster();
        let all: Vec<(Kind, &String)> = roster
            .iter()
            .flat_map(|c| Kind::ALL.map(|k| c.spoken(k).iter().map(move |l| (k, l))))
            .flatten()
            .collect();
        let (kind, line) = all[which.index(all.len())];
        let mut phrase = line.replace(' ', &blank);
        if curly {
            phrase = phrase.replace('\'', "’");
        }
        let place = place.index(sentences.len() + 1);
        let mut parts: Vec<String> = sentences.clone();
        if place > 0 && kind.follows_a_break() && !joint.is_empty() {
            // A sentence that breaks off has no stop of its own.
            let broken = parts[place - 1].trim_end_matches(['.', '!', '?']).to_owned();
            parts[place - 1] = broken;
        }
        let original = parts.join(" ");
        if place > 0 && kind.follows_a_break() {
            parts[place - 1].push_str(joint);
        }
        parts.insert(place, phrase);
        let spoken = parts.join(" ");
        prop_assert_eq!(roster.unsay(&spoken), original);
    }

    #[test]
    fn any_history_is_read(texts in prop::collection::vec("(Let me|Okay,|…| |that|é|\\PC){0,9}", 0..6)) {
        let mut history: Vec<Message> = texts.iter().map(Message::assistant).collect();
        let before = history.len();
        roster().unsay_all(&mut history);
        prop_assert!(history.len() <= before);
        prop_assert!(history.iter().all(|m| !m.text.trim().is_empty()));
    }
}
