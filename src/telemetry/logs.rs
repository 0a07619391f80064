//! Where log lines go: a bounded queue in front of standard error, so that a stuck reader costs
//! lines (counted), never a turn's time.

use std::io::{self, IsTerminal};

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::config::{Log, LogFormat};

use super::metrics;

/// Lines that may wait for a slow reader.
const QUEUE_LINES: usize = 8192;

/// Keeps the writer alive; dropping it flushes.
#[derive(Debug)]
pub struct Logs {
    _guard: WorkerGuard,
    dropped: ErrorCounter,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    #[error("RUST_LOG is not a list of directives such as `info,clm=debug`")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("logging is set up already")]
    Twice(#[from] TryInitError),
}

/// Starts logging for the process.
///
/// # Errors
/// When the filter cannot be read, or when logging runs already.
pub fn init(settings: &Log) -> Result<Logs, LogsError> {
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUE_LINES)
        .lossy(true)
        .thread_name("log")
        .finish(io::stderr());
    let dropped = writer.error_counter();
    let filter = EnvFilter::try_new(&settings.filter)?;
    let on_terminal = io::stderr().is_terminal();
    let pretty = match settings.format {
        LogFormat::Auto => on_terminal,
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    let registry = tracing_subscriber::registry().with(filter);
    if pretty {
        let layer = fmt::layer()
            .with_target(false)
            .with_ansi(on_terminal)
            .with_writer(writer);
        registry.with(layer).try_init()?;
    } else {
        let layer = fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_writer(writer);
        registry.with(layer).try_init()?;
    }
    Ok(Logs {
        _guard: guard,
        dropped,
    })
}

impl Logs {
    /// A reader for the count of lines lost so far.
    #[must_use]
    pub fn dropped(&self) -> DroppedLines {
        DroppedLines(self.dropped.clone())
    }
}

/// Tells how many log lines were lost.
#[derive(Clone, Debug)]
pub struct DroppedLines(ErrorCounter);

impl DroppedLines {
    /// Brings the metric up to date.
    pub fn publish(&self) {
        metrics::set_log_dropped(self.0.dropped_lines());
    }
}
