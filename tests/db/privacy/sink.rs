//! A collector of telemetry that takes everything and understands nothing: it keeps the bytes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use quest_clm::lifecycle::Lifecycle;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The bodies of all requests so far.
type Kept = Arc<Mutex<Vec<u8>>>;

pub(crate) struct Sink {
    addr: SocketAddr,
    kept: Kept,
    lifecycle: Lifecycle,
}

impl Sink {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (kept, lifecycle) = (Kept::default(), Lifecycle::new());
        let (keeping, serving) = (Arc::clone(&kept), lifecycle.clone());
        lifecycle.spawn(async move {
            let hard = serving.hard().clone();
            while let Some(Ok((stream, _))) = hard.run_until_cancelled(listener.accept()).await {
                let (kept, hard) = (Arc::clone(&keeping), hard.clone());
                serving.spawn(async move {
                    hard.run_until_cancelled(serve(stream, kept)).await;
                });
            }
        });
        Self {
            addr,
            kept,
            lifecycle,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.kept.lock().unwrap().clone()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.lifecycle.hard().cancel();
    }
}

/// One connection, until its end.
async fn serve(mut stream: TcpStream, kept: Kept) {
    let mut bytes = Vec::new();
    loop {
        let Some(head) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
            if !matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
                return;
            }
            continue;
        };
        let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
        let length = text.lines().find_map(|l| l.strip_prefix("content-length:"));
        let length: usize = length.expect("a length").trim().parse().unwrap();
        let end = head + 4 + length;
        while bytes.len() < end {
            if !matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
                return;
            }
        }
        // The head holds the collector's own key, which is sent to nobody else.
        kept.lock()
            .unwrap()
            .extend_from_slice(&bytes[head + 4..end]);
        bytes.drain(..end);
        let answer =
            b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}
