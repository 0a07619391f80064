//! For how many sessions something is on.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A whole, in hundredths of a percent.
const WHOLE: u32 = 10_000;

/// For how many sessions something is on: `true`, `false` or `"25%"` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u32);

/// Neither true, false nor a percentage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a flag's value is true, false, or a percentage such as \"25%\", with two decimals at most"
)]
pub struct BadShare;

impl Share {
    pub const ON: Self = Self(WHOLE);
    pub const OFF: Self = Self(0);

    /// # Errors
    /// When it is neither `true`, `false` nor a percentage.
    pub fn parse(text: &str) -> Result<Self, BadShare> {
        let number = match text {
            "true" => return Ok(Self::ON),
            "false" => return Ok(Self::OFF),
            _ => text.strip_suffix('%').ok_or(BadShare)?,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let is_digits = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
        };
        if !is_digits(whole, 3) || !is_digits(fraction, 2) {
            return Err(BadShare);
        }
        let hundredths = format!("{fraction:0<2}")
            .parse::<u32>()
            .map_err(|_| BadShare)?;
        let share = whole.parse::<u32>().map_err(|_| BadShare)? * 100 + hundredths;
        match share <= WHOLE {
            true => Ok(Self(share)),
            false => Err(BadShare),
        }
    }

    pub(super) fn takes_in(self, flag: &str, session: &str) -> bool {
        match self {
            Self::ON => true,
            Self::OFF => false,
            Self(share) => place(flag, session) < share,
        }
    }
}

/// Where a session stands among all, 0 to 9,999. Another place for each flag, so that the first
/// sessions of one are not the first of all.
fn place(flag: &str, session: &str) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(flag.as_bytes());
    hasher.update(b"\n");
    hasher.update(session.as_bytes());
    hasher.finalize() % WHOLE
}

/// `true`, `false` or `25%`.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ON => f.write_str("true"),
            Self::OFF => f.write_str("false"),
            Self(share) if share % 100 == 0 => write!(f, "{}%", share / 100),
            Self(share) => write!(f, "{}.{:02}%", share / 100, share % 100),
        }
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::ON => serializer.serialize_bool(true),
            Self::OFF => serializer.serialize_bool(false),
            _ => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Truth(bool),
            Text(String),
        }
        let written = Written::deserialize(deserializer);
        match written.map_err(|_| serde::de::Error::custom(BadShare))? {
            Written::Truth(true) => Ok(Self::ON),
            Written::Truth(false) => Ok(Self::OFF),
            Written::Text(text) => Self::parse(&text).map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_and_written() {
        for (text, share, json) in [
            ("true", 10_000, "true"),
            ("false", 0, "false"),
            ("100%", 10_000, "true"),
            ("0%", 0, "false"),
            ("25%", 2_500, "\"25%\""),
            ("0.5%", 50, "\"0.50%\""),
            ("33.33%", 3_333, "\"33.33%\""),
        ] {
            let read = Share::parse(text).unwrap();
            assert_eq!(read, Share(share), "{text}");
            assert_eq!(serde_json::to_string(&read).unwrap(), json);
            assert_eq!(serde_json::from_str::<Share>(json).unwrap(), read);
        }
        for odd in [
            "", "%", "25", "101%", "-1%", "1.234%", "1.%", "x%", "1e1%", " 5%", "TRUE",
        ] {
            assert_eq!(Share::parse(odd), Err(BadShare), "{odd}");
        }
        for odd in ["1", "null", "[]", "\"on\""] {
            assert!(serde_json::from_str::<Share>(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_share_takes_in_so_many_and_a_larger_one_the_same_and_more() {
        let taken = |share: &str| -> Vec<usize> {
            let share = Share::parse(share).unwrap();
            let is_in = |n: &usize| share.takes_in("hedging", &format!("session-{n}"));
            (0..10_000).filter(is_in).collect()
        };
        let (quarter, half) = (taken("25%"), taken("50%"));
        assert!((2_300..2_700).contains(&quarter.len()), "{}", quarter.len());
        assert!((4_800..5_200).contains(&half.len()), "{}", half.len());
        assert!(quarter.iter().all(|n| half.contains(n)));
    }
}
