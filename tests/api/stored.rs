//! The store of a service that has ended.

use std::path::Path;

use quest_clm::lifecycle::Lifecycle;
use quest_clm::record::{Embedded, TurnFilter};
use quest_clm::telemetry::live::Live;
use quest_clm::turn::TurnRecord;

/// Everything in the store of a service that has ended, with its attempts.
pub(crate) async fn stored(data: &Path) -> Vec<TurnRecord> {
    let lifecycle = Lifecycle::new();
    let (recorder, reader, _) = Embedded::open(data)
        .unwrap()
        .start(&lifecycle, Live::default())
        .unwrap();
    let mut records = Vec::new();
    let mut before = None;
    loop {
        let filter = TurnFilter {
            before,
            limit: 200,
            ..TurnFilter::default()
        };
        let page = reader.turns(filter).await.unwrap();
        for turn in page.items {
            records.extend(reader.turn(turn.turn_id).await.unwrap());
        }
        before = page.next_cursor;
        if before.is_none() {
            break;
        }
    }
    drop(recorder);
    lifecycle.drained().await;
    records
}
