//! Reads `EXPERIMENTS_FILE`. Every fault is reported, none stops the search for the next; each names
//! its experiment and variant.

use std::collections::BTreeSet;
use std::sync::Arc;

use toml::{Table, Value};

use crate::clock::{parse_rfc3339, rfc3339};
use crate::coach::Roster;
use crate::config;

use super::{Arm, Changes, Experiment, ExperimentError, Experiments};

const LONGEST_NAME: usize = 64;
const HEAVIEST: i64 = 1_000_000;

pub(super) fn experiments(text: &str, roster: &Roster) -> Result<Experiments, ExperimentError> {
    let table: Table = toml::from_str(text).map_err(|e| ExperimentError::Toml(Box::new(e)))?;
    let mut notes = Notes::default();
    let mut file = Fields::new("the file", table);
    let tables = file.tables("experiment", "[[experiment]]", &mut notes);
    file.close(&["experiment"], &mut notes);
    if tables.is_empty() && notes.faults.is_empty() {
        notes.fault(
            "the file",
            "has no [[experiment]]: add one, or unset EXPERIMENTS_FILE",
        );
    }
    let all: Vec<Experiment> = tables
        .into_iter()
        .enumerate()
        .filter_map(|(at, table)| experiment(at, table, roster, &mut notes))
        .collect();
    notes.doubled("experiment", all.iter().map(|e| e.name.as_str()));
    overlaps(&all, &mut notes);
    match notes.faults.is_empty() {
        true => Ok(Experiments {
            all,
            warnings: notes.warnings,
        }),
        false => Err(ExperimentError::Invalid(notes.faults)),
    }
}

/// What is to be told of the file.
#[derive(Default)]
struct Notes {
    faults: Vec<String>,
    warnings: Vec<String>,
}

impl Notes {
    fn fault(&mut self, who: &str, what: impl std::fmt::Display) {
        self.faults.push(format!("{who}: {what}"));
    }

    /// Names that come more than once, each told once.
    fn doubled<'n>(&mut self, what: &str, names: impl Iterator<Item = &'n str>) {
        let (mut seen, mut told) = (BTreeSet::new(), BTreeSet::new());
        for name in names.filter(|name| !name.is_empty()) {
            if !seen.insert(name) && told.insert(name) {
                self.fault(
                    &format!("{what} {name:?}"),
                    "is there more than once: give each a name of its own",
                );
            }
        }
    }
}

/// A table whose keys are taken out one by one; what is left then is unknown.
struct Fields {
    who: String,
    table: Table,
}

impl Fields {
    fn new(who: impl Into<String>, table: Table) -> Self {
        let who = who.into();
        Self { who, table }
    }

    fn take<T>(
        &mut self,
        name: &str,
        wanted: &str,
        notes: &mut Notes,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.table.remove(name)?;
        let read = read(&value);
        if read.is_none() {
            // A persona may be long, and is nobody's to read here.
            let shown: String = value.to_string().chars().take(40).collect();
            notes.fault(&self.who, format!("{name} {shown} is not {wanted}"));
        }
        read
    }

    /// A name, and whether it may be one. A fault's is empty.
    fn name(&mut self, notes: &mut Notes) -> String {
        const WANTED: &str = "1 to 64 characters of a-z, 0-9, _ and -";
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        if !self.table.contains_key("name") {
            notes.fault(&self.who, format!("has no name: give it {WANTED}"));
        }
        let name = self.take("name", WANTED, notes, |value| {
            let name = value.as_str()?;
            let fits = (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(plain);
            fits.then(|| name.to_owned())
        });
        name.unwrap_or_default()
    }

    fn time(&mut self, name: &str, notes: &mut Notes) -> Option<i64> {
        let wanted = "a date, or a time with its zone such as 2026-12-01T09:00:00Z";
        self.take(name, wanted, notes, |value| match value {
            Value::String(text) => time(text),
            Value::Datetime(time_of_day) => time(&time_of_day.to_string()),
            _ => None,
        })
    }

    fn tables(&mut self, name: &str, head: &str, notes: &mut Notes) -> Vec<Table> {
        let wanted = format!("a list: write {head}");
        let list = self.take(name, &wanted, notes, |value| {
            let tables = value.as_array()?.iter();
            tables.map(|item| item.as_table().cloned()).collect()
        });
        list.unwrap_or_default()
    }

    /// Nobody has asked for what is left.
    fn close(self, known: &[&'static str], notes: &mut Notes) {
        for key in self.table.keys() {
            let near = config::nearest(key, known.iter().copied());
            let near = near.map_or_else(
                || format!("it may have {}", known.join(", ")),
                |near| format!("did you mean {near}?"),
            );
            notes.fault(&self.who, format!("{key} is not known; {near}"));
        }
    }
}

/// A day begins at midnight UTC.
fn time(text: &str) -> Option<i64> {
    parse_rfc3339(text).or_else(|| parse_rfc3339(&format!("{text}T00:00:00Z")))
}

fn experiment(at: usize, table: Table, roster: &Roster, notes: &mut Notes) -> Option<Experiment> {
    let told = table.get("name").and_then(Value::as_str);
    let who = match told {
        Some(name) => format!("experiment {name:?}"),
        None => format!("experiment {}", at + 1),
    };
    let mut fields = Fields::new(who.as_str(), table);
    let name = fields.name(notes);
    let coach = coach(&mut fields, roster, notes);
    let (start_ms, end_ms) = (fields.time("start", notes), fields.time("end", notes));
    if let (Some(start), Some(end)) = (start_ms, end_ms)
        && end <= start
    {
        notes.fault(&who, "ends before it has begun: set end after start");
    }
    let variants = fields.tables("variant", "[[experiment.variant]]", notes);
    fields.close(&["name", "coach", "start", "end", "variant"], notes);
    if variants.len() < 2 {
        let has = match variants.len() {
            0 => "has no variant",
            _ => "has one variant, and nothing to compare it with",
        };
        notes.fault(
            &who,
            format!("{has}: write two [[experiment.variant]] at least"),
        );
    }
    let arms: Vec<(u32, Arc<Arm>)> = variants
        .into_iter()
        .enumerate()
        .map(|(at, table)| variant(at, table, (&who, &name), notes))
        .collect();
    notes.doubled(
        &format!("{who}: variant"),
        arms.iter().map(|(_, arm)| arm.variant.as_str()),
    );
    let coach = coach?;
    let changes_model = arms.iter().any(|(_, arm)| arm.changes.model.is_some());
    let is_forced = roster
        .get(&coach)
        .is_some_and(|c| c.models.forced.is_some());
    let is_overridden = changes_model && is_forced;
    if is_overridden {
        notes.warnings.push(format!(
            "{who} is off: COACH_MODEL_* forces the model of coach {coach:?}, which it changes"
        ));
    }
    if start_ms.is_none() {
        notes.warnings.push(format!(
            "{who} has no start: calls under way when the service first reads it may change in their \
             midst; set a start that lies ahead"
        ));
    }
    Some(Experiment {
        name,
        coach,
        start_ms,
        end_ms,
        arms,
        is_overridden,
    })
}

fn coach(fields: &mut Fields, roster: &Roster, notes: &mut Notes) -> Option<String> {
    let ids: Vec<&str> = roster.iter().map(|c| c.id.as_str()).collect();
    if !fields.table.contains_key("coach") {
        let of = ids.join(", ");
        notes.fault(&fields.who, format!("has no coach: give it one of {of}"));
    }
    let wanted = format!("a coach: write one of {}", ids.join(", "));
    fields.take("coach", &wanted, notes, |value| {
        let id = value.as_str()?;
        ids.contains(&id).then(|| id.to_owned())
    })
}

fn variant(
    at: usize,
    table: Table,
    (whose, experiment): (&str, &str),
    notes: &mut Notes,
) -> (u32, Arc<Arm>) {
    let told = table.get("name").and_then(Value::as_str);
    let who = match told {
        Some(name) => format!("{whose}: variant {name:?}"),
        None => format!("{whose}: variant {}", at + 1),
    };
    let mut fields = Fields::new(who.as_str(), table);
    let name = fields.name(notes);
    if !fields.table.contains_key("weight") {
        notes.fault(&who, "has no weight: give it a whole number from 1");
    }
    let weight = fields.take(
        "weight",
        "a whole number from 1 to 1000000",
        notes,
        |value| {
            let weight = value.as_integer().filter(|w| (1..=HEAVIEST).contains(w))?;
            u32::try_from(weight).ok()
        },
    );
    let model = fields.take("model", "a model slug", notes, |value| {
        let slug = value.as_str()?;
        (!slug.is_empty() && !slug.chars().any(char::is_whitespace)).then(|| slug.to_owned())
    });
    let temperature = fields.take("temperature", "a number from 0 to 2", notes, |value| {
        let number = match value {
            Value::Integer(whole) => i32::try_from(*whole).map(f64::from).ok()?,
            other => other.as_float()?,
        };
        (0.0..=2.0).contains(&number).then_some(number)
    });
    let persona = fields.take("persona", "some text", notes, |value| {
        let text = value.as_str()?;
        (!text.trim().is_empty()).then(|| text.to_owned())
    });
    fields.close(
        &["name", "weight", "model", "temperature", "persona"],
        notes,
    );
    let model = model.map(|slug| match config::successor(&slug) {
        None => slug,
        Some(new) => {
            let told = format!("{who}: {slug} is retired; {new} is used instead");
            notes.warnings.push(told);
            new.to_owned()
        }
    });
    let arm = Arm {
        experiment: experiment.to_owned(),
        variant: name,
        changes: Changes {
            model,
            temperature,
            persona,
        },
    };
    (weight.unwrap_or_default(), Arc::new(arm))
}

/// A turn is recorded under one experiment: two of one coach must not run at once.
fn overlaps(all: &[Experiment], notes: &mut Notes) {
    for (at, one) in all.iter().enumerate() {
        for other in all.iter().skip(at + 1).filter(|o| o.coach == one.coach) {
            let start = one.start_ms.max(other.start_ms);
            let ends = [one.end_ms, other.end_ms].into_iter().flatten();
            if ends.min().is_none_or(|end| start.is_none_or(|s| s < end)) {
                let from = start.map_or_else(|| "the beginning".to_owned(), rfc3339);
                notes.fault(
                    &format!("experiments {:?} and {:?}", one.name, other.name),
                    format!(
                        "both run for coach {:?} from {from}: end one before the other starts",
                        one.coach
                    ),
                );
            }
        }
    }
}
