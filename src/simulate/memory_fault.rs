//! How the simulated Zep misbehaves.

use std::str::FromStr;
use std::time::Duration;

/// What goes wrong at Zep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryFault {
    /// Every answer takes this much longer.
    Slow(Duration),
    /// No answer, ever.
    Hang,
    /// 500 with a JSON body.
    Internal,
    /// 502 with a page.
    HtmlBadGateway,
    /// 401 in plain text.
    PlainUnauthorized,
    /// 403 on writing messages: the account's quota is used up. Reads go on.
    Quota,
    /// 429 in plain text, with `retry-after` and a negative remainder.
    RateLimited,
    /// 404 the first time each thread is asked for.
    ThreadMissingOnce,
    /// The context is the empty string.
    EmptyContext,
    /// The reply has no context.
    MissingContext,
    /// The context has 5 MiB.
    HugeContext,
    /// 200 with broken JSON.
    Garbage,
    /// 500 on every write; reads are fine.
    WritesFail,
    /// A search is never answered; all else is fine.
    SearchHangs,
    /// The connection is dropped without an answer.
    Down,
}

/// A memory fault nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no memory fault is called {0:?}")]
pub struct UnknownMemoryFault(String);

impl FromStr for MemoryFault {
    type Err = UnknownMemoryFault;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(match name {
            "hang" => Self::Hang,
            "500" => Self::Internal,
            "html-502" => Self::HtmlBadGateway,
            "401-text" => Self::PlainUnauthorized,
            "403-quota" => Self::Quota,
            "429-text" => Self::RateLimited,
            "404-thread-once" => Self::ThreadMissingOnce,
            "empty" => Self::EmptyContext,
            "missing-context" => Self::MissingContext,
            "huge" => Self::HugeContext,
            "garbage" => Self::Garbage,
            "write-500" => Self::WritesFail,
            "search-hang" => Self::SearchHangs,
            "down" => Self::Down,
            _ => name
                .strip_prefix("slow:")
                .and_then(|ms| ms.parse().ok())
                .map(|ms| Self::Slow(Duration::from_millis(ms)))
                .ok_or_else(|| UnknownMemoryFault(name.to_owned()))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_memory_faults() {
        for (name, fault) in [
            ("slow:300", MemoryFault::Slow(Duration::from_millis(300))),
            ("hang", MemoryFault::Hang),
            ("500", MemoryFault::Internal),
            ("html-502", MemoryFault::HtmlBadGateway),
            ("401-text", MemoryFault::PlainUnauthorized),
            ("403-quota", MemoryFault::Quota),
            ("429-text", MemoryFault::RateLimited),
            ("404-thread-once", MemoryFault::ThreadMissingOnce),
            ("empty", MemoryFault::EmptyContext),
            ("missing-context", MemoryFault::MissingContext),
            ("huge", MemoryFault::HugeContext),
            ("garbage", MemoryFault::Garbage),
            ("write-500", MemoryFault::WritesFail),
            ("search-hang", MemoryFault::SearchHangs),
            ("down", MemoryFault::Down),
        ] {
            assert_eq!(name.parse(), Ok(fault), "{name}");
        }
        assert!("slow:x".parse::<MemoryFault>().is_err());
        assert!("".parse::<MemoryFault>().is_err());
    }
}
