use proptest::prelude::*;

use super::*;

#[test]
fn the_whole_team_is_asked_for_in_many_words() {
    for line in [
        "What would the whole team say?",
        "what would the whole team say about this",
        "Hmm, what do all of you think?",
        "What would all the coaches advise?",
        "What do you all think of it?",
        "How would your colleagues see that?",
        "let me hear everybody",
        "Let me hear everybody.",
        "Okay, please let me hear from everyone!",
        "I'd like to hear what everybody thinks about that.",
        "Could I hear what the others have to say?",
        "Ask the whole team",
        "Can you ask the whole team, please?",
        "Could you ask everybody?",
        "I want you to ask all your colleagues first",
        "Let’s ask the whole team together.",
        "I'm torn between two offers. Ask the whole team!",
        "I am torn, so let me hear everybody",
        "Please put this to the whole team",
        "Bring in the whole team",
        "Get all the coaches together",
        "Convene the council",
        "Can we have a council?",
        "Can I have a council, please?",
        "Could we hold a council about this?",
        "Let's have a council.",
        "I'd like a council on this",
        "I want to hold a council first",
        "Okay, call a council!",
        "Can we convene the whole council?",
        "Ask the team.",
        "Please ask the team about that",
        "Can you ask the team?",
        "Let's ask the team.",
        "Give me everyone's view on this",
        "Can I get everybody's opinion?",
    ] {
        assert!(asks_everybody(line), "{line}");
    }
}

#[test]
fn a_team_of_the_users_own_is_not_meant() {
    for line in [
        "",
        "?",
        "What would the whole team say if I left?",
        "What would my whole team say?",
        "I told the whole team",
        "I have to ask the whole team at work",
        "I want to ask everybody at the office",
        "I want to ask everyone",
        "My boss said, ask the whole team",
        "Don't ask the whole team",
        "What would everyone think?",
        "What would they say?",
        "Everybody wants to be heard",
        "The whole team is tired",
        "I lead the whole team",
        "Let me hear the career coach",
        "What does the council of our town say?",
        "Should I get everybody's approval?",
        "I had a meeting of the town council",
        "I asked the team yesterday",
        "I have to ask the team",
        "I want to ask the team",
        "Can I ask the team?",
        "My boss told me to ask the team",
        "Ask the team at work",
        "Ask the team lead",
        "Should I ask the team?",
        "What would the team say?",
        "We have a council meeting tomorrow",
        "We have a council.",
        "Do they have a council?",
        "I want a council flat",
        "I want to call the council",
        "Can we call the council about the noise?",
        "I'd like the council to hear me",
        "They call a council every spring",
        "Don't call a council",
        "If we have a council, I'll be heard",
        "She asks all the coaches of the club",
        "When I let me hear everybody, it gets loud",
    ] {
        assert!(!asks_everybody(line), "{line}");
    }
}

#[test]
fn only_the_end_of_a_long_line_is_looked_at() {
    let long = "I go on and on. ".repeat(200);
    assert!(asks_everybody(&format!("{long}Let me hear everybody.")));
    assert!(!asks_everybody(&format!("Let me hear everybody. {long}")));
}

proptest! {
    #[test]
    fn any_line_is_answered(line in ".{0,700}") {
        let asked = asks_everybody(&line);
        prop_assert!(!asked || !line.is_empty());
    }
}

/// The search knows the letters of ASCII in both cases. What else becomes one in lower case could hide a word from it.
#[test]
fn no_other_letter_becomes_one_of_a_word_that_is_looked_for() {
    let letters = CUES.concat() + ALL;
    let others = ('\u{80}'..=char::MAX).filter(|c| c.to_lowercase().any(|l| letters.contains(l)));
    // That leaves an accent behind it, within the word; so it could only be a cue's last letter.
    assert_eq!(others.collect::<String>(), "İ");
    assert!(!CUES.iter().chain([&ALL]).any(|cue| cue.ends_with('i')));
    for cue in CUES.iter().chain([&ALL]) {
        let mixed = cue.char_indices().map(|(at, c)| match at % 2 {
            0 => c.to_ascii_uppercase(),
            _ => c,
        });
        let line = format!("No, {}’s.", mixed.collect::<String>());
        assert!(is_cued(&line), "{line}");
    }
}

#[test]
fn whatever_means_all_of_us_has_a_word_that_is_looked_for_first() {
    for phrase in [TEAM, EVERYBODY, OURS, THEIR, COUNCIL, THE_COUNCIL].concat() {
        assert!(split(phrase).iter().any(is_cue), "{phrase}");
    }
}

proptest::proptest! {
    #[test]
    fn no_word_that_means_all_of_us_is_missed_by_the_search(
        pieces in proptest::collection::vec("(team|Coach|EVERY|others|council|all|colleague)|[a-z ’'_5é.,-]{0,3}|\\PC", 0..9),
    ) {
        let line = pieces.concat();
        let has_cue = split(&line).iter().any(is_cue);
        proptest::prop_assert!(!has_cue || is_cued(&line), "{}", line);
    }
}
