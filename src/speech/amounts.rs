//! Amounts as they are written, and money.

use super::dates::Said;
use super::figures;
use super::look::{Look, More};
use super::numbers;
use super::units::{Coin, MAGNITUDE_WORDS, MAGNITUDES, MONEY_MAGNITUDES, PER};

/// A number as written, without its commas.
pub(super) struct Amount {
    pub(super) figure: String,
    pub(super) decimals: String,
    pub(super) end: usize,
    pub(super) is_grouped: bool,
}

impl Amount {
    pub(super) fn words(&self) -> String {
        match (self.figure.as_str(), self.decimals.as_str()) {
            (figure, "") => numbers::cardinal(figure),
            ("", decimals) => format!("point {}", numbers::digits(decimals)),
            (figure, decimals) => format!(
                "{} point {}",
                numbers::cardinal(figure),
                numbers::digits(decimals)
            ),
        }
    }

    pub(super) fn is_one(&self) -> bool {
        self.figure == "1" && self.decimals.is_empty()
    }

    pub(super) fn is_whole(&self) -> bool {
        self.decimals.is_empty()
    }
}

/// Where the Indian grouping of "1,50,000" ends.
fn lakhs(look: &Look<'_>, end: usize) -> Result<Option<usize>, More> {
    let mut at = end;
    while at < end + 12 && look.is(at, |c| c == ',')? {
        let next = look.run(at + 1, 4, |c| c.is_ascii_digit())?;
        match next - at - 1 {
            2 => at = next,
            3 if at > end => return Ok(Some(next)),
            _ => break,
        }
    }
    Ok(None)
}

/// "85,000", "102.5", ".5".
pub(super) fn number(look: &Look<'_>, from: usize) -> Result<Option<Amount>, More> {
    let mut end = look.digits(from)?;
    let mut figure = look.slice(from, end).to_owned();
    let mut is_grouped = false;
    if (1..=3).contains(&figure.len()) {
        while look.is(end, |c| c == ',')? && figure.len() < 18 {
            if look.run(end + 1, 4, |c| c.is_ascii_digit())? != end + 4 {
                break;
            }
            figure.push_str(look.slice(end + 1, end + 4));
            end += 4;
            is_grouped = true;
        }
        if !is_grouped && let Some(lakh) = lakhs(look, end)? {
            figure.extend(look.slice(end, lakh).chars().filter(|c| *c != ','));
            (end, is_grouped) = (lakh, true);
        }
    }
    let mut decimals = String::new();
    if look.is(end, |c| c == '.')? && look.is(end + 1, |c| c.is_ascii_digit())? {
        let last = look.digits(end + 1)?;
        decimals = look.slice(end + 1, last).to_owned();
        end = last;
    }
    let amount = Amount {
        figure,
        decimals,
        end,
        is_grouped,
    };
    Ok((end > from).then_some(amount))
}

/// A magnitude at most a space on.
pub(super) fn magnitude(
    look: &Look<'_>,
    end: usize,
    money: bool,
) -> Result<Option<(usize, &'static str)>, More> {
    if let Some(found) = look.word(end, MAGNITUDES)? {
        return Ok(Some(found));
    }
    if money && let Some(found) = look.word(end, MONEY_MAGNITUDES)? {
        return Ok(Some(found));
    }
    if look.is(end, |c| c == ' ')? {
        return look.word(end + 1, MAGNITUDE_WORDS);
    }
    Ok(None)
}

pub(super) fn money(
    look: &Look<'_>,
    amount: &Amount,
    coin: Coin,
) -> Result<(Said, Option<Coin>), More> {
    let mut end = amount.end;
    let mut words = amount.words();
    let mut unit = if amount.is_one() {
        coin.whole.one
    } else {
        coin.whole.many
    };
    if let Some((after, magnitude)) = magnitude(look, end, true)? {
        (end, unit) = (after, coin.whole.many);
        words = format!("{words} {magnitude}");
    } else if let Some(paid) = small_money(amount, coin) {
        let said = Said { end, words: paid };
        return Ok((per(look, said)?, None));
    }
    if let Some((after, first)) = figures::dash(look, end)?
        && first.is_ascii_digit()
    {
        return Ok((
            Said {
                end: after,
                words: format!("{words} to"),
            },
            Some(coin),
        ));
    }
    if look.is(end, |c| c == '+')? {
        end += 1;
        unit = coin.whole.many;
        return Ok((
            Said {
                end,
                words: format!("{words} {unit} plus"),
            },
            None,
        ));
    }
    // "a $5-a-day habit"
    if look.is(end, |c| c == '-')? && look.is(end + 1, char::is_alphabetic)? {
        unit = coin.whole.one;
    }
    let said = Said {
        end,
        words: format!("{words} {unit}"),
    };
    Ok((per(look, said)?, None))
}

/// "twelve dollars and fifty cents" of "12.50".
fn small_money(amount: &Amount, coin: Coin) -> Option<String> {
    let part = coin.part.filter(|_| amount.decimals.len() == 2)?;
    let cents: u64 = amount.decimals.parse().ok()?;
    let part = if cents == 1 { part.one } else { part.many };
    let whole = if amount.is_one() || amount.figure == "1" {
        coin.whole.one
    } else {
        coin.whole.many
    };
    let wholes = numbers::cardinal(&amount.figure);
    Some(match (amount.figure.as_str(), cents) {
        (_, 0) => format!("{wholes} {whole}"),
        ("0" | "", _) => format!("{} {part}", numbers::number(cents)),
        _ => format!("{wholes} {whole} and {} {part}", numbers::number(cents)),
    })
}

/// "per month" of "/month".
pub(super) fn per(look: &Look<'_>, said: Said) -> Result<Said, More> {
    if look.is(said.end, |c| c == '/')?
        && let Some((end, unit)) = look.word(said.end + 1, PER)?
    {
        return Ok(Said {
            end,
            words: format!("{} per {unit}", said.words),
        });
    }
    Ok(said)
}
