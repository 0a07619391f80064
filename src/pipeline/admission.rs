//! How many turns may be open at once. Beyond it new ones are shed; none that runs is touched.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::telemetry::metrics;

/// Counts open turns against a bound.
#[derive(Clone, Debug)]
pub struct Admission {
    open: Arc<AtomicUsize>,
    present: Arc<AtomicUsize>,
    /// No room beyond the turns: memory is short.
    pressed: Arc<AtomicBool>,
    /// Some turn was ended before its time.
    cut: Arc<AtomicBool>,
    max: usize,
}

/// A turn that is not settled yet, be it that it speaks or that its bill is awaited.
#[derive(Debug)]
pub struct Presence {
    present: Arc<AtomicUsize>,
}

/// One open turn; dropping it makes room.
#[derive(Debug)]
pub struct Permit {
    open: Arc<AtomicUsize>,
}

impl Admission {
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self {
            open: Arc::default(),
            present: Arc::default(),
            pressed: Arc::default(),
            cut: Arc::default(),
            max,
        }
    }

    /// A place for one turn, or `None` when all are taken. Never waits.
    #[must_use]
    pub fn admit(&self) -> Option<Permit> {
        if self.is_pressed() {
            return None;
        }
        let enter = |n: usize| (n < self.max).then_some(n + 1);
        let before = self
            .open
            .try_update(Ordering::AcqRel, Ordering::Acquire, enter)
            .ok()?;
        metrics::set_inflight(before + 1);
        Some(Permit {
            open: Arc::clone(&self.open),
        })
    }

    /// Says whether memory is short: until it is not, no turn is admitted.
    pub fn press(&self, pressed: bool) {
        if self.pressed.swap(pressed, Ordering::Relaxed) != pressed {
            tracing::warn!(target: "clm::app", pressed, "memory is short, or is so no more: new turns are shed while it is");
        }
    }

    /// Whether new turns are shed because memory is short.
    #[must_use]
    pub fn is_pressed(&self) -> bool {
        self.pressed.load(Ordering::Relaxed)
    }

    /// Notes that a turn was ended before its time, because the process must end.
    pub fn note_cut(&self) {
        self.cut.store(true, Ordering::Release);
    }

    /// Whether a turn was ended so. Settled turns have said it.
    #[must_use]
    pub fn has_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// Counts a turn as unsettled until the returned value is dropped.
    #[must_use]
    pub fn attend(&self) -> Presence {
        self.present.fetch_add(1, Ordering::AcqRel);
        Presence {
            present: Arc::clone(&self.present),
        }
    }

    /// Turns that are not settled yet; a stop waits for them.
    #[must_use]
    pub fn present(&self) -> usize {
        self.present.load(Ordering::Acquire)
    }

    /// Turns being answered.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.present.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let before = self.open.fetch_sub(1, Ordering::AcqRel);
        metrics::set_inflight(before.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_given_back() {
        let admission = Admission::new(2);
        let first = admission.admit().unwrap();
        let _second = admission.admit().unwrap();
        assert!(admission.admit().is_none());
        drop(first);
        assert!(admission.admit().is_some());
        assert_eq!(admission.open(), 1);
        admission.press(true);
        assert!(admission.admit().is_none(), "memory is short");
        admission.press(false);
        assert!(admission.admit().is_some());
    }
}
