//! Reads the page of metrics that we write ourselves: Prometheus' text, version 0.0.4.
//!
//! A line that it cannot read it passes over, since a page of metrics is no reason to fail.

/// A metric with all its series.
#[derive(Debug, Default)]
pub(super) struct Family<'p> {
    pub(super) name: &'p str,
    pub(super) help: &'p str,
    pub(super) kind: &'p str,
    pub(super) samples: Vec<Sample<'p>>,
}

/// One line of it.
#[derive(Debug, PartialEq)]
pub(super) struct Sample<'p> {
    /// What follows the metric's name: `_bucket`, `_sum`, `_count`, or nothing.
    pub(super) part: &'p str,
    pub(super) labels: Vec<(&'p str, String)>,
    /// A bucket's upper bound, which is no label of the series.
    pub(super) bound: Option<f64>,
    pub(super) value: f64,
}

/// Every metric of the page, in its order.
pub(super) fn families(page: &str) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    let mut help = ("", "");
    for line in page.lines() {
        if let Some(told) = line.strip_prefix("# HELP ") {
            help = told.split_once(' ').unwrap_or((told, ""));
        } else if let Some(told) = line.strip_prefix("# TYPE ") {
            let (name, kind) = told.split_once(' ').unwrap_or((told, ""));
            families.push(Family {
                name,
                help: if help.0 == name { help.1 } else { "" },
                kind,
                samples: Vec::new(),
            });
        } else if let Some(family) = families.last_mut()
            && let Some(sample) = sample(family.name, line)
        {
            family.samples.push(sample);
        }
    }
    families
}

fn sample<'p>(name: &str, line: &'p str) -> Option<Sample<'p>> {
    let rest = line.strip_prefix(name)?;
    let end = rest.find(['{', ' '])?;
    let (part, rest) = rest.split_at(end);
    let (mut labels, value) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let at = labels.iter().position(|(label, _)| *label == "le");
    let bound = at.map(|at| labels.remove(at).1);
    Some(Sample {
        part,
        labels,
        bound: bound.and_then(|bound| bound.parse().ok()),
        value: value.trim().parse().ok()?,
    })
}

/// The labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            let (at, c) = chars.next()?;
            match c {
                '"' => break at,
                '\\' => match chars.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                c => value.push(c),
            }
        };
        labels.push((name, value));
        rest = after.get(end + 1..)?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_page_is_too_odd(page in "(# (HELP|TYPE) )?[a-z_{}=\"\\\\, 0-9.\n]{0,200}") {
            let _ = families(&page);
        }
    }

    #[test]
    fn a_line_is_a_part_labels_a_bound_and_a_value() {
        let page = "# HELP a Some help.\n# TYPE a histogram\na_bucket{x=\"1\",le=\"+Inf\"} 4\n\
            a_sum{x=\"1\"} 2.5\nrubbish\na_count{x=\"1} 3\n";
        let families = families(page);
        assert_eq!(families[0].help, "Some help.");
        let samples = &families[0].samples;
        assert_eq!(samples.len(), 2, "{samples:?}");
        assert_eq!(samples[0].part, "_bucket");
        assert_eq!(samples[0].bound, Some(f64::INFINITY));
        assert_eq!(samples[0].labels, [("x", "1".to_owned())]);
        assert!((samples[1].value - 2.5).abs() < 1e-9);
    }
}
