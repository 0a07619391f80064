//! The wall clock as a value, so that tests choose the time. Monotonic time is tokio's `Instant`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Tells the time of day.
#[derive(Clone, Copy, Debug, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Stands still at this many milliseconds since the Unix epoch.
    Fixed(i64),
}

impl Clock {
    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(self) -> i64 {
        match self {
            Self::System => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the one reader of the wall clock"
                )]
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                i64::try_from(since.unwrap_or(Duration::ZERO).as_millis()).unwrap_or(i64::MAX)
            }
            Self::Fixed(ms) => ms,
        }
    }

    /// Seconds since the Unix epoch.
    #[must_use]
    pub fn now_s(self) -> i64 {
        self.now_ms().div_euclid(1000)
    }
}

/// RFC 3339 in UTC with milliseconds, such as `2026-11-22T09:15:02.000Z`.
#[must_use]
pub fn rfc3339(epoch_ms: i64) -> String {
    let (days, ms_of_day) = (
        epoch_ms.div_euclid(86_400_000),
        epoch_ms.rem_euclid(86_400_000),
    );
    let (year, month, day) = civil(days);
    let (s, ms) = (ms_of_day / 1000, ms_of_day % 1000);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{ms:03}Z",
        s / 3600,
        s / 60 % 60,
        s % 60
    )
}

/// The last millisecond that RFC 3339 can write: its years have four digits.
pub const LAST_MS: i64 = 253_402_300_799_999;

/// Milliseconds since the Unix epoch of an RFC 3339 time, such as `2026-11-22T10:15:02.5+01:00`. What
/// is finer than a millisecond is left out; a leap second is the first one of the next minute.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let (mark, rest) = rest.split_at_checked(1)?;
    let (time, rest) = rest.split_at_checked(8)?;
    if !matches!(mark, "T" | "t" | " ") {
        return None;
    }
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = fields(time, ':', [2, 2, 2])?;
    let days = day_number(year, month, day);
    // A day that no month has comes back as another one.
    if civil(days) != (year, month, day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (ms, zone) = match rest.strip_prefix('.') {
        Some(rest) => fraction_ms(rest)?,
        None => (0, rest),
    };
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset_s(zone)?;
    Some(seconds * 1000 + ms)
}

/// Numbers of exactly so many digits with a separator between them.
fn fields<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut fields = [0; N];
    let mut parts = text.split(separator);
    for (field, width) in fields.iter_mut().zip(widths) {
        let part = parts.next().filter(|part| part.len() == width)?;
        *field = digits(part)?;
    }
    parts.next().is_none().then_some(fields)
}

fn digits(text: &str) -> Option<i64> {
    let all = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    all.then(|| text.parse().ok())?
}

/// The digits after a point as milliseconds, and what follows them.
fn fraction_ms(text: &str) -> Option<(i64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (fraction, rest) = text.split_at_checked(end)?;
    let ms = fraction.bytes().chain(*b"00").take(3);
    let ms = ms.fold(0, |ms, digit| ms * 10 + i64::from(digit - b'0'));
    (!fraction.is_empty()).then_some((ms, rest))
}

/// Seconds that a zone is ahead of UTC: `Z`, or `+01:00` and its like.
fn offset_s(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (sign, ahead) = zone.split_at_checked(1)?;
    let [hours, minutes] = fields(ahead, ':', [2, 2])?;
    let seconds = hours * 3600 + minutes * 60;
    match sign {
        _ if hours > 23 || minutes > 59 => None,
        "+" => Some(seconds),
        "-" => Some(-seconds),
        _ => None,
    }
}

/// A time in milliseconds: a number, perhaps with a fraction, and its unit `ms`, `s`, `m`, `h` or `d`,
/// such as `1500ms` or `1.5s`.
#[must_use]
pub fn milliseconds(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let (number, unit) = text.split_at_checked(end)?;
    let factor = match unit {
        "ms" => 1.0,
        "s" => 1000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    Some(number * factor)
}

/// A number and its unit, such as `90s`, `15m`, `24h` or `7d`. None of it is optional.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let number: u32 = digits.then(|| number.parse().ok())??;
    Some(Duration::from_secs(u64::from(number) * seconds))
}

/// The proleptic Gregorian date of a day number since 1970-01-01.
///
/// Source: Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// The day number since 1970-01-01 of a proleptic Gregorian date.
///
/// Source: as of [`civil`], `days_from_civil`.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_index = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_index + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn instants_print_as_rfc_3339() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_123, "2000-02-29T00:00:00.123Z"),
            (1_795_338_902_000, "2026-11-22T09:15:02.000Z"),
        ] {
            assert_eq!(rfc3339(ms), text);
        }
    }

    #[test]
    fn instants_are_read_as_rfc_3339() {
        for (text, ms) in [
            ("2026-11-22T09:15:02.000Z", 1_795_338_902_000),
            ("2026-11-22T09:15:02Z", 1_795_338_902_000),
            ("2026-11-22t09:15:02z", 1_795_338_902_000),
            ("2026-11-22 10:45:02+01:30", 1_795_338_902_000),
            ("2026-11-21T23:15:02-10:00", 1_795_338_902_000),
            ("2026-11-22T09:15:02.5Z", 1_795_338_902_500),
            ("2026-11-22T09:15:02.123987Z", 1_795_338_902_123),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("9999-12-31T23:59:59.999Z", LAST_MS),
        ] {
            assert_eq!(parse_rfc3339(text), Some(ms), "{text}");
        }
        for odd in [
            "",
            "2026-11-22",
            "2026-11-22T09:15:02",
            "2026-11-22T09:15Z",
            "2026-11-22T09:15:02.Z",
            "2026-11-22T09:15:02,5Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T09:60:00Z",
            "2026-11-22T09:15:61Z",
            "2026-02-29T00:00:00Z",
            "2026-00-10T00:00:00Z",
            "2026-13-10T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-11-22T09:15:02+1:00",
            "2026-11-22T09:15:02+24:00",
            "2026-11-22T09:15:02 01:00",
            "2026-11-22T09:15:02ZZ",
            "+026-11-22T09:15:02Z",
            "2026-11-2\u{e9}T09:15:02Z",
            "yesterday",
        ] {
            assert_eq!(parse_rfc3339(odd), None, "{odd}");
        }
    }

    #[test]
    fn times_in_milliseconds_have_a_unit() {
        for (text, ms) in [
            ("1500ms", 1500.0),
            ("1.5s", 1500.0),
            ("0ms", 0.0),
            ("2m", 120_000.0),
            ("1h", 3_600_000.0),
        ] {
            assert_eq!(milliseconds(text), Some(ms), "{text}");
        }
        for odd in [
            "", "ms", ".s", "1500", "1.5.1s", "-1s", "1w", "1e3ms", "NaNs", "infs",
        ] {
            assert_eq!(milliseconds(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(ms in -62_167_219_200_000..=LAST_MS) {
            prop_assert_eq!(parse_rfc3339(&rfc3339(ms)), Some(ms));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}", digits in "[0-9:TZ.+ -]{0,40}") {
            let _ = (parse_rfc3339(&text), parse_rfc3339(&digits), milliseconds(&text));
        }
    }

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("24h", 86_400), ("7d", 604_800)] {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)));
        }
        for odd in [
            "",
            "h",
            "24",
            "1.5h",
            "-1h",
            "+1h",
            " 1h",
            "1w",
            "1é",
            "99999999999d",
        ] {
            assert_eq!(duration(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_fixed_clock_stands_still() {
        assert_eq!(Clock::Fixed(1500).now_s(), 1);
        assert!(Clock::System.now_ms() > 1_700_000_000_000);
    }
}
