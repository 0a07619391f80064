//! Counts rows as they pass, wherever the pieces are cut.

use std::time::Duration;

use super::RowFormat;

#[derive(Clone, Copy, Debug)]
pub(super) struct Rows {
    ends: u64,
    /// Within quotation marks a line's end belongs to the cell. A mark that is written twice leaves
    /// and enters again.
    is_quoted: bool,
    format: RowFormat,
}

impl Rows {
    pub(super) fn new(format: RowFormat) -> Self {
        Self {
            ends: 0,
            is_quoted: false,
            format,
        }
    }

    pub(super) fn passed(&mut self, piece: &[u8]) {
        for byte in piece {
            match byte {
                b'"' if self.format == RowFormat::Csv => self.is_quoted = !self.is_quoted,
                b'\n' if !self.is_quoted => self.ends += 1,
                _ => {}
            }
        }
    }

    /// Whole rows, without the headings.
    pub(super) fn count(&self) -> u64 {
        match self.format {
            RowFormat::Csv => self.ends.saturating_sub(1),
            RowFormat::Jsonl => self.ends,
        }
    }
}

/// So many rows in so long a time.
#[expect(
    clippy::cast_precision_loss,
    reason = "rows of an export, far below 2^52"
)]
pub(super) fn told(rows: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    let rate = if seconds > 0.0 {
        rows as f64 / seconds
    } else {
        0.0
    };
    let s = if rows == 1 { "" } else { "s" };
    format!("{rows} row{s} in {seconds:.1} s, {rate:.0} a second")
}
