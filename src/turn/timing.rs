//! Where a turn's time went: one mark per stage, in milliseconds from the end of the request body.

use std::time::Duration;

/// A point on a turn's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Body read, parsed, speaker known.
    Session,
    /// Memory answered or was given up.
    Memory,
    /// Coach, model and prompt settled.
    Plan,
    /// Upstream's response head arrived.
    UpstreamHeaders,
    /// Upstream's first data event of any kind.
    FirstToken,
    /// The first words of the answer that can be spoken; of a council its opening.
    FirstSpeakable,
}

/// A turn's marks. A stage that never happened has none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timings {
    pub auth: Option<Duration>,
    pub session: Option<Duration>,
    pub memory: Option<Duration>,
    pub plan: Option<Duration>,
    pub upstream_headers: Option<Duration>,
    pub first_token: Option<Duration>,
    pub first_speakable: Option<Duration>,
    /// Our own share of the way there: all of it less the waiting on others until then.
    pub overhead: Option<Duration>,
    pub total: Option<Duration>,
    /// Time spent waiting on memory alone, part of the way to the first token.
    pub memory_wait: Duration,
    /// Time spent waiting on upstream, from the first attempt to its first speakable token.
    pub upstream_wait: Duration,
}

impl Timings {
    /// Sets a mark the first time it is reached; later calls change nothing.
    pub fn mark(&mut self, mark: Mark, at: Duration) {
        if mark == Mark::FirstSpeakable {
            let waited = self.memory_wait + self.upstream_wait;
            self.overhead.get_or_insert(at.saturating_sub(waited));
        }
        let slot = match mark {
            Mark::Session => &mut self.session,
            Mark::Memory => &mut self.memory,
            Mark::Plan => &mut self.plan,
            Mark::UpstreamHeaders => &mut self.upstream_headers,
            Mark::FirstToken => &mut self.first_token,
            Mark::FirstSpeakable => &mut self.first_speakable,
        };
        slot.get_or_insert(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overhead_is_the_way_to_the_first_word_less_the_waiting() {
        let ms = Duration::from_millis;
        let mut t = Timings {
            memory_wait: ms(40),
            upstream_wait: ms(300),
            ..Timings::default()
        };
        assert_eq!(t.overhead, None);
        t.mark(Mark::FirstSpeakable, ms(342));
        // Whatever is waited for after it was not waited for by whoever listens.
        t.upstream_wait = ms(800);
        t.mark(Mark::FirstSpeakable, ms(900));
        assert_eq!(t.overhead, Some(ms(2)));
    }
}
