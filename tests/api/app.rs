//! One whole service, with a simulator behind it and a book of what has to be recorded at its end.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quest_clm::app::{AppError, Application, Ended};
use quest_clm::coach::Roster;
use quest_clm::config::{Sources, load};
use quest_clm::lifecycle::Lifecycle;
use quest_clm::memory::Person;
use quest_clm::simulate::{ChatCall, Ledger, Options, Simulator};
use quest_clm::turn::TurnRecord;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, block_in_place};
use tokio::time::{Instant, sleep, timeout};

use crate::caller::{Call, Request, Response, Seen};
use crate::heard::Heard;
use crate::room::Share;
use crate::stored::stored;

/// For tests of how words travel, whatever they are: they are said as they are written.
pub(crate) const AS_WRITTEN: (&str, &str) = ("SPEECH_FILTER", "false");

/// Nothing that a test waits for takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct TestApp {
    pub(crate) addr: SocketAddr,
    simulator: Option<Simulator>,
    lifecycle: Lifecycle,
    running: Option<JoinHandle<Result<Ended, AppError>>>,
    seen: Seen,
    /// Sessions made up so far.
    made_up: AtomicUsize,
    data: TempDir,
    _share: Share,
}

impl TestApp {
    /// The service with these settings on top of a test's, and a quick simulator.
    pub(crate) async fn spawn(settings: &[(&str, &str)]) -> Self {
        Self::with_share(settings, Share::beside_others().await).await
    }

    /// The same with no other service of this binary running beside it, for times that are measured.
    pub(crate) async fn spawn_alone(settings: &[(&str, &str)]) -> Self {
        Self::with_share(settings, Share::alone().await).await
    }

    async fn with_share(settings: &[(&str, &str)], share: Share) -> Self {
        let quick = Options {
            first_token: Duration::from_millis(5),
            gap: Duration::from_millis(1),
            memory_latency: Duration::from_millis(2),
            ..Options::default()
        };
        // The simulator outlives the service, so that what it flushes at the end still arrives.
        let backstage = Lifecycle::new();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let simulator = Simulator::start(listener, quick, &backstage).await.unwrap();
        let data = tempfile::tempdir().unwrap();
        let ours = [
            ("PORT", "0".to_owned()),
            ("WORKERS", "1".to_owned()),
            // Nobody looks at it, and without optimisation it takes long.
            ("PRACTICE", "false".to_owned()),
            ("DATA_DIR", data.path().display().to_string()),
            ("OPEN_ROUTER_API_KEY", "or-test".to_owned()),
            ("OPENROUTER_BASE_URL", simulator.openrouter_url()),
            ("ZEP_API_KEY", "zep-test".to_owned()),
            ("ZEP_BASE_URL", simulator.zep_url()),
        ];
        let theirs = settings.iter().map(|(k, v)| (*k, (*v).to_owned()));
        let mut settings = load(&Sources::from_pairs(ours.into_iter().chain(theirs))).unwrap();
        settings.simulated = true;
        let application = Application::build(&settings, None).unwrap();
        let (addr, lifecycle) = (application.addr(), application.lifecycle().clone());
        let running = backstage.spawn(application.run());
        Self {
            addr,
            simulator: Some(simulator),
            lifecycle,
            running: Some(running),
            seen: Seen::default(),
            made_up: AtomicUsize::new(0),
            data,
            _share: share,
        }
    }

    pub(crate) fn simulator(&self) -> &Simulator {
        self.simulator.as_ref().unwrap()
    }

    pub(crate) fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    /// Where the service keeps its data.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// The faults of the next model calls, whatever their model.
    pub(crate) fn script(&self, faults: &[&str]) {
        self.simulator().script(faults.to_vec());
    }

    pub(crate) fn options(&self, change: impl FnOnce(&mut Options)) {
        let mut options = self.simulator().options();
        change(&mut options);
        self.simulator().set_options(options);
    }

    /// Model calls so far, oldest first.
    pub(crate) fn chats(&self) -> Vec<ChatCall> {
        self.simulator().ledger().chats()
    }

    /// What the last model call was asked.
    pub(crate) fn asked(&self) -> Value {
        self.chats().last().expect("a model was asked").body.clone()
    }

    pub(crate) async fn call(&self, request: &Request) -> Call {
        Call::begin(self.addr, request, Arc::clone(&self.seen)).await
    }

    pub(crate) async fn send(&self, request: &Request) -> Response {
        self.call(request).await.response().await
    }

    /// Asks and hears a whole stream.
    pub(crate) async fn hear(&self, request: &Request) -> Heard {
        Heard::strictly(self.send(request).await)
    }

    /// One turn of a session of its own: in one session the same words would only be heard again.
    pub(crate) async fn ask(&self, words: &str) -> Heard {
        let number = self.made_up.fetch_add(1, Ordering::Relaxed);
        self.say(&format!("own-{number}"), words).await
    }

    /// One turn of a session on the hume route.
    pub(crate) async fn say(&self, session: &str, words: &str) -> Heard {
        self.hear(&Request::hume(session, words)).await
    }

    /// The turn's record once the store has it: what has just ended is told of before, and is not in
    /// reports, sessions and lists yet. By its own id or its trace's; one of the last two hundred.
    pub(crate) async fn record(&self, id: &str) -> Value {
        let recorded = Request::get("/v1/turns?limit=200");
        until("the turn in the store", async || {
            let page = self.send(&recorded).await.json();
            let mut items = page["items"].as_array()?.iter();
            let is_it = |item: &Value| item["turn_id"] == id || item["trace_id"] == id;
            items.any(is_it).then_some(())
        })
        .await;
        self.settled(id).await
    }

    /// The turn's record, as `GET /v1/turns/{id}` tells it, once it has settled.
    pub(crate) async fn settled(&self, id: &str) -> Value {
        let request = Request::get(&format!("/v1/turns/{id}"));
        until("the turn's record", async || {
            let response = self.send(&request).await;
            (response.status == 200).then(|| response.json())
        })
        .await
    }

    /// So many recorded turns, newest first, once they are all there.
    pub(crate) async fn recorded(&self, count: usize) -> Vec<Value> {
        let request = Request::get("/v1/turns?limit=200");
        until("all turns recorded", async || {
            let page = self.send(&request).await.json();
            let items = page["items"].as_array().unwrap().clone();
            assert!(
                items.len() <= count,
                "more turns than there were: {items:?}"
            );
            (items.len() == count).then_some(items)
        })
        .await
    }

    /// Ends the service, which must end clean, and holds its invariants.
    pub(crate) async fn stop(self) -> Vec<TurnRecord> {
        self.stop_as(Ended::Clean).await
    }

    /// Ends the service so, and holds its invariants: every turn is recorded exactly once, nothing
    /// is left open upstream, and every paid call has a row.
    pub(crate) async fn stop_as(mut self, how: Ended) -> Vec<TurnRecord> {
        self.lifecycle.soft().cancel();
        let running = self.running.take().unwrap();
        let ended = timeout(Duration::from_secs(40), running).await;
        assert_eq!(ended.expect("the service ends").unwrap().unwrap(), how);
        let simulator = self.simulator.take().unwrap();
        let ledger = simulator.ledger().clone();
        until("nothing is open upstream", async || {
            ledger.chats().iter().all(|c| c.end.is_some()).then_some(())
        })
        .await;
        simulator.stop().await;
        let records = stored(self.data.path()).await;
        let mut times: BTreeMap<&str, u32> = BTreeMap::new();
        for record in &records {
            *times.entry(&record.turn_id).or_default() += 1;
        }
        for turn in self.seen.lock().unwrap().iter() {
            assert_eq!(
                times.get(turn.as_str()),
                Some(&1),
                "turn {turn} recorded once"
            );
        }
        assert!(times.values().all(|n| *n == 1));
        let rows: usize = records.iter().map(|r| r.attempts.len()).sum();
        assert!(ledger.chats().len() <= rows, "every model call has its row");
        assert_eq!(ledger.trap_hits(), 0, "no redirect is followed");
        records
    }
}

impl Drop for TestApp {
    /// Also for a test that failed or forgot: the server must not outlive it.
    fn drop(&mut self) {
        self.lifecycle.soft().cancel();
        self.lifecycle.hard().cancel();
        if let Some(running) = self.running.take() {
            block_in_place(|| {
                let _ = Handle::current().block_on(timeout(PATIENCE, running));
            });
        }
    }
}

/// Asks again every few milliseconds until there is an answer; fails when there never is.
pub(crate) async fn until<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "never came: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}

/// Messages stored in the thread of this person in this session, as `role: words`.
pub(crate) fn remembered(ledger: &Ledger, user: &str, session: &str) -> Vec<String> {
    let who = Person::new(user, session);
    let mut threads = ledger.zep_threads().into_iter();
    let thread = threads.find(|t| t.thread_id == who.zep_thread());
    let messages = thread.map(|t| t.messages).unwrap_or_default();
    messages
        .iter()
        .map(|m| format!("{}: {}", m.role, m.content))
        .collect()
}

/// Whether this is exactly one of a coach's lines for a turn that failed.
pub(crate) fn is_fallback_line(text: &str) -> bool {
    let roster = Roster::built_in().unwrap();
    let mut lines = roster.iter().flat_map(|coach| &coach.fallback_lines);
    lines.any(|line| line == text)
}

/// The fault that makes a model say exactly this.
pub(crate) fn saying(text: &str) -> String {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    format!("text:{encoded}")
}
