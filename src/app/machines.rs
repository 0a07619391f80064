//! What several machines share by way of Redis, where there is one.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Settings;
use crate::lifecycle::Lifecycle;
use crate::pipeline::{Admission, Owner};
use crate::record::counters::{Counters, LinkError, Sharing};
use crate::record::{NOTE_WITHIN, Repeats};
use crate::session::Turns;
use crate::vault::DataKey;

/// Live numbers.
pub(super) fn count(
    settings: &Settings,
    admission: &Admission,
    lifecycle: &Lifecycle,
) -> Result<Counters, LinkError> {
    let sharing = settings.redis.clone().map(Sharing::new);
    let admission = admission.clone();
    Counters::start(sharing, move || admission.open(), Clock::System, lifecycle)
}

/// The turns of every session, and the way to those of other machines.
pub(super) fn turns(
    settings: &Settings,
    key: &DataKey,
    lifecycle: &Lifecycle,
) -> Result<(Arc<Turns<Owner>>, Repeats), LinkError> {
    let Some(url) = settings.redis.clone() else {
        return Ok((Arc::default(), Repeats::default()));
    };
    let turns = Arc::new(Turns::shared(key));
    let (sharing, here) = (Sharing::new(url), Arc::clone(&turns));
    let repeats = Repeats::start(&sharing, key, lifecycle, here, NOTE_WITHIN)?;
    Ok((turns, repeats))
}
