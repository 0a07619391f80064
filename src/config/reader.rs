//! Reads one setting at a time and remembers everything that was wrong, so that nothing stops at the
//! first fault. After a fault a placeholder is returned; [`Reader::finish`] keeps it from being used.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::time::Duration;

use secrecy::SecretString;

use super::env::{Origin, Raw, Sources};
use super::fault::{Fault, Faults, Problem, class, nearest};
use super::files;
use super::table::{self, Setting};

/// The longest value that is sent as a header.
const MAX_HEADER_BYTES: usize = 256;

/// What characters a key may have.
#[derive(Clone, Copy, Debug)]
pub(super) enum KeyRule {
    /// It travels in an HTTP header.
    Header,
    /// It never leaves the process, and must not be guessable.
    Secret { min_bytes: usize },
}

pub(super) struct Reader<'a> {
    sources: &'a Sources,
    faults: Vec<Fault>,
    pub(super) warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    /// Whether any name at all has a value.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.sources.is_set(name)
    }

    pub(super) fn new(sources: &'a Sources) -> Self {
        let mut reader = Self {
            sources,
            faults: Vec::new(),
            warnings: Vec::new(),
        };
        reader.look_for_strangers();
        reader
    }

    /// Unknown keys of the file are faults; the environment is shared with others, so there only what
    /// looks very much like one of ours is worth a warning.
    fn look_for_strangers(&mut self) {
        /// Shorter names are one slip away from too many variables that are not ours.
        const MIN_NAME: usize = 8;
        let names = || table::SETTINGS.iter().map(|row| row.name);
        let is_known = |name: &str| table::find(name).or_else(|| files::secret(name)).is_some();
        for (key, origin) in self.sources.file_keys() {
            if !is_known(key) {
                self.faults.push(Fault {
                    variable: key.to_owned(),
                    origin,
                    problem: "no such setting".to_owned(),
                    allowed: String::new(),
                    nearest: nearest(key, names()).map(str::to_owned),
                });
            }
        }
        for name in self.sources.environment_names() {
            let slip = |known: &String| strsim::damerau_levenshtein(name, known) == 1;
            if name.len() >= MIN_NAME && !is_known(name) {
                let mut known = names().map(str::to_owned).chain(files::names());
                self.warnings.extend(known.find(slip).map(|known| {
                    format!("{name} (environment) is not a setting; did you mean {known}?")
                }));
            }
        }
    }

    /// What was read, or all that was wrong.
    pub(super) fn finish<T>(self, value: T) -> Result<T, Faults> {
        Faults::none_of(self.faults).map(|()| value)
    }

    /// Where a setting's value comes from.
    pub(super) fn origin(&self, name: &'static str) -> Origin {
        let Some(setting) = table::find(name) else {
            return Origin::Unset;
        };
        match self.sources.values_of(setting).into_iter().next() {
            Some((_, origin)) => origin,
            None if setting.default.is_empty() => Origin::Unset,
            None => Origin::Default,
        }
    }

    /// Reports something wrong with a setting that by itself could be read.
    pub(super) fn fault(&mut self, name: &'static str, problem: impl Into<Problem>) {
        if let Some(setting) = table::find(name) {
            let origin = self.origin(name);
            self.faults.push(Fault::of(setting, origin, problem.into()));
        }
    }

    /// Whether something is wrong with this setting.
    pub(super) fn is_faulty(&self, name: &str) -> bool {
        self.faults.iter().any(|fault| fault.variable == name)
    }

    /// The setting's value or its default through `parse`; `None` when there is neither, or after a
    /// fault.
    pub(super) fn read<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Option<T> {
        let setting = table::find(name)?;
        let values = self.sources.values_of(setting);
        let Some((raw, origin)) = values.first() else {
            let unset = setting.default.is_empty();
            let parsed = (!unset).then(|| parse(setting.default))?;
            return self.kept(setting, Origin::Default, parsed);
        };
        if let Some(warning) = disagreement(setting, &values) {
            self.warnings.push(warning);
        }
        let parsed = one_text(setting, raw).and_then(|text| parse(&text));
        self.kept(setting, origin.clone(), parsed)
    }

    fn kept<T>(
        &mut self,
        setting: &Setting,
        origin: Origin,
        parsed: Result<T, Problem>,
    ) -> Option<T> {
        parsed
            .map_err(|problem| self.faults.push(Fault::of(setting, origin, problem)))
            .ok()
    }

    pub(super) fn number<T: TryFrom<u64>>(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<T> {
        self.read(name, |text| {
            let whole: i128 = text
                .parse()
                .map_err(|_| format!("not a whole number, got {}", class(text)))?;
            u64::try_from(whole)
                .ok()
                .filter(|number| range.contains(number))
                .and_then(|number| T::try_from(number).ok())
                .ok_or_else(|| format!("out of range, got {}", class(text)).into())
        })
    }

    /// A deadline in milliseconds.
    pub(super) fn millis(&mut self, name: &'static str) -> Duration {
        Duration::from_millis(self.number(name, 1..=600_000).unwrap_or_default())
    }

    pub(super) fn truth(&mut self, name: &'static str) -> bool {
        const WORDS: &[(&str, bool)] = &[
            ("true", true),
            ("false", false),
            ("1", true),
            ("0", false),
            ("yes", true),
            ("no", false),
            ("on", true),
            ("off", false),
        ];
        self.one_of(name, WORDS).unwrap_or_default()
    }

    /// One of a closed set of words, in any case.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        self.read(name, |text| {
            let found = words.iter().find(|(w, _)| w.eq_ignore_ascii_case(text));
            found.map(|(_, value)| *value).ok_or_else(|| Problem {
                text: format!("not one of its words, got {}", class(text)),
                nearest: nearest(text, words.iter().map(|(w, _)| *w)).map(str::to_owned),
            })
        })
    }

    pub(super) fn host(&mut self, name: &'static str) -> IpAddr {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        self.read(name, |text| {
            if text.eq_ignore_ascii_case("localhost") {
                return Ok(loopback);
            }
            let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
            bare.unwrap_or(text)
                .parse()
                .map_err(|_| format!("not an address, got {}", class(text)).into())
        })
        .unwrap_or(loopback)
    }

    /// An http or https address without its trailing slashes.
    pub(super) fn url(&mut self, name: &'static str) -> Option<String> {
        self.read(name, |text| {
            let url = reqwest::Url::parse(text)
                .map_err(|error| format!("not a URL ({error}), got {}", class(text)))?;
            if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
                return Err("neither http:// nor https://".into());
            }
            if !url.username().is_empty() || url.password().is_some() {
                return Err("has credentials in it, which would end up in logs".into());
            }
            if url.query().is_some() || url.fragment().is_some() {
                return Err("has a query or a fragment".into());
            }
            Ok(url.as_str().trim_end_matches('/').to_owned())
        })
    }

    /// A text that is sent as a header, or as a name in a request.
    pub(super) fn header(&mut self, name: &'static str) -> Option<String> {
        self.read(name, |text| {
            if text.len() > MAX_HEADER_BYTES {
                return Err(format!("too long, got {}", class(text)).into());
            }
            if !text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
                return Err("has a character that is not printable ASCII".into());
            }
            Ok(text.to_owned())
        })
    }

    pub(super) fn key(&mut self, name: &'static str, rule: KeyRule) -> Option<SecretString> {
        self.read(name, |text| key(text, rule))
    }

    /// Several keys, separated by commas; all are judged.
    pub(super) fn keys(&mut self, name: &'static str, rule: KeyRule) -> Vec<SecretString> {
        self.read(name, |text| {
            let many = text.contains(',');
            let (mut keys, mut wrong) = (Vec::new(), Vec::new());
            for (at, part) in (1..).zip(text.split(',')) {
                match key(part.trim(), rule) {
                    Ok(key) => keys.push(key),
                    Err(problem) if many => wrong.push(format!("key {at}: {}", problem.text)),
                    Err(problem) => wrong.push(problem.text),
                }
            }
            if wrong.is_empty() {
                Ok(keys)
            } else {
                Err(wrong.join(", ").into())
            }
        })
        .unwrap_or_default()
    }
}

/// The trimmed text of a value. Lists come as one text with commas.
fn one_text(setting: &Setting, raw: &Raw) -> Result<String, Problem> {
    let text = match raw {
        Raw::Unusable(what) => return Err(format!("got {what}").into()),
        Raw::Faulty(problem) => return Err(problem.as_str().into()),
        Raw::List(_) if !setting.list => return Err("takes one value, got an array".into()),
        Raw::List(items) if items.iter().any(|item| item.contains(',')) => {
            return Err("an item of the array has a comma in it".into());
        }
        Raw::List(items) => items.join(","),
        Raw::Text(text) => text.trim().to_owned(),
    };
    // Docker's --env-file keeps quotation marks as part of the value.
    let quoted = |mark: char| text.len() > 1 && text.starts_with(mark) && text.ends_with(mark);
    if quoted('"') || quoted('\'') {
        return Err("the quotation marks around it are part of the value: leave them out".into());
    }
    Ok(text)
}

/// A warning when a setting has different values under its names in one place.
fn disagreement(setting: &Setting, values: &[(&Raw, Origin)]) -> Option<String> {
    let [(Raw::Text(used), origin), (Raw::Text(unused), other), ..] = values else {
        return None;
    };
    let same_place = matches!(
        (origin, other),
        (Origin::Environment(_), Origin::Environment(_)) | (Origin::File(..), Origin::File(..))
    );
    (same_place && used.trim() != unused.trim()).then(|| {
        format!(
            "{} is set under two names to different values ({origin}; {other}); the first is used",
            setting.name
        )
    })
}

fn key(text: &str, rule: KeyRule) -> Result<SecretString, Problem> {
    if text.is_empty() {
        return Err("empty".into());
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("has a space or a control character in it".into());
    }
    match rule {
        KeyRule::Header if !text.is_ascii() => {
            Err("has a character that is not ASCII, perhaps from a word processor".into())
        }
        KeyRule::Secret { min_bytes } if text.len() < min_bytes => {
            Err(format!("too short, got {} bytes", text.len()).into())
        }
        _ => Ok(text.to_owned().into()),
    }
}
