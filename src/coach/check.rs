//! The rules a roster is held to. Every breach is reported, none stops the search for the next.

use std::collections::HashMap;

use super::roster::{Coach, MASTER};

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
    for (field, lines) in [
        ("lead_ins", &coach.lead_ins),
        ("fallback_lines", &coach.fallback_lines),
    ] {
        rule(!lines.is_empty(), format!("{field} has no line"));
        rule(
            lines.iter().all(|line| !line.trim().is_empty()),
            format!("{field} has an empty line"),
        );
    }
    faults
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
