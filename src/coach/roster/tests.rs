//! The built-in coaches, held to what they promise, and what is refused.

use super::*;

fn settings(file: Option<PathBuf>, models: &[(&str, &str)]) -> config::Coaches {
    config::Coaches {
        file,
        models: models
            .iter()
            .map(|(id, model)| ((*id).to_owned(), (*model).to_owned()))
            .collect(),
        default_tier: crate::turn::Tier::Premium,
    }
}

/// A coach file's text with its fields replaced.
fn edited(replacements: &[(&str, &str)]) -> Coach {
    let text = replacements
        .iter()
        .fold(BUILT_IN[1].to_owned(), |text, (old, new)| {
            assert!(text.contains(old), "{old:?} is not in the file");
            text.replace(old, new)
        });
    toml::from_str(&text).unwrap()
}

#[test]
fn the_built_in_coaches_are_these() {
    let roster = Roster::built_in().unwrap();
    let table: Vec<String> = roster
        .iter()
        .map(|c| {
            let m = &c.models;
            format!(
                "{} | {} | {} | {} | {} | {} | {} | {}",
                c.id,
                c.keywords.join(", "),
                c.temperature,
                c.max_tokens,
                m.cost_saving,
                m.balanced,
                m.high,
                m.fallback
            )
        })
        .collect();
    insta::assert_snapshot!(table.join("\n"), @r"
        master |  | 0.7 | 1500 | openai/gpt-6-luna | openai/gpt-6.1-terra | anthropic/claude-sonnet-5 | anthropic/claude-haiku-5.5
        career | career, job, role, promotion, transition, industry, interview | 0.8 | 1200 | anthropic/claude-haiku-5.5 | anthropic/claude-sonnet-5 | anthropic/claude-opus-5 | openai/gpt-6.1-terra
        skills | skill, learn, training, certification, technical, programming | 0.3 | 1000 | openai/gpt-6-luna | openai/gpt-6.1-terra | anthropic/claude-sonnet-5 | anthropic/claude-haiku-5.5
        leadership | leadership, manage, team, mentor, communication, feedback | 0.9 | 1200 | openai/gpt-6-luna | google/gemini-3.1-flash-lite | anthropic/claude-sonnet-5 | anthropic/claude-haiku-5.5
        network | network, relationship, connect, referral, contact | 0.8 | 1000 | anthropic/claude-haiku-5.5 | anthropic/claude-sonnet-5 | anthropic/claude-opus-5 | openai/gpt-6-luna
        ");
    assert_eq!(roster.master().id, MASTER);
    assert_eq!(roster.get("nobody"), None);
}

#[test]
fn personas_are_fit_to_be_spoken() {
    for coach in Roster::built_in().unwrap().iter() {
        let count = coach.persona.split_whitespace().count();
        assert!((200..=280).contains(&count), "{}: {count} words", coach.id);
        let lines = Kind::ALL.iter().flat_map(|kind| coach.spoken(*kind));
        for text in lines.chain([&coach.persona, &coach.greeting]) {
            let odd = text
                .chars()
                .find(|c| !c.is_alphabetic() && !" .,:'\n-".contains(*c));
            assert_eq!(odd, None, "{}: {text}", coach.id);
            for sentence in text.split(['.', '\n']) {
                let words = sentence.split_whitespace().count();
                assert!(words <= 20, "{}: {words} words: {sentence}", coach.id);
            }
        }
        for needed in [
            "never promise",
            "legal or medical",
            "local emergency number",
            "First",
        ] {
            assert!(coach.persona.contains(needed), "{}: {needed}", coach.id);
        }
        let counts = Kind::ALL.map(|kind| coach.spoken(kind).len());
        let openings = if coach.id == MASTER { 3 } else { 2 };
        let expected = [4, 3, 2, 2, 3, 3, 1, 1, openings];
        assert_eq!(counts, expected, "{}", coach.id);
    }
}

#[test]
fn a_coach_offers_only_colleagues_that_exist() {
    let roster = Roster::built_in().unwrap();
    for coach in roster.iter() {
        let others = roster.iter().filter(|c| c.id != coach.id);
        for other in others {
            assert!(
                coach.persona.contains(&other.name),
                "{} {}",
                coach.id,
                other.id
            );
        }
    }
}

#[test]
fn a_line_depends_on_the_seed_alone() {
    let mut coach = Roster::built_in().unwrap().master().clone();
    assert_eq!(coach.fallback_line(1), coach.fallback_lines[1]);
    assert_eq!(coach.fallback_line(u64::MAX), coach.fallback_lines[0]);
    assert_eq!(coach.busy_line(3), coach.busy_lines[1]);
    assert_eq!(coach.repair(5), coach.repairs[2]);
    assert_eq!(coach.budget_line(3), coach.budget_lines[1]);
    assert_eq!(coach.opening_line(4), coach.openings[1]);
    assert_eq!(coach.lead_ins(), coach.lead_ins);
    coach.fallback_lines.clear();
    coach.repairs.clear();
    assert_eq!(coach.fallback_line(7), LAST_RESORT_LINE);
    assert_eq!(coach.repair(7), LAST_RESORT_LINE);
}

#[test]
fn nudges_end() {
    let roster = Roster::built_in().unwrap();
    let nudges: Vec<_> = (0..9).map_while(|n| roster.master().nudge(n)).collect();
    assert_eq!(nudges, roster.master().nudges);
    assert_eq!(roster.master().nudge(usize::MAX), None);
}

#[test]
fn every_built_in_coach_has_words_of_its_own() {
    let mut seen = std::collections::HashSet::new();
    let house = Kind::ALL.iter().flat_map(|kind| kind.house());
    seen.extend(house.map(|line| (*line).to_owned()));
    for coach in Roster::built_in().unwrap().iter() {
        // The master alone leads a council.
        let leads = |kind: &Kind| *kind != Kind::Opening || coach.id == MASTER;
        for kind in Kind::ALL.into_iter().filter(leads) {
            for line in coach.spoken(kind) {
                assert!(seen.insert(line.clone()), "{}: {line}", coach.id);
            }
        }
    }
}

/// A lead-in, a repair and a closing clause are said next to words that nobody knows yet.
#[test]
fn phrases_fit_where_they_are_said() {
    let capital = |line: &str| line.starts_with(char::is_uppercase);
    for coach in Roster::built_in().unwrap().iter() {
        assert!(coach.lead_ins.len() >= 3);
        for line in coach.lead_ins.iter().chain(&coach.repairs) {
            let words = line.split_whitespace().count();
            assert!((3..=12).contains(&words), "{line}");
            let apart = !line[..line.len() - 1].contains(['.', '!', '?']);
            assert!(capital(line) && line.ends_with('.') && apart, "{line}");
        }
        for line in coach.repairs.iter() {
            let lower = line.to_lowercase();
            let sorry = ["sorry", "connection", "line broke", "technical", "apolog"];
            assert_eq!(sorry.iter().find(|s| lower.contains(**s)), None, "{line}");
        }
        for line in &coach.busy_lines {
            assert!(line.ends_with("again in a moment."), "{line}");
        }
        for line in &coach.budget_lines {
            let lower = line.to_lowercase();
            assert!(lower.contains("tomorrow"), "when to come back: {line}");
            assert!(
                lower.contains("today") || lower.contains("day ends"),
                "{line}"
            );
            let ours = ["our limit", "our side", "is ours", "is on us", "nothing"];
            assert!(
                ours.iter().any(|o| lower.contains(o)),
                "whose doing: {line}"
            );
            let money = [
                "money", "budget", "dollar", "cost", "spent", "paid", "quota",
            ];
            assert_eq!(money.iter().find(|m| lower.contains(**m)), None, "{line}");
        }
        for line in &coach.openings {
            let named = ["career", "skills", "leadership", "network", "master"];
            assert_eq!(named.iter().find(|n| line.contains(**n)), None, "{line}");
        }
        for line in coach.busy_lines.iter().chain(&coach.fallback_lines) {
            let lower = line.to_lowercase();
            let blame = [
                "hear you",
                "catch that",
                "louder",
                "repeat yourself",
                "unclear",
            ];
            assert_eq!(blame.iter().find(|b| lower.contains(**b)), None, "{line}");
        }
        assert!(capital(&coach.refusal) && coach.unfinished.starts_with("and "));
    }
}

#[test]
fn a_foreign_coach_may_leave_phrases_to_the_house() {
    let mut table: toml::Table = toml::from_str(BUILT_IN[0]).unwrap();
    for field in [
        "busy_lines",
        "budget_lines",
        "repairs",
        "nudges",
        "refusal",
        "unfinished",
        "openings",
    ] {
        table.remove(field).unwrap();
    }
    let coach: Coach = table.try_into().unwrap();
    let roster = Roster::new(vec![coach], &[]).unwrap();
    let house = |kind: Kind| kind.house().to_vec();
    for kind in Kind::ALL.into_iter().skip(2) {
        assert_eq!(roster.master().spoken(kind), house(kind), "{kind:?}");
    }
}

#[test]
fn phrases_that_cannot_be_spoken_are_refused() {
    let coach = |line: &str| edited(&[("Let me take another run at that.", line)]);
    let long = format!("{}.", "very long ".repeat(24));
    for (line, problem) in [
        (" ", "repairs has an empty line"),
        ("Let me say that again", "does not end as a sentence"),
        ("One. Two. Three.", "is more than 2 sentence(s)"),
        ("Let me take step 2.", "holds '2', which is not spoken"),
        ("Let me say **that**.", "holds '*', which is not spoken"),
        ("Let me smile \u{1f642}.", "which is not spoken"),
        ("Let me say (again).", "holds '(', which is not spoken"),
        ("...", "has no word"),
        (long.trim(), "is longer than 240 characters"),
        (
            "Okay, let's look at that.",
            r#"is in lead_ins of "career" and in repairs of "career""#,
        ),
        (
            "Let me say that more plainly.",
            r#"is in repairs of "career" and in repairs of "career""#,
        ),
        (
            "I stumbled there, and it is entirely my doing, so please give me one more try.",
            r#"is in fallback_lines of "master" and in repairs of "career""#,
        ),
    ] {
        let mut coaches = built_in().unwrap();
        coaches[1] = coach(line);
        let error = Roster::new(coaches, &[]).unwrap_err().to_string();
        assert!(error.contains("1 problem(s)"), "{error}");
        assert!(error.contains(problem), "{error}");
    }
    let mut foreign = built_in().unwrap();
    foreign[1].repairs = vec![
        "Laß es mich anders sagen, ganz in Ruhe.".to_owned(),
        "मैं इसे दूसरे शब्दों में कहता हूँ।".to_owned(),
        "我换个说法。".to_owned(),
    ];
    Roster::new(foreign, &[]).unwrap();
}

#[test]
fn an_override_goes_first_and_one_for_nobody_is_refused() {
    let roster = Roster::load(&settings(None, &[("career", "local/llama")])).unwrap();
    let forced = |id: &str| roster.get(id).unwrap().models.forced.clone();
    assert_eq!(forced("career").as_deref(), Some("local/llama"));
    assert_eq!(forced("skills"), None);

    let wrong = [("carer", "a/b"), ("zzz", "a/b"), ("skills", " ")];
    let error = Roster::load(&settings(None, &wrong)).unwrap_err();
    insta::assert_snapshot!(error, @r#"
        the roster has 3 problem(s):
        - a model override names coach "carer", which does not exist; did you mean "career"?
        - a model override names coach "zzz", which does not exist
        - the model override for "skills" is not a model slug
        "#);
}

#[test]
fn every_problem_is_reported_at_once() {
    let coaches = vec![
        edited(&[
            ("id = \"career\"", "id = \"Career 2\""),
            ("\"job\"", "\"Job\", \"job seeker\", \"\""),
            ("temperature = 0.8", "temperature = 2.5"),
            ("max_tokens = 1200", "max_tokens = 8"),
            (
                "cost_saving = \"anthropic/claude-haiku-5.5\"",
                "cost_saving = \"\"",
            ),
        ]),
        edited(&[
            ("\"Okay, let me take that in.\"", "\"  \""),
            ("name = \"career coach\"", "name = \"Career coach\""),
            ("temperature = 0.8", "temperature = nan"),
        ]),
    ];
    let error = Roster::new(coaches, &[]).unwrap_err();
    insta::assert_snapshot!(error, @r#"
        the roster has 17 problem(s):
        - coach 1 ("Career 2"): the id must be lower-case letters and underscores
        - coach 1 ("Career 2"): temperature 2.5 is not within 0 and 2
        - coach 1 ("Career 2"): max_tokens 8 is not within 16 and 8192
        - coach 1 ("Career 2"): keyword "Job" is not one lower-case word
        - coach 1 ("Career 2"): keyword "job seeker" is not one lower-case word
        - coach 1 ("Career 2"): keyword "" is not one lower-case word
        - coach 1 ("Career 2"): models.cost_saving "" is not a model slug
        - coach 2 ("career"): temperature NaN is not within 0 and 2
        - coach 2 ("career"): lead_ins has an empty line
        - name "career coach" is claimed by "Career 2" and by "career"
        - keyword "career" is claimed by "Career 2" and by "career"
        - keyword "role" is claimed by "Career 2" and by "career"
        - keyword "promotion" is claimed by "Career 2" and by "career"
        - keyword "transition" is claimed by "Career 2" and by "career"
        - keyword "industry" is claimed by "Career 2" and by "career"
        - keyword "interview" is claimed by "Career 2" and by "career"
        - there is no coach with the id "master"
        "#);
    assert_eq!(error.kind(), "roster_invalid");
}

#[test]
fn a_file_replaces_the_roster() {
    let dir = std::env::temp_dir().join(format!("clm-roster-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("coaches.toml");
    let load = |text: &str| {
        std::fs::write(&path, text).unwrap();
        Roster::load(&settings(Some(path.clone()), &[]))
    };
    let table = BUILT_IN[0].replace("[models]", "[coach.models]");
    let roster = load(&format!("[[coach]]\n{table}")).unwrap();
    assert_eq!(roster.iter().count(), 1);

    assert_eq!(load("").unwrap_err().kind(), "roster_invalid");
    assert_eq!(
        load("[[coach]]\nid = 3").unwrap_err().kind(),
        "roster_parse"
    );
    let unknown = format!("[[coach]]\ncolour = \"red\"\n{table}");
    assert_eq!(load(&unknown).unwrap_err().kind(), "roster_parse");
    std::fs::remove_dir_all(&dir).unwrap();
    let gone = Roster::load(&settings(Some(path.clone()), &[])).unwrap_err();
    assert_eq!(gone.kind(), "roster_read");
}
