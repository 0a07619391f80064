//! The room against a scripted store on a real socket.

mod erase;
mod imagined;
mod recall;
mod remember;
mod search;
mod waiting;

use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpSocket;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::*;
use crate::turn::MemoryOutcome;
use crate::vault::{DataKey, Vault};

pub(in crate::memory) use imagined::Imagined;

/// A request as the store saw it.
#[derive(Clone, Debug)]
struct Seen {
    /// Method and path below the base, such as `POST /users`.
    call: String,
    key: String,
    body: Value,
}

/// What the store is to answer.
#[derive(Clone)]
struct Answer {
    status: u16,
    body: String,
    retry_after: Option<&'static str>,
    /// Held back until this gives a permit.
    held: Option<Arc<Semaphore>>,
}

fn answer(status: u16, body: impl Into<String>) -> Answer {
    Answer {
        status,
        body: body.into(),
        retry_after: None,
        held: None,
    }
}

fn context(words: &str) -> Answer {
    answer(200, serde_json::json!({ "context": words }).to_string())
}

type Script = Arc<dyn Fn(&Seen, usize) -> Answer + Send + Sync>;

/// Calls being answered, and the most there ever were at once.
#[derive(Default)]
struct Open {
    now: Vec<String>,
    most: usize,
    most_alike: usize,
}

#[derive(Clone)]
struct Scripted {
    script: Script,
    seen: Arc<Mutex<Vec<Seen>>>,
    open: Arc<Mutex<Open>>,
}

/// A store that answers by script, and a memory that uses it.
struct Stage {
    memory: Memory,
    life: Lifecycle,
    seen: Arc<Mutex<Vec<Seen>>>,
    open: Arc<Mutex<Open>>,
    base: String,
    dir: TempDir,
}

impl Stage {
    /// `script` gets the request and how many of the same call came before it.
    fn new(script: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/api/v2", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let scripted = Scripted {
            script: Arc::new(script),
            seen: Arc::clone(&seen),
            open: Arc::default(),
        };
        let open = Arc::clone(&scripted.open);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::new(scripted.clone()))
                .default_service(web::to(serve))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
        Lifecycle::new().spawn(server);
        let life = Lifecycle::new();
        let dir = tempfile::tempdir().unwrap();
        let memory = memory(&base, dir.path(), &life);
        Self {
            memory,
            life,
            seen,
            open,
            base,
            dir,
        }
    }

    fn backlog(&self) -> usize {
        self.memory.waiting().exchanges
    }

    /// The process must end at once, and another begins with the same directory and this key.
    async fn restart(&mut self, key: &str) {
        self.life.hard().cancel();
        self.memory.drain().await;
        self.life = Lifecycle::new();
        self.memory = remembering(&self.base, shelf(self.dir.path(), key), &self.life);
    }

    /// The calls so far that begin so.
    fn calls(&self, prefix: &str) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|s| s.call.starts_with(prefix))
            .cloned()
            .collect()
    }

    fn names(&self) -> Vec<String> {
        self.calls("").into_iter().map(|s| s.call).collect()
    }

    /// What a patient turn gets.
    async fn recalled(&self, who: &Person) -> (Option<String>, MemoryOutcome) {
        told(self.memory.recall(who).within(in_secs(8)).await)
    }
}

const KEY: &str = "a-data-key-0123456789";

pub(in crate::memory) fn vault(key: &str) -> Vault {
    let store = config::Store {
        database: None,
        data_dir: "/nowhere".into(),
        data_key: Some(key.to_owned().into()),
        retention: None,
        capture_ttl: std::time::Duration::from_secs(60),
    };
    Vault::new(&DataKey::load(&store).unwrap())
}

fn shelf(dir: &Path, key: &str) -> Shelf {
    Shelf {
        dir: dir.join("spool/memory"),
        vault: vault(key),
    }
}

fn memory(base_url: &str, dir: &Path, life: &Lifecycle) -> Memory {
    remembering(base_url, shelf(dir, KEY), life)
}

fn remembering(base_url: &str, shelf: Shelf, life: &Lifecycle) -> Memory {
    let settings = config::Memory {
        api_key: Some("z_secret".to_owned().into()),
        base_url: base_url.to_owned(),
    };
    Memory::start(&settings, shelf, life, Clock::Fixed(0)).unwrap()
}

/// An address that refuses connections, and stays ours until the socket listens.
fn silent() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let base = format!("http://{}/api/v2", socket.local_addr().unwrap());
    (socket, base)
}

fn told(recalled: Recalled) -> (Option<String>, MemoryOutcome) {
    (recalled.context.map(|c| c.to_string()), recalled.outcome)
}

fn in_secs(secs: u64) -> Instant {
    Instant::now() + Duration::from_secs(secs)
}

async fn serve(request: HttpRequest, body: web::Bytes, on: web::Data<Scripted>) -> HttpResponse {
    let path = request.uri().path();
    let key = request.headers().get("authorization");
    let seen = Seen {
        call: format!(
            "{} {}",
            request.method(),
            path.strip_prefix("/api/v2").unwrap_or(path)
        ),
        key: key.unwrap().to_str().unwrap().to_owned(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    };
    let before = {
        let mut all = on.seen.lock().unwrap();
        let before = all.iter().filter(|s| s.call == seen.call).count();
        all.push(seen.clone());
        before
    };
    {
        let mut open = on.open.lock().unwrap();
        open.now.push(seen.call.clone());
        open.most = open.most.max(open.now.len());
        let alike = open.now.iter().filter(|call| **call == seen.call).count();
        open.most_alike = open.most_alike.max(alike);
    }
    let answer = (on.script)(&seen, before);
    if let Some(held) = &answer.held {
        held.acquire().await.unwrap().forget();
    }
    {
        let mut open = on.open.lock().unwrap();
        let at = open.now.iter().position(|call| *call == seen.call);
        open.now.swap_remove(at.unwrap());
    }
    let mut response = HttpResponse::build(StatusCode::from_u16(answer.status).unwrap());
    if let Some(seconds) = answer.retry_after {
        response.insert_header(("retry-after", seconds));
    }
    response.body(answer.body)
}

/// Polls until it holds; fails after ten seconds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = in_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}

fn ines() -> Person {
    Person::new("ines", "s1")
}

#[tokio::test]
async fn without_a_key_memory_is_off() {
    let settings = config::Memory {
        api_key: None,
        base_url: "http://127.0.0.1:9".to_owned(),
    };
    let dir = tempfile::tempdir().unwrap();
    let life = Lifecycle::new();
    let memory = Memory::start(&settings, shelf(dir.path(), KEY), &life, Clock::System).unwrap();
    assert!(!memory.is_on());
    let recalled = memory.recall(&ines()).ready().unwrap();
    assert_eq!(told(recalled), (None, MemoryOutcome::Off));
    memory.prefetch(&ines());
    let erased = memory.erase("ines").await;
    assert_eq!((erased.dropped, erased.store), (0, StoreErased::Off));
    assert_eq!(
        (memory.health(), memory.waiting().exchanges),
        (MemoryHealth::Off, 0)
    );
    memory.drain().await;
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_key_that_is_no_header_is_refused_without_being_told() {
    let settings = config::Memory {
        api_key: Some("z_sec\nret".to_owned().into()),
        base_url: "http://127.0.0.1:9".to_owned(),
    };
    let shelf = shelf(Path::new("/nowhere"), KEY);
    let error = Memory::start(&settings, shelf, &Lifecycle::new(), Clock::System)
        .err()
        .unwrap();
    assert_eq!(error.kind(), "unauthorized");
    assert!(!format!("{error} {error:?}").contains("z_sec"));
}

/// Collects log lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn logs_tell_of_changes_once_and_of_nobody() {
    // With a single subscriber alive, an event that another test's thread meets first would be
    // switched off for good, because that thread has none.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let lines = Lines::default();
    let sink = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("quest_clm=trace")
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::CLOSE)
        .with_writer(move || sink.clone())
        .with_ansi(false)
        .finish();
    let _subscribed = tracing::subscriber::set_default(subscriber);
    let stage = Stage::new(|_, _| answer(500, "planted words"));
    for _ in 0..8 {
        stage.recalled(&ines()).await;
    }
    let planted = Exchange {
        user: Some("planted words".to_owned()),
        assistant: None,
        at_ms: 0,
    };
    assert!(stage.memory.remember(&ines(), planted));
    stage.life.hard().cancel();
    stage.memory.drain().await;
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.matches("memory is given a rest").count(), 1, "{text}");
    assert_eq!(
        text.matches("error.type=\"status_5xx\"").count(),
        5,
        "{text}"
    );
    assert!(text.contains("retrieval zep"), "{text}");
    for secret in ["planted", "z_secret", "clm-u-", "clm-t-", "ines"] {
        assert!(!text.contains(secret), "{secret}");
    }
}
