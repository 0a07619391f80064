//! A caller on a raw socket: reads chunk by chunk, notes when each came, and can vanish at any
//! moment. What it hears is judged strictly.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// No test waits longer for a byte.
const PATIENCE: Duration = Duration::from_secs(20);

/// Turns whose response head was seen: each must be in the record once.
pub(crate) type Seen = Arc<Mutex<BTreeSet<String>>>;

#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    pub(crate) fn get(path: &str) -> Self {
        Self::method("GET", path)
    }

    pub(crate) fn method(method: &'static str, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// A JSON body as these bytes.
    pub(crate) fn bytes(path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: Some(body.into()),
            ..Self::method("POST", path)
        }
        .header("content-type", "application/json")
    }

    pub(crate) fn post(path: &str, body: &Value) -> Self {
        Self::bytes(path, body.to_string())
    }

    pub(crate) fn put(path: &str, body: &Value) -> Self {
        Self {
            method: "PUT",
            ..Self::post(path, body)
        }
    }

    /// The user's words in a session, as Hume sends them.
    pub(crate) fn hume(session: &str, words: &str) -> Self {
        Self::talk(session, &json!([{"role": "user", "content": words}]))
    }

    /// A conversation in a session, as Hume sends it.
    pub(crate) fn talk(session: &str, messages: &Value) -> Self {
        let path = match session {
            "" => "/chat/completions".to_owned(),
            session => format!("/chat/completions?custom_session_id={session}"),
        };
        Self::post(
            &path,
            &json!({"model": "coach-1", "stream": true, "messages": messages}),
        )
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with another content type.
    pub(crate) fn typed(mut self, value: &str) -> Self {
        self.headers.retain(|(name, _)| name != "content-type");
        self.header("content-type", value)
    }

    /// What goes over the wire, head and body apart.
    pub(crate) fn wire(&self) -> (Vec<u8>, Vec<u8>) {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: clm\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &self.body {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        (head.into_bytes(), self.body.clone().unwrap_or_default())
    }
}

/// What came in one piece, and when.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    pub(crate) at: Instant,
}

#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
}

/// A request under way.
pub(crate) struct Call {
    stream: TcpStream,
    buffer: Vec<u8>,
    head: Option<Head>,
    left: Left,
    seen: Seen,
    pub(crate) began: Instant,
}

/// What is still to come of a body.
enum Left {
    Unknown,
    Bytes(usize),
    Chunks,
    Nothing,
}

impl Call {
    pub(crate) async fn begin(addr: SocketAddr, request: &Request, seen: Seen) -> Self {
        let mut call = Self::connect(addr, seen).await;
        let (head, body) = request.wire();
        call.began = Instant::now();
        call.write(&[head, body].concat()).await;
        call
    }

    /// A connection with nothing sent yet.
    pub(crate) async fn connect(addr: SocketAddr, seen: Seen) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: Vec::new(),
            head: None,
            left: Left::Unknown,
            seen,
            began: Instant::now(),
        }
    }

    /// Asks once more on the same connection, after a whole response.
    pub(crate) async fn again(&mut self, request: &Request) {
        assert!(matches!(self.left, Left::Nothing | Left::Bytes(0)) && self.buffer.is_empty());
        (self.head, self.left) = (None, Left::Unknown);
        let (head, body) = request.wire();
        self.began = Instant::now();
        self.write(&[head, body].concat()).await;
    }

    /// Sends bytes as they are. A server that refuses early may have closed already.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// Reads some more; false at the end, also at a violent one.
    async fn fill(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.buffer);
        let read = timeout(PATIENCE, read).await.expect("some byte or an end");
        read.is_ok_and(|count| count > 0)
    }

    /// Up to and without this mark; `None` when the connection ends first.
    async fn up_to(&mut self, mark: &[u8]) -> Option<Vec<u8>> {
        loop {
            let found = self.buffer.windows(mark.len()).position(|w| w == mark);
            if let Some(at) = found {
                let taken = self.buffer.drain(..at + mark.len()).collect::<Vec<u8>>();
                return Some(taken[..at].to_vec());
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// The response head; `None` when the server closed without one.
    pub(crate) async fn try_head(&mut self) -> Option<Head> {
        if let Some(head) = &self.head {
            return Some(head.clone());
        }
        let text = String::from_utf8(self.up_to(b"\r\n\r\n").await?).unwrap();
        let mut lines = text.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let mut headers = BTreeMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            let twice = headers.insert(name.to_ascii_lowercase(), value.to_owned());
            assert_eq!(twice, None, "{name} twice");
        }
        let head = Head {
            status: status.parse().unwrap(),
            headers,
        };
        self.left = match head.headers.get("content-length") {
            Some(length) => Left::Bytes(length.parse().unwrap()),
            None if head.headers.contains_key("transfer-encoding") => Left::Chunks,
            None => Left::Nothing,
        };
        if let Some(turn) = head.headers.get("x-clm-turn-id") {
            self.seen.lock().unwrap().insert(turn.clone());
        }
        self.head = Some(head.clone());
        Some(head)
    }

    pub(crate) async fn head(&mut self) -> Head {
        self.try_head().await.expect("a response head")
    }

    pub(crate) async fn turn_id(&mut self) -> String {
        self.head().await.headers["x-clm-turn-id"].clone()
    }

    /// The next piece as the server wrote it; `None` at the body's proper end.
    pub(crate) async fn piece(&mut self) -> Option<Piece> {
        self.head().await;
        let bytes = match self.left {
            Left::Unknown | Left::Nothing => return None,
            Left::Bytes(0) => return None,
            Left::Bytes(length) => {
                self.take(length).await;
                let bytes = self.buffer.drain(..length).collect();
                self.left = Left::Nothing;
                bytes
            }
            Left::Chunks => {
                let size = self.up_to(b"\r\n").await.expect("a chunk or the last one");
                let size = std::str::from_utf8(&size).unwrap();
                let size = usize::from_str_radix(size, 16).unwrap();
                self.take(size + 2).await;
                let bytes: Vec<u8> = self.buffer.drain(..size).collect();
                assert_eq!(self.buffer.drain(..2).collect::<Vec<_>>(), b"\r\n");
                if size == 0 {
                    self.left = Left::Nothing;
                    return None;
                }
                bytes
            }
        };
        let at = Instant::now();
        Some(Piece { bytes, at })
    }

    async fn take(&mut self, length: usize) {
        while self.buffer.len() < length {
            assert!(self.fill().await, "the body was cut short");
        }
    }

    /// Reads until words were heard, so that a stream is surely under way.
    pub(crate) async fn hear_words(&mut self) {
        loop {
            let piece = self.piece().await.expect("words before the end");
            let text = String::from_utf8(piece.bytes).unwrap();
            if text.contains(r#""delta":{"content":"#) {
                return;
            }
        }
    }

    /// Reads all there is; whether the body had its proper end.
    pub(crate) async fn ends_well(&mut self) -> bool {
        self.head().await;
        while self.fill().await {
            let kept = self.buffer.len().saturating_sub(5);
            self.buffer.drain(..kept);
        }
        self.buffer == b"0\r\n\r\n"
    }

    pub(crate) async fn response(mut self) -> Response {
        self.whole().await
    }

    /// The whole response; the connection can be used again.
    pub(crate) async fn whole(&mut self) -> Response {
        let head = self.head().await;
        let mut pieces = Vec::new();
        while let Some(piece) = self.piece().await {
            pieces.push(piece);
        }
        Response {
            status: head.status,
            headers: head.headers,
            body: pieces.iter().flat_map(|p| p.bytes.clone()).collect(),
            pieces,
            began: self.began,
        }
    }

    /// Says that nothing more will be sent, as a client does that closes; returns when.
    pub(crate) async fn fin(&mut self) -> Instant {
        let at = Instant::now();
        self.stream.shutdown().await.unwrap();
        at
    }

    /// Breaks the connection off; returns when.
    pub(crate) fn reset(self) -> Instant {
        self.stream.set_zero_linger().unwrap();
        let at = Instant::now();
        drop(self.stream);
        at
    }

    /// Whether the server closes now, having sent nothing more.
    pub(crate) async fn is_closed(&mut self) -> bool {
        !self.fill().await
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) began: Instant,
}

impl Response {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }
}
