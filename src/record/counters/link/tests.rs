use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::clock::Clock;

use super::*;

const REST: Duration = Duration::from_secs(60);

/// A Redis that shakes hands, takes the script, and answers no call of it.
struct Mute {
    url: String,
    connections: Arc<AtomicUsize>,
}

impl Mute {
    async fn listen(lifecycle: &Lifecycle) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let connections = Arc::<AtomicUsize>::default();
        let (seen, life) = (Arc::clone(&connections), lifecycle.clone());
        lifecycle.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                seen.fetch_add(1, Ordering::Relaxed);
                life.spawn(async move {
                    let mut buffer = vec![0; 8 << 10];
                    while let Ok(1..) = stream.read(&mut buffer).await {
                        let asked = String::from_utf8_lossy(&buffer).into_owned();
                        buffer.fill(0);
                        let answer = match () {
                            () if asked.contains("EVALSHA") => continue,
                            () if asked.contains("SCRIPT") => {
                                let script = Script::new(shared::SCRIPT);
                                format!("$40\r\n{}\r\n", script.get_hash())
                            }
                            () => "+OK\r\n".repeat(asked.matches('*').count()),
                        };
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        Self { url, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

fn link(url: &str) -> Link {
    Link::new(&Sharing {
        url: url.into(),
        rest: REST,
    })
    .unwrap()
}

/// Without a task of its own.
fn counters() -> Counters {
    Counters::start(None, || 0, Clock::System, &Lifecycle::new()).unwrap()
}

#[tokio::test]
async fn a_call_is_given_up_after_twenty_milliseconds() {
    let mute = Mute::listen(&Lifecycle::new()).await;
    let (mut link, counters) = (link(&mute.url), counters());
    let mut connection = link.connect().await.unwrap();
    let began = Instant::now();
    let error = link.call(&mut connection, &counters).await.unwrap_err();
    let took = began.elapsed();
    assert_eq!(error.kind(), "timeout");
    assert!((BUDGET..BUDGET * 10).contains(&took), "{took:?}");
    assert!(link.exchange(&counters).await.is_err());
    assert!(link.connection.is_none(), "the connection goes with it");
}

#[tokio::test]
async fn after_five_failures_it_is_left_alone_and_then_asked_once() {
    let mute = Mute::listen(&Lifecycle::new()).await;
    let (mut link, counters) = (link(&mute.url), counters());
    let start = Instant::now();
    for round in 1..=8 {
        link.round(&counters, start).await;
        assert_eq!(mute.connections(), round.min(5));
    }
    assert!(link.is_open && link.is_lost);
    // The breaker opened a little after the start.
    let later = start + REST + Duration::from_secs(30);
    link.round(&counters, later).await;
    assert_eq!(mute.connections(), 6, "one probe");
}

#[tokio::test]
async fn who_was_to_read_when_redis_failed_is_still_to_read_and_nobody_else() {
    let mute = Mute::listen(&Lifecycle::new()).await;
    let (mut link, counters) = (link(&mute.url), counters());
    for unread in [0, 2] {
        link.unread = unread;
        link.round(&counters, Instant::now()).await;
        assert!(link.is_lost);
        assert_eq!(link.unread, unread);
    }
}

#[tokio::test]
async fn a_redis_without_tls_is_no_panic_for_one_who_wants_it() {
    let mute = Mute::listen(&Lifecycle::new()).await;
    let link = link(&mute.url.replace("redis:", "rediss:"));
    let error = link.connect().await.err().unwrap();
    assert!(
        ["broken", "connect_timeout"].contains(&error.kind()),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_closed_door_is_noticed_at_once() {
    let link = link("redis://127.0.0.1:1");
    assert_eq!(link.connect().await.err().unwrap().kind(), "broken");
}
