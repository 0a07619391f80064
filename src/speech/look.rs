//! Looking ahead in a text that is still coming.
//!
//! Whoever reads through a [`Look`] is told apart "there is nothing more" and "not known yet"
//! ([`More`]), and decides only on what it has read. So a decision once taken holds for every way
//! the rest may come, and any cutting gives the same text: by construction, not by care.

/// How far ahead is looked, in bytes: nothing longer is ever held. A link of 200 characters fits.
pub(super) const REACH_BYTES: usize = 256;

/// What comes next decides, and it is not here yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct More;

/// What is known of the text after what is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coming {
    More,
    /// More may come, but what is here has to be decided now.
    Pause,
    Nothing,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    rest: &'a str,
    coming: Coming,
}

impl<'a> Look<'a> {
    pub(super) fn new(rest: &'a str, coming: Coming) -> Self {
        Self { rest, coming }
    }

    /// All that is here, for taking runs that need no look ahead.
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    pub(super) fn slice(&self, from: usize, to: usize) -> &'a str {
        self.rest.get(from..to).unwrap_or_default()
    }

    pub(super) fn is_paused(&self) -> bool {
        self.coming == Coming::Pause
    }

    /// The character at this byte; `None` where the text, or what is looked at of it, ends.
    pub(super) fn at(&self, at: usize) -> Result<Option<char>, More> {
        if at >= REACH_BYTES {
            return Ok(None);
        }
        let next = self.rest.get(at..).and_then(|rest| rest.chars().next());
        match (next, self.coming) {
            (None, Coming::More) => Err(More),
            (next, _) => Ok(next),
        }
    }

    pub(super) fn is(&self, at: usize, wanted: impl Fn(char) -> bool) -> Result<bool, More> {
        Ok(self.at(at)?.is_some_and(wanted))
    }

    /// Whether this text stands here. Known as soon as one character differs.
    pub(super) fn has(&self, at: usize, text: &str) -> Result<bool, More> {
        let mut at = at;
        for c in text.chars() {
            if self.at(at)? != Some(c) {
                return Ok(false);
            }
            at += c.len_utf8();
        }
        Ok(true)
    }

    /// The same for letters of any case.
    pub(super) fn has_in_any_case(&self, at: usize, text: &str) -> Result<bool, More> {
        let mut at = at;
        for c in text.chars() {
            if !self.is(at, |here| here.eq_ignore_ascii_case(&c))? {
                return Ok(false);
            }
            at += c.len_utf8();
        }
        Ok(true)
    }

    /// Where a run of such characters, at most `most` bytes of it, ends.
    pub(super) fn run(
        &self,
        from: usize,
        most: usize,
        wanted: impl Fn(char) -> bool,
    ) -> Result<usize, More> {
        let mut at = from;
        while at < from + most {
            match self.at(at)? {
                Some(c) if wanted(c) => at += c.len_utf8(),
                _ => break,
            }
        }
        Ok(at)
    }

    pub(super) fn digits(&self, from: usize) -> Result<usize, More> {
        self.run(from, 40, |c| c.is_ascii_digit())
    }

    /// Where `closer` stands on this line, at most `most` bytes on.
    pub(super) fn find(
        &self,
        from: usize,
        most: usize,
        closer: char,
    ) -> Result<Option<usize>, More> {
        let at = self.run(from, most, |c| c != closer && c != '\n')?;
        Ok(self.is(at, |c| c == closer)?.then_some(at))
    }

    /// The longest of these words that stands here as a whole word. Read on only while one may still
    /// come of it.
    pub(super) fn word<T: Copy>(
        &self,
        from: usize,
        table: &[(&'static str, T)],
    ) -> Result<Option<(usize, T)>, More> {
        let (mut at, mut best) = (from, None);
        loop {
            let next = self.at(at)?;
            let so_far = self.slice(from, at);
            let is_cut =
                so_far.ends_with(char::is_alphabetic) && next.is_some_and(|c| c.is_alphabetic());
            let found = table.iter().find(|(word, _)| *word == so_far);
            if let Some((_, meaning)) = found.filter(|_| !is_cut) {
                best = Some((at, *meaning));
            }
            let goes_on = next.is_some_and(|c| {
                let words = table
                    .iter()
                    .filter_map(|(word, _)| word.strip_prefix(so_far));
                words.into_iter().any(|left| left.starts_with(c))
            });
            match next {
                Some(c) if goes_on => at += c.len_utf8(),
                _ => return Ok(best),
            }
        }
    }
}

/// One pass over the text.
pub(super) trait Stage {
    /// Decides on the beginning of what is here and says how many bytes of it, at least one
    /// character, are dealt with.
    fn step(&mut self, look: Look<'_>, out: &mut String) -> Result<usize, More>;
}

/// A stage with what it holds back.
#[derive(Debug)]
pub(super) struct Held<S> {
    pub(super) stage: S,
    held: String,
}

impl<S: Stage> Held<S> {
    pub(super) fn new(stage: S) -> Self {
        Self {
            stage,
            held: String::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn pass(&mut self, text: &str, coming: Coming, out: &mut String) {
        let Self { stage, held } = self;
        if held.is_empty() {
            let done = advance(stage, text, coming, out);
            held.push_str(text.get(done..).unwrap_or_default());
            return;
        }
        held.push_str(text);
        let done = advance(stage, held, coming, out);
        held.drain(..done);
    }
}

/// How many bytes were dealt with.
fn advance<S: Stage>(stage: &mut S, text: &str, coming: Coming, out: &mut String) -> usize {
    let mut done = 0;
    while let Some(rest) = text.get(done..).filter(|rest| !rest.is_empty()) {
        match stage.step(Look::new(rest, coming), out) {
            Ok(taken) => done += taken.max(1),
            Err(More) => break,
        }
    }
    done.min(text.len())
}
