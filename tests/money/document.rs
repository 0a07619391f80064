//! What `docs/SAVINGS.md` says of the day, in two parts that are written by the test: what went in,
//! and what came out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use quest_clm::coach::Roster;
use quest_clm::routing::catalog::Catalog;
use quest_clm::turn::{Tier, TurnRecord};
use serde_json::Value;

use crate::day::{self, COACHES, FAULTS, LENGTHS, SESSIONS, TIERS};

/// Dollars a million tokens, in and out: what the baseline costs where nothing else is set.
const BASELINE: (f64, f64) = (10.0, 30.0);
/// A third more.
const MORE: f64 = 4.0 / 3.0;

/// Models of this year that somebody may use for everything.
const OTHER_BASELINES: &[&str] = &[
    "openai/gpt-6.1-terra",
    "anthropic/claude-sonnet-5",
    "anthropic/claude-opus-5",
];

pub(crate) fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/SAVINGS.md")
}

fn marks(name: &str) -> (String, String) {
    let begin = format!("<!-- {name}: written by tests/money -->\n\n");
    (begin, format!("\n<!-- end of {name} -->"))
}

/// A part that the test writes.
pub(crate) fn part<'a>(document: &'a str, name: &str) -> &'a str {
    let (begin, end) = marks(name);
    let (_, rest) = document
        .split_once(&begin)
        .unwrap_or_else(|| panic!("{name}"));
    rest.split_once(&end).unwrap().0
}

/// The document with both parts as they are now.
pub(crate) fn filled(document: &str, figures: &Figures) -> String {
    let mut filled = document.to_owned();
    for (name, text) in [("inputs", figures.inputs()), ("result", figures.result())] {
        let (begin, end) = marks(name);
        let (before, rest) = filled.split_once(&begin).unwrap();
        let (_, after) = rest.split_once(&end).unwrap();
        filled = format!("{before}{begin}{text}{end}{after}");
    }
    filled
}

/// Per cent saved, of each row of the report's table.
pub(crate) fn shares(result: &str) -> BTreeMap<String, f64> {
    let rows = result.lines().filter(|line| line.ends_with(" % |"));
    rows.filter_map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let share = cells[cells.len() - 2].strip_suffix(" %")?.parse().unwrap();
        (cells.len() == 8).then(|| (format!("{}, {}", cells[1], cells[2]), share))
    })
    .collect()
}

/// What the day came to.
pub(crate) struct Figures {
    /// `GET /v1/analytics/savings`.
    pub(crate) report: Value,
    /// What upstream lists.
    pub(crate) prices: Value,
    pub(crate) turns: Vec<TurnRecord>,
}

impl Figures {
    pub(crate) fn saved(&self) -> f64 {
        let saved = &self.report["totals"]["saved_percent"];
        saved.as_f64().unwrap()
    }

    /// Everything that the figures hang on.
    pub(crate) fn inputs(&self) -> String {
        let mut text = String::new();
        let turns = SESSIONS * LENGTHS.iter().sum::<usize>() / LENGTHS.len();
        writeln!(text, "{SESSIONS} sessions, {turns} turns.\n").unwrap();
        let coaches = COACHES
            .iter()
            .map(|(c, share)| format!("{c} {} %", share * 5));
        let tiers = TIERS
            .iter()
            .map(|(t, share)| format!("{t} {} %", share * 10));
        let lengths = LENGTHS.iter().map(ToString::to_string);
        for (what, values) in [
            ("Coaches", coaches.collect::<Vec<_>>()),
            ("Tiers, in each coach's share", tiers.collect()),
            ("Turns of a session, each as frequent", lengths.collect()),
        ] {
            writeln!(text, "- {what}: {}.", values.join(", ")).unwrap();
        }
        let share = 100 / day::DEMANDING;
        writeln!(
            text,
            "- Turns that ask for more than most: {share} % of those after a session's first."
        )
        .unwrap();
        writeln!(
            text,
            "- Callers who are gone in mid-word: in one session of {}, at its last turn.",
            day::GONE
        )
        .unwrap();
        for (times, _, what) in FAULTS {
            let share = f64::from(u32::try_from(*times).unwrap()) / 10.0;
            writeln!(text, "- Model calls that are {what}: {share} %.").unwrap();
        }
        let (input, output) = BASELINE;
        writeln!(
            text,
            "- Baseline: openai/gpt-4-turbo at ${input} in and ${output} out, list price, `BASELINE_*`.\n"
        )
        .unwrap();
        self.models(&mut text);
        text
    }

    /// The roster's models with what upstream charges for them.
    fn models(&self, text: &mut String) {
        text.push_str("| coach | free (cost-saving) | paid (balanced) | paid and demanding (high) | fallback |\n|---|---|---|---|---|\n");
        let roster = Roster::built_in().unwrap();
        let mut used = BTreeSet::new();
        for (coach, _) in COACHES {
            let models = &roster.get(coach).unwrap().models;
            let row = [
                &models.cost_saving,
                &models.balanced,
                &models.high,
                &models.fallback,
            ];
            used.extend(row.map(String::clone));
            let [a, b, c, d] = row;
            writeln!(text, "| {coach} | {a} | {b} | {c} | {d} |").unwrap();
        }
        text.push_str("\n| model | $ a million in | $ a million out |\n|---|---|---|\n");
        for model in used {
            let (input, output) = self.price(&model);
            writeln!(text, "| {model} | {input:.2} | {output:.2} |").unwrap();
        }
    }

    /// Dollars a million tokens of a model, in and out, as upstream lists them: what the house knows
    /// without asking.
    fn price(&self, model: &str) -> (f64, f64) {
        let listed = self.prices["data"].as_array().unwrap();
        let row = listed.iter().find(|row| row["id"] == model).unwrap();
        let of = |part: &str| {
            let dollars: f64 = row["pricing"][part].as_str().unwrap().parse().unwrap();
            dollars * 1e6
        };
        let price = (of("prompt"), of("completion"));
        let known = Catalog::default().price(model).unwrap();
        let known = [known.input, known.output].map(|micro| float(micro.0) / 1e6);
        let is_known = (known[0] - price.0).abs() + (known[1] - price.1).abs() < 1e-6;
        assert!(is_known, "{model}: {known:?}, and {price:?} listed");
        price
    }

    /// The report, and what it would be if some of what was taken for granted were otherwise.
    pub(crate) fn result(&self) -> String {
        let mut text = String::new();
        text.push_str(
            "| coach | tier | turns | paid | baseline | saved |\n|---|---|---|---|---|---|\n",
        );
        let items = self.report["items"].as_array().unwrap();
        for item in items {
            row(
                &mut text,
                (text_of(item, "coach"), text_of(item, "tier")),
                item,
            );
        }
        let mut tiers: BTreeMap<&str, Sum> = BTreeMap::new();
        let mut coaches: BTreeMap<&str, Sum> = BTreeMap::new();
        for item in items {
            tiers.entry(text_of(item, "tier")).or_default().add(item);
            coaches.entry(text_of(item, "coach")).or_default().add(item);
        }
        for (coach, sum) in &coaches {
            sum.row(&mut text, (coach, "all"));
        }
        for (tier, sum) in &tiers {
            sum.row(&mut text, ("all", tier));
        }
        row(&mut text, ("all", "all"), &self.report["totals"]);
        text.push('\n');
        self.seen(&mut text);
        text.push_str("\n| if | saved |\n|---|---|\n");
        for (what, share) in self.otherwise(&tiers) {
            writeln!(text, "| {what} | {share:.1} % |").unwrap();
        }
        text
    }

    /// What of the day can be counted.
    fn seen(&self, text: &mut String) {
        let count = float(self.turns.len());
        let share = |hits: usize| float(hits) / count * 100.0;
        let of = |test: fn(&TurnRecord) -> bool| self.turns.iter().filter(|t| test(t)).count();
        let mean = |tokens: fn(&TurnRecord) -> Option<u64>| {
            let sum: u64 = self.turns.iter().filter_map(tokens).sum();
            float(sum) / count
        };
        writeln!(
            text,
            "Of these turns {:.1} % were above the threshold of complexity, {:.1} % were hedged, {:.1} % were \
             gone on with by another model, {:.1} % were left by their caller. A turn had {:.0} tokens in and \
             {:.0} out; one session's history is sent again with each of its turns.",
            share(of(|t| t.complexity.is_some_and(|c| c > 0.8))),
            share(of(|t| t.hedged)),
            share(of(|t| t.continued)),
            share(of(|t| t.outcome.to_string() == "interrupted")),
            mean(|t| t.prompt_tokens),
            mean(|t| t.completion_tokens),
        )
        .unwrap();
    }

    /// Per cent saved under other assumptions.
    fn otherwise(&self, tiers: &BTreeMap<&str, Sum>) -> Vec<(String, f64)> {
        let paying = ["premium", "enterprise"].map(|tier| &tiers[tier]);
        let paid: f64 = paying.iter().map(|sum| sum.paid).sum();
        let would: f64 = paying.iter().map(|sum| sum.would).sum();
        let all: f64 = tiers.values().map(|sum| sum.paid).sum();
        let baseline: f64 = tiers.values().map(|sum| sum.would).sum();
        let roster = Roster::built_in().unwrap();
        let high = dearest_of(self, &roster);
        let dearest = |turn: &TurnRecord| match turn.tier {
            Tier::Free => {
                let models = &roster.get(&turn.coach).unwrap().models;
                cost(self.price(&models.cost_saving), tokens(turn))
            }
            Tier::Premium | Tier::Enterprise => high(turn),
        };
        let dearest: f64 = self.turns.iter().map(dearest).sum();
        let longer = self.counted(|_| (1.0, MORE), (1.0, MORE));
        let wordy = |model: &str| match model.starts_with("anthropic/") {
            true => (MORE, MORE),
            false => (1.0, 1.0),
        };
        let wordy = self.counted(wordy, (1.0, 1.0));
        let once: f64 = self.turns.iter().map(heard_once).sum();
        let assumed = [
            ("nobody were on the free tier", saved(paid, would)),
            (
                "every paid turn were a demanding one",
                saved(dearest, baseline),
            ),
            (
                "every turn were a paid and a demanding one",
                self.worst(&high),
            ),
            ("answers had a third more tokens", longer),
            (
                "Claude models counted a third more tokens than the baseline for the same words",
                wordy,
            ),
            (
                "the baseline paid for no other call of a turn than the one whose words came last",
                saved(all, once),
            ),
        ];
        let assumed = assumed.map(|(what, share)| (what.to_owned(), share));
        let others = OTHER_BASELINES.iter().map(|model| {
            let price = self.price(model);
            let would = self
                .turns
                .iter()
                .map(|turn| cost(price, tokens(turn)))
                .sum();
            (format!("the baseline were {model}"), saved(all, would))
        });
        assumed.into_iter().chain(others).collect()
    }

    /// Every turn on its coach's dearest model.
    fn worst(&self, dearest: &dyn Fn(&TurnRecord) -> f64) -> f64 {
        let would = self.turns.iter().map(|turn| cost(BASELINE, tokens(turn)));
        saved(self.turns.iter().map(dearest).sum(), would.sum())
    }

    /// The same if tokens in and out were so many times as many: a model's, and the baseline's.
    fn counted(&self, of_model: impl Fn(&str) -> (f64, f64), of_baseline: (f64, f64)) -> f64 {
        let calls = self.turns.iter().flat_map(|turn| &turn.attempts);
        let (mut paid, mut would) = (0.0, 0.0);
        for call in calls {
            let (input, output) = read(call.prompt_tokens, call.completion_tokens);
            let times = |(i, o): (f64, f64)| (input * i, output * o);
            paid += cost(self.price(&call.model), times(of_model(&call.model)));
            would += cost(BASELINE, times(of_baseline));
        }
        saved(paid, would)
    }
}

fn dearest_of<'a>(figures: &'a Figures, roster: &'a Roster) -> impl Fn(&TurnRecord) -> f64 + 'a {
    move |turn| {
        let models = &roster.get(&turn.coach).unwrap().models;
        cost(figures.price(&models.high), tokens(turn))
    }
}

/// What the baseline would cost for the call whose words came last, and no other.
fn heard_once(turn: &TurnRecord) -> f64 {
    let mut calls = turn.attempts.iter();
    let call = calls.find(|call| call.generation_id == turn.generation_id);
    call.map_or(0.0, |call| {
        cost(BASELINE, read(call.prompt_tokens, call.completion_tokens))
    })
}

fn tokens(turn: &TurnRecord) -> (f64, f64) {
    read(turn.prompt_tokens, turn.completion_tokens)
}

fn read(input: Option<u64>, output: Option<u64>) -> (f64, f64) {
    let float = |n: Option<u64>| f64::from(u32::try_from(n.unwrap_or(0)).unwrap());
    (float(input), float(output))
}

/// Dollars for so many tokens in and out.
fn cost(price: (f64, f64), tokens: (f64, f64)) -> f64 {
    (tokens.0 * price.0 + tokens.1 * price.1) / 1e6
}

fn float<N: TryInto<u32>>(n: N) -> f64 {
    f64::from(n.try_into().ok().unwrap())
}

fn saved(paid: f64, would: f64) -> f64 {
    (would - paid) / would * 100.0
}

fn text_of<'a>(item: &'a Value, field: &str) -> &'a str {
    item[field].as_str().unwrap()
}

fn dollars(item: &Value, field: &str) -> f64 {
    text_of(item, field).parse().unwrap()
}

fn row(text: &mut String, (coach, tier): (&str, &str), item: &Value) {
    let mut sum = Sum::default();
    sum.add(item);
    let told = item["saved_percent"].as_f64().unwrap();
    assert!((saved(sum.paid, sum.would) - told).abs() < 0.06, "{item}");
    sum.row(text, (coach, tier));
}

#[derive(Default)]
struct Sum {
    turns: u64,
    paid: f64,
    would: f64,
}

impl Sum {
    fn add(&mut self, item: &Value) {
        self.turns += item["count"].as_u64().unwrap();
        self.paid += dollars(item, "cost_usd");
        self.would += dollars(item, "baseline_usd");
    }

    fn row(&self, text: &mut String, (coach, tier): (&str, &str)) {
        let Self { turns, paid, would } = self;
        let share = saved(*paid, *would);
        writeln!(
            text,
            "| {coach} | {tier} | {turns} | ${paid:.2} | ${would:.2} | {share:.1} % |"
        )
        .unwrap();
    }
}
