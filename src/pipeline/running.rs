//! A turn under way, as its response body owns it.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;

use crate::lifecycle::Lifecycle;
use crate::session::Generation;
use crate::telemetry::events::TurnPanicked;
use crate::turn::{Fault, FinishReason};
use crate::upstream::OpenRouter;

use super::guard::Guard;
use super::{Mouth, SharedMouth, stream};

/// The rest of a turn. Dropped before its end it is cancelled, unless somebody else listens to it.
pub struct Running<M: Mouth + 'static> {
    work: Option<LocalBoxFuture<'static, ()>>,
    mouth: SharedMouth<M>,
    /// Who else may be listening, and who then sees it through.
    heirs: Option<(Arc<Generation>, Lifecycle)>,
}

impl<M: Mouth + 'static> Running<M> {
    /// Work that nobody but its caller cares for.
    pub(super) fn alone(mouth: SharedMouth<M>, work: impl Future<Output = ()> + 'static) -> Self {
        Self {
            work: Some(work.boxed_local()),
            mouth,
            heirs: None,
        }
    }

    pub(super) fn turn(
        guard: Box<Guard>,
        turn: Box<stream::Turn>,
        upstream: Rc<OpenRouter>,
        mouth: SharedMouth<M>,
    ) -> Self {
        let heirs = (Arc::clone(&guard.generation), guard.rooms.lifecycle.clone());
        let roster = Arc::clone(&guard.rooms.roster);
        let (coach, seed) = (guard.head.coach.clone(), guard.created_at.unsigned_abs());
        let signals = guard.signals;
        let generation = Arc::clone(&guard.generation);
        let work = stream::run(guard, turn, upstream, Rc::clone(&mouth));
        let spoken = Rc::clone(&mouth);
        // A fault of our own in one turn is that turn's alone, and is heard as any other fault is.
        let work = AssertUnwindSafe(work).catch_unwind().map(move |end| {
            if end.is_err() {
                TurnPanicked.emit();
                let coach = roster.get(&coach).unwrap_or_else(|| roster.master());
                let line = coach.fallback_line(seed);
                recover(&spoken, &generation, (!signals).then_some(line));
            }
        });
        Self {
            work: Some(work.boxed_local()),
            mouth,
            heirs: Some(heirs),
        }
    }
}

/// The stream still ends well-formed: with the line where nothing was said, with its end otherwise; or
/// with the fault, where the caller would rather be told.
fn recover<M: Mouth>(mouth: &SharedMouth<M>, generation: &Generation, line: Option<&str>) {
    let mut mouth = mouth.borrow_mut();
    if mouth.has_ended() {
        return;
    }
    let is_silent = generation.text().is_empty();
    match line {
        None if is_silent => mouth.fault(Fault::Unanswered),
        None => mouth.fault(Fault::BrokenOff),
        Some(line) => {
            if is_silent {
                mouth.words(line);
            }
            mouth.end(FinishReason::Stop, None);
        }
    }
}

impl<M: Mouth + 'static> Future for Running<M> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(work) = &mut self.work else {
            return Poll::Ready(());
        };
        let end = work.as_mut().poll(cx);
        if end.is_ready() {
            self.work = None;
        }
        end
    }
}

impl<M: Mouth + 'static> Drop for Running<M> {
    /// The caller has gone. Whoever repeats its request goes on listening.
    fn drop(&mut self) {
        let (Some(work), Some((generation, lifecycle))) = (self.work.take(), self.heirs.take())
        else {
            return;
        };
        if generation.close_if_alone() {
            return;
        }
        if let Ok(mut mouth) = self.mouth.try_borrow_mut() {
            mouth.leave();
        }
        lifecycle.spawn_here(async move {
            tokio::select! {
                biased;
                () = work => {}
                () = generation.deserted() => {}
            }
        });
    }
}
