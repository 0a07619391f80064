//! What making an answer speakable costs, per token: plain words, which are nearly all of them, and
//! an answer with figures and marks. Figures: `docs/BENCH.md`.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use quest_clm::speech::{Filter, Language, normalize};

const PLAIN: &str = "That sounds like a lot to hold at once, and I can hear how much you care. If \
    you look at the last two weeks, which moment gave you energy? What was different about it, and \
    who was there with you? Let us take that moment and ask what it says about the work you want.";
const MIXED: &str = "**Great** question! Your salary went from $85,000 to $102.5k, a 20.6% raise.\n\n\
    1. Update your CV by 5/12/2026.\n2. Call Dr. Smith at (415) 555-0132 around 3:30pm.\n\
    3. Read the [Harvard guide](https://hbr.org/guide) (it takes 10-15 min).\n\n*smiles* You have \
    done this before, e.g. in Q3, and it's 24/7 on your mind. 🎉 Aim for €1.2m in 2027!";

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    speech_filter(&mut criterion);
    criterion.final_summary();
}

/// As models cut: a word with the space before it, figures by three, every mark for itself.
fn tokens(text: &str) -> Vec<&str> {
    let mut cuts = vec![0];
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    for pair in chars.windows(2) {
        if let [(_, one), (at, two)] = pair {
            let in_word = two.is_alphabetic() && (one.is_alphabetic() || *one == ' ');
            let last = cuts.last().copied().unwrap_or_default();
            let in_figure = one.is_ascii_digit() && two.is_ascii_digit() && at - last < 3;
            if !in_word && !in_figure {
                cuts.push(*at);
            }
        }
    }
    cuts.push(text.len());
    let cuts = cuts.windows(2);
    cuts.filter_map(|cut| text.get(*cut.first()?..*cut.last()?))
        .collect()
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
