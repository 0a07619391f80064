//! What a model writes, and how it is cut into tokens, for the benchmarks that take it in.

pub(crate) const PLAIN: &str = "That sounds like a lot to hold at once, and I can hear how much you care. If \
    you look at the last two weeks, which moment gave you energy? What was different about it, and \
    who was there with you? Let us take that moment and ask what it says about the work you want.";
pub(crate) const MIXED: &str = "**Great** question! Your salary went from $85,000 to $102.5k, a 20.6% raise.\n\n\
    1. Update your CV by 5/12/2026.\n2. Call Dr. Smith at (415) 555-0132 around 3:30pm.\n\
    3. Read the [Harvard guide](https://hbr.org/guide) (it takes 10-15 min).\n\n*smiles* You have \
    done this before, e.g. in Q3, and it's 24/7 on your mind. 🎉 Aim for €1.2m in 2027!";

/// As models cut: a word with the space before it, figures by three, every mark for itself.
pub(crate) fn tokens(text: &str) -> Vec<&str> {
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
