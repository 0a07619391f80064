//! Those who are measured, and those who dawdle.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Sessions that ordinary turns come from, in their order, so that each is known and none is busy.
const SESSIONS: usize = 500;
/// Expressions that Hume scores in every message.
const SCORES: usize = 48;
/// As over the Internet; on this machine alone a socket's buffers would hold whole answers.
const SEGMENT: u32 = 1_448;
/// What a slow reader takes at once, and what its socket keeps for it.
const SIP: usize = 512;
const SOCKET_BYTES: u32 = 4_096;
/// How often a slow caller does something.
const BEAT: Duration = Duration::from_secs(1);
/// So many come in a second: all at once is another question.
const COMING: usize = 50;

/// Which way a caller dawdles.
#[derive(Clone, Copy)]
pub(crate) enum Slow {
    /// Takes half a kilobyte a second of an answer that comes faster and is longer than all buffers.
    Reads,
    /// Sends its body a byte a second, and comes again whenever the door is shut.
    Sends,
}

impl Slow {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reads => "slow readers",
            Self::Sends => "slow senders",
        }
    }
}

/// Slow callers, who all leave when it is dropped.
pub(crate) struct Crowd {
    held: Arc<AtomicUsize>,
    _callers: JoinSet<()>,
}

impl Crowd {
    /// So many callers, once all have come.
    pub(crate) async fn gather(slow: Slow, count: usize, addr: SocketAddr) -> Self {
        let held = Arc::<AtomicUsize>::default();
        let mut callers = JoinSet::new();
        for number in 0..count {
            let held = Arc::clone(&held);
            callers.spawn(async move {
                loop {
                    held.fetch_add(1, Ordering::Relaxed);
                    match slow {
                        Slow::Reads => read_slowly(addr, number).await,
                        Slow::Sends => send_slowly(addr).await,
                    }
                    held.fetch_sub(1, Ordering::Relaxed);
                }
            });
            sleep(Duration::from_secs(1) / u32::try_from(COMING).unwrap()).await;
        }
        Self {
            held,
            _callers: callers,
        }
    }

    /// How many are connected.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

async fn read_slowly(addr: SocketAddr, number: usize) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(SOCKET_BYTES).unwrap();
    SockRef::from(&socket).set_tcp_mss(SEGMENT).unwrap();
    let mut socket = socket.connect(addr).await.unwrap();
    let body = json!({"messages": [{"role": "user", "content": "I want a promotion."}]});
    let asked = post(
        &format!("/chat/completions?custom_session_id=slow-{number}"),
        &body,
    );
    socket.write_all(&asked).await.unwrap();
    let mut sip = [0; SIP];
    while socket.read(&mut sip).await.is_ok_and(|n| n > 0) {
        sleep(BEAT).await;
    }
}

async fn send_slowly(addr: SocketAddr) {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    let head = b"POST /chat/completions HTTP/1.1\r\nhost: clm\r\ncontent-length: 60\r\n\r\n";
    socket.write_all(head).await.unwrap();
    let mut answer = [0; SIP];
    loop {
        tokio::select! {
            read = socket.read(&mut answer) => if read.is_ok_and(|n| n > 0) { continue } else { return },
            () = sleep(BEAT) => if socket.write_all(b" ").await.is_err() { return },
        }
    }
}

/// An ordinary turn as Hume asks for it: new words, in one of some sessions.
pub(crate) fn turn(number: usize) -> Vec<u8> {
    let scores: serde_json::Map<String, Value> = (0..SCORES)
        .map(|n| (format!("Expression {n}"), json!(n as f64 / 100.0)))
        .collect();
    let said = |role: &str, words: String| {
        json!({"role": role, "content": words, "time": {"begin": 0, "end": 2400},
            "models": {"prosody": {"scores": scores}}})
    };
    let body = json!({"messages": [
        said("user", "I keep putting off the hard conversation.".to_owned()),
        json!({"role": "assistant", "content": "What makes it hard?"}),
        said("user", format!("It is the {number}th time that I try, at {:?}.", Instant::now())),
    ]});
    let session = number % SESSIONS;
    post(
        &format!("/chat/completions?custom_session_id=quick-{session}"),
        &body,
    )
}

/// The call to a model as it would be without a server between.
pub(crate) fn model_call() -> Vec<u8> {
    let body = json!({"model": "sim/ok", "stream": true, "messages": [
        {"role": "user", "content": "I keep putting off the hard conversation."}]});
    post("/api/v1/chat/completions", &body)
}

fn post(path: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nhost: clm\r\nauthorization: Bearer simulated\r\n\
         content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// From before it connects until a call hears its first words; it is heard to its end.
pub(crate) async fn first_words(addr: SocketAddr, asked: Vec<u8>) -> Duration {
    let began = Instant::now();
    let mut socket = TcpStream::connect(addr).await.unwrap();
    socket.set_nodelay(true).unwrap();
    socket.write_all(&asked).await.unwrap();
    let mut heard = Vec::with_capacity(32 << 10);
    let mut first = None;
    while socket.read_buf(&mut heard).await.unwrap() > 0 {
        if first.is_none() && has_words(&heard) {
            first = Some(began.elapsed());
        }
    }
    let text = String::from_utf8_lossy(&heard);
    assert!(text.contains("data: [DONE]"), "{text}");
    first.expect("words")
}

/// Whether some content is not empty.
fn has_words(heard: &[u8]) -> bool {
    const CONTENT: &[u8] = b"\"content\":\"";
    let mut starts = heard.windows(CONTENT.len() + 1);
    starts.any(|at| at.starts_with(CONTENT) && !at.ends_with(b"\""))
}
