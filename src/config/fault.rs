//! What is wrong with a setting, in words that can be acted on and that never show a value that may
//! be a secret: whoever pastes a key into the wrong variable must not find it in a log.

use std::fmt;

use super::env::Origin;
use super::table::{SETTINGS, Setting};

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The variable's name, or the unknown key as it stands in the file.
    pub variable: String,
    /// Where the value came from.
    pub origin: Origin,
    /// What is wrong, with the class of the value (never a value that may be secret).
    pub problem: String,
    /// What would be accepted; empty when the problem says it.
    pub allowed: String,
    /// The nearest thing that would be accepted.
    pub nearest: Option<String>,
}

impl Fault {
    pub(super) fn of(setting: &Setting, origin: Origin, problem: Problem) -> Self {
        Self {
            variable: setting.name.to_owned(),
            origin,
            problem: problem.text,
            allowed: setting.values.to_owned(),
            nearest: problem.nearest,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.variable, self.origin, self.problem)?;
        if !self.allowed.is_empty() {
            write!(f, "; allowed: {}", self.allowed)?;
        }
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean {nearest}?")?;
        }
        Ok(())
    }
}

/// Everything that is wrong, found in one pass. Displayed one line each. Never empty.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// `Ok` when there is nothing to report.
    pub(super) fn none_of(mut faults: Vec<Fault>) -> Result<(), Self> {
        faults.sort_by_key(|fault| {
            let row = |setting: &Setting| setting.name == fault.variable;
            SETTINGS.iter().position(row).unwrap_or(SETTINGS.len())
        });
        if faults.is_empty() {
            Ok(())
        } else {
            Err(Self(faults))
        }
    }

    /// The faults in the order of the settings table, then the unknown keys of the file.
    #[must_use]
    pub fn items(&self) -> &[Fault] {
        &self.0
    }
}

fn lines(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(Fault::to_string).collect();
    lines.join("\n")
}

/// What a parser finds wrong with a text, before it is known where the text came from.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) text: String,
    pub(super) nearest: Option<String>,
}

impl From<String> for Problem {
    fn from(text: String) -> Self {
        Self {
            text,
            nearest: None,
        }
    }
}

impl From<&str> for Problem {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// The most digits a number may have and still be shown: longer ones may be a pasted secret.
const SHOWN_DIGITS: usize = 9;

/// What kind of thing a value is, without giving it away.
pub(super) fn class(text: &str) -> String {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    if is_number(digits) && digits.len() <= SHOWN_DIGITS {
        return format!("the number {text}");
    }
    if is_number(digits) {
        return format!("a number of {} digits", digits.len());
    }
    if text.parse::<f64>().is_ok() && text.contains('.') {
        return "a number with decimals".to_owned();
    }
    let number = digits.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = digits.len() - number.len();
    if is_number(number.trim_end()) && number.len() <= SHOWN_DIGITS && (1..=3).contains(&unit) {
        return "a number with a unit".to_owned();
    }
    match text.chars().count() {
        1 => "text of 1 character".to_owned(),
        n => format!("text of {n} characters"),
    }
}

/// The candidate most like `word`, if one is like enough to be what was meant.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    /// Below this two words share too little for one to be a slip of the other.
    const LIKE_ENOUGH: f64 = 0.6;
    let folded = word.to_lowercase().replace('-', "_");
    candidates
        .into_iter()
        .map(|candidate| {
            let likeness = strsim::normalized_damerau_levenshtein(
                &folded,
                &candidate.to_lowercase().replace('-', "_"),
            );
            (likeness, candidate)
        })
        .filter(|(likeness, _)| *likeness >= LIKE_ENOUGH)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_tell_the_kind_and_not_the_value() {
        for (text, expected) in [
            ("70000", "the number 70000"),
            ("-1", "the number -1"),
            ("12345678901", "a number of 11 digits"),
            ("2.5", "a number with decimals"),
            ("250ms", "a number with a unit"),
            ("sk-or-v1-abc", "text of 12 characters"),
            ("x", "text of 1 character"),
            ("nan", "text of 3 characters"),
        ] {
            assert_eq!(class(text), expected, "{text}");
        }
    }

    #[test]
    fn the_nearest_is_near() {
        let names = ["PORT", "HOST", "CLM_API_KEYS", "ADMIN_API_KEYS"];
        assert_eq!(nearest("port", names), Some("PORT"));
        assert_eq!(nearest("CLM_API_KEY", names), Some("CLM_API_KEYS"));
        assert_eq!(nearest("clm-api-keys", names), Some("CLM_API_KEYS"));
        assert_eq!(nearest("SOMETHING_ELSE", names), None);
    }
}
