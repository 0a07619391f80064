//! Dates, clock times and phone numbers: figures joined by slashes, dashes, colons.

use super::look::{Look, More};
use super::numbers;

/// What is said of so many bytes.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) end: usize,
    pub(super) words: String,
}

pub(super) type Read = Result<Option<Said>, More>;

pub(super) const MONTHS: &[(&str, u64)] = &[
    ("January", 1),
    ("February", 2),
    ("March", 3),
    ("April", 4),
    ("May", 5),
    ("June", 6),
    ("July", 7),
    ("August", 8),
    ("September", 9),
    ("October", 10),
    ("November", 11),
    ("December", 12),
];

/// A month's short form and what is missing of it.
pub(super) const SHORT_MONTHS: &[(&str, &str)] = &[
    ("Jan", "uary"),
    ("Feb", "ruary"),
    ("Mar", "ch"),
    ("Apr", "il"),
    ("Jun", "e"),
    ("Jul", "y"),
    ("Aug", "ust"),
    ("Sep", "tember"),
    ("Sept", "ember"),
    ("Oct", "ober"),
    ("Nov", "ember"),
    ("Dec", "ember"),
];

/// Words with a capital that follow a time in the same sentence.
const AFTER_TIMES: &[(&str, ())] = &[
    ("Monday", ()),
    ("Tuesday", ()),
    ("Wednesday", ()),
    ("Thursday", ()),
    ("Friday", ()),
    ("Saturday", ()),
    ("Sunday", ()),
    ("EST", ()),
    ("ET", ()),
    ("PST", ()),
    ("PT", ()),
    ("CET", ()),
    ("GMT", ()),
    ("UTC", ()),
];

pub(super) fn is_month(word: &str) -> bool {
    MONTHS.iter().any(|(month, _)| *month == word)
}

fn value(look: &Look<'_>, from: usize, to: usize) -> u64 {
    look.slice(from, to).parse().unwrap_or(u64::MAX)
}

fn month_name(n: u64) -> Option<&'static str> {
    let found = MONTHS.iter().find(|(_, month)| *month == n);
    found.map(|(name, _)| *name)
}

fn day(n: u64) -> Option<String> {
    (1..=31).contains(&n).then(|| numbers::ordinal(n))
}

/// "2026-05-12", "5/12/2026", "12.05.2026"; the month first between slashes unless it cannot be one.
pub(super) fn date(look: &Look<'_>) -> Read {
    let first = look.digits(0)?;
    let Some(separator) = look.at(first)?.filter(|c| "-/.".contains(*c)) else {
        return Ok(None);
    };
    if !matches!(
        (first, separator),
        (4, '-' | '/') | (1 | 2, '/' | '.' | '-')
    ) {
        return Ok(None);
    }
    let second = look.digits(first + 1)?;
    if !(1..=2).contains(&(second - first - 1)) || !look.is(second, |c| c == separator)? {
        return Ok(None);
    }
    let end = look.digits(second + 1)?;
    let (one, two) = (value(look, 0, first), value(look, first + 1, second));
    let three = value(look, second + 1, end);
    let last = end - second - 1;
    let (y, m, d) = match (first, separator, last) {
        (4, _, 1 | 2) => (one, two, three),
        (1 | 2, '.', 4) => (three, two, one),
        (1 | 2, '/', 2 | 4) | (1 | 2, '-', 4) if one > 12 => (three, two, one),
        (1 | 2, '/', 2 | 4) | (1 | 2, '-', 4) => (three, one, two),
        _ => return Ok(None),
    };
    let y = match y {
        0..50 => 2000 + y,
        50..100 => 1900 + y,
        y => y,
    };
    let (Some(month), Some(day)) = (month_name(m), day(d)) else {
        return Ok(None);
    };
    if look.is(end, |c| c.is_ascii_digit() || c == separator)? || !(1000..10_000).contains(&y) {
        return Ok(None);
    }
    let words = format!("{month} {day}, {}", numbers::year(y));
    // A time may follow: "2026-05-12T10:00".
    if look.is(end, |c| c == 'T')? && look.is(end + 1, |c| c.is_ascii_digit())? {
        let words = format!("{words} at");
        return Ok(Some(Said {
            end: end + 1,
            words,
        }));
    }
    Ok(Some(Said { end, words }))
}

/// A day behind or before a month's name: "May 5", "5 May".
pub(super) fn day_of_month(look: &Look<'_>, before: &str) -> Read {
    let end = look.digits(0)?;
    let Some(day) = day(value(look, 0, end)).filter(|_| end <= 2) else {
        return Ok(None);
    };
    if is_month(before) {
        if let Some((to, last)) = last_day(look, end)? {
            let words = format!("{day} to {last}");
            return Ok(Some(Said { end: to, words }));
        }
        return Ok((!goes_on(look, end)?).then_some(Said { end, words: day }));
    }
    if !look.is(end, |c| c == ' ')? || look.word(end + 1, MONTHS)?.is_none() {
        return Ok(None);
    }
    let words = match before {
        "the" | "The" => format!("{day} of"),
        _ => format!("the {day} of"),
    };
    Ok(Some(Said { end, words }))
}

/// Whether a figure that ends here is more than a day.
fn goes_on(look: &Look<'_>, end: usize) -> Result<bool, More> {
    Ok(look.is(end, |c| c.is_alphanumeric() || ":%/".contains(c))?
        || look.is(end, |c| c == '.')? && look.is(end + 1, |c| c.is_ascii_digit())?)
}

/// The second day of "May 5–7".
fn last_day(look: &Look<'_>, end: usize) -> Result<Option<(usize, String)>, More> {
    let Some(dash) = look.at(end)?.filter(|c| "-–".contains(*c)) else {
        return Ok(None);
    };
    let from = end + dash.len_utf8();
    let to = look.digits(from)?;
    if !(1..=2).contains(&(to - from)) || goes_on(look, to)? {
        return Ok(None);
    }
    Ok(day(value(look, from, to)).map(|last| (to, last)))
}

/// "am", "PM", "p.m." at most a space on, as it is said.
fn half_of_day(look: &Look<'_>, from: usize) -> Result<Option<(usize, &'static str)>, More> {
    let at = look.run(from, 1, |c| c == ' ')?;
    let said = match look.at(at)? {
        Some('a' | 'A') => "AM",
        Some('p' | 'P') => "PM",
        _ => return Ok(None),
    };
    let dot = look.is(at + 1, |c| c == '.')?;
    let m = at + 1 + usize::from(dot);
    if !look.is(m, |c| c == 'm' || c == 'M')? || look.is(m + 1, char::is_alphanumeric)? {
        return Ok(None);
    }
    // "3 p.m. sharp" has one dot more, "at 3 p.m." at a line's end keeps it for the sentence.
    let end = m + 2;
    let dotted = dot
        && look.is(m + 1, |c| c == '.')?
        && look.is(end, |c| " ,-–—".contains(c))?
        && (look.word(end + 1, AFTER_TIMES)?.is_some() || !begins_sentence(look, end)?);
    Ok(Some((m + 1 + usize::from(dotted), said)))
}

/// A space and a capital: the dot before them ends a sentence.
pub(super) fn begins_sentence(look: &Look<'_>, at: usize) -> Result<bool, More> {
    Ok(look.is(at, char::is_whitespace)? && look.is(at + 1, |c| c.is_uppercase() || c == '\n')?)
}

/// "3:30pm", "9am", "14:05", "1:30:45".
pub(super) fn time(look: &Look<'_>) -> Read {
    let end = look.digits(0)?;
    if !(1..=2).contains(&end) {
        return Ok(None);
    }
    let hour = value(look, 0, end);
    let dotted = look.digits(end + 1)?;
    let is_dotted = look.is(end, |c| c == '.')? && dotted == end + 3;
    if is_dotted
        && (1..=12).contains(&hour)
        && value(look, end + 1, dotted) < 60
        && let Some((end, half)) = half_of_day(look, dotted)?
    {
        let minute = numbers::minutes(value(look, dotted - 2, dotted));
        let words = format!("{} {minute} {half}", numbers::number(hour));
        return Ok(Some(Said { end, words }));
    }
    if !look.is(end, |c| c == ':')? {
        let half = half_of_day(look, end)?.filter(|_| (1..=12).contains(&hour));
        return Ok(half.map(|(end, half)| Said {
            end,
            words: format!("{} {half}", numbers::number(hour)),
        }));
    }
    let minute_end = look.digits(end + 1)?;
    let minute = value(look, end + 1, minute_end);
    if minute_end - end != 3 || minute > 59 {
        return Ok(None);
    }
    if look.is(minute_end, |c| c == ':')? && look.digits(minute_end + 1)? == minute_end + 3 {
        let second_end = minute_end + 3;
        let second = value(look, minute_end + 1, second_end);
        let is_utc = is_zulu(look, second_end)?;
        let words = match (minute, second) {
            (_, 0) if is_utc => clock(hour, minute),
            _ => [
                numbers::number(hour),
                numbers::minutes(minute),
                numbers::minutes(second),
            ]
            .join(" "),
        };
        return Ok(Some(zoned(second_end, words, is_utc)));
    }
    if let Some((end, half)) = half_of_day(look, minute_end)? {
        let words = match minute {
            0 => format!("{} {half}", numbers::number(hour)),
            _ => format!(
                "{} {} {half}",
                numbers::number(hour),
                numbers::minutes(minute)
            ),
        };
        return Ok(Some(Said { end, words }));
    }
    let is_utc = is_zulu(look, minute_end)?;
    Ok(Some(zoned(minute_end, clock(hour, minute), is_utc)))
}

fn clock(hour: u64, minute: u64) -> String {
    match (hour, minute) {
        (0, 0) => "midnight".to_owned(),
        (1..=12, 0) => format!("{} o'clock", numbers::number(hour)),
        (13..=24, 0) => format!("{} hundred", numbers::number(hour)),
        _ => format!("{} {}", numbers::number(hour), numbers::minutes(minute)),
    }
}

/// "09:00Z": the letter is the zone.
fn is_zulu(look: &Look<'_>, at: usize) -> Result<bool, More> {
    Ok(look.is(at, |c| c == 'Z')? && !look.is(at + 1, char::is_alphanumeric)?)
}

fn zoned(end: usize, words: String, is_utc: bool) -> Said {
    match is_utc {
        true => Said {
            end: end + 1,
            words: format!("{words} UTC"),
        },
        false => Said { end, words },
    }
}

/// Groups of digits with one separator between them, "(415)" being one, and where they end.
fn groups(look: &Look<'_>, from: usize) -> Result<(Vec<String>, usize), More> {
    let mut groups: Vec<String> = Vec::new();
    let (mut at, mut end) = (from, from);
    loop {
        let open = usize::from(look.is(at, |c| c == '(')?);
        let digits = look.digits(at + open)?;
        let close = usize::from(open == 1 && look.is(digits, |c| c == ')')?);
        if digits == at + open || open != close || groups.len() == 6 {
            return Ok((groups, end));
        }
        groups.push(look.slice(at + open, digits).to_owned());
        end = digits + close;
        let separator = |c| "-. ".contains(c);
        at = look.run(end, 1, separator)?;
        if at == end && close == 0 && !look.is(at, |c| c == '(')? {
            return Ok((groups, end));
        }
    }
}

/// "+1 (415) 555-0132", "(415) 555-0132", "415-555-0132", "555-0132".
pub(super) fn phone(look: &Look<'_>) -> Read {
    let plus = usize::from(look.is(0, |c| c == '+')?);
    let first = look.digits(plus)?;
    let is_bracket = look.is(0, |c| c == '(')?;
    if plus == 0 && !is_bracket {
        // Most figures are told from a phone number by their first characters.
        let may_be = first == 3
            || first == 1 && look.has(0, "1")?
            || (4..=5).contains(&first) && look.has(0, "0")?;
        if !may_be || !look.is(first, |c| "-. ".contains(c))? {
            return Ok(None);
        }
        let second = look.digits(first + 1)?;
        let bracket = first == 1 && look.is(first + 1, |c| c == '(')?;
        if second - first - 1 < 3 && !bracket {
            return Ok(None);
        }
    }
    let (groups, end) = groups(look, plus)?;
    let lengths: Vec<usize> = groups.iter().map(String::len).collect();
    let total: usize = lengths.iter().sum();
    let is_phone = match lengths.as_slice() {
        _ if plus == 1 => groups.len() > 1 && (7..=15).contains(&total) || total >= 10,
        [3, 3, 4] => true,
        [1, 3, 3, 4] => look.has(0, "1")?,
        [_, _, ..] if look.has(0, "0")? => lengths.len() < 5 && (9..=12).contains(&total),
        [3, 4] if !is_bracket => is_local(look, &groups),
        _ => false,
    };
    if !is_phone || look.is(end, char::is_alphanumeric)? {
        return Ok(None);
    }
    let spoken: Vec<String> = groups.iter().map(|g| numbers::digits(g)).collect();
    let words = spoken.join(", ");
    let words = if plus == 1 {
        format!("plus {words}")
    } else {
        words
    };
    Ok(Some(Said { end, words }))
}

/// "555-0132" is a number to call, "100-2000" is a range.
fn is_local(look: &Look<'_>, groups: &[String]) -> bool {
    let [first, second] = groups else {
        return false;
    };
    look.slice(3, 4) == "-" && (second.starts_with('0') || !first.ends_with('0'))
}
