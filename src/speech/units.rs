//! Signs, and what stands behind a figure: units, coins, magnitudes, said of one and of many.

use super::look::{Look, More};

/// A unit of one thing and of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) one: &'static str,
    pub(super) many: &'static str,
}

const fn unit(one: &'static str, many: &'static str) -> Unit {
    Unit { one, many }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Coin {
    pub(super) whole: Unit,
    /// A hundredth of it, where people pay with such.
    pub(super) part: Option<Unit>,
}

// Coins that are written in more ways than one.
const US_DOLLAR: Unit = unit("US dollar", "US dollars");
const CANADIAN_DOLLAR: Unit = unit("Canadian dollar", "Canadian dollars");
const NEW_ZEALAND_DOLLAR: Unit = unit("New Zealand dollar", "New Zealand dollars");
const HONG_KONG_DOLLAR: Unit = unit("Hong Kong dollar", "Hong Kong dollars");
const SINGAPORE_DOLLAR: Unit = unit("Singapore dollar", "Singapore dollars");
const EURO: Unit = unit("euro", "euros");
const POUND: Unit = unit("pound", "pounds");
const YEN: Unit = unit("yen", "yen");
const SWISS_FRANC: Unit = unit("Swiss franc", "Swiss francs");

const CENT: Option<Unit> = Some(unit("cent", "cents"));
const PENNY: Option<Unit> = Some(unit("penny", "pence"));

pub(super) fn coin(symbol: char) -> Option<Coin> {
    let (whole, part) = match symbol {
        '$' => (unit("dollar", "dollars"), CENT),
        '€' => (EURO, CENT),
        '£' => (POUND, PENNY),
        '¥' => (YEN, None),
        '₹' => (unit("rupee", "rupees"), Some(unit("paisa", "paise"))),
        '₽' => (unit("ruble", "rubles"), None),
        '₩' => (unit("won", "won"), None),
        '₿' => (unit("bitcoin", "bitcoins"), None),
        _ => return None,
    };
    Some(Coin { whole, part })
}

/// What stands before an amount instead of a coin's sign alone. None that begins with "A" or "I", which are
/// words that are never held: "A$5" is said as "A five dollars".
const MARKED: &[(&str, Unit)] = &[
    ("US$", US_DOLLAR),
    ("CA$", CANADIAN_DOLLAR),
    ("C$", CANADIAN_DOLLAR),
    ("NZ$", NEW_ZEALAND_DOLLAR),
    ("HK$", HONG_KONG_DOLLAR),
    ("S$", SINGAPORE_DOLLAR),
    ("R$", unit("real", "reais")),
    ("USD", US_DOLLAR),
    ("EUR", EURO),
    ("GBP", POUND),
    ("CAD", CANADIAN_DOLLAR),
    ("NZD", NEW_ZEALAND_DOLLAR),
    ("HKD", HONG_KONG_DOLLAR),
    ("SGD", SINGAPORE_DOLLAR),
    ("CHF", SWISS_FRANC),
    ("JPY", YEN),
    ("CNY", unit("yuan", "yuan")),
    ("SEK", unit("Swedish krona", "Swedish kronor")),
    ("NOK", unit("Norwegian krone", "Norwegian kroner")),
    ("DKK", unit("Danish krone", "Danish kroner")),
];

/// Whether these letters are, or may become, what stands before an amount.
pub(super) fn begins_marked(letters: &str) -> bool {
    // Nearly every word is told from them by its first letter or its length.
    letters.len() <= 3
        && letters.starts_with(|c: char| c.is_ascii_uppercase())
        && MARKED
            .iter()
            .any(|(written, _)| written.trim_end_matches('$').starts_with(letters))
}

/// The coin that is named here and the amount of it that follows: where that begins.
pub(super) fn marked(look: &Look<'_>) -> Result<Option<(usize, Coin)>, More> {
    if !look.is(0, |c| c.is_ascii_uppercase())? {
        return Ok(None);
    }
    for (written, whole) in MARKED {
        if !look.has(0, written)? {
            continue;
        }
        let gap = usize::from(!written.ends_with('$'));
        let from = look.run(written.len(), gap, |c| c == ' ')?;
        if look.is(from, |c| c.is_ascii_digit())? {
            let whole = *whole;
            let part = match whole {
                EURO => CENT,
                POUND => PENNY,
                _ if written.ends_with('$') || whole.one.ends_with("dollar") => CENT,
                _ => None,
            };
            return Ok(Some((from, Coin { whole, part })));
        }
    }
    Ok(None)
}

/// Signs that are always words.
pub(super) fn sign(c: char) -> Option<&'static str> {
    Some(match c {
        '%' => "percent",
        '+' => "plus",
        '=' => "equals",
        '±' => "plus or minus",
        '−' => "minus",
        '×' => "times",
        '÷' => "divided by",
        '≈' => "about",
        '≥' => "at least",
        '≤' => "at most",
        '≠' => "is not",
        '→' | '⇒' | '➔' | '➜' => "to",
        '°' => "degrees",
        '²' => "squared",
        '³' => "cubed",
        '√' => "root",
        '∞' => "infinity",
        '№' => "number",
        '§' => "section",
        '¢' => "cents",
        '‰' => "per mille",
        '@' => "at",
        '#' => "number",
        '⁄' => "over",
        _ => return None,
    })
}

/// After a figure, with or without a space: nothing else is written so.
pub(super) const SPACED: &[(&str, Unit)] = &[
    ("km", unit("kilometer", "kilometers")),
    ("cm", unit("centimeter", "centimeters")),
    ("mm", unit("millimeter", "millimeters")),
    ("kg", unit("kilogram", "kilograms")),
    ("mg", unit("milligram", "milligrams")),
    ("mi", unit("mile", "miles")),
    ("lb", unit("pound", "pounds")),
    ("lbs", unit("pound", "pounds")),
    ("oz", unit("ounce", "ounces")),
    ("in.", unit("inch", "inches")),
    ("ft", unit("foot", "feet")),
    ("ml", unit("milliliter", "milliliters")),
    ("mL", unit("milliliter", "milliliters")),
    ("mph", unit("mile per hour", "miles per hour")),
    ("kph", unit("kilometer per hour", "kilometers per hour")),
    ("wpm", unit("word per minute", "words per minute")),
    ("bpm", unit("beat per minute", "beats per minute")),
    ("hr", unit("hour", "hours")),
    ("hrs", unit("hour", "hours")),
    ("min", unit("minute", "minutes")),
    ("mins", unit("minute", "minutes")),
    ("sec", unit("second", "seconds")),
    ("secs", unit("second", "seconds")),
    ("ms", unit("millisecond", "milliseconds")),
    ("wk", unit("week", "weeks")),
    ("wks", unit("week", "weeks")),
    ("mo", unit("month", "months")),
    ("mos", unit("month", "months")),
    ("yr", unit("year", "years")),
    ("yrs", unit("year", "years")),
    ("KB", unit("kilobyte", "kilobytes")),
    ("kB", unit("kilobyte", "kilobytes")),
    ("MB", unit("megabyte", "megabytes")),
    ("GB", unit("gigabyte", "gigabytes")),
    ("TB", unit("terabyte", "terabytes")),
    ("Mbps", unit("megabit per second", "megabits per second")),
    ("Gbps", unit("gigabit per second", "gigabits per second")),
    ("kWh", unit("kilowatt hour", "kilowatt hours")),
    ("kW", unit("kilowatt", "kilowatts")),
    ("Hz", unit("hertz", "hertz")),
    ("kHz", unit("kilohertz", "kilohertz")),
    ("MHz", unit("megahertz", "megahertz")),
    ("GHz", unit("gigahertz", "gigahertz")),
    ("kcal", unit("kilocalorie", "kilocalories")),
    ("fps", unit("frame per second", "frames per second")),
    ("px", unit("pixel", "pixels")),
    ("bps", unit("basis point", "basis points")),
    ("USD", US_DOLLAR),
    ("EUR", EURO),
    ("GBP", POUND),
    ("CAD", CANADIAN_DOLLAR),
    ("AUD", unit("Australian dollar", "Australian dollars")),
    ("JPY", YEN),
    ("INR", unit("rupee", "rupees")),
    ("CHF", SWISS_FRANC),
];

/// Only right behind a figure: with a space they could be words or names.
pub(super) const ATTACHED: &[(&str, Unit)] = &[
    ("m", unit("meter", "meters")),
    ("g", unit("gram", "grams")),
    ("s", unit("second", "seconds")),
    ("h", unit("hour", "hours")),
    ("d", unit("day", "days")),
    ("w", unit("week", "weeks")),
    ("y", unit("year", "years")),
    ("in", unit("inch", "inches")),
    ("x", unit("time", "times")),
    ("X", unit("time", "times")),
    ("L", unit("liter", "liters")),
    ("l", unit("liter", "liters")),
    ("V", unit("volt", "volts")),
    ("W", unit("watt", "watts")),
    ("pp", unit("percentage point", "percentage points")),
];

/// Signs right behind a figure or one space on.
pub(super) const SIGNS: &[(&str, Unit)] = &[
    ("%", unit("percent", "percent")),
    ("‰", unit("per mille", "per mille")),
    ("°C", unit("degree Celsius", "degrees Celsius")),
    ("°F", unit("degree Fahrenheit", "degrees Fahrenheit")),
    ("° C", unit("degree Celsius", "degrees Celsius")),
    ("° F", unit("degree Fahrenheit", "degrees Fahrenheit")),
    ("°", unit("degree", "degrees")),
    ("€", EURO),
    ("£", POUND),
    ("¢", unit("cent", "cents")),
    ("₹", unit("rupee", "rupees")),
    ("m²", unit("square meter", "square meters")),
    ("km²", unit("square kilometer", "square kilometers")),
    ("m³", unit("cubic meter", "cubic meters")),
    ("sq ft", unit("square foot", "square feet")),
    ("km/h", unit("kilometer per hour", "kilometers per hour")),
    ("m/s", unit("meter per second", "meters per second")),
    ("µs", unit("microsecond", "microseconds")),
    ("μs", unit("microsecond", "microseconds")),
];

/// Right behind a figure.
pub(super) const MAGNITUDES: &[(&str, &str)] = &[
    ("k", "thousand"),
    ("K", "thousand"),
    ("M", "million"),
    ("mn", "million"),
    ("MM", "million"),
    ("bn", "billion"),
    ("T", "trillion"),
    ("tn", "trillion"),
];
/// Money has a million more way to be written.
pub(super) const MONEY_MAGNITUDES: &[(&str, &str)] = &[
    ("m", "million"),
    ("mil", "million"),
    ("B", "billion"),
    ("b", "billion"),
];

/// Behind a space.
pub(super) const MAGNITUDE_WORDS: &[(&str, &str)] = &[
    ("thousand", "thousand"),
    ("million", "million"),
    ("billion", "billion"),
    ("trillion", "trillion"),
];

/// What a figure is counted per, behind a slash.
pub(super) const PER: &[(&str, &str)] = &[
    ("h", "hour"),
    ("hr", "hour"),
    ("hour", "hour"),
    ("d", "day"),
    ("day", "day"),
    ("wk", "week"),
    ("week", "week"),
    ("mo", "month"),
    ("month", "month"),
    ("quarter", "quarter"),
    ("yr", "year"),
    ("y", "year"),
    ("year", "year"),
    ("min", "minute"),
    ("minute", "minute"),
    ("s", "second"),
    ("sec", "second"),
    ("second", "second"),
    ("night", "night"),
    ("person", "person"),
    ("user", "user"),
    ("unit", "unit"),
    ("session", "session"),
    ("seat", "seat"),
    ("kg", "kilogram"),
    ("lb", "pound"),
];
