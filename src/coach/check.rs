//! The rules a roster is held to. Every breach is reported, none stops the search for the next.

use std::collections::HashMap;

use super::roster::{Coach, MASTER};
use super::spoken::{Kind, LONGEST};

/// Everything wrong with these coaches, in words for the operator.
pub(super) fn problems(coaches: &[Coach]) -> Vec<String> {
    let mut problems = Vec::new();
    for (position, coach) in coaches.iter().enumerate() {
        let who = format!("coach {} ({:?})", position + 1, coach.id);
        problems.extend(
            faults(coach)
                .into_iter()
                .map(|fault| format!("{who}: {fault}")),
        );
    }
    problems.extend(clashes(coaches));
    problems.extend(confused(coaches));
    if !coaches.iter().any(|c| c.id == MASTER) {
        problems.push(format!("there is no coach with the id {MASTER:?}"));
    }
    problems
}

/// What is wrong with one coach by itself.
fn faults(coach: &Coach) -> Vec<String> {
    let mut faults = Vec::new();
    let mut rule = |kept: bool, fault: String| {
        if !kept {
            faults.push(fault);
        }
    };
    let plain = |c: char| c.is_ascii_lowercase() || c == '_';
    rule(
        !coach.id.is_empty() && coach.id.chars().all(plain),
        "the id must be lower-case letters and underscores".to_owned(),
    );
    rule(
        (0.0..=2.0).contains(&coach.temperature),
        format!("temperature {} is not within 0 and 2", coach.temperature),
    );
    rule(
        (16..=8192).contains(&coach.max_tokens),
        format!("max_tokens {} is not within 16 and 8192", coach.max_tokens),
    );
    for keyword in &coach.keywords {
        let lower = keyword.chars().flat_map(char::to_lowercase);
        let word = !keyword.is_empty() && keyword.chars().all(char::is_alphanumeric);
        rule(
            word && lower.eq(keyword.chars()),
            format!("keyword {keyword:?} is not one lower-case word"),
        );
    }
    let models = &coach.models;
    for (role, slug) in [
        ("cost_saving", &models.cost_saving),
        ("balanced", &models.balanced),
        ("high", &models.high),
        ("fallback", &models.fallback),
    ] {
        rule(
            !slug.is_empty() && !slug.chars().any(char::is_whitespace),
            format!("models.{role} {slug:?} is not a model slug"),
        );
    }
    for (field, text) in [
        ("name", &coach.name),
        ("persona", &coach.persona),
        ("greeting", &coach.greeting),
    ] {
        rule(!text.trim().is_empty(), format!("{field} is empty"));
    }
    faults.extend(
        Kind::ALL
            .into_iter()
            .flat_map(|kind| unspeakable(coach, kind)),
    );
    faults
}

/// What is wrong with a coach's phrases of one kind.
fn unspeakable(coach: &Coach, kind: Kind) -> Vec<String> {
    let (field, lines) = (kind.field(), coach.spoken(kind));
    let mut faults = Vec::new();
    let fewest = kind.fewest();
    if lines.is_empty() {
        faults.push(format!("{field} has no line"));
    } else if lines.len() < fewest {
        faults.push(format!("{field} has fewer than {fewest} lines"));
    }
    for line in lines {
        if line.trim().is_empty() {
            faults.push(format!("{field} has an empty line"));
            continue;
        }
        let most = kind.sentences();
        if line.chars().count() > LONGEST {
            faults.push(format!(
                "{field} {line:?} is longer than {LONGEST} characters"
            ));
        }
        if !line.ends_with(STOPS) {
            faults.push(format!("{field} {line:?} does not end as a sentence"));
        }
        if sentences(line) > most {
            faults.push(format!("{field} {line:?} is more than {most} sentence(s)"));
        }
        if let Some(odd) = line.chars().find(|c| !is_spoken(*c)) {
            faults.push(format!(
                "{field} {line:?} holds {odd:?}, which is not spoken"
            ));
        }
        if !line.chars().any(char::is_alphabetic) {
            faults.push(format!("{field} {line:?} has no word"));
        }
    }
    faults
}

/// What ends a sentence, in the scripts that voice platforms speak.
const STOPS: [char; 9] = ['.', '!', '?', '…', '。', '！', '？', '।', '؟'];

fn sentences(line: &str) -> usize {
    line.split_inclusive(STOPS)
        .filter(|part| part.chars().any(char::is_alphabetic))
        .count()
}

/// Whether a voice has a way to say this: no figures, whose reading differs from voice to voice,
/// no markup, no pictures. Letters of any script are fine.
fn is_spoken(c: char) -> bool {
    let picture = matches!(c, '\u{2190}'..='\u{2bff}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}');
    !(c.is_control() || c.is_numeric() || picture || "*_#`~|<>[](){}\\/@=+^&%$\"".contains(c))
}

/// Phrases said on two kinds of occasion, or twice on one by the same coach: when such a line comes
/// back as history, nobody can tell what it was, and a repeated one sounds like a machine.
fn confused(coaches: &[Coach]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut claims: HashMap<&str, (Kind, usize, &str)> = HashMap::new();
    for (position, coach) in coaches.iter().enumerate() {
        for kind in Kind::ALL {
            for line in coach.spoken(kind).iter().map(|line| line.trim()) {
                let Some((other, at, id)) = claims.insert(line, (kind, position, &coach.id)) else {
                    continue;
                };
                if !line.is_empty() && (other != kind || at == position) {
                    problems.push(format!(
                        "the phrase {line:?} is in {} of {id:?} and in {} of {:?}",
                        other.field(),
                        kind.field(),
                        coach.id
                    ));
                }
            }
        }
    }
    problems
}

/// Ids, names and keywords that two coaches claim.
fn clashes(coaches: &[Coach]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut claim = HashMap::new();
    for coach in coaches {
        let keywords = coach.keywords.iter().map(|k| ("keyword", k.clone()));
        let own = [
            ("id", coach.id.clone()),
            ("name", coach.name.to_lowercase()),
        ];
        for (what, text) in own.into_iter().chain(keywords) {
            if let Some(other) = claim.insert((what, text.clone()), &coach.id) {
                problems.push(format!(
                    "{what} {text:?} is claimed by {other:?} and by {:?}",
                    coach.id
                ));
            }
        }
    }
    problems
}
