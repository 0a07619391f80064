//! What was measured, told, set or assumed: `measured.toml`, the one file to edit.

use std::collections::BTreeMap;

use serde::Deserialize;

const SHIPPED: &str = include_str!("measured.toml");

/// How far a figure can be trusted.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Measured,
    Told,
    Set,
    Assumed,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Told => "told",
            Self::Set => "set",
            Self::Assumed => "assumed",
        }
    }
}

/// One figure and where it is from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Figure {
    pub(crate) value: f64,
    pub(crate) unit: String,
    pub(crate) kind: Kind,
    pub(crate) from: String,
}

/// What one core was measured at.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Processor {
    pub(crate) name: String,
    pub(crate) tokens_per_s: f64,
    pub(crate) us_per_token: f64,
    /// The core had nothing left: it says where the end is, not how steep the way.
    #[serde(default)]
    pub(crate) full: bool,
    pub(crate) from: String,
}

/// Whether turns come and go, or streams are merely open.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    Speaking,
    Held,
}

/// What a stream was measured to take.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Memory {
    pub(crate) mode: Mode,
    pub(crate) streams: f64,
    pub(crate) kib_per_stream: f64,
    pub(crate) from: String,
}

/// How far the model may be from a point, as a part of it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tolerance {
    pub(crate) processor: f64,
    pub(crate) memory: f64,
    pub(crate) files: f64,
    pub(crate) asked: f64,
}

/// How many files were open with so many streams.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Files {
    pub(crate) streams: f64,
    /// Models were asked over HTTP/2.
    pub(crate) is_h2: bool,
    pub(crate) open: f64,
    pub(crate) from: String,
}

/// What so many turns asked of what all machines share.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    pub(crate) name: String,
    pub(crate) turns: f64,
    /// Calls of models.
    pub(crate) attempts: f64,
    /// Calls of people: sessions.
    pub(crate) calls: f64,
    pub(crate) machines: f64,
    pub(crate) seconds: f64,
    /// Of `turn` and `attempt`.
    pub(crate) rows: f64,
    pub(crate) redis: f64,
    pub(crate) zep: f64,
    /// What a turn and a call ask was taken from here.
    pub(crate) fitted: bool,
    pub(crate) from: String,
}

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Measured {
    pub(crate) figures: BTreeMap<String, Figure>,
    pub(crate) tolerance: Tolerance,
    pub(crate) processor: Vec<Processor>,
    pub(crate) memory: Vec<Memory>,
    pub(crate) files: Vec<Files>,
    pub(crate) asked: Vec<Asked>,
}

impl Measured {
    /// As it ships, with some figures replaced: `name=value`.
    pub(crate) fn with(changes: &[String]) -> Result<Self, String> {
        let mut measured: Self =
            toml::from_str(SHIPPED).map_err(|error| format!("measured.toml: {error}"))?;
        for change in changes {
            let (name, value) = change
                .split_once('=')
                .ok_or(format!("{change}: name=value is wanted"))?;
            let names = || measured.figures.keys().cloned().collect::<Vec<_>>();
            let known = names().join(", ");
            let value: f64 = value
                .parse()
                .map_err(|_| format!("{change}: {value} is no number"))?;
            if !value.is_finite() || value < 0.0 {
                return Err(format!("{change}: a number of at least 0 is wanted"));
            }
            let figure = measured
                .figures
                .get_mut(name)
                .ok_or(format!("no figure is called {name}; there are {known}"))?;
            figure.value = value;
            figure.kind = Kind::Assumed;
        }
        Ok(measured)
    }

    /// A figure's value. One that the file lacks makes every sum that it is in not a number, which a test looks for.
    pub(crate) fn get(&self, name: &str) -> f64 {
        self.figures.get(name).map_or(f64::NAN, |f| f.value)
    }
}
