//! Query strings of what can be asked: known names, each once, every fault with its name. A filter that
//! is misspelt and passed over would answer another question than was asked.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use actix_web::HttpRequest;
use percent_encoding::percent_decode_str;

use crate::clock::{self, LAST_MS};
use crate::config::nearest;
use crate::record::MAX_PAGE;

use super::error::Refusal;

/// What tells a time.
pub(super) const WINDOW: &[&str] = &["range", "since", "until"];
/// What tells a page.
pub(super) const PAGE: &[&str] = &["limit", "cursor"];

const DEFAULT_PAGE: u32 = 50;
const MINUTE: Duration = Duration::from_secs(60);
const RANGE: RangeInclusive<Duration> = MINUTE..=Duration::from_secs(3650 * 86_400);
/// How much of a caller's own text is shown in an answer.
const SHOWN: usize = 40;

/// What a query string asks for. An empty value counts as left out.
#[derive(Debug)]
pub(super) struct Asked(Vec<(String, String)>);

/// The time that is asked about, milliseconds since the Unix epoch; the end is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) since_ms: Option<i64>,
    pub(super) until_ms: Option<i64>,
}

impl Asked {
    /// Takes the query string of a route that knows these names.
    pub(super) fn of(request: &HttpRequest, known: &[&[&'static str]]) -> Result<Self, Refusal> {
        Self::parse(request.query_string(), &known.concat())
    }

    fn parse(query: &str, known: &[&'static str]) -> Result<Self, Refusal> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if !known.contains(&name.as_str()) {
                return Err(unknown(&name, known));
            }
            if value.chars().any(char::is_control) {
                return Err(Refusal::Invalid(format!(
                    "`{name}` must not hold control characters"
                )));
            }
            if pairs.iter().any(|(given, _)| *given == name) {
                return Err(Refusal::Invalid(format!(
                    "`{name}` must be given once, not twice"
                )));
            }
            pairs.push((name, value));
        }
        pairs.retain(|(_, value)| !value.is_empty());
        Ok(Self(pairs))
    }

    /// The value of a name.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// The value of a name as `read` takes it, which takes what `accepted` says.
    pub(super) fn read<T>(
        &self,
        name: &str,
        accepted: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let wrong = || Refusal::Invalid(format!("`{name}` must be {accepted}"));
        self.text(name)
            .map(|value| read(value).ok_or_else(wrong))
            .transpose()
    }

    /// One of some words, else the first of them.
    pub(super) fn choice<T: Copy>(
        &self,
        name: &str,
        words: &[(&'static str, T)],
    ) -> Result<Option<T>, Refusal> {
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let accepted = format!("one of {}", all.join(", "));
        let chosen = |value: &str| words.iter().find(|(word, _)| *word == value);
        self.read(name, &accepted, |value| chosen(value).map(|(_, t)| *t))
    }

    /// Rows of a page.
    pub(super) fn limit(&self) -> Result<u32, Refusal> {
        let accepted = format!("an integer from 1 to {MAX_PAGE}");
        let limit = self.read("limit", &accepted, |value| {
            let limit = value.parse().ok();
            limit.filter(|limit| (1..=MAX_PAGE).contains(limit))
        });
        Ok(limit?.unwrap_or(DEFAULT_PAGE))
    }

    /// `range`, as it was written and as a time.
    pub(super) fn range(&self) -> Result<Option<(String, Duration)>, Refusal> {
        let accepted = "a number and its unit s, m, h or d, from 1m to 3650d, such as 24h";
        self.read("range", accepted, |value| {
            let range = clock::duration(value).filter(|range| RANGE.contains(range))?;
            Some((value.to_owned(), range))
        })
    }

    /// `range`, back from now, or `since` and `until`.
    pub(super) fn window(&self, now_ms: i64) -> Result<Window, Refusal> {
        let accepted = "a time such as 2026-11-22T09:15:02Z, or milliseconds since 1970";
        let (since_ms, until_ms) = (
            self.read("since", accepted, instant)?,
            self.read("until", accepted, instant)?,
        );
        if let Some((_, range)) = self.range()? {
            if since_ms.is_some() || until_ms.is_some() {
                let problem = "`range` counts back from now: give it alone, or `since` and `until`";
                return Err(Refusal::Invalid(problem.to_owned()));
            }
            let range_ms = i64::try_from(range.as_millis()).unwrap_or(i64::MAX);
            return Ok(Window {
                since_ms: Some(now_ms.saturating_sub(range_ms).max(0)),
                until_ms: None,
            });
        }
        if let (Some(since), Some(until)) = (since_ms, until_ms)
            && since >= until
        {
            let problem = "`until` must be later than `since`";
            return Err(Refusal::Invalid(problem.to_owned()));
        }
        Ok(Window { since_ms, until_ms })
    }
}

fn decoded(text: &str) -> Result<String, Refusal> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8();
    decoded.map(Cow::into_owned).map_err(|_| Refusal::Query)
}

fn unknown(name: &str, known: &[&'static str]) -> Refusal {
    let shown: String = name.chars().take(SHOWN).collect();
    let instead = match nearest(name, known.iter().copied()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None if known.is_empty() => "there are none".to_owned(),
        None => format!("there are {}", known.join(", ")),
    };
    Refusal::Invalid(format!(
        "`{shown}` is no query parameter of this route; {instead}"
    ))
}

/// A time of day: RFC 3339, or milliseconds since the Unix epoch.
fn instant(value: &str) -> Option<i64> {
    let is_number = value.bytes().all(|b| b.is_ascii_digit());
    let ms = if is_number {
        value.parse().ok()
    } else {
        // The plus of a zone that was not percent-encoded arrives as a space.
        clock::parse_rfc3339(value).or_else(|| {
            let (time, zone) = value.rsplit_once(' ')?;
            clock::parse_rfc3339(&format!("{time}+{zone}"))
        })
    };
    ms.filter(|ms| (0..=LAST_MS).contains(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<Asked, Refusal> {
        Asked::parse(query, &["session", "range", "since", "until", "limit"])
    }

    fn problem<T: std::fmt::Debug>(result: Result<T, Refusal>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn values_are_decoded_and_empty_ones_left_out() {
        let asked = asked("session=%C3%A9+x%2By&limit=&&range").unwrap();
        assert_eq!(asked.text("session"), Some("é x+y"));
        assert_eq!(asked.text("limit"), None);
        assert_eq!(asked.limit(), Ok(50));
        assert_eq!(asked.range(), Ok(None));
    }

    #[test]
    fn what_is_not_known_is_named_with_what_is_near() {
        for (query, expected) in [
            ("limitt=1", "did you mean `limit`?"),
            ("Session=1", "did you mean `session`?"),
            ("zzz", "there are session, range, since, until, limit"),
            ("limit=1&limit=2", "`limit` must be given once"),
            ("session=a%00b", "`session` must not hold control"),
        ] {
            let said = problem(asked(query));
            assert!(said.contains(expected), "{query}: {said}");
        }
        assert_eq!(asked("session=%FF").unwrap_err(), Refusal::Query);
    }

    #[test]
    fn a_time_is_a_range_or_has_a_beginning_and_an_end() {
        const NOW: i64 = 1_795_338_902_000;
        let window = |query: &str| asked(query).unwrap().window(NOW);
        for (query, since_ms, until_ms) in [
            ("", None, None),
            ("range=1m", Some(NOW - 60_000), None),
            ("range=3650d", Some(NOW - 315_360_000_000), None),
            ("since=2026-11-22T09:15:02Z", Some(NOW), None),
            ("since=2026-11-22T10:15:02+01:00", Some(NOW), None),
            ("since=2026-11-22T10:15:02%2B01:00", Some(NOW), None),
            ("since=0&until=1795338902000", Some(0), Some(NOW)),
        ] {
            let expected = Window { since_ms, until_ms };
            assert_eq!(window(query), Ok(expected), "{query}");
        }
        for (query, expected) in [
            ("range=59s", "`range` must be"),
            ("range=3651d", "`range` must be"),
            ("range=day", "`range` must be"),
            ("range=1h&since=0", "give it alone"),
            ("since=5&until=5", "`until` must be later"),
            ("since=-1", "`since` must be a time"),
            ("until=yesterday", "`until` must be a time"),
            ("until=99999999999999999999", "`until` must be a time"),
        ] {
            let said = problem(window(query));
            assert!(said.contains(expected), "{query}: {said}");
        }
    }

    #[test]
    fn a_page_has_its_bounds() {
        for good in ["1", "1000"] {
            let limit = asked(&format!("limit={good}")).unwrap().limit();
            assert_eq!(limit, Ok(good.parse().unwrap()));
        }
        for odd in ["0", "1001", "-1", "ten", "1.5"] {
            let said = problem(asked(&format!("limit={odd}")).unwrap().limit());
            assert_eq!(said, "`limit` must be an integer from 1 to 1000", "{odd}");
        }
    }
}
