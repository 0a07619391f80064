//! Writing words down so that they stay words: what was said last, and the space between a word of
//! ours and a letter of the text.

/// The last letters said in one go, so far as they fit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Word {
    letters: [u8; 12],
    /// Beyond what fits when the word is longer or not of plain letters.
    len: usize,
}

impl Word {
    fn of(letters: &str) -> Self {
        let mut word = Self::default();
        word.extend(letters);
        word
    }

    /// Of letters of ASCII's alone.
    fn plain(letters: &str) -> Self {
        let mut word = Self::default();
        match word.letters.get_mut(..letters.len()) {
            Some(room) => room.copy_from_slice(letters.as_bytes()),
            None => {
                return Self {
                    len: word.letters.len() + 1,
                    ..word
                };
            }
        }
        word.len = letters.len();
        word
    }

    fn extend(&mut self, letters: &str) {
        let end = self.len + letters.len();
        match self.letters.get_mut(self.len..end) {
            Some(room) if letters.is_ascii() => {
                room.copy_from_slice(letters.as_bytes());
                self.len = end;
            }
            _ => self.len = self.letters.len() + 1,
        }
    }

    pub(super) fn as_str(&self) -> &str {
        let letters = self.letters.get(..self.len).unwrap_or_default();
        std::str::from_utf8(letters).unwrap_or_default()
    }
}

#[derive(Debug)]
pub(super) struct Voice {
    last: char,
    word: Word,
    /// The word before the space said last.
    before: Word,
    /// The one before that.
    earlier: Word,
    /// A word of ours came last: a letter or digit right after it needs a space.
    is_after_word: bool,
    /// Something was left out right behind what was said last: what comes does not join it.
    is_parted: bool,
    /// Something between two spaces was left out: one of them is too much.
    is_swallowing: bool,
    /// Spaces at the end are kept back until it is known whether a stop follows what is left out behind them.
    keeps_spaces: bool,
    /// So many spaces are kept back, and this stood before them.
    kept: usize,
    before_kept: char,
}

/// What ends a sentence or a part of one. No space stands before it where something was left out. Colons are not
/// among them: they begin faces.
pub(super) fn is_stop(c: char) -> bool {
    ".,!?".contains(c)
}

impl Voice {
    pub(super) fn new() -> Self {
        Self {
            last: '\n',
            word: Word::default(),
            before: Word::default(),
            earlier: Word::default(),
            is_after_word: false,
            is_parted: false,
            is_swallowing: false,
            keeps_spaces: false,
            kept: 0,
            before_kept: '\n',
        }
    }

    /// Of a pass that leaves something out.
    pub(super) fn with_gaps() -> Self {
        Self {
            keeps_spaces: true,
            ..Self::new()
        }
    }

    /// What was said last, but for the spaces that may yet go.
    pub(super) fn last_kept(&self) -> char {
        match self.is_gapped() {
            true => self.before_kept,
            false => self.last,
        }
    }

    /// Something was left out behind a space: a stop that comes now takes its place. Not behind a sign
    /// that stays for the sake of its space: without it, it may begin an entity or an element.
    pub(super) fn is_gapped(&self) -> bool {
        self.kept > 0 && self.is_swallowing && !"&<>".contains(self.before_kept)
    }

    /// Whether a sentence has not begun: a stop behind what was left out would end nothing.
    pub(super) fn is_between_sentences(&self) -> bool {
        let last = match self.kept > 0 {
            true => self.before_kept,
            false => self.last,
        };
        is_stop(last) || last == '\n'
    }

    pub(super) fn forget_gap(&mut self) {
        if self.is_gapped() {
            self.kept = 0;
        }
    }

    /// Nothing follows: says the spaces kept back, unless something was left out behind them.
    pub(super) fn end(&mut self, out: &mut String) {
        self.forget_gap();
        self.give_back(out);
    }

    /// Says the spaces kept back.
    pub(super) fn give_back(&mut self, out: &mut String) {
        out.extend(std::iter::repeat_n(' ', self.kept));
        self.kept = 0;
    }

    /// What was said last; a line end at the very start.
    pub(super) fn last(&self) -> char {
        self.last
    }

    /// The letters said last in one go; nothing for a long word or one with other letters than ASCII's.
    pub(super) fn word(&self) -> &str {
        self.word.as_str()
    }

    /// The word in whose middle the text stands; nothing between words.
    pub(super) fn begun(&self) -> Word {
        if self.is_in_word() {
            self.word
        } else {
            Word::default()
        }
    }

    /// The word before the space said last.
    pub(super) fn word_before(&self) -> &str {
        self.before.as_str()
    }

    /// The word before that one.
    pub(super) fn earlier(&self) -> &str {
        self.earlier.as_str()
    }

    /// A letter that comes now belongs to the word said last.
    pub(super) fn is_in_word(&self) -> bool {
        self.last.is_alphabetic() && !self.is_after_word && !self.is_parted
    }

    /// Words pass without any care but where one begins.
    pub(super) fn is_at_ease(&self) -> bool {
        !self.is_after_word && !self.is_parted && !self.is_swallowing && self.kept == 0
    }

    /// The same, but for one space that is kept back.
    pub(super) fn keeps_space(&self) -> bool {
        self.kept == 1 && !self.is_after_word && !self.is_parted && !self.is_swallowing
    }

    /// What [`raw`](Self::raw) comes to for one space behind a word that passed.
    pub(super) fn keep_space(&mut self) {
        (self.kept, self.before_kept) = (1, self.last);
        self.note(" ");
    }

    /// Text as it came.
    pub(super) fn raw(&mut self, text: &str, out: &mut String) {
        let text = if self.is_swallowing {
            text.trim_start_matches(' ')
        } else {
            text
        };
        let Some(first) = text.chars().next() else {
            return;
        };
        if self.is_after_word && first.is_alphanumeric() || self.is_parted && self.joins(first) {
            self.note(" ");
            out.push(' ');
        }
        (self.is_after_word, self.is_parted) = (false, false);
        if is_stop(first) || first == '\n' {
            self.forget_gap();
        }
        self.is_swallowing = false;
        let words = match self.keeps_spaces {
            true => text.trim_end_matches(' '),
            false => text,
        };
        let spaces = text.len() - words.len();
        if !words.is_empty() {
            self.give_back(out);
        }
        if spaces > 0 && self.kept == 0 {
            self.before_kept = words.chars().next_back().unwrap_or(self.last);
        }
        self.kept += spaces;
        self.note(text);
        out.push_str(words);
    }

    /// Words of ours, with a space before them where one is needed.
    pub(super) fn say(&mut self, words: &str, out: &mut String) {
        self.give_back(out);
        let joins = self.last.is_whitespace() || "('\"-–—’“‘".contains(self.last);
        if !joins {
            out.push(' ');
            self.note(" ");
        }
        out.push_str(words);
        self.note(words);
        (self.is_after_word, self.is_parted) = (true, false);
        self.is_swallowing = false;
    }

    /// Something was left out here.
    pub(super) fn omit(&mut self) {
        self.is_swallowing |= self.last.is_whitespace();
    }

    /// What comes now does not join what was said.
    pub(super) fn part(&mut self) {
        self.is_parted |= !self.last.is_whitespace();
    }

    /// Whether this would be one with what was said last: a word, or the beginning of an address.
    fn joins(&self, first: char) -> bool {
        let is_www = self.word().eq_ignore_ascii_case("www");
        first.is_alphanumeric() || "/:".contains(first) || first == '.' && is_www
    }

    /// Counts text as said that passed by itself.
    pub(super) fn note(&mut self, text: &str) {
        // "code: 4821": what stands before a colon is what the figure is of.
        if text == ":" {
            self.last = ':';
            return;
        }
        let letters = text.strip_prefix(' ').unwrap_or(text);
        if letters.bytes().all(|b| b.is_ascii_alphabetic()) {
            // Nearly every token: a word or a part of one, with one space before it or none; or that space.
            if letters.len() < text.len() {
                (self.earlier, self.before) = (self.before, self.word);
                self.word = Word::plain(letters);
            } else {
                self.word.extend(letters);
            }
            self.last = text.bytes().next_back().map_or(self.last, char::from);
            return;
        }
        let mut words = text.rsplit(|c: char| !c.is_alphabetic());
        let letters = words.next().unwrap_or_default();
        if letters.len() < text.len() {
            let last = text.as_bytes().get(text.len() - letters.len() - 1);
            // One space alone leaves the word before it where it is.
            if text.len() - letters.len() > 1 {
                self.word = Word::of(words.next().unwrap_or_default());
            }
            self.earlier = self.before;
            self.before = match last {
                Some(b' ') => self.word,
                _ => Word::default(),
            };
            self.word = Word::default();
        }
        self.word.extend(letters);
        self.last = text.chars().next_back().unwrap_or(self.last);
    }
}
