//! The real binary, with everything on, and one turn after another of it in lockstep: the next token
//! leaves the scripted upstream once the caller has heard the last and a little later, so that each is a read
//! and a write of its own and none of a burst, as when a model speaks. Upstream and caller are this process, and are not counted.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use quest_clm::clock::Clock;
use quest_clm::config::{self, Sources};
use quest_clm::http::callers::hume;
use quest_clm::session::{MintRequest, Sessions};
use quest_clm::speech::{Filter, Language};
use tempfile::TempDir;

use crate::answer::{PLAIN, tokens};
use crate::request::USER_LINE;
use crate::stations::framed;

const CALLER_KEY: &str = "a-key-of-a-caller";
const SIGNING_KEY: &str = "a-signing-key-of-some-length";
/// Words that come sooner after the last are a burst to the server (`http/body.rs`).
const PACE: Duration = Duration::from_millis(2);
/// A word that does not come within this time is held back by the server.
const HELD: Duration = Duration::from_secs(2);

/// A server and what stands around it; they end with it.
pub(crate) struct House {
    pub(crate) server: Child,
    simulator: Child,
    served: u16,
    calls: Receiver<Called>,
    session: String,
    asked: usize,
    /// Words that did not come when they were due.
    pub(crate) late: usize,
    _data: TempDir,
}

/// A call to the model, to be answered on its connection; the other end is told when it has been.
struct Called {
    socket: TcpStream,
    answered: SyncSender<()>,
}

impl House {
    /// The server runs behind these words, such as valgrind's.
    pub(crate) fn start(before: &[String]) -> Self {
        let clm = env!("CARGO_BIN_EXE_clm");
        let data = tempfile::tempdir().unwrap();
        let (served, simulated) = (free(), free());
        let (upstream, calls) = upstream();
        let simulator = quiet(Command::new(clm), data.path())
            .args(["simulate", "--memory-ms", "1", "--port"])
            .arg(simulated.to_string())
            .spawn()
            .unwrap();
        let mut command = match before {
            [] => Command::new(clm),
            [program, args @ ..] => {
                let mut command = Command::new(program);
                command.args(args).arg(clm);
                command
            }
        };
        let server = quiet_with(&mut command, data.path())
            .arg("serve")
            .envs([
                ("PORT", served.to_string()),
                ("WORKERS", "1".to_owned()),
                // By the clock, so more often under valgrind.
                ("PRACTICE", "false".to_owned()),
                ("CLM_API_KEYS", CALLER_KEY.to_owned()),
                ("SESSION_SIGNING_KEYS", SIGNING_KEY.to_owned()),
                ("OPEN_ROUTER_API_KEY", "scripted".to_owned()),
                (
                    "OPENROUTER_BASE_URL",
                    format!("http://127.0.0.1:{upstream}/api/v1"),
                ),
                ("ZEP_API_KEY", "simulated".to_owned()),
                (
                    "ZEP_BASE_URL",
                    format!("http://127.0.0.1:{simulated}/api/v2"),
                ),
            ])
            .spawn()
            .unwrap();
        let mut house = Self {
            server,
            simulator,
            served,
            calls,
            session: minted(),
            asked: 0,
            late: 0,
            _data: data,
        };
        house.ready();
        house
    }

    fn ready(&mut self) {
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.served)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(120), "nobody listens");
            assert!(self.server.try_wait().unwrap().is_none(), "it has ended");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// One turn whose answer has so many tokens.
    pub(crate) fn turn(&mut self, count: usize) {
        // A call that nobody waits for any more was a race's second.
        drop(self.calls.try_iter().collect::<Vec<Called>>());
        let mut caller = self.ask();
        let Called { socket, answered } = self.calls.recv_timeout(10 * HELD).unwrap();
        let mut model = Model(socket);
        model.head();
        let mut filter = Filter::new(Language::English);
        let mut due = caller.heard(1, HELD).then_some(1).unwrap();
        let plain = tokens(PLAIN);
        for token in plain.iter().cycle().take(count) {
            let mut said = String::new();
            filter.push(token, &mut said);
            thread::sleep(PACE);
            model.chunk(&framed(token));
            if !said.is_empty() {
                due += 1;
                if !caller.heard(due, HELD) {
                    self.late += 1;
                    due -= 1;
                }
            }
        }
        model.end(count);
        answered.send(()).unwrap();
        caller.hear_out();
        // The turn settles, and its record is written.
        thread::sleep(Duration::from_millis(700));
    }

    fn ask(&mut self) -> Caller {
        // The same words again would be answered by what was said before.
        self.asked += 1;
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.served)).unwrap();
        socket.set_nodelay(true).unwrap();
        let body = hume::request(3, &format!("{USER_LINE} So much for {}.", self.asked));
        let head = format!(
            "POST /chat/completions?custom_session_id={} HTTP/1.1\r\nhost: clm\r\n\
             authorization: Bearer {CALLER_KEY}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            self.session,
            body.len(),
        );
        socket.write_all((head + &body).as_bytes()).unwrap();
        Caller {
            socket,
            events: 0,
            last: Vec::new(),
        }
    }

    /// The server stops as an operator stops it. Behind a program that only watches, it is the
    /// watcher's child.
    pub(crate) fn stop(&mut self) {
        let own = self.server.id().to_string();
        let child = Command::new("pgrep").args(["-P", &own]).output();
        let child = child.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned());
        let child = child.unwrap_or_default();
        let whom = if child.is_empty() { own } else { child };
        let _ = Command::new("kill").args(["-TERM", &whom]).status();
        let _ = self.server.wait();
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for child in [&mut self.server, &mut self.simulator] {
            // One that has ended already cannot be killed, and that is as well.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn minted() -> String {
    let keys = [("SESSION_SIGNING_KEYS", SIGNING_KEY)];
    let loaded = config::load(&Sources::from_pairs(keys)).unwrap();
    let wish = MintRequest {
        user_id: "coachee-42".to_owned(),
        ..MintRequest::default()
    };
    let minted = Sessions::new(&loaded, Clock::System).mint(wish).unwrap();
    minted.session.as_str().to_owned()
}

struct Caller {
    socket: TcpStream,
    events: usize,
    /// The end of what was read, in which an event may be cut.
    last: Vec<u8>,
}

impl Caller {
    /// Whether so many events have come within the time.
    fn heard(&mut self, events: usize, within: Duration) -> bool {
        self.socket.set_read_timeout(Some(within)).unwrap();
        while self.events < events {
            if !self.read() {
                return false;
            }
        }
        true
    }

    fn hear_out(&mut self) {
        self.socket.set_read_timeout(Some(HELD)).unwrap();
        while !self.last.windows(6).any(|w| w == b"[DONE]") {
            assert!(self.read(), "no proper end");
        }
    }

    fn read(&mut self) -> bool {
        let mut piece = [0; 16 << 10];
        let read = self.socket.read(&mut piece).unwrap_or(0);
        if read == 0 {
            return false;
        }
        let piece = piece.get(..read).unwrap();
        let kept = self.last.len().saturating_sub(5);
        self.last.drain(..kept);
        let before = starts(&self.last);
        self.last.extend_from_slice(piece);
        self.events += starts(&self.last) - before;
        true
    }
}

fn starts(bytes: &[u8]) -> usize {
    bytes.windows(6).filter(|w| w == b"data: ").count()
}

/// Where the model speaks.
struct Model(TcpStream);

impl Model {
    fn head(&mut self) {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        self.0.write_all(head.as_bytes()).unwrap();
    }

    fn chunk(&mut self, bytes: &Bytes) {
        let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
        framed.extend_from_slice(bytes);
        framed.extend_from_slice(b"\r\n");
        self.0.write_all(&framed).unwrap();
    }

    fn end(&mut self, tokens: usize) {
        let usage =
            format!(r#""usage":{{"prompt_tokens":900,"completion_tokens":{tokens},"cost":0.001}}"#);
        let finish = r#""choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}]"#;
        let events =
            format!("data: {{{finish}}}\n\ndata: {{{finish},{usage}}}\n\ndata: [DONE]\n\n");
        self.chunk(&Bytes::from(events));
        self.0.write_all(b"0\r\n\r\n").unwrap();
    }
}

/// Listens, and gives every call to the model on; whatever else is asked is not there.
fn upstream() -> (u16, Receiver<Called>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, calls) = sync_channel(8);
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let sender = sender.clone();
            thread::spawn(move || answer(socket, &sender));
        }
    });
    (port, calls)
}

fn answer(mut socket: TcpStream, calls: &SyncSender<Called>) {
    socket.set_nodelay(true).unwrap();
    while let Some(head) = request(&mut socket) {
        if !head.contains("/chat/completions") {
            let nothing = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
            if socket.write_all(nothing).is_err() {
                return;
            }
            continue;
        }
        let (answered, done) = sync_channel(8);
        let call = Called {
            socket: socket.try_clone().unwrap(),
            answered,
        };
        if calls.send(call).is_err() || done.recv().is_err() {
            return;
        }
    }
}

/// Reads one request; gives its head.
fn request(socket: &mut TcpStream) -> Option<String> {
    let mut all = Vec::new();
    let mut piece = [0; 16 << 10];
    loop {
        let n = socket.read(&mut piece).ok().filter(|n| *n > 0)?;
        all.extend_from_slice(piece.get(..n)?);
        let text = String::from_utf8_lossy(&all);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let head = head.to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|l| l.strip_prefix("content-length: "));
        let length = length.and_then(|n| n.parse().ok()).unwrap_or(0);
        if body.len() >= length {
            return Some(head);
        }
    }
}

fn quiet(mut command: Command, data: &Path) -> Command {
    quiet_with(&mut command, data);
    command
}

fn quiet_with<'c>(command: &'c mut Command, data: &Path) -> &'c mut Command {
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .env_clear()
        .env("PATH", path)
        .env("DATA_DIR", data)
        .env("LOG_FORMAT", "json")
        // A process that starts itself anew would leave valgrind.
        .env("GLIBC_TUNABLES", "")
        .current_dir(data)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
}

/// A port that nobody listens on.
fn free() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}
