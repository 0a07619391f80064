//! How many files this process may have open: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a system takes that refuses a limit as high as the one it tells, as macOS does.
const TAKEN: u64 = 10_240;

/// Lets the process have as many as the system allows it. A shell gives 1,024 to be kind to programs that ask about all
/// of them (`select`), which nothing here does; a turn takes two. Where it is refused, the limit stays.
pub fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    for wanted in [maximum, Some(maximum.unwrap_or(TAKEN).min(TAKEN))] {
        let is_more = |now: u64| wanted.is_none_or(|wanted| wanted > now);
        let limit = Rlimit {
            current: wanted,
            maximum,
        };
        if current.is_none_or(|now| !is_more(now)) || setrlimit(Resource::Nofile, limit).is_ok() {
            return;
        }
    }
}

/// How many it may have open now; none where there is no limit.
#[must_use]
pub fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}
