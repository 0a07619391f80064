//! The store of a service that has ended.

use std::path::Path;

use quest_clm::clock::Clock;
use quest_clm::config;
use quest_clm::lifecycle::Lifecycle;
use quest_clm::record::{Reader, Records, TurnFilter};
use quest_clm::telemetry::live::Live;
use quest_clm::turn::TurnRecord;

/// Everything in the embedded store of a service that has ended, with its attempts. What still lay in
/// its spool is delivered first, as by its next start.
pub(crate) async fn stored(data: &Path) -> Vec<TurnRecord> {
    let settings = config::Store {
        database: None,
        data_dir: data.to_owned(),
        data_key: None,
        retention: None,
        capture_ttl: std::time::Duration::from_secs(60),
    };
    let open = |lifecycle: &Lifecycle| {
        Records::open(&settings, lifecycle, Clock::System, Live::default()).unwrap()
    };
    let lifecycle = Lifecycle::new();
    let records = open(&lifecycle);
    drop(records.start(|_| {}).unwrap());
    lifecycle.soft().cancel();
    lifecycle.drained().await;
    all(&records.reader()).await
}

/// Every turn that a store holds, with its attempts.
pub(crate) async fn all(reader: &Reader) -> Vec<TurnRecord> {
    let mut records = Vec::new();
    let mut before = None;
    loop {
        let filter = TurnFilter {
            before,
            limit: 200,
            ..TurnFilter::default()
        };
        let page = reader.turns(&filter).await.unwrap();
        for turn in page.items {
            records.extend(reader.turn(&turn.turn_id).await.unwrap());
        }
        before = page.next_cursor;
        if before.is_none() {
            break;
        }
    }
    records
}
