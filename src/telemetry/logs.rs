//! Where log lines go: a bounded queue in front of standard error, so that a stuck reader costs
//! lines (counted), never a turn's time.

use std::io::{self, IsTerminal};

use tracing::Metadata;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::{Filter, Layer, SubscriberExt as _};
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, Registry, fmt};

use crate::config::{Log, LogFormat};

use super::lines::{Lines, Lost};
use super::metrics;
use super::traces::{self, Tracer};

/// Lines that may wait for a slow reader.
const QUEUE_LINES: usize = 8192;

/// Keeps the writer alive; dropping it flushes.
#[derive(Debug)]
pub struct Logs {
    _guard: WorkerGuard,
    dropped: DroppedLines,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    #[error("RUST_LOG is not a list of directives such as `info,clm=debug`")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("logging is set up already")]
    Twice(#[from] TryInitError),
}

/// Starts logging for the process, and collecting spans where there is somebody to send them to.
///
/// # Errors
/// When the filter cannot be read, or when logging runs already.
pub fn init(settings: &Log, tracer: Option<Tracer>) -> Result<Logs, LogsError> {
    let lost = Lost::default();
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUE_LINES)
        .lossy(true)
        .thread_name("log")
        .finish(Lines::new(io::stderr(), lost.clone()));
    let dropped = DroppedLines(writer.error_counter(), lost);
    let filter = EnvFilter::try_new(&settings.filter)?;
    let on_terminal = io::stderr().is_terminal();
    let pretty = match settings.format {
        LogFormat::Auto => on_terminal,
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    // Spans are for traces. On the log they would cost every turn their formatting, so they appear,
    // as they close, only where somebody debugs.
    let debugs = filter
        .max_level_hint()
        .is_none_or(|level| level >= LevelFilter::DEBUG);
    let spans = if debugs {
        FmtSpan::CLOSE
    } else {
        FmtSpan::NONE
    };
    let wanted = wanted(filter, debugs);
    metrics::watch_log(dropped.clone());
    if pretty {
        let layer = fmt::layer()
            .with_target(false)
            .with_ansi(on_terminal)
            .with_span_events(spans)
            .with_writer(writer)
            .with_filter(wanted);
        subscribe(layer, tracer)?;
    } else {
        let layer = fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_span_events(spans)
            .with_writer(writer)
            .with_filter(wanted);
        subscribe(layer, tracer)?;
    }
    std::panic::set_hook(Box::new(tell_panic));
    Ok(Logs {
        _guard: guard,
        dropped,
    })
}

/// What is written: of spans nothing, but where somebody debugs, or has directives for what is in a span. One filter, not two
/// around one another: what only the inner one refuses would still be made, and every turn has six spans.
fn wanted(filter: EnvFilter, debugs: bool) -> impl Filter<Registry> {
    let spans = debugs || filter.to_string().contains('[');
    let most = filter.max_level_hint().unwrap_or(LevelFilter::TRACE);
    let shown = move |meta: &Metadata<'_>| (meta.is_event() || spans) && *meta.level() <= most;
    // Of a filter without a hint the pair has none either, and everybody's trace lines would be asked about.
    filter.and(filter_fn(shown).with_max_level_hint(most))
}

/// Without somebody to send spans to, the log is all there is: not even an empty layer is asked.
fn subscribe<L>(log: L, tracer: Option<Tracer>) -> Result<(), TryInitError>
where
    L: Layer<Registry> + Send + Sync,
{
    let logged = tracing_subscriber::registry().with(log);
    match tracer {
        None => logged.try_init(),
        Some(tracer) => logged.with(traces::layer(tracer)).try_init(),
    }
}

/// Where a panic was, and not what it said: its message may hold a person's words.
fn tell_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let at = panic.location().map(ToString::to_string);
    tracing::error!(target: "clm::panic", at = at.as_deref().unwrap_or("unknown"), "a panic, contained");
}

impl Logs {
    /// A reader for the count of lines lost so far.
    #[must_use]
    pub fn dropped(&self) -> DroppedLines {
        self.dropped.clone()
    }
}

/// Tells how many log lines were lost: for want of room, or in writing.
#[derive(Clone, Debug)]
pub struct DroppedLines(ErrorCounter, Lost);

impl DroppedLines {
    /// Brings the metric up to date.
    pub fn publish(&self) {
        metrics::set_log_dropped(self.0.dropped_lines() + self.1.lines());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::span::{Attributes, Id};
    use tracing::subscriber::Interest;
    use tracing_subscriber::layer::Context;

    use super::*;
    use crate::telemetry::spans;

    /// What a span was made of.
    #[derive(Clone, Default)]
    struct Made(Arc<Mutex<Option<&'static Metadata<'static>>>>);

    impl Layer<Registry> for Made {
        fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, Registry>) {
            *self.0.lock().unwrap() = Some(attributes.metadata());
        }
    }

    #[test]
    fn the_log_has_spans_made_only_where_it_shows_them() {
        let made = Made::default();
        let registry = tracing_subscriber::registry().with(made.clone());
        tracing::subscriber::with_default(registry, || drop(spans::turn("t", "master")));
        let span = made.0.lock().unwrap().unwrap();
        let interest = |directives: &str, debugs| -> Interest {
            wanted(EnvFilter::new(directives), debugs).callsite_enabled(span)
        };
        assert!(interest("warn,clm=info,quest_clm=info", false).is_never());
        assert!(!interest("debug", true).is_never());
        assert!(!interest("warn,[turn]=info", false).is_never());
        let most = |directives: &str| wanted(EnvFilter::new(directives), false).max_level_hint();
        assert_eq!(most("warn,clm=info"), Some(LevelFilter::INFO));
        assert_eq!(most("warn"), Some(LevelFilter::WARN));
    }
}
