//! Where values come from: the environment, and the TOML file given by `--config`. The only reader of
//! the environment. The environment wins; a variable that is set but empty counts as unset.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::files;
use super::table::{Setting, find};

/// No settings file is larger.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The values as they were found, unparsed.
#[derive(Clone, Default)]
pub struct Sources {
    environment: BTreeMap<String, Raw>,
    /// What the file is called in messages.
    file: Option<PathBuf>,
    from_file: BTreeMap<String, Raw>,
}

/// Names only: values may be secrets.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("environment", &self.environment.len())
            .field("file", &self.file)
            .field("from_file", &self.from_file.keys())
            .finish()
    }
}

/// One value as found.
#[derive(Clone)]
pub(super) enum Raw {
    Text(String),
    /// An array in the file.
    List(Vec<String>),
    /// Something no setting takes; says what it is.
    Unusable(&'static str),
    /// A file that should have had the value; says what is wrong with it and what to do.
    Faulty(String),
}

impl Raw {
    pub(super) fn is_blank(&self) -> bool {
        match self {
            Self::Text(text) => text.trim().is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Unusable(_) | Self::Faulty(_) => false,
        }
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Neither set nor defaulted.
    Unset,
    /// Built in.
    Default,
    /// The environment; under this name, when it is another than the setting's.
    Environment(Option<String>),
    /// The file of this name; under that name, when it is another than the setting's.
    File(PathBuf, Option<String>),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alias = match self {
            Self::Unset => return f.write_str("not set"),
            Self::Default => return f.write_str("default"),
            Self::Environment(alias) => {
                f.write_str("environment")?;
                alias
            }
            Self::File(path, alias) => {
                write!(f, "{}", path.display())?;
                alias
            }
        };
        match alias {
            Some(alias) => write!(f, ", as {alias}"),
            None => Ok(()),
        }
    }
}

/// Why the file given by `--config` could not be used at all.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    #[error("cannot read the settings file {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the settings file {} is larger than {MAX_FILE_BYTES} bytes", path.display())]
    TooLarge { path: PathBuf },
    /// The offending line is not quoted: it may hold a secret.
    #[error("the settings file {} is not TOML: line {line}: {message}", path.display())]
    NotToml {
        path: PathBuf,
        line: usize,
        message: String,
    },
}

/// What the process's environment has under this name, be it empty.
#[must_use]
pub fn in_environment(name: &str) -> Option<OsString> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one reader of the environment"
    )]
    std::env::var_os(name)
}

impl Sources {
    /// The process's environment, and the file if one is given.
    ///
    /// # Errors
    /// When the file cannot be read or is not TOML. What it says is judged by [`super::load`].
    pub fn from_process(config_file: Option<&Path>) -> Result<Self, SourcesError> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one reader of the environment"
        )]
        let variables = std::env::vars_os();
        let sources = Self {
            environment: files::read_all(variables.filter_map(variable).collect()),
            ..Self::default()
        };
        match config_file {
            None => Ok(sources),
            Some(path) => sources.with_toml(path, &read(path)?),
        }
    }

    /// An environment made of these pairs and no other. A secret's file among them is read.
    pub fn from_pairs<K, V>(pairs: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<String>,
        V: Into<String>,
    {
        let pairs = pairs.into_iter();
        let raw = pairs.map(|(name, value)| (name.into(), Raw::Text(value.into())));
        Self {
            environment: files::read_all(raw.collect()),
            ..Self::default()
        }
    }

    /// These sources and a file of this name that says `text`.
    ///
    /// # Errors
    /// When `text` is not TOML.
    pub fn with_toml(mut self, name: &Path, text: &str) -> Result<Self, SourcesError> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start);
            SourcesError::NotToml {
                path: name.to_owned(),
                line: 1 + text.bytes().take(at).filter(|b| *b == b'\n').count(),
                message: error.message().to_owned(),
            }
        })?;
        self.file = Some(name.to_owned());
        let values = table.into_iter().map(|(k, v)| (k, scalar(v)));
        self.from_file = files::read_all(values.collect());
        Ok(self)
    }

    /// These sources with some settings replaced, under whichever name they were given.
    #[must_use]
    pub fn with_overrides(
        mut self,
        pairs: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        for (name, value) in pairs {
            for other in find(name).into_iter().flat_map(names_of) {
                self.environment.remove(&other);
            }
            self.environment.insert(name.to_owned(), Raw::Text(value));
        }
        self
    }

    /// Whether `name` has a value that is not empty, in the environment or in the file. Any name may
    /// be asked, such as `NO_COLOR` or what a platform sets.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        [&self.environment, &self.from_file]
            .iter()
            .any(|map| map.get(name).is_some_and(|raw| !raw.is_blank()))
    }

    /// Every value there is for a setting, the one that wins first.
    pub(super) fn values_of(&self, setting: &Setting) -> Vec<(&Raw, Origin)> {
        let other = |name: String| Some(name).filter(|name| name != setting.name);
        let environment = names_of(setting).filter_map(|name| {
            let raw = self.environment.get(&name)?;
            Some((raw, Origin::Environment(other(name))))
        });
        let file = names_of(setting).filter_map(|name| {
            let raw = self.from_file.get(&name)?;
            let path = self.file.clone().unwrap_or_default();
            Some((raw, Origin::File(path, other(name))))
        });
        environment
            .chain(file)
            .filter(|(raw, _)| !raw.is_blank())
            .collect()
    }

    /// The file's keys, each with where it stands.
    pub(super) fn file_keys(&self) -> impl Iterator<Item = (&str, Origin)> {
        let path = self.file.clone().unwrap_or_default();
        self.from_file
            .keys()
            .map(move |key| (key.as_str(), Origin::File(path.clone(), None)))
    }

    /// The names of all environment variables.
    pub(super) fn environment_names(&self) -> impl Iterator<Item = &str> {
        self.environment.keys().map(String::as_str)
    }
}

/// Every name a setting goes by, the one that wins first. A file that is faulty comes before what is set
/// beside it, so that it is not passed over.
fn names_of(setting: &Setting) -> impl Iterator<Item = String> {
    let names = || std::iter::once(setting.name).chain(setting.aliases.iter().copied());
    let files = names().map(files::of).filter(|_| setting.secret);
    files.chain(names().map(str::to_owned))
}

/// A variable whose name is not UTF-8 is none of ours.
fn variable((name, value): (OsString, OsString)) -> Option<(String, Raw)> {
    let raw = match value.into_string() {
        Ok(text) => Raw::Text(text),
        Err(_) => Raw::Unusable("bytes that are not UTF-8"),
    };
    Some((name.into_string().ok()?, raw))
}

fn read(path: &Path) -> Result<String, SourcesError> {
    let unreadable = |source| SourcesError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(SourcesError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(text)
}

fn scalar(value: toml::Value) -> Raw {
    match value {
        toml::Value::String(text) => Raw::Text(text),
        toml::Value::Integer(number) => Raw::Text(number.to_string()),
        // `{:?}` keeps the point, so that 8080.0 is not taken for a whole number.
        toml::Value::Float(number) => Raw::Text(format!("{number:?}")),
        toml::Value::Boolean(yes) => Raw::Text(yes.to_string()),
        toml::Value::Datetime(_) => Raw::Unusable("a date"),
        toml::Value::Table(_) => Raw::Unusable("a table"),
        toml::Value::Array(items) => items
            .into_iter()
            .map(|item| match item {
                toml::Value::String(text) => Some(text),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()
            .map_or(
                Raw::Unusable("an array of something other than text"),
                Raw::List,
            ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_unset() {
        let sources = Sources::from_pairs([("PORT", ""), ("HOST", "  "), ("FLY_APP_NAME", "x")]);
        assert!(!sources.is_set("PORT") && !sources.is_set("HOST"));
        assert!(sources.is_set("FLY_APP_NAME") && !sources.is_set("NO_COLOR"));
    }

    #[test]
    fn a_broken_file_names_the_line_and_not_its_secret() {
        let text = "PORT = 1\nCLM_API_KEYS = \"sk-secret\n";
        let error = Sources::default().with_toml(Path::new("clm.toml"), text);
        let said = error.unwrap_err().to_string();
        assert!(
            said.contains("clm.toml") && said.contains("line 2"),
            "{said}"
        );
        assert!(!said.contains("sk-secret"), "{said}");
    }

    #[test]
    fn a_missing_file_is_an_error_with_its_name() {
        let error = Sources::from_process(Some(Path::new("/nowhere/clm.toml"))).unwrap_err();
        assert!(error.to_string().contains("/nowhere/clm.toml"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_utf_8_is_kept_as_a_fault() {
        use std::os::unix::ffi::OsStringExt as _;
        let value = OsString::from_vec(vec![0xff, 0xfe]);
        let (name, raw) = variable(("PORT".into(), value)).unwrap();
        assert_eq!(name, "PORT");
        assert!(matches!(raw, Raw::Unusable(what) if what.contains("UTF-8")));
        let strange = OsString::from_vec(vec![0xff]);
        assert!(variable((strange, "x".into())).is_none());
    }

    #[test]
    fn debug_shows_no_value() {
        let sources = Sources::from_pairs([("CLM_API_KEYS", "sk-secret")]);
        assert!(!format!("{sources:?}").contains("sk-secret"));
    }
}
