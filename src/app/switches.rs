//! Keeps the flags of this machine as the store has them.

use std::time::Duration;

use tokio::time::sleep;

use crate::clock::Clock;
use crate::lifecycle::Lifecycle;
use crate::record::{FlagRow, Switchboard, in_force};
use crate::routing::flags::Flags;
use crate::telemetry::events::FlagChanged;
use crate::telemetry::live::Live;

/// How often the store is looked at: so late a change on one machine is another's.
const LOOK: Duration = Duration::from_secs(2);

/// Starts the task; it ends with the soft token. While the store is away what was last seen holds.
pub(super) fn follow(flags: Flags, switchboard: Switchboard, live: Live, lifecycle: &Lifecycle) {
    let soft = lifecycle.soft().clone();
    let following = async move {
        let mut before = None;
        loop {
            if let Ok(mut rows) = switchboard.flags().await {
                let now_ms = Clock::System.now_ms();
                rows.retain(|row| row.expires_at.is_none_or(|at| now_ms < at));
                flags.take(in_force(&rows));
                tell(
                    before.replace(rows.clone()).unwrap_or_default(),
                    &rows,
                    &live,
                );
            }
            sleep(LOOK).await;
        }
    };
    lifecycle.spawn(async move {
        soft.run_until_cancelled(following).await;
    });
}

/// Tells what differs, once: what was set before the start is told at the start.
fn tell(before: Vec<FlagRow>, now: &[FlagRow], live: &Live) {
    let is_gone = |name: &str| !now.iter().any(|row| row.name == name);
    let changed = now.iter().filter(|row| !before.contains(row));
    let changed = changed.map(|row| {
        (
            row.name.as_str(),
            row.value.as_str(),
            row.changed_by.as_str(),
        )
    });
    let gone = before.iter().filter(|row| is_gone(&row.name));
    let gone = gone.map(|row| (row.name.as_str(), "unset", ""));
    for (name, value, by) in changed.chain(gone) {
        FlagChanged { name, value, by }.emit();
        live.switched(name, value);
    }
}
