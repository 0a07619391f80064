//! The model against what was measured.

use crate::measured::{Mode, Processor};
use crate::model::Model;
use crate::tables::number;

/// A measured point and what the model says of it.
pub(crate) struct Checked {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) measured: f64,
    pub(crate) modelled: f64,
    pub(crate) tolerance: f64,
    /// The model was made of it too.
    pub(crate) fitted: bool,
    pub(crate) from: String,
}

impl Checked {
    /// As a part of what was measured.
    pub(crate) fn error(&self) -> f64 {
        (self.modelled - self.measured) / self.measured
    }
}

/// Every measured point, and how far the model is from it.
pub(crate) fn checked(model: &Model) -> Vec<Checked> {
    let measured = &model.measured;
    // A full core's rate is what it was measured at: that says nothing of the model.
    let has_some_left = |p: &&Processor| !p.full || model.curve.busy(p.tokens_per_s) < 1.0;
    let processors = measured.processor.iter().filter(has_some_left);
    let processors = processors.map(|p| Checked {
        what: p.name.clone(),
        unit: "µs/token",
        measured: p.us_per_token,
        modelled: model.curve.us_per_token(p.tokens_per_s),
        tolerance: measured.tolerance.processor,
        fitted: !p.full,
        from: p.from.clone(),
    });
    let rooms = measured.memory.iter().map(|p| {
        let (how, room) = match p.mode {
            Mode::Speaking => ("streams of people who speak", model.speaking),
            Mode::Held => ("streams held", model.held),
        };
        Checked {
            what: format!("{} {how}", number(p.streams)),
            unit: "KiB/stream",
            measured: p.kib_per_stream,
            modelled: room.kib(p.streams) / p.streams,
            tolerance: measured.tolerance.memory,
            fitted: true,
            from: p.from.clone(),
        }
    });
    let files = measured.files.iter().map(|p| Checked {
        what: format!(
            "{} streams held, HTTP/{}",
            number(p.streams),
            if p.is_h2 { "2" } else { "1.1" }
        ),
        unit: "files",
        measured: p.open,
        modelled: model.files_of(p.streams, p.is_h2),
        tolerance: measured.tolerance.files,
        fitted: false,
        from: p.from.clone(),
    });
    let asked = measured.asked.iter().flat_map(|p| {
        let redis = model.redis_of(p.turns, p.machines * p.seconds);
        [
            ("rows", p.rows, model.rows_of(p.turns, p.attempts)),
            ("Redis scripts", p.redis, redis),
            ("Zep requests", p.zep, model.zep_of(p.turns, p.calls)),
        ]
        .map(|(unit, counted, modelled)| Checked {
            fitted: p.fitted,
            what: p.name.clone(),
            unit,
            measured: counted,
            modelled,
            tolerance: measured.tolerance.asked,
            from: p.from.clone(),
        })
    });
    let all = processors.chain(rooms).chain(files).chain(asked);
    all.collect()
}
