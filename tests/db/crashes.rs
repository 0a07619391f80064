//! Killed at any moment, two hundred times: what a caller heard to its end is kept, unless it was in
//! the last half second.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::arrivals::{kept, odd, serving_as, standing, within};
use crate::caller::Request;
use crate::support::postgres::Database;

const KILLS: usize = 200;
/// What a kill may cost.
const WINDOW: Duration = Duration::from_millis(500);
const CALLERS: usize = 3;

/// One turn; its id if it was heard to its end.
async fn heard(addr: SocketAddr, session: &str, words: &str) -> Option<String> {
    let mut stream = TcpStream::connect(addr).await.ok()?;
    let (head, body) = Request::hume(session, words).wire();
    stream.write_all(&[head, body].concat()).await.ok()?;
    let mut heard = Vec::new();
    loop {
        if stream.read_buf(&mut heard).await.ok()? == 0 {
            return None;
        }
        if heard.windows(14).any(|bytes| bytes == b"data: [DONE]\n\n") {
            let text = String::from_utf8_lossy(&heard);
            let (_, after) = text.split_once("x-clm-turn-id: ")?;
            return Some(after.split_once('\r')?.0.to_owned());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_killed_two_hundred_times_it_keeps_what_was_heard() {
    let began = Instant::now();
    let database = Database::fresh().await;
    let url = database.url();
    // One worker, and it is there sooner.
    let mut service = serving_as("exec \"$0\" serve", url, &[("WORKERS", "1")]).await;
    // Each turn that was heard to its end, and how long before the kill that was.
    let mut all: Vec<(String, Duration)> = Vec::new();
    for life in 0..KILLS {
        // Most lives are short; each twelfth is long enough for turns that have to be kept.
        let length = if life % 12 == 0 { 550..950 } else { 0..120 };
        let length = Duration::from_millis(rand::random_range(length));
        let said = RefCell::new(Vec::new());
        let callers = (0..CALLERS).map(|caller| {
            let (said, addr) = (&said, service.addr);
            async move {
                let session = format!("g1-{}-{caller}", life % 7);
                // The same words again would be the same turn.
                for n in 0.. {
                    let turn = heard(addr, &session, &format!("Hello {n}")).await.unwrap();
                    said.borrow_mut().push((turn, Instant::now()));
                }
            }
        });
        tokio::select! {
            _ = join_all(callers) => unreachable!("they talk for ever"),
            () = sleep(length) => {}
        }
        let killed = service.kill();
        let said = said.into_inner().into_iter();
        all.extend(said.map(|(turn, ended)| (turn, killed - ended)));
        service.start_again().await;
    }
    within("nothing waits", Duration::from_secs(30), async || {
        standing(&service, "spool").await["rows"] == 0
    })
    .await;
    let there = kept(url).await;
    let lost: Vec<Duration> = all
        .iter()
        .filter(|t| !there.contains(&t.0))
        .map(|t| t.1)
        .collect();
    let owed: BTreeSet<&String> = all.iter().filter(|t| t.1 > WINDOW).map(|t| &t.0).collect();
    let oldest = lost.iter().max().copied().unwrap_or_default();
    println!(
        "g1: {KILLS} kills in {:?}; {} turns heard to their end, {} of them longer than {WINDOW:?} \
         before the kill; {} lost, all within {oldest:?} of it; {} turns there",
        began.elapsed(),
        all.len(),
        owed.len(),
        lost.len(),
        there.len()
    );
    assert!(owed.len() >= 30, "too few to tell: {}", owed.len());
    assert!(oldest <= WINDOW, "{oldest:?}");
    let odd = odd(url).await;
    println!("g1: what a kill tore: {odd:?}");
    // A kill may come between a turn's row and that of its attempts; never half a sum.
    for odd in odd {
        let torn = odd
            .strip_prefix("turn ")
            .and_then(|odd| odd.split_once(' '));
        let torn = torn.map(|(turn, _)| turn.to_owned());
        assert!(torn.is_some_and(|turn| !owed.contains(&turn)), "{odd}");
    }
}
