//! The service with everything it leans on, and all the places where it could have left something.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use quest_clm::lifecycle::Lifecycle;
use quest_clm::simulate::{Options, Simulator};
use serde_json::{Value, json};

use super::search::Search;
use super::sink::Sink;
use crate::caller::{Call, Request, Response};
use crate::heard::Heard;
use crate::service::{Service, until};
use crate::support::postgres::{Auth, Database, Postgres, Setup, ask};
use crate::support::redis::Redis;

pub(super) const CALLER_KEY: &str = "caller-Turmfalke-5501";
const ADMIN_KEY: &str = "admin-Wanderfalke-5503";
pub(super) const DATA_KEY: &str = "data-Merlinfalke-5507";
const DATABASE_PASSWORD: &str = "pg-Baumfalke-5508";
const REDIS_PASSWORD: &str = "redis-Rotmilan-5509";
/// Settings that nobody may be shown.
const KEYS: &[(&str, &str)] = &[
    (
        "CLM_API_KEYS",
        "caller-Turmfalke-5501,older-Sakerfalke-5502",
    ),
    ("ADMIN_API_KEYS", ADMIN_KEY),
    ("OPEN_ROUTER_API_KEY", "sk-or-v1-Gerfalke5504"),
    ("ZEP_API_KEY", "z_Habicht5505"),
    (
        "SESSION_SIGNING_KEYS",
        "signing-Sperber-5506,older-Bussard-5506",
    ),
    ("DATA_KEY", DATA_KEY),
    (
        "OTEL_EXPORTER_OTLP_HEADERS",
        "api-key=otlp-Schreiadler-5510",
    ),
];

/// What of the settings must be nowhere.
pub(super) fn keys() -> impl Iterator<Item = (&'static str, &'static str)> {
    let each = KEYS.iter().flat_map(|(name, keys)| {
        let keys = keys.split(',').map(|key| key.rsplit('=').next().unwrap());
        keys.map(|key| (*name, key))
    });
    let passwords = [
        ("the database's password", DATABASE_PASSWORD),
        ("the password of Redis", REDIS_PASSWORD),
    ];
    each.chain(passwords)
}

/// Name and content of somewhere that something could be.
pub(super) type Place = (String, Vec<u8>);

pub(super) struct Stage {
    pub(super) service: Service,
    pub(super) simulator: Simulator,
    pub(super) postgres: Postgres,
    database: Database,
    redis: Redis,
    sink: Sink,
    settings: Vec<(&'static str, String)>,
    /// Of lives of the service that have ended.
    logged: Vec<String>,
}

impl Stage {
    pub(super) async fn open(settings: &[(&'static str, &str)]) -> Self {
        let postgres = Postgres::with(Setup::default().auth(Auth::Scram)).await;
        // Its log then shows every value that it was ever sent.
        let arranged = format!(
            "alter role clm password '{DATABASE_PASSWORD}'; alter role clm set log_statement = 'all'"
        );
        postgres.admin(&arranged).await.unwrap();
        let database = postgres.database().await;
        let redis = Redis::with(&[("requirepass", REDIS_PASSWORD)]).await;
        let sink = Sink::start().await;
        let simulator = simulator().await;
        let mut all: Vec<(&'static str, String)> =
            KEYS.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
        all.extend([
            ("DATABASE_URL", url(&database)),
            ("REDIS_URL", redis_url(&redis)),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url()),
            ("OTEL_METRIC_EXPORT_INTERVAL", "200".to_owned()),
            ("OPENROUTER_BASE_URL", simulator.openrouter_url()),
            ("ZEP_BASE_URL", simulator.zep_url()),
            // Body ids and unsigned ones are heeded too.
            ("REQUIRE_SIGNED_SESSIONS", "off".to_owned()),
            ("RUST_LOG", "quest_clm=trace,clm=trace".to_owned()),
            ("HEDGING", "false".to_owned()),
        ]);
        all.extend(settings.iter().map(|(k, v)| (*k, (*v).to_owned())));
        // Whatever else it might write would be among its log.
        let service = Service::start_as("exec \"$0\" serve 1>&2", &borrowed(&all)).await;
        let stage = Self {
            service,
            simulator,
            postgres,
            database,
            redis,
            sink,
            settings: all,
            logged: Vec::new(),
        };
        until("the schema", async || stage.count("turn").await).await;
        stage
    }

    /// Ends the service as a platform does, and starts it again over the same data.
    pub(super) async fn stop(&mut self) {
        self.service.signal("TERM");
        self.service.ended().await;
        self.logged.append(&mut self.service.lines());
    }

    pub(super) async fn start_again(&mut self) {
        self.service.kill_and_start(&borrowed(&self.settings)).await;
    }

    /// A caller's request.
    pub(super) fn signed(request: Request) -> Request {
        request.header("authorization", &format!("Bearer {CALLER_KEY}"))
    }

    /// An operator's.
    pub(super) async fn admin(&self, request: Request) -> Response {
        let request = request.header("authorization", &format!("Bearer {ADMIN_KEY}"));
        self.service.send(&request).await
    }

    /// Watches turns as they happen.
    pub(super) async fn watch(&self) -> Call {
        let watch = Request::get("/v1/turns/live");
        let watch = watch.header("authorization", &format!("Bearer {ADMIN_KEY}"));
        let mut watch = self.service.call(&watch).await;
        assert_eq!(watch.head().await.status, 200);
        watch
    }

    pub(super) async fn mint(&self, user: &str) -> String {
        let request = Request::post("/v1/sessions", &json!({ "user_id": user }));
        let minted = self.admin(request).await.json();
        minted["session_id"].as_str().unwrap().to_owned()
    }

    /// One turn of a conversation, answered with these words.
    pub(super) async fn talk(&self, session: &str, messages: &Value, reply: &str) -> Heard {
        self.simulator.script(vec![&saying(reply)]);
        let request = Self::signed(Request::talk(session, messages));
        let heard = Heard::strictly(self.service.send(&request).await);
        assert_eq!(heard.text, reply);
        heard
    }

    /// One answer to `/readyz` in full.
    pub(super) async fn ready(&self) -> Value {
        self.admin(Request::get("/readyz")).await.json()
    }

    /// The first column of what a question gives; nothing while PostgreSQL is away.
    pub(super) async fn ask(&self, sql: &str) -> Vec<String> {
        ask(&url(&self.database), sql).await.unwrap_or_default()
    }

    /// Rows of a table, once there is one.
    pub(super) async fn count(&self, table: &str) -> Option<usize> {
        let rows = self.ask(&format!("select count(*) from {table}")).await;
        rows.first()?.parse().ok()
    }

    /// Waits until every turn that was heard of is in the database.
    pub(super) async fn is_kept(&self) {
        until("every turn in the database", async || {
            let kept = self.ask("select turn_id from turn").await;
            self.service
                .turns()
                .iter()
                .all(|t| kept.contains(t))
                .then_some(())
        })
        .await;
    }

    /// All files of the service's.
    pub(super) fn files(&self) -> Vec<Place> {
        let files = files(self.service.data());
        files
            .into_iter()
            .map(|path| {
                let content = fs::read(&path).unwrap();
                (format!("the file {path:?}"), content)
            })
            .collect()
    }

    /// Every table, as text.
    pub(super) async fn tables(&self) -> Vec<Place> {
        let names =
            "select format('%I.%I', table_schema, table_name) from information_schema.tables
            where table_schema not in ('pg_catalog', 'information_schema')";
        let mut places = Vec::new();
        for name in self.ask(names).await {
            let rows = self.ask(&format!("select t::text from {name} t")).await;
            places.push((format!("the table {name}"), rows.join("\n").into_bytes()));
        }
        places
    }

    /// Every key of Redis with its value.
    pub(super) async fn redis(&self) -> Place {
        let client = redis::Client::open(redis_url(&self.redis)).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let all = redis::Script::new(include_str!("redis.lua"));
        let all: Vec<Vec<u8>> = all.invoke_async(&mut connection).await.unwrap();
        ("Redis".to_owned(), all.join(&b'\n'))
    }

    /// What was sent to the collector.
    pub(super) fn sent(&self) -> Place {
        ("the collector".to_owned(), self.sink.bytes())
    }

    /// Every answer that an operator can ask for.
    pub(super) async fn answers(&self, paths: &[String]) -> Vec<Place> {
        let mut places = Vec::new();
        for path in paths {
            let answer = self.admin(Request::get(path)).await;
            places.push((format!("GET {path}: {}", answer.status), answer.body));
        }
        places
    }

    /// What was logged, by the service and by PostgreSQL.
    pub(super) fn logs(&self) -> [Place; 2] {
        let lines = [self.logged.clone(), self.service.lines()].concat();
        [
            ("the log".to_owned(), lines.join("\n").into_bytes()),
            (
                "PostgreSQL's log".to_owned(),
                self.postgres.log().into_bytes(),
            ),
        ]
    }

    /// What memory and the models were told: here the words are.
    pub(super) fn told(&self) -> Vec<u8> {
        let ledger = self.simulator.ledger();
        let asked = ledger.chats().into_iter().map(|chat| chat.body.to_string());
        let remembered = ledger.zep().into_iter().map(|call| call.body.to_string());
        asked.chain(remembered).collect::<String>().into_bytes()
    }
}

/// Holds that nothing of it is in any of these places.
pub(super) fn nothing_in(places: &[Place], search: &Search) {
    let hits: Vec<_> = places
        .iter()
        .flat_map(|(name, content)| {
            search
                .found(content)
                .into_iter()
                .map(move |hit| (name, hit))
        })
        .collect();
    assert!(hits.is_empty(), "{hits:#?}");
}

/// The fault that makes a model say exactly this.
pub(super) fn saying(text: &str) -> String {
    format!("text:{}", URL_SAFE_NO_PAD.encode(text))
}

async fn simulator() -> Simulator {
    let quick = Options {
        first_token: Duration::from_millis(5),
        gap: Duration::ZERO,
        memory_latency: Duration::from_millis(2),
        require_key: true,
        ..Options::default()
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let lifecycle = Lifecycle::new();
    Simulator::start(listener, quick, &lifecycle).await.unwrap()
}

fn url(database: &Database) -> String {
    let ours = format!(":{DATABASE_PASSWORD}@");
    database.url().replace(":secret@", &ours)
}

fn redis_url(redis: &Redis) -> String {
    let ours = format!("redis://:{REDIS_PASSWORD}@");
    redis.url().replace("redis://", &ours)
}

fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    settings.iter().map(|(k, v)| (*k, v.as_str())).collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap();
    let deep = |path: PathBuf| match path.is_dir() {
        true => files(&path),
        false => vec![path],
    };
    entries.flat_map(|e| deep(e.unwrap().path())).collect()
}
