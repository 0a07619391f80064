//! How many files this process may have open: each connection is one.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Lets it have as many as the system allows it. A shell gives 1,024 to be kind to programs that ask about all of
/// them (`select`), which nothing here does; a turn takes two.
pub fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // What is refused leaves it as it was, and [`limit`] tells that.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// So many; none where there is no limit.
#[must_use]
pub fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// So many it may give itself; none where there is no limit.
#[must_use]
pub fn hard_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}
