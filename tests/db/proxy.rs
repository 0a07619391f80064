//! The proxy, before a server that says every byte back.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use crate::support::postgres::{Database, Postgres, ask, connected, rows};
use crate::support::proxy::{Direction, Proxy};
use crate::support::{PATIENCE, until};

const A_WHILE: Duration = Duration::from_millis(100);

/// Runs `test` with a proxy before an echo.
async fn with_proxy(test: impl AsyncFnOnce(Proxy)) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::to(listener.local_addr().unwrap()).await;
    let echo = async {
        let mut open = FuturesUnordered::new();
        loop {
            tokio::select! {
                Ok((stream, _)) = listener.accept() => open.push(echo(stream)),
                Some(()) = open.next() => {}
            }
        }
    };
    tokio::select! {
        () = echo => {}
        done = timeout(PATIENCE, test(proxy)) => done.unwrap(),
    }
}

async fn echo(mut stream: TcpStream) {
    let (mut read, mut write) = stream.split();
    // A connection that was broken is what is tested.
    let _ = tokio::io::copy(&mut read, &mut write).await;
}

async fn say(stream: &mut TcpStream, words: &str) -> std::io::Result<String> {
    stream.write_all(words.as_bytes()).await?;
    let mut back = vec![0; words.len()];
    stream.read_exact(&mut back).await?;
    Ok(String::from_utf8(back).unwrap())
}

async fn open(addr: SocketAddr) -> TcpStream {
    TcpStream::connect(addr).await.unwrap()
}

#[tokio::test]
async fn it_passes_everything_and_each_end_by_itself() {
    with_proxy(async |proxy| {
        let mut stream = open(proxy.addr()).await;
        assert_eq!(say(&mut stream, "hello").await.unwrap(), "hello");
        let much = vec![7; 4 << 20];
        let (mut read, mut write) = stream.split();
        let send = async {
            write.write_all(&much).await.unwrap();
            write.shutdown().await.unwrap();
        };
        let mut back = Vec::new();
        let (_, heard) = tokio::join!(send, read.read_to_end(&mut back));
        heard.unwrap();
        assert!(back == much, "the end came through, after everything");
        until("it has closed too", async || proxy.open() == 0).await;
    })
    .await;
}

#[tokio::test]
async fn it_delays_each_direction() {
    with_proxy(async |proxy| {
        let mut stream = open(proxy.addr()).await;
        for (to_server, to_client) in [(40, 0), (0, 40), (40, 60)] {
            let ms = Duration::from_millis;
            proxy.delay(ms(to_server), ms(to_client)).await;
            let began = Instant::now();
            assert_eq!(say(&mut stream, "hello").await.unwrap(), "hello");
            assert!(began.elapsed() >= ms(to_server + to_client));
        }
    })
    .await;
}

#[tokio::test]
async fn it_stalls_and_goes_on_where_it_was() {
    with_proxy(async |proxy| {
        let mut stream = open(proxy.addr()).await;
        assert_eq!(say(&mut stream, "zero").await.unwrap(), "zero");
        proxy.stall().await;
        let silence = timeout(A_WHILE, say(&mut stream, "one")).await;
        assert!(silence.is_err());
        // A new one is taken, and finds as little.
        let _new = open(proxy.addr()).await;
        until("it is taken", async || proxy.open() == 2).await;
        proxy.pass().await;
        let mut back = [0; 3];
        stream.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"one");
    })
    .await;
}

#[tokio::test]
async fn it_refuses_and_leaves_open_ones_alone() {
    with_proxy(async |proxy| {
        let mut stream = open(proxy.addr()).await;
        assert_eq!(say(&mut stream, "one").await.unwrap(), "one");
        proxy.refuse().await;
        let refused = TcpStream::connect(proxy.addr()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(say(&mut stream, "two").await.unwrap(), "two");
        drop(stream);
        proxy.pass().await;
        let mut stream = open(proxy.addr()).await;
        assert_eq!(say(&mut stream, "three").await.unwrap(), "three");
    })
    .await;
}

#[tokio::test]
async fn it_resets_what_is_open_and_takes_what_is_new() {
    with_proxy(async |proxy| {
        let mut stream = open(proxy.addr()).await;
        assert_eq!(say(&mut stream, "one").await.unwrap(), "one");
        proxy.reset().await;
        let cut = stream.read_u8().await.unwrap_err();
        assert_eq!(cut.kind(), ErrorKind::ConnectionReset);
        let mut stream = open(proxy.addr()).await;
        assert_eq!(say(&mut stream, "two").await.unwrap(), "two");
    })
    .await;
}

#[tokio::test]
async fn it_cuts_after_so_many_bytes() {
    with_proxy(async |proxy| {
        proxy.cut_after(Direction::ToClient, 4).await;
        for _ in 0..2 {
            let mut stream = open(proxy.addr()).await;
            stream.write_all(b"hello").await.unwrap();
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).await.unwrap();
            assert_eq!(heard, b"hell");
        }
        proxy.cut_after(Direction::ToServer, 4).await;
        let mut stream = open(proxy.addr()).await;
        assert!(say(&mut stream, "hello").await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_database_behind_it_is_lost_and_found() {
    let database = Database::fresh().await;
    let proxy = Proxy::to(database.addr()).await;
    let url = database.url_at(proxy.addr());
    connected(&url.parse().unwrap(), async |client| {
        assert_eq!(rows(client, "select 1").await.unwrap(), ["1"]);
        proxy.reset().await;
        assert!(rows(client, "select 1").await.is_err());
    })
    .await
    .unwrap();
    assert_eq!(ask(&url, "select 2").await.unwrap(), ["2"]);
    let url = Postgres::shared().await.url_at(proxy.addr());
    assert_eq!(ask(&url, "select 3").await.unwrap(), ["3"]);
}
