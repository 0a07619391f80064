//! The table of choices, and the cost of choosing.

use super::*;
use crate::turn::{Ask, Conversation};

/// Lines of the user's, with nobody's words between them.
fn alone<'l>(lines: &[&'l str]) -> impl Iterator<Item = (&'l [Message], &'l str)> {
    lines.iter().map(|line| (&[][..], *line))
}

fn choose(lines: &[&str], pin: Option<&str>) -> String {
    let roster = Roster::built_in().unwrap();
    let chosen = select(&roster, alone(lines), pin);
    format!("{} {}", chosen.coach.id, chosen.reason)
}

#[test]
fn one_line_chooses() {
    for (line, expected) in [
        // Keywords, in the order of coaches first and of keywords second.
        ("I want a promotion", "career keyword:promotion"),
        ("What about my career?", "career keyword:career"),
        ("I am jobless since May", "career keyword:job"),
        ("My job's fine", "career keyword:job"),
        ("JOB", "career keyword:job"),
        ("two jobs, one role", "career keyword:job"),
        ("one role, two jobs", "career keyword:job"),
        ("scatter roles everywhere", "career keyword:role"),
        ("We are transitioning", "career keyword:transition"),
        ("l'industry, as they say", "career keyword:industry"),
        ("“Interviews” scare me", "career keyword:interview"),
        ("How do I learn faster?", "skills keyword:learn"),
        ("skilled people", "skills keyword:skill"),
        ("a technical question", "skills keyword:technical"),
        ("programming-language choice", "skills keyword:programming"),
        ("my team needs training", "skills keyword:training"),
        ("Management wants it", "leadership keyword:manage"),
        ("(team) spirit", "leadership keyword:team"),
        ("teamwork", "leadership keyword:team"),
        ("I gave feedback to my team", "leadership keyword:team"),
        ("Networking drains me", "network keyword:network"),
        ("a REFERRAL", "network keyword:referral"),
        ("we're connected", "network keyword:connect"),
        ("the team lost a contact", "leadership keyword:team"),
        ("a job on a team", "career keyword:job"),
        // A word of a request that is about none of us.
        ("Ask the whole team", "master default"),
        ("Ask the whole team at work", "leadership keyword:team"),
        // Not at a word start.
        ("I feel overmanaged", "master default"),
        ("a nonjob day", "master default"),
        ("steam and disconnect", "master default"),
        ("unskilled_labour", "master default"),
        ("re\u{301}team", "master default"),
        // Other languages, and nothing.
        ("Mein Job macht mich müde", "career keyword:job"),
        ("Ich führe ein Team", "leadership keyword:team"),
        ("Über Karriere reden", "master default"),
        ("¿contactos o amigos?", "network keyword:contact"),
        ("mi relación con el equipo", "master default"),
        ("ich möchte mehr Netzwerk", "master default"),
        ("", "master default"),
        ("   ", "master default"),
        ("🙂🙂", "master default"),
        ("Hello there", "master default"),
        // Asked for by name: before any keyword.
        ("Let me talk to the career coach", "career named"),
        ("can I speak with my skills coach", "skills named"),
        ("switch to leadership coach", "leadership named"),
        ("Back to the master coach.", "master named"),
        ("okay, go back to the master coach", "master named"),
        ("I'd like to talk to the network coach", "network named"),
        ("I’d like to speak to the networking coach", "network named"),
        (
            "Could you please put me through to, um, the skill coach?",
            "skills named",
        ),
        (
            "Transfer me to the leadership coach about my job",
            "leadership named",
        ),
        ("Hm. Connect me with the career coach!", "career named"),
        ("Give me the skills coach", "skills named"),
        ("Can we bring in the network coach?", "network named"),
        (
            "I want to go back to my leadership coach",
            "leadership named",
        ),
        (
            "Not the career coach. Let me talk to the skills coach",
            "skills named",
        ),
        (
            "I would really like to talk to the skills coach",
            "skills named",
        ),
        ("I would love to talk to the career coach", "career named"),
        ("I like to talk to my career coach", "career keyword:career"),
        ("'talk to the network coach'", "network named"),
        (
            "Let me talk to the career coach's boss",
            "career keyword:career",
        ),
        // Mentioned, refused or reported: a keyword at most.
        ("my career coach told me to switch", "career keyword:career"),
        (
            "I talked to my leadership coach",
            "leadership keyword:leadership",
        ),
        (
            "I talk to my network coach every week",
            "network keyword:network",
        ),
        ("I went back to my skills coach", "skills keyword:skill"),
        ("I don't want to talk to the master coach", "master default"),
        (
            "let me talk to you instead of the master coach",
            "master default",
        ),
        ("they told me to talk to a master coach", "master default"),
        (
            "Let me talk to a friend. Master coach is a title.",
            "master default",
        ),
        ("let me talk about master coaching", "master default"),
        ("coach", "master default"),
    ] {
        assert_eq!(choose(&[line], None), expected, "{line:?}");
    }
}

#[test]
fn a_conversation_keeps_its_coach_until_another_is_chosen() {
    let promotion = "I want a promotion";
    for (lines, pin, expected) in [
        (&[][..], None, "master default"),
        (&[promotion, "Hm, go on"], None, "career kept"),
        (&[promotion, ""], None, "career kept"),
        (
            &[promotion, "Hm", "And my team?"],
            None,
            "leadership keyword:team",
        ),
        (
            &["talk to the skills coach", promotion],
            None,
            "career keyword:promotion",
        ),
        (
            &[promotion, "back to the master coach"],
            None,
            "master named",
        ),
        (
            &[promotion, "back to the master coach", "yes"],
            None,
            "master kept",
        ),
        (&["Hello", "Hm"], None, "master default"),
        (&[promotion], Some("network"), "network pinned"),
        (
            &["talk to the skills coach"],
            Some("master"),
            "master pinned",
        ),
        (&[promotion], Some("nobody"), "career keyword:promotion"),
    ] {
        assert_eq!(choose(lines, pin), expected, "{lines:?}");
    }
}

/// What a talk chooses: the coach's lines and the user's, by turns, the coach's first.
fn talked(lines: &[&str]) -> String {
    let roster = Roster::built_in().unwrap();
    let (now, past) = lines.split_last().unwrap();
    let messages = past.iter().enumerate().flat_map(|(at, line)| {
        // Platforms cut a reply at its sentences.
        let parts = line.split_inclusive(". ").map(Message::assistant);
        match at % 2 {
            0 => parts.collect(),
            _ => vec![Message::user(*line)],
        }
    });
    let conversation = Conversation {
        history: messages.collect(),
        ask: Ask::Words((*now).to_owned()),
        context: Vec::new(),
        expressions: Vec::new(),
        tools: None,
        last_reply: None,
        silences: 0,
    };
    let chosen = select(&roster, conversation.lines(), None);
    format!("{} {}", chosen.coach.id, chosen.reason)
}

#[test]
fn a_yes_takes_up_what_was_offered() {
    let offer = "That is one for the career coach. Shall I bring them in?";
    for (lines, expected) in [
        (&[offer, "Yes, please."][..], "career named"),
        (&[offer, "Mm-hm"], "career named"),
        (&[offer, "That would be great!"], "career named"),
        (&[offer, "Sure, go ahead"], "career named"),
        (&[offer, "Yes, bring them in, thank you"], "career named"),
        (&[offer, "Please do", "Glad to.", "Thanks"], "career kept"),
        (
            &["Shall I bring in the networking coach?", "yes"],
            "network named",
        ),
        (
            &[
                "The skills coach could help. Would the skills coach be right?",
                "ok",
            ],
            "skills named",
        ),
        // Not a yes, or more than one.
        (&[offer, "No, thanks"], "master default"),
        (&[offer, "Yes, but not now"], "master default"),
        (
            &[offer, "Yes, we should talk about my team first"],
            "leadership keyword:team",
        ),
        (&[offer, "Hmm"], "master default"),
        (&[offer, "Thanks"], "master default"),
        // Not an offer, or not of one coach.
        (
            &["The career coach would ask that too.", "Yes"],
            "master default",
        ),
        (&["Shall we go on?", "Yes"], "master default"),
        (
            &[
                "The career coach or the skills coach, shall I bring one in?",
                "Yes",
            ],
            "master default",
        ),
        (
            &["The career coach said so. One. Two. Shall we go on?", "Yes"],
            "master default",
        ),
        (
            &[offer, "Tell me first.", "It is this. Clear?", "Yes"],
            "master default",
        ),
    ] {
        assert_eq!(talked(lines), expected, "{lines:?}");
    }
    let long = format!("{} {offer}", "word ".repeat(1_000));
    assert_eq!(talked(&[&long, "Yes"]), "master default");
}

#[test]
fn a_line_of_nothing_but_names_is_read_once() {
    let roster = Roster::built_in().unwrap();
    let line = "master coach ".repeat(50_000);
    let start = tokio::time::Instant::now();
    let chosen = select(&roster, alone(&[&line]), None);
    assert_eq!(chosen.reason, Reason::Default);
    assert!(start.elapsed() < std::time::Duration::from_secs(5));
}

/// Twenty megabytes without a choice in them. The bound is loose, for machines under load; it is
/// there for a search that is no longer linear.
#[test]
fn a_long_history_is_read_quickly() {
    let roster = Roster::built_in().unwrap();
    let line = "I keep thinking about what they said, and it is on my mind. ".repeat(68);
    let lines = vec![line.as_str(); 5_000];
    let start = tokio::time::Instant::now();
    let chosen = select(&roster, alone(&lines), None);
    assert_eq!(chosen.reason, Reason::Default);
    assert!(start.elapsed() < std::time::Duration::from_secs(2));
}

proptest::proptest! {
    #[test]
    fn any_words_choose_somebody(lines in proptest::collection::vec(".{0,80}|let me talk to the (career|skil)s? coach\\PC{0,9}", 0..6)) {
        let roster = Roster::built_in().unwrap();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let chosen = select(&roster, alone(&lines), None);
        proptest::prop_assert!(roster.get(&chosen.coach.id).is_some());
    }
}
