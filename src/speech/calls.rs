//! Numbers that are called, texted or typed: said digit by digit, as nobody in need should have to work out
//! "nine hundred eighty-eight".

use super::amounts;
use super::dates::{Read, Said};
use super::figures::{self, Before};
use super::look::{Look, More};
use super::numbers;

/// Lines for people in need, and what is dialled in an emergency, wherever they stand.
const KNOWN: &[(&str, ())] = &[
    ("911", ()),
    ("988", ()),
    ("112", ()),
    ("999", ()),
    ("116 123", ()),
    ("116123", ()),
    ("741741", ()),
    ("741 741", ()),
    ("13 11 14", ()),
    ("131114", ()),
    ("85258", ()),
    ("1300 22 4636", ()),
    ("0800 111 000", ()),
];

/// Behind these, in small letters or not, a figure of three digits or more is a number to call.
const CALLS: &[&str] = &[
    "call",
    "dial",
    "text",
    "ring",
    "reach",
    "phone",
    "samaritans",
    "lifeline",
    "hotline",
    "helpline",
];

/// And behind these it is a name.
const NAMES: &[&str] = &["code", "pin", "zip", "ext", "extension", "room"];

/// And behind these and a verb, if it is long enough: "the code is 200 lines long".
const TOLD: &[&str] = &["code", "pin", "zip", "password", "passcode"];

/// How the states of a ZIP code are written.
const STATES: &str = "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM \
                      NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC";

/// What is counted, whatever stands before it.
const COUNTED: &[(&str, ())] = &[
    ("people", ()),
    ("clients", ()),
    ("customers", ()),
    ("users", ()),
    ("employees", ()),
    ("followers", ()),
    ("friends", ()),
    ("days", ()),
    ("weeks", ()),
    ("hours", ()),
    ("minutes", ()),
    ("times", ()),
    ("pages", ()),
    ("words", ()),
    ("lines", ()),
    ("characters", ()),
    ("bytes", ()),
    ("years", ()),
    ("steps", ()),
    ("points", ()),
    ("dollars", ()),
    ("euros", ()),
    ("pounds", ()),
    ("percent", ()),
    ("thousand", ()),
    ("million", ()),
    ("billion", ()),
    ("miles", ()),
];

/// "94103-1234", and "94103" behind a state.
fn zip(look: &Look<'_>, before: &str) -> Read {
    let end = look.digits(0)?;
    if end != 5 {
        return Ok(None);
    }
    let five = numbers::digits(look.slice(0, 5));
    if look.is(5, |c| c == '-')? && look.digits(6)? == 10 {
        let four = numbers::digits(look.slice(6, 10));
        let words = format!("{five}, {four}");
        return Ok((!look.is(10, char::is_alphanumeric)?).then_some(Said { end: 10, words }));
    }
    let is_state = before.len() == 2 && STATES.split(' ').any(|state| state == before);
    let is_zip = is_state && !is_counted(look, end)?;
    Ok(is_zip.then_some(Said { end, words: five }))
}

pub(super) fn called(look: &Look<'_>, before: Before<'_>) -> Read {
    if let Some(said) = zip(look, before.word)? {
        return Ok(Some(said));
    }
    let stands = |word: &str, words: &[&str]| words.iter().any(|w| w.eq_ignore_ascii_case(word));
    let is = |words: &[&str]| stands(before.word, words);
    let known = look.word(0, KNOWN)?.map(|(end, ())| end);
    let is_told = is(&["is", "was"]) && stands(before.earlier, TOLD) && look.digits(0)? > 3;
    let (is_call, is_name) = (is(CALLS), is(NAMES) || is(TOLD) || is_told);
    if known.is_none() && !is_call && !is_name {
        return Ok(None);
    }
    let end = match known {
        Some(end) => end,
        None => look.digits(0)?,
    };
    let figure = look.slice(0, end);
    let is_year = known.is_none()
        && is_call
        && figure.len() == 4
        && (figure.starts_with("19") || figure.starts_with("20"));
    if figure.len() < 3 || is_year || is_counted(look, end)? {
        return Ok(None);
    }
    let groups: Vec<String> = figure.split(' ').map(numbers::digits).collect();
    Ok(Some(Said {
        end,
        words: groups.join(", "),
    }))
}

/// Whether the figure that ends here goes on, or something is counted by it.
fn is_counted(look: &Look<'_>, end: usize) -> Result<bool, More> {
    let joins =
        look.is(end, |c| ".,:/-–'’".contains(c))? && look.is(end + 1, |c| c.is_ascii_digit())?;
    if joins || look.is(end, |c| c.is_alphanumeric() || "+%°€£$×".contains(c))? {
        return Ok(true);
    }
    if figures::unit_of(look, end, true)?.is_some()
        || amounts::magnitude(look, end, false)?.is_some()
    {
        return Ok(true);
    }
    Ok(look.is(end, |c| c == ' ')?
        && (look.word(end + 1, COUNTED)?.is_some() || look.is(end + 1, |c| "+-=×÷".contains(c))?))
}
