//! Figures into English words: cardinals, ordinals, years, digits one by one. Pure spelling; what a
//! figure means is decided in `figures` and `dates`.

const SMALL: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = [
    "", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];
const SCALES: [&str; 5] = ["", " thousand", " million", " billion", " trillion"];

/// Beyond so many digits a number is an identifier.
const MAX_DIGITS: usize = 15;

fn pick(table: &[&'static str], at: u64) -> &'static str {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    table.get(at).copied().unwrap_or_default()
}

/// 0 to 99.
fn below_hundred(n: u64) -> String {
    match n {
        0..20 => pick(&SMALL, n).to_owned(),
        _ if n.is_multiple_of(10) => pick(&TENS, n / 10).to_owned(),
        _ => format!("{}-{}", pick(&TENS, n / 10), pick(&SMALL, n % 10)),
    }
}

fn below_thousand(n: u64) -> String {
    match (n / 100, n % 100) {
        (0, rest) => below_hundred(rest),
        (hundreds, 0) => format!("{} hundred", pick(&SMALL, hundreds)),
        (hundreds, rest) => format!("{} hundred {}", pick(&SMALL, hundreds), below_hundred(rest)),
    }
}

/// "eighty-five thousand"; below 10^15.
pub(super) fn number(n: u64) -> String {
    if n == 0 {
        return "zero".to_owned();
    }
    let mut words: Vec<String> = Vec::new();
    let (mut rest, mut scale) = (n, 0);
    while rest > 0 {
        if rest % 1000 > 0 {
            words.push(format!(
                "{}{}",
                below_thousand(rest % 1000),
                pick(&SCALES, scale)
            ));
        }
        (rest, scale) = (rest / 1000, scale + 1);
    }
    words.reverse();
    words.join(" ")
}

/// "eighty-five thousand" of "85000". Leading zeros and long numbers are said digit by digit.
pub(super) fn cardinal(figure: &str) -> String {
    let is_name = figure.len() > 1 && figure.starts_with('0');
    match figure.parse() {
        Ok(n) if !is_name && figure.len() <= MAX_DIGITS => number(n),
        _ => digits(figure),
    }
}

/// "four one five" of "415".
pub(super) fn digits(figure: &str) -> String {
    let digits = figure.chars().filter_map(|c| c.to_digit(10));
    let words: Vec<&str> = digits.map(|d| pick(&SMALL, u64::from(d))).collect();
    words.join(" ")
}

/// "twenty-first" of 21.
pub(super) fn ordinal(n: u64) -> String {
    let words = number(n);
    let at = words.rfind([' ', '-']).map_or(0, |at| at + 1);
    let (before, last) = words.split_at(at);
    let last = match last {
        "one" => "first".to_owned(),
        "two" => "second".to_owned(),
        "three" => "third".to_owned(),
        "five" => "fifth".to_owned(),
        "eight" => "eighth".to_owned(),
        "nine" => "ninth".to_owned(),
        "twelve" => "twelfth".to_owned(),
        last => match last.strip_suffix('y') {
            Some(stem) => format!("{stem}ieth"),
            None => format!("{last}th"),
        },
    };
    format!("{before}{last}")
}

/// "twenty twenty-six", "nineteen oh five", "two thousand five".
pub(super) fn year(n: u64) -> String {
    match (n / 100, n % 100) {
        (century, 0) if century.is_multiple_of(10) => number(n),
        (century, 0) => format!("{} hundred", below_hundred(century)),
        (20, rest @ 1..10) => format!("two thousand {}", pick(&SMALL, rest)),
        (century, rest @ 1..10) => format!("{} oh {}", below_hundred(century), pick(&SMALL, rest)),
        (century, rest) => format!("{} {}", below_hundred(century), below_hundred(rest)),
    }
}

/// Whether a bare figure reads as a year: "1984", "2026", and "1500 words" no worse.
pub(super) fn is_year(figure: &str) -> bool {
    figure.len() == 4 && matches!(figure.parse(), Ok(1100..2100))
}

/// "minutes past": "oh five" of 5, "thirty" of 30.
pub(super) fn minutes(n: u64) -> String {
    match n {
        0..10 => format!("oh {}", pick(&SMALL, n)),
        _ => below_hundred(n),
    }
}

/// "nineties" of "ninety".
pub(super) fn plural(words: &str) -> String {
    match words.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if words.ends_with('x') => format!("{words}es"),
        None => format!("{words}s"),
    }
}

/// "three quarters", "one half"; the parts of a whole cut in `of`.
pub(super) fn fraction(parts: u64, of: u64) -> String {
    let part = match of {
        2 if parts == 1 => "half".to_owned(),
        2 => "halves".to_owned(),
        4 if parts == 1 => "quarter".to_owned(),
        4 => "quarters".to_owned(),
        of if parts == 1 => ordinal(of),
        of => format!("{}s", ordinal(of)),
    };
    format!("{} {part}", number(parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_spelled() {
        for (figure, words) in [
            ("0", "zero"),
            ("13", "thirteen"),
            ("85000", "eighty-five thousand"),
            ("1000001", "one million one"),
            (
                "999999999999999",
                "nine hundred ninety-nine trillion nine hundred ninety-nine billion nine hundred ninety-nine million nine hundred ninety-nine thousand nine hundred ninety-nine",
            ),
            ("007", "zero zero seven"),
            (
                "1000000000000000",
                "one zero zero zero zero zero zero zero zero zero zero zero zero zero zero zero",
            ),
        ] {
            assert_eq!(cardinal(figure), words);
        }
        for (n, words) in [
            (1, "first"),
            (12, "twelfth"),
            (20, "twentieth"),
            (23, "twenty-third"),
            (100, "one hundredth"),
            (111, "one hundred eleventh"),
        ] {
            assert_eq!(ordinal(n), words);
        }
        for (n, words) in [
            (1905, "nineteen oh five"),
            (1900, "nineteen hundred"),
            (2000, "two thousand"),
            (2009, "two thousand nine"),
            (2026, "twenty twenty-six"),
        ] {
            assert_eq!(year(n), words);
        }
        assert_eq!(
            (fraction(1, 2), fraction(3, 4)),
            ("one half".to_owned(), "three quarters".to_owned())
        );
    }
}
