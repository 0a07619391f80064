//! What making an answer speakable costs, per token: plain words, which are nearly all of them, and
//! an answer with figures and marks. Figures: `docs/BENCH.md`.

#[path = "common/answer.rs"]
mod answer;

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use quest_clm::speech::{Filter, Language, normalize};

use answer::{MIXED, PLAIN, tokens};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    speech_filter(&mut criterion);
    criterion.final_summary();
}

fn speech_filter(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("speech/filter");
    for (name, text) in [("plain words", PLAIN), ("mixed answer", MIXED)] {
        let tokens = tokens(text);
        let mut whole = String::new();
        say(&tokens, &mut whole);
        assert_eq!(whole, normalize(text, Language::English));
        group.throughput(Throughput::Elements(tokens.len() as u64));
        let mut out = String::with_capacity(4 * text.len());
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                say(black_box(&tokens), &mut out);
                black_box(&out);
            });
        });
    }
    group.finish();
}

/// A whole answer, token by token, its filter included.
fn say(tokens: &[&str], out: &mut String) {
    let mut filter = Filter::new(Language::English);
    for token in tokens {
        filter.push(token, out);
    }
    filter.end(out);
}
