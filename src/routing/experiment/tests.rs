use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::clock::parse_rfc3339;
use crate::coach::Roster;
use crate::turn::Tier;

const HALVES: &str = r#"
[[experiment]]
name = "warmth"
coach = "career"
start = 2026-12-01
end = "2026-12-08T09:30:00+01:00"

[[experiment.variant]]
name = "control"
weight = 1

[[experiment.variant]]
name = "warm"
weight = 1
temperature = 1
persona = "You are the career coach, and you smile."
model = "openai/gpt-4"
"#;

fn parse(text: &str) -> Result<Experiments, ExperimentError> {
    Experiments::parse(text, &Roster::built_in().unwrap())
}

fn at(time: &str) -> i64 {
    parse_rfc3339(time).unwrap()
}

/// One experiment without an end, of arms with these weights.
fn weighted(weights: &[(&str, u32)]) -> Experiments {
    let mut text =
        "[[experiment]]\nname = \"e\"\ncoach = \"career\"\nstart = 2026-12-01\n".to_owned();
    for (name, weight) in weights {
        text += &format!("[[experiment.variant]]\nname = \"{name}\"\nweight = {weight}\n");
    }
    parse(&text).unwrap()
}

fn drawn(experiments: &Experiments, session: usize) -> &str {
    let arm = experiments.arm("career", &format!("session-{session}"), i64::MAX);
    &arm.unwrap().variant
}

#[test]
fn a_file_is_read_with_what_it_changes() {
    let experiments = parse(HALVES).unwrap();
    let told = experiments.warnings();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("variant \"warm\": openai/gpt-4 is retired"),
        "{told:?}"
    );
    assert_eq!(experiments.slugs(), ["openai/gpt-6.1-terra"]);
    let one = &experiments.all[0];
    assert_eq!(one.start_ms, Some(at("2026-12-01T00:00:00Z")));
    assert_eq!(one.end_ms, Some(at("2026-12-08T08:30:00Z")));
    assert_eq!(one.arms[0].1.changes, Changes::default());
    let changes = &one.arms[1].1.changes;
    assert_eq!(changes.temperature, Some(1.0));
    assert_eq!(changes.model.as_deref(), Some("openai/gpt-6.1-terra"));
    assert!(changes.persona.as_ref().unwrap().ends_with("smile."));
}

#[test]
fn all_faults_are_told_at_once_each_with_its_place() {
    let Err(error) = parse(
        r#"
colour = "red"

[[experiment]]
name = "Warm th"
coach = "caree"
start = 2026-12-02
end = 2026-12-01
wieght = 3

[[experiment.variant]]
name = "a"
weight = 0
temperature = 2.5
modle = "x/y"

[[experiment.variant]]
name = "a"
weight = 1.5
model = "two words"
persona = " "

[[experiment]]
start = 2026-12-01T09:00:00
variant = 3

[[experiment]]
name = "one"
coach = "skills"
end = 2026-12-10

[[experiment.variant]]
name = "only"
weight = 1

[[experiment]]
name = "one"
coach = "skills"
start = "2026-12-09"
[[experiment.variant]]
name = "x"
weight = 1
[[experiment.variant]]
weight = -1
"#,
    ) else {
        panic!("faults")
    };
    assert_eq!(error.kind(), "experiments_invalid");
    insta::assert_snapshot!(error);
}

#[test]
fn what_is_no_file_of_experiments_is_told() {
    let roster = Roster::built_in().unwrap();
    let gone = Experiments::load(Some(Path::new("/nonexistent/e.toml")), &roster).unwrap_err();
    assert_eq!(gone.kind(), "experiments_read");
    assert!(
        gone.to_string()
            .starts_with("EXPERIMENTS_FILE /nonexistent/e.toml"),
        "{gone}"
    );
    assert!(Experiments::load(None, &roster).unwrap().is_empty());
    assert_eq!(parse("[[").unwrap_err().kind(), "experiments_toml");
    let empty = parse("").unwrap_err().to_string();
    assert!(empty.contains("has no [[experiment]]"), "{empty}");
}

#[test]
fn an_experiment_that_follows_another_is_no_overlap() {
    let second = HALVES
        .replace("warmth", "cold")
        .replace("start = 2026-12-01", "start = 2026-12-08T08:30:00Z");
    let second = second.replace("end = \"2026-12-08T09:30:00+01:00\"", "");
    let both = parse(&format!("{HALVES}{second}")).unwrap();
    assert_eq!(both.len(), 2);
    let name = |time| {
        both.arm("career", "s", at(time))
            .map(|arm| arm.experiment.as_str())
    };
    assert_eq!(name("2026-11-30T23:59:59.999Z"), None);
    assert_eq!(name("2026-12-01T00:00:00Z"), Some("warmth"));
    assert_eq!(name("2026-12-08T08:29:59.999Z"), Some("warmth"));
    assert_eq!(name("2026-12-08T08:30:00Z"), Some("cold"));
    assert_eq!(both.arm("skills", "s", at("2026-12-02T00:00:00Z")), None);
}

#[test]
fn a_forced_model_wins_and_switches_off_what_would_change_it() {
    let settings = crate::config::Coaches {
        file: None,
        models: vec![("career".to_owned(), "x/forced".to_owned())],
        default_tier: Tier::Premium,
    };
    let roster = Roster::load(&settings).unwrap();
    let now = at("2026-12-02T00:00:00Z");
    let off = Experiments::parse(HALVES, &roster).unwrap();
    assert_eq!(off.arm("career", "s", now), None);
    assert!(
        off.warnings().iter().any(|w| w.contains("COACH_MODEL_")),
        "{:?}",
        off.warnings()
    );
    let manner = Experiments::parse(&HALVES.replace("model =", "# model ="), &roster).unwrap();
    assert!(manner.arm("career", "s", now).is_some());
}

#[test]
fn shares_are_the_weights() {
    const SESSIONS: usize = 100_000;
    let experiments = weighted(&[("a", 1), ("b", 3), ("c", 6)]);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for session in 0..SESSIONS {
        *counts.entry(drawn(&experiments, session)).or_default() += 1;
    }
    for (name, share) in [("a", 0.1), ("b", 0.3), ("c", 0.6)] {
        let n = SESSIONS as f64;
        // Five standard deviations: one run in two million would fail, and this one is always the same.
        let bound = 5.0 * (n * share * (1.0 - share)).sqrt();
        assert!(
            (counts[name] as f64 - n * share).abs() < bound,
            "{counts:?}"
        );
    }
}

/// Another machine, another build: the same arms. A change of the hash would move whole sessions.
#[test]
fn the_draw_never_changes() {
    let experiments = weighted(&[("a", 1), ("b", 1)]);
    let drawn: String = (0..32)
        .map(|session| drawn(&experiments, session))
        .collect();
    insta::assert_snapshot!(drawn);
}

#[test]
fn changed_weights_move_only_what_must_move() {
    const SESSIONS: usize = 20_000;
    let before = weighted(&[("a", 5), ("b", 5)]);
    let after = weighted(&[("a", 4), ("b", 5), ("c", 1)]);
    let mut moved = 0;
    for session in 0..SESSIONS {
        let (was, is) = (drawn(&before, session), drawn(&after, session));
        if was != is {
            moved += 1;
            assert!(was == "a" || is == "c", "from {was} to {is}");
        }
    }
    // c takes a tenth; what a loses beside goes to the others: 0.5 - 0.4 of all at least, and with what c
    // takes of b no more than 0.15.
    let share = f64::from(moved) / SESSIONS as f64;
    assert!((0.1..0.16).contains(&share), "{share}");
}

proptest! {
    /// In whichever order sessions come, and however often a process starts anew, each has its arm.
    #[test]
    fn an_arm_sticks(
        order in prop::collection::vec(0_usize..40, 1..200),
        restarts in prop::collection::btree_set(0_usize..200, 0..5),
        weights in prop::collection::vec(1_u32..100, 2..5),
    ) {
        let names = ["a", "b", "c", "d"];
        let weights: Vec<_> = names.into_iter().zip(weights).collect();
        let experiments = weighted(&weights);
        let mut enrolments = Enrolments::new(experiments.clone());
        for (at, session) in order.into_iter().enumerate() {
            if restarts.contains(&at) {
                enrolments = Enrolments::new(experiments.clone());
            }
            let name = format!("session-{session}");
            let asked = Asked { coach: "career", session: &name, now_ms: i64::MAX, is_adrift: false };
            let arm = enrolments.arm(&asked).unwrap();
            prop_assert_eq!(arm.variant.as_str(), drawn(&experiments, session));
        }
    }

    /// What a session had with its first turn it has for ever, whatever the times of its turns.
    #[test]
    fn no_known_session_is_switched_by_a_start_or_an_end(
        hours in prop::collection::vec(-300_i64..300, 2..20),
        session in "[a-z]{1,8}",
    ) {
        let enrolments = Enrolments::new(parse(HALVES).unwrap());
        let begun = at("2026-12-01T00:00:00Z");
        let arms: Vec<_> = hours
            .into_iter()
            .map(|hour| {
                let now_ms = begun + hour * 3_600_000;
                let asked = Asked { coach: "career", session: &session, now_ms, is_adrift: false };
                enrolments.arm(&asked)
            })
            .collect();
        prop_assert!(arms.windows(2).all(|pair| pair[0] == pair[1]), "{arms:?}");
    }
}

#[test]
fn a_session_keeps_its_arm_over_the_end_and_a_new_one_gets_none() {
    let enrolments = Enrolments::new(parse(HALVES).unwrap());
    let ask = |session, coach, time, is_adrift| {
        let now_ms = at(time);
        enrolments.arm(&Asked {
            coach,
            session,
            now_ms,
            is_adrift,
        })
    };
    let during = ask("s", "career", "2026-12-02T00:00:00Z", false);
    assert!(during.is_some());
    assert_eq!(ask("s", "career", "2027-01-01T00:00:00Z", false), during);
    assert_eq!(ask("new", "career", "2027-01-01T00:00:00Z", false), None);
    assert_eq!(ask("s", "skills", "2026-12-02T00:00:00Z", false), None);
    // Began before it, and is still there when it runs.
    assert_eq!(ask("early", "career", "2026-11-30T23:00:00Z", false), None);
    assert_eq!(ask("early", "career", "2026-12-01T00:10:00Z", false), None);
    // Its name was made up in mid-call.
    assert_eq!(ask("adrift", "career", "2026-12-02T00:00:00Z", true), None);
    assert_eq!(ask("adrift", "career", "2026-12-02T00:00:01Z", false), None);
}

#[test]
fn what_is_remembered_is_bounded() {
    let enrolments = Enrolments::new(parse(HALVES).unwrap());
    for session in 0..=KNOWN.get() {
        enrolments.arm(&Asked {
            coach: "career",
            session: &session.to_string(),
            now_ms: at("2026-12-02T00:00:00Z"),
            is_adrift: false,
        });
    }
    assert_eq!(enrolments.known.lock().unwrap().len(), KNOWN.get());
}
