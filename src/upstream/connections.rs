//! One worker's connections to upstream.
//!
//! `OpenRouter` speaks HTTP/2, which carries many calls over one connection, and a client opens one
//! connection a host. A server takes about a hundred calls on each at a time (RFC 9113, 6.5.2, names that as
//! the least it should): the next ones wait, silently, until others end, and turns last seconds. So
//! calls are spread over as many clients as it takes, the first ones first, so that what is not
//! needed falls idle and is closed.

use std::iter::once;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::Client;
use tokio::sync::Notify;

use crate::outbound;

/// Calls on one client at a time: well below what servers take, and as many as lose their stream when the
/// connection breaks.
const CALLS: usize = 64;
/// Clients of a worker besides the first, at most; then the least busy one takes more.
const MORE: usize = 255;

#[derive(Debug)]
pub(super) struct Connections {
    first: Busy,
    more: Mutex<Vec<Busy>>,
    crowded: Notify,
}

/// A client, and how many calls are on it: each holds a copy.
#[derive(Debug)]
struct Busy {
    client: Client,
    calls: Arc<()>,
}

/// A call's place on a connection, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) client: Client,
    _call: Arc<()>,
}

impl Busy {
    fn new(client: Client) -> Self {
        Self {
            client,
            calls: Arc::new(()),
        }
    }

    fn calls(&self) -> usize {
        Arc::strong_count(&self.calls).saturating_sub(1)
    }

    fn has_room(&self) -> bool {
        self.calls() < CALLS
    }

    fn place(&self) -> Place {
        Place {
            client: self.client.clone(),
            _call: Arc::clone(&self.calls),
        }
    }
}

impl Connections {
    pub(super) fn new(first: Client) -> Self {
        Self {
            first: Busy::new(first),
            more: Mutex::default(),
            crowded: Notify::new(),
        }
    }

    /// A place for one more call.
    pub(super) fn place(&self) -> Place {
        let mut more = self.more();
        let busy = once(&self.first).chain(&*more).find(|b| b.has_room());
        if let Some(busy) = busy {
            let place = busy.place();
            if busy.calls() == CALLS / 2 {
                self.crowded.notify_one();
            }
            return place;
        }
        if let Some(place) = another(&mut more) {
            return place;
        }
        let least = more.iter().min_by_key(|b| b.calls());
        least.unwrap_or(&self.first).place()
    }

    /// Where the first calls go.
    pub(super) fn client(&self) -> &Client {
        &self.first.client
    }

    /// Where connections are to be open before they are asked for: where the next call goes, and where
    /// those go that come once it is full there, if that is soon.
    pub(super) fn ahead(&self) -> Vec<Place> {
        let mut more = self.more();
        let mut with_room = once(&self.first).chain(&*more).filter(|b| b.has_room());
        let mut ahead: Vec<Place> = Vec::new();
        match with_room.next() {
            Some(next) if next.calls() < CALLS / 2 => ahead.push(next.place()),
            Some(next) => {
                ahead.push(next.place());
                let after = with_room.next().map(Busy::place);
                ahead.extend(after.or_else(|| another(&mut more)));
            }
            None => ahead.extend(another(&mut more)),
        }
        ahead
    }

    /// Waits until a connection is half full.
    ///
    /// # Cancellation
    /// Safe.
    pub(super) async fn crowded(&self) {
        self.crowded.notified().await;
    }

    fn more(&self) -> MutexGuard<'_, Vec<Busy>> {
        self.more.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place on a client that there was not before, unless there are enough of them.
fn another(more: &mut Vec<Busy>) -> Option<Place> {
    if more.len() >= MORE {
        return None;
    }
    let busy = Busy::new(outbound::client().ok()?);
    let place = busy.place();
    more.push(busy);
    Some(place)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn calls(connections: &Connections) -> Vec<usize> {
        let more = connections.more();
        let all = once(&connections.first).chain(&*more);
        all.map(Busy::calls).collect()
    }

    #[tokio::test]
    async fn calls_fill_one_connection_before_they_open_the_next() {
        let connections = Connections::new(outbound::client().unwrap());
        let mut places: Vec<Place> = (0..CALLS).map(|_| connections.place()).collect();
        assert_eq!(calls(&connections), [64]);
        places.extend((0..70).map(|_| connections.place()));
        assert_eq!(calls(&connections), [64, 64, 6]);
        drop(places.drain(..10));
        assert_eq!(calls(&connections), [54, 64, 6]);
        places.extend((0..11).map(|_| connections.place()));
        assert_eq!(calls(&connections), [64, 64, 7]);
        drop(places);
        assert_eq!(calls(&connections), [0, 0, 0]);
    }

    #[tokio::test]
    async fn beyond_all_connections_the_least_busy_takes_more() {
        let connections = Connections::new(outbound::client().unwrap());
        let places: Vec<Place> = (0..CALLS * (MORE + 1) + 3)
            .map(|_| connections.place())
            .collect();
        let calls = calls(&connections);
        assert_eq!(calls.len(), MORE + 1);
        assert_eq!(calls.iter().filter(|calls| **calls == CALLS + 1).count(), 3);
        drop(places);
    }

    #[tokio::test]
    async fn the_next_connection_is_opened_when_one_is_half_full() {
        let connections = Connections::new(outbound::client().unwrap());
        let crowded = async || {
            let told = timeout(Duration::from_millis(1), connections.crowded()).await;
            told.is_ok()
        };
        let mut places: Vec<Place> = (1..CALLS / 2).map(|_| connections.place()).collect();
        assert!(!crowded().await);
        drop(connections.ahead());
        assert_eq!(calls(&connections).len(), 1);
        places.push(connections.place());
        assert!(crowded().await && !crowded().await);
        drop(connections.ahead());
        assert_eq!(calls(&connections), [32, 0]);
        places.extend((0..CALLS / 2).map(|_| connections.place()));
        let ahead = connections.ahead();
        assert_eq!(calls(&connections), [64, 1]);
        drop((ahead, places));
    }
}
