//! Figures joined to one thing: shares ("3/4", "7/10"), ratios, versions, chains, and what is written
//! one way and said another.

use super::dates::{self, Read, Said};
use super::look::{Look, More};
use super::numbers;

/// Written one way, said another.
const SET_PHRASES: &[(&str, &str)] = &[
    ("24/7", "twenty-four seven"),
    ("50-50", "fifty-fifty"),
    ("401(k)", "four oh one k"),
    ("401k", "four oh one k"),
    ("403(b)", "four oh three b"),
    ("403b", "four oh three b"),
    ("9/11", "nine eleven"),
    ("1-on-1s", "one-on-ones"),
    ("1:1s", "one-on-ones"),
    ("1:1", "one-on-one"),
    ("360° feedback", "three sixty feedback"),
    ("360-degree feedback", "three sixty feedback"),
    ("1099", "ten ninety-nine"),
];
/// Words after which "5/12" is a day.
const DATE_WORDS: &[&str] = &[
    "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "on", "On", "by", "By", "until", "before",
    "since", "after", "due",
];

pub(super) fn set_phrase(look: &Look<'_>) -> Read {
    let Some((end, said)) = look.word(0, SET_PHRASES)? else {
        return Ok(None);
    };
    if look.is(end, char::is_alphanumeric)?
        || look.is(end, |c| "/,:-.".contains(c))? && look.is(end + 1, |c| c.is_ascii_digit())?
    {
        return Ok(None);
    }
    Ok(Some(Said {
        end,
        words: said.to_owned(),
    }))
}

/// "2.1.3" and addresses: more than one point.
pub(super) fn version(look: &Look<'_>) -> Read {
    let mut end = look.digits(0)?;
    let mut parts = vec![numbers::cardinal(look.slice(0, end))];
    while look.is(end, |c| c == '.')?
        && look.is(end + 1, |c| c.is_ascii_digit())?
        && parts.len() < 6
    {
        let next = look.digits(end + 1)?;
        parts.push(numbers::cardinal(look.slice(end + 1, next)));
        end = next;
    }
    let words = parts.join(" point ");
    Ok((parts.len() > 2).then_some(Said { end, words }))
}

/// The first figure of "20 / 4 = 5" and "10 - 4 = 6": the equals sign tells that it is counted.
pub(super) fn sum(look: &Look<'_>) -> Read {
    let end = look.digits(0)?;
    if !look.is(end, |c| c == ' ')? {
        return Ok(None);
    }
    let sign = match look.at(end + 1)? {
        Some('/') => "divided by",
        Some('-') => "minus",
        _ => return Ok(None),
    };
    if !look.is(end + 2, |c| c == ' ')? {
        return Ok(None);
    }
    let second = look.digits(end + 3)?;
    let is_sum = second > end + 3 && look.has(second, " = ")?;
    let one = numbers::cardinal(look.slice(0, end));
    Ok(is_sum.then(|| Said {
        end: end + 3,
        words: format!("{one} {sign}"),
    }))
}

/// "2024/25", a year of school or of business.
pub(super) fn years(look: &Look<'_>) -> Read {
    let slash = look.digits(0)?;
    if slash != 4 || !numbers::is_year(look.slice(0, slash)) || !look.is(slash, |c| c == '/')? {
        return Ok(None);
    }
    let end = look.digits(slash + 1)?;
    if end != slash + 3 || look.is(end, |c| c.is_alphanumeric() || c == '/')? {
        return Ok(None);
    }
    let (one, two) = (parsed(look, 0, slash), parsed(look, slash + 1, end));
    let words = format!("{} to {}", numbers::year(one), numbers::number(two));
    Ok((two > 9).then_some(Said { end, words }))
}

/// "a 30-60-90 day plan": three or more of a kind are no range.
pub(super) fn chain(look: &Look<'_>) -> Read {
    let mut end = look.digits(0)?;
    let Some(mark) = look.at(end)?.filter(|c| *c == '-' || *c == '/') else {
        return Ok(None);
    };
    let mut parts = vec![numbers::cardinal(look.slice(0, end))];
    while look.is(end, |c| c == mark)? && parts.len() < 6 {
        let next = look.digits(end + 1)?;
        if !(1..=3).contains(&(next - end - 1)) {
            break;
        }
        parts.push(numbers::cardinal(look.slice(end + 1, next)));
        end = next;
    }
    let is_chain = parts.len() > 2 && !look.is(end, char::is_alphanumeric)?;
    Ok(is_chain.then(|| Said {
        end,
        words: parts.join(" "),
    }))
}

/// "16:9", a colon between figures that are no time.
pub(super) fn ratio(look: &Look<'_>) -> Read {
    let colon = look.digits(0)?;
    if colon > 3 || !look.is(colon, |c| c == ':')? {
        return Ok(None);
    }
    let end = look.digits(colon + 1)?;
    if !(1..=3).contains(&(end - colon - 1)) || look.is(end, |c| c.is_alphanumeric() || c == ':')? {
        return Ok(None);
    }
    let (one, two) = (parsed(look, 0, colon), parsed(look, colon + 1, end));
    let words = format!("{} to {}", numbers::number(one), numbers::number(two));
    Ok(Some(Said { end, words }))
}

/// The two figures of "n/m".
fn parts(look: &Look<'_>, from: usize) -> Result<Option<(u64, u64, usize)>, More> {
    let slash = look.digits(from)?;
    if !(1..=3).contains(&(slash - from)) || !look.is(slash, |c| c == '/' || c == '⁄')? {
        return Ok(None);
    }
    let second = slash + look.at(slash)?.map_or(0, char::len_utf8);
    let end = look.digits(second)?;
    let goes_on = look.is(end, |c| c.is_alphanumeric() || c == '/')?;
    let is_pair = (1..=3).contains(&(end - second)) && !goes_on;
    Ok(is_pair.then(|| (parsed(look, from, slash), parsed(look, second, end), end)))
}

pub(super) fn fraction(look: &Look<'_>, before: &str) -> Read {
    let Some((n, of, end)) = parts(look, 0)? else {
        return Ok(None);
    };
    // A share is less than the whole: "12/6" is no share.
    let is_date = DATE_WORDS.contains(&before) || n > of;
    let is_date = is_date && (1..=12).contains(&n) && (1..=31).contains(&of);
    let month = dates::MONTHS.iter().find(|(_, month)| *month == n);
    let words = match month.filter(|_| is_date) {
        Some((month, _)) => format!("{month} {}", numbers::ordinal(of)),
        None if n == of && matches!(n, 20 | 50) => format!("{0}-{0}", numbers::number(n)),
        None if n + of == 100 => format!("{} {}", numbers::number(n), numbers::number(of)),
        None if n == of || of % 10 == 0 && n <= of => {
            format!("{} out of {}", numbers::number(n), numbers::number(of))
        }
        None if (1..of).contains(&n) && of <= 20 => numbers::fraction(n, of),
        None => format!("{} over {}", numbers::number(n), numbers::number(of)),
    };
    Ok(Some(Said { end, words }))
}

/// "… and a half" behind a whole number.
pub(super) fn mixed(look: &Look<'_>, end: usize) -> Read {
    let at = look.run(end, 1, |c| c == ' ' || c == '-')?;
    // "1-1/2" is one number only where it can be no range.
    let is_joined = look.slice(end, at) == "-";
    let (parts, end) = match look.at(at)?.and_then(vulgar) {
        Some(parts) => (parts, at + look.at(at)?.map_or(0, char::len_utf8)),
        None if at > end => match self::parts(look, at)? {
            Some((n, of, end))
                if (1..of).contains(&n)
                    && (of <= 16 && !is_joined || matches!(of, 2 | 3 | 4 | 8 | 16)) =>
            {
                ((n, of), end)
            }
            _ => return Ok(None),
        },
        None => return Ok(None),
    };
    let words = match parts {
        (1, 2) => "and a half".to_owned(),
        (1, 4) => "and a quarter".to_owned(),
        (n, of) => format!("and {}", numbers::fraction(n, of)),
    };
    Ok(Some(Said { end, words }))
}

/// The parts of "½" and its kin.
pub(super) fn vulgar(c: char) -> Option<(u64, u64)> {
    Some(match c {
        '½' => (1, 2),
        '⅓' => (1, 3),
        '⅔' => (2, 3),
        '¼' => (1, 4),
        '¾' => (3, 4),
        '⅕' => (1, 5),
        '⅖' => (2, 5),
        '⅗' => (3, 5),
        '⅘' => (4, 5),
        '⅙' => (1, 6),
        '⅛' => (1, 8),
        '⅜' => (3, 8),
        '⅝' => (5, 8),
        '⅞' => (7, 8),
        _ => return None,
    })
}

fn parsed(look: &Look<'_>, from: usize, to: usize) -> u64 {
    look.slice(from, to).parse().unwrap_or_default()
}
