//! One call of a council: its words are gathered, not passed on.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use crate::speech::{self, Language};
use crate::sse::TooLarge;
use crate::telemetry::spans;
use crate::turn::{Delta, FinishReason, Usage};
use crate::upstream::{AttemptError, Search, Speaking};

use super::council::Ground;

/// A contribution beyond this is none.
const MOST_BYTES: usize = 4 << 10;
/// How long a specialist's bill is waited for once it has said everything: somebody listens.
const BILL_WAIT: Duration = Duration::from_millis(100);
/// Why nothing was heard of somebody.
pub(super) enum Unheard {
    Late,
    Failed,
}

/// What whoever this search finds has said by `due`: all of it, or else its whole sentences.
///
/// # Errors
/// When there is not one sentence by then, or when nobody says anything.
pub(super) async fn answer(
    search: &Search<'_>,
    ground: &Ground,
    due: Instant,
) -> Result<String, Unheard> {
    let unheard = || match Instant::now() >= due {
        true => Unheard::Late,
        false => Unheard::Failed,
    };
    let Ok(speaking) = search.first_words().await else {
        return Err(unheard());
    };
    let mut call = Call::of(speaking);
    match timeout_at(due, call.listen()).await {
        // Dropped with its row, which says that we closed it; what was said whole by then is heard.
        Err(_) => match sentences(&call.words) {
            "" => Err(Unheard::Late),
            said => Ok(said.to_owned()),
        },
        Ok(Err(error)) => {
            call.failed(&error, ground);
            Err(Unheard::Failed)
        }
        Ok(Ok(())) => Ok(call.end().await),
    }
}

/// The whole sentences at the beginning of a text.
fn sentences(words: &str) -> &str {
    let marks = words.char_indices().filter(|(_, c)| is_mark(*c));
    let mut ends = marks.filter(|(at, _)| is_end(words, *at));
    let end = ends.next_back().map_or(0, |(at, _)| at + 1);
    words.get(..end).unwrap_or_default()
}

fn is_mark(c: char) -> bool {
    matches!(c, '.' | '!' | '?')
}

/// Whether the mark at this place ends a sentence: white space follows it, and it is still there once the
/// words are spoken. An abbreviation's own point is not, and a figure's is followed by more.
fn is_end(words: &str, at: usize) -> bool {
    let (before, after) = words.split_at(at + 1);
    if !after.starts_with(char::is_whitespace) {
        return false;
    }
    let word = before.rsplit(char::is_whitespace).next();
    let next = after.split_whitespace().next();
    let both = format!("{} {}", word.unwrap_or_default(), next.unwrap_or_default());
    let spoken = speech::normalize(&both, Language::English);
    let mut spoken: Vec<&str> = spoken.split_whitespace().collect();
    if next.is_some() {
        spoken.pop();
    }
    spoken.iter().any(|word| word.ends_with(is_mark))
}

/// A call whose words are gathered.
struct Call {
    speaking: Speaking,
    words: String,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
}

impl Call {
    fn of(speaking: Speaking) -> Self {
        let words = match &speaking.first {
            Delta::Words(words) => words.clone(),
            _ => String::new(),
        };
        speaking.row.words(words.len());
        Self {
            speaking,
            words,
            finish: None,
            usage: None,
        }
    }

    /// To the model's last word.
    async fn listen(&mut self) -> Result<(), AttemptError> {
        while self.finish.is_none() {
            match self.speaking.answer.next().await? {
                Some(delta) => self.take(delta),
                None => return Err(AttemptError::Cut),
            }
            if self.words.len() > MOST_BYTES {
                return Err(TooLarge.into());
            }
        }
        match self.words.trim().is_empty() {
            true => Err(AttemptError::Empty),
            false => Ok(()),
        }
    }

    fn take(&mut self, delta: Delta) {
        match delta {
            Delta::Words(words) => {
                self.speaking.row.words(words.len());
                self.words.push_str(&words);
            }
            Delta::Usage(usage) => {
                self.speaking.row.usage(&usage);
                self.usage = Some(usage);
            }
            Delta::Finish(reason) => self.finish = Some(reason),
            Delta::Tool(_) => {}
        }
    }

    fn failed(self, error: &AttemptError, ground: &Ground) {
        let Speaking {
            answer,
            model,
            row,
            span,
            ..
        } = self.speaking;
        ground.rooms.health.broke(&model, Instant::now());
        spans::failed(&span, error.kind());
        row.describe(answer.meta());
        row.failed(error);
    }

    /// The bill follows the last word; without one in time the cost is estimated.
    async fn end(mut self) -> String {
        let bill = async {
            while let Ok(Some(delta)) = self.speaking.answer.next().await {
                self.take(delta);
            }
        };
        // A bill that does not come is no reason to wait on.
        let _ = timeout(BILL_WAIT, bill).await;
        let Speaking {
            answer, row, span, ..
        } = self.speaking;
        let model = answer.meta().model.clone();
        spans::spoken(&span, model.as_deref(), self.finish, self.usage.as_ref());
        row.close();
        self.words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_said_whole_is_heard() {
        for (words, whole) in [
            ("", ""),
            ("I would go", ""),
            ("I would go.", ""),
            ("I would go. Ask for 3.5", "I would go."),
            ("Go! Why not? Beca", "Go! Why not?"),
            ("é. ü", "é."),
            ("Go. Ask Dr. Smi", "Go."),
            ("Ask Dr. Smith, Prof. Lee or Mr. ", ""),
            ("Go. It is safer, e.g. with", "Go."),
            ("Ask for pay, leave, etc. and", ""),
            ("Ask for pay, leave, etc. Then", "Ask for pay, leave, etc."),
            ("Start on Jan. 5", ""),
            ("He is there. ", "He is there."),
        ] {
            assert_eq!(sentences(words), whole, "{words}");
        }
    }
}
