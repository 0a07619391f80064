//! A server that says what a test wrote for it, word for word, and keeps what it was asked.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::sync::{Arc, Mutex};

use clap::Parser as _;

use crate::config::Sources;
use crate::lifecycle::Lifecycle;

use super::{Cli, Exit, dispatch};

pub(super) struct Scripted {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// Gives these answers, one a connection; whoever comes then finds nobody.
    pub(super) fn start<const N: usize>(answers: [String; N]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let heads = Arc::clone(&asked);
        let serve = move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    head.extend(byte);
                }
                heads.lock().unwrap().push(String::from_utf8(head).unwrap());
                stream.write_all(answer.as_bytes()).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
            }
        };
        Lifecycle::new().spawn_thread("scripted", serve).unwrap();
        Self { url, asked }
    }

    /// The first lines of what was asked, without the protocol.
    pub(super) fn asked(&self) -> Vec<String> {
        let heads = self.asked.lock().unwrap();
        let lines = heads.iter().filter_map(|head| head.lines().next());
        lines
            .map(|l| l.trim_end_matches(" HTTP/1.1").to_owned())
            .collect()
    }

    /// Whether every request brought this key.
    pub(super) fn was_shown(&self, key: &str) -> bool {
        let heads = self.asked.lock().unwrap();
        let line = format!("authorization: Bearer {key}\r\n");
        heads.iter().all(|head| head.contains(&line))
    }
}

/// A whole answer.
pub(super) fn answer(status: u16, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )
}

/// A refusal as the server words it.
pub(super) fn refusal(status: u16, message: &str, hint: &str) -> String {
    let error = serde_json::json!({ "error": { "message": message, "hint": hint } });
    answer(status, "application/json", &error.to_string())
}

/// One piece of a stream, which then breaks off.
pub(super) fn cut(kind: &str, piece: &str) -> String {
    let length = piece.len();
    format!(
        "HTTP/1.1 200 X\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\
         connection: close\r\n\r\n{length:x}\r\n{piece}\r\n"
    )
}

/// The same, ended well.
pub(super) fn stream(kind: &str, piece: &str) -> String {
    format!("{}0\r\n\r\n", cut(kind, piece))
}

/// Runs a command line against `url`: how it ended, what it printed, and what it said.
pub(super) async fn clm(url: &str, line: &[&str]) -> (Exit, String, String) {
    clm_with(url, &[], line).await
}

/// The same with these settings too.
pub(super) async fn clm_with(
    url: &str,
    settings: &[(&str, &str)],
    line: &[&str],
) -> (Exit, String, String) {
    let local = matches!(line, ["migrate", ..]);
    let place = if local { &[][..] } else { &["--url", url] };
    let cli = match Cli::try_parse_from([&["clm"], line, place].concat()) {
        Ok(cli) => cli,
        Err(error) => return (Exit::Usage, String::new(), error.to_string()),
    };
    let key = ("ADMIN_API_KEYS", "an-admin-key-of-some-length");
    let sources = Sources::from_pairs(settings.iter().copied().chain([key]));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = dispatch(cli.command, &sources, &mut out, &mut err).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (exit.unwrap(), text(out), text(err))
}

/// Where nobody listens.
pub(super) fn nowhere() -> String {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", closed.local_addr().unwrap())
}
