//! What a figure means where it stands: an amount, a share, a rank, a year, a range; and the words
//! for it. Each reading takes what it knows from the beginning or leaves it to the next one.

use super::amounts::{Amount, magnitude, money, number, per};
use super::calls;
use super::dates::{self, Read, Said};
use super::look::{Look, More};
use super::numbers;
use super::shares::{chain, fraction, mixed, ratio, set_phrase, sum, version, years};
use super::units::{self, ATTACHED, Coin, SIGNS, SPACED, Unit};

/// What came before a figure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before<'a> {
    pub(super) word: &'a str,
    /// The word before that.
    pub(super) earlier: &'a str,
    /// It belongs to a name, as in "gpt4".
    pub(super) is_in_word: bool,
    /// The coin of a range's first figure, said behind its second.
    pub(super) owed: Option<Coin>,
}

/// The reading of a figure, and the coin still to be said.
pub(super) type Reading = Result<Option<(Said, Option<Coin>)>, More>;

const DASHES: [char; 3] = ['-', '–', '—'];

/// The reading of the figure that stands here, `None` where there is none.
pub(super) fn figure(look: &Look<'_>, before: Before<'_>) -> Reading {
    let is_digit = look.is(0, |c| c.is_ascii_digit())?;
    if is_digit && before.is_in_word {
        return Ok(in_word(look)?.map(|said| (said, None)));
    }
    if is_digit && before.owed.is_none() {
        for read in [
            set_phrase,
            dates::phone,
            dates::date,
            version,
            chain,
            years,
            sum,
        ] {
            if let Some(said) = read(look)? {
                return Ok(Some((said, None)));
            }
        }
        if let Some(said) = calls::called(look, before)? {
            return Ok(Some((said, None)));
        }
        let day = dates::day_of_month(look, before.word)?;
        let said = match day {
            Some(said) => Some(said),
            None => match dates::time(look)? {
                Some(said) => Some(said),
                None => fraction(look, before.word)?,
            },
        };
        if said.is_none()
            && let Some(said) = ratio(look)?
        {
            return Ok(Some((said, None)));
        }
        if let Some(said) = said {
            return Ok(Some((ranged(look, said)?, None)));
        }
    }
    match look.at(0)? {
        Some('(' | '+') => Ok(dates::phone(look)?.map(|said| (said, None))),
        Some('-' | '−') => signed(look, before),
        _ => amount(look, 0, before),
    }
}

/// The amount that begins at `from`, behind the name of this coin.
pub(super) fn priced(look: &Look<'_>, from: usize, coin: Coin) -> Reading {
    let before = Before {
        word: "",
        earlier: "",
        is_in_word: false,
        owed: Some(coin),
    };
    amount(look, from, before)
}

fn signed(look: &Look<'_>, before: Before<'_>) -> Reading {
    let sign = look.at(0)?.map_or(0, char::len_utf8);
    let next = look.at(sign)?;
    let begins = next.is_some_and(|c| c.is_ascii_digit())
        || next.is_some_and(|c| units::coin(c).is_some() || c == '.')
            && look.is(sign + next.map_or(0, char::len_utf8), |c| {
                c.is_ascii_digit()
            })?;
    if !begins {
        return Ok(None);
    }
    let read = amount(look, sign, before)?;
    Ok(read.map(|(said, owed)| {
        let words = format!("minus {}", said.words);
        (Said { words, ..said }, owed)
    }))
}

/// "gpt4", "Q3", "v2.1.3": what follows belongs to the name.
fn in_word(look: &Look<'_>) -> Read {
    if let Some(said) = version(look)? {
        return Ok(Some(said));
    }
    let amount = number(look, 0)?;
    Ok(amount.map(|a| Said {
        end: a.end,
        words: a.words(),
    }))
}

fn amount(look: &Look<'_>, from: usize, before: Before<'_>) -> Reading {
    let coin = look.at(from)?.and_then(units::coin);
    let sign = if coin.is_some() {
        look.at(from)?.map_or(0, char::len_utf8)
    } else {
        0
    };
    let minus = usize::from(sign > 0 && look.is(from + sign, |c| c == '-')?);
    let start = from + sign + minus;
    if minus == 1 && !look.is(start, |c| c.is_ascii_digit())? {
        return Ok(None);
    }
    let Some(amount) = number(look, start)? else {
        return Ok(None);
    };
    let read = match coin.or(before.owed) {
        Some(coin) => money(look, &amount, coin)?,
        None => (counted(look, &amount, before)?, None),
    };
    let (mut said, owed) = read;
    if minus == 1 {
        said.words.insert_str(0, "minus ");
    }
    Ok(Some((
        if owed.is_some() {
            said
        } else {
            ranged(look, said)?
        },
        owed,
    )))
}

/// A range's first figure takes the dash with it.
fn ranged(look: &Look<'_>, said: Said) -> Result<Said, More> {
    match dash(look, said.end)? {
        Some((end, _)) => Ok(Said {
            end,
            words: format!("{} to", said.words),
        }),
        None => Ok(said),
    }
}

/// Where the second figure of a range begins, and with what.
pub(super) fn dash(look: &Look<'_>, end: usize) -> Result<Option<(usize, char)>, More> {
    let at = look.run(end, 1, |c| c == ' ')?;
    let Some(dash) = look.at(at)?.filter(|c| DASHES.contains(c)) else {
        return Ok(None);
    };
    let after = at + dash.len_utf8();
    let next = look.run(after, 1, |c| c == ' ')?;
    if (next > after) != (at > end) {
        return Ok(None);
    }
    let first = look.at(next)?;
    let is_money = first.is_some_and(|c| units::coin(c).is_some())
        && look.is(next + first.map_or(0, char::len_utf8), |c| {
            c.is_ascii_digit()
        })?;
    let begins = first.filter(|c| c.is_ascii_digit() || is_money);
    Ok(begins.map(|c| (next, c)))
}

/// A figure that is no money, with whatever it counts.
fn counted(look: &Look<'_>, amount: &Amount, before: Before<'_>) -> Result<Said, More> {
    let end = amount.end;
    if amount.is_whole()
        && let Some(said) = ranked(look, amount, before.word)?
    {
        return Ok(said);
    }
    let is_run = look.has(end, "K")? && amount.is_whole() && amount.figure.len() == 1;
    // "a 5k", "a 10K" are runs; so is what has one digit and a capital.
    let is_run = is_run || before.word == "a" && look.has(end, "k")?;
    if !is_run && let Some((end, magnitude)) = magnitude(look, end, false)? {
        let words = format!("{} {magnitude}", amount.words());
        let said = Said { end, words };
        return Ok(match unit_of(look, end, false)? {
            Some((end, unit)) => Said {
                end,
                words: format!("{} {}", said.words, unit.many),
            },
            None => per(look, said)?,
        });
    }
    if let Some((end, said)) = size(look, amount)? {
        return Ok(Said { end, words: said });
    }
    if look.is(end, |c| c == '+')?
        && let Some((end, unit)) = unit_of(look, end + 1, false)?
    {
        let words = format!("{} plus {}", amount.words(), unit.many);
        return Ok(Said { end, words });
    }
    let is_minutes = matches!(before.word, "hour" | "hours")
        && look.has(end, "m")?
        && !look.is(end + 1, char::is_alphabetic)?;
    if is_minutes {
        let words = format!("{} minutes", amount.words());
        let end = end + 1;
        return Ok(Said { end, words });
    }
    if let Some((after, unit)) = unit_of(look, end, true)? {
        let is_compound = look.is(end, |c| c == '-')?;
        let name = if amount.is_one() || is_compound {
            unit.one
        } else {
            unit.many
        };
        let words = format!("{} {name}", amount.words());
        let after = abbreviated(look, end, after)?;
        return per(look, Said { end: after, words });
    }
    if !amount.is_whole()
        && look.is(end, |c| c == '/')?
        && look.is(end + 1, |c| c.is_ascii_digit())?
    {
        let words = format!("{} out of", amount.words());
        return Ok(Said {
            end: end + 1,
            words,
        });
    }
    let is_year = amount.is_whole() && !amount.is_grouped && numbers::is_year(&amount.figure);
    let words = match amount.figure.parse() {
        Ok(n) if is_year => numbers::year(n),
        _ => amount.words(),
    };
    per(look, Said { end, words })
}

/// "1st", "1990s", "2½", "5'10"".
fn ranked(look: &Look<'_>, amount: &Amount, before: &str) -> Read {
    const RANKS: &[(&str, ())] = &[("st", ()), ("nd", ()), ("rd", ()), ("th", ())];
    let end = amount.end;
    let n: Option<u64> = amount
        .figure
        .parse()
        .ok()
        .filter(|_| amount.figure.len() <= 9);
    let Some(n) = n else {
        return Ok(None);
    };
    if let Some((end, ())) = look.word(end, RANKS)?
        && !look.is(end, |c| c.is_ascii_digit())?
    {
        return Ok(Some(Said {
            end,
            words: numbers::ordinal(n),
        }));
    }
    let mark = look.run(end, 1, |c| c == '\'' || c == '’')?;
    if n > 10
        && n % 10 == 0
        && before != "for"
        && look.is(mark, |c| c == 's')?
        && !look.is(mark + 1, char::is_alphanumeric)?
    {
        let is_year = numbers::is_year(&amount.figure);
        let words = if is_year {
            numbers::year(n)
        } else {
            numbers::number(n)
        };
        return Ok(Some(Said {
            end: mark + 1,
            words: numbers::plural(&words),
        }));
    }
    if let Some(part) = mixed(look, end)? {
        let words = format!("{} {}", numbers::number(n), part.words);
        return Ok(Some(Said {
            end: part.end,
            words,
        }));
    }
    Ok(None)
}

/// "10x20" and "5'10"": two lengths.
fn size(look: &Look<'_>, amount: &Amount) -> Result<Option<(usize, String)>, More> {
    let end = amount.end;
    let Some(mark) = look.at(end)? else {
        return Ok(None);
    };
    let next = end + mark.len_utf8();
    if "x×".contains(mark) && look.is(next, |c| c.is_ascii_digit())? {
        return Ok(Some((next, format!("{} by", amount.words()))));
    }
    if mark == ' '
        && look.is(next, |c| c == 'x' || c == '×')?
        && look.is(look.run(next, 1, |c| c != ' ')?, |c| c == ' ')?
    {
        let after = look.run(next, 1, |c| c != ' ')? + 1;
        let is_size = look.is(after, |c| c.is_ascii_digit())? && look.is(next, |c| c == 'x')?;
        return Ok(is_size.then(|| (after, format!("{} by", amount.words()))));
    }
    if !"'’′".contains(mark) || !amount.is_whole() {
        return Ok(None);
    }
    let inches = look.digits(next)?;
    if !(1..=2).contains(&(inches - next)) || look.is(inches, char::is_alphanumeric)? {
        return Ok(None);
    }
    let close = look.at(inches)?.filter(|c| "\"”″".contains(*c));
    let feet = format!(
        "{} foot {}",
        amount.words(),
        numbers::cardinal(look.slice(next, inches))
    );
    Ok(Some((inches + close.map_or(0, char::len_utf8), feet)))
}

/// The dot of "yrs. old" is the unit's.
fn abbreviated(look: &Look<'_>, from: usize, end: usize) -> Result<usize, More> {
    let is_name = look.slice(from, end).ends_with(char::is_alphabetic);
    let dotted = is_name
        && look.is(end, |c| c == '.')?
        && look.is(end + 1, |c| c == ' ')?
        && (look.is(end + 2, char::is_lowercase)?
            || look.slice(from, end).ends_with("ft")
                && look.is(end + 2, |c| c.is_ascii_digit())?);
    Ok(end + usize::from(dotted))
}

/// The unit that stands behind a figure.
pub(super) fn unit_of(
    look: &Look<'_>,
    end: usize,
    may_attach: bool,
) -> Result<Option<(usize, Unit)>, More> {
    if let Some(found) = look.word(end, SIGNS)? {
        return Ok(Some(found));
    }
    if may_attach && let Some(found) = look.word(end, ATTACHED)? {
        return Ok(Some(found));
    }
    if let Some(found) = look.word(end, SPACED)? {
        return Ok(Some(found));
    }
    let gap = look.run(end, 1, |c| c == ' ' || c == '-')?;
    if gap == end {
        return Ok(None);
    }
    if let Some(found) = look
        .word(gap, SIGNS)?
        .filter(|_| !look.slice(end, gap).starts_with('-'))
    {
        return Ok(Some(found));
    }
    look.word(gap, SPACED)
}
