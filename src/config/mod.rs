//! What the operator decides. `env.rs` is the only reader of the environment; everything is parsed
//! and checked before anything starts, and all faults are reported together.
//!
//! To add a setting: a row in `table.rs`, a field here, its line in `read.rs`. The README's table is
//! generated from the rows (`clm config --markdown`) and `tests/tidy.rs` compares them.

mod table;
mod env;
mod files;
mod fault;
mod reader;
mod read;
mod records;
mod alerts;
mod otlp;
mod advise;
mod retired;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use secrecy::SecretString;

use crate::turn::{MicroUsd, ProsodyPolicy, Tier};

pub use alerts::{Reach, Webhook, WebhookKey};
pub use env::{Origin, Sources, SourcesError, in_environment};
pub(crate) use fault::nearest;
pub use fault::{Fault, Faults};
pub use read::{load, load_to_serve};
pub use records::{Database, TlsMode};
pub use retired::{RETIRED, successor};
pub use table::{SETTINGS, Setting, find, markdown};

/// Everything that can be set, parsed and checked.
#[derive(Clone, Debug)]
pub struct Settings {
    pub listen: Listen,
    pub keys: Keys,
    pub sessions: Sessions,
    pub upstream: Upstream,
    pub coaches: Coaches,
    /// `EXPERIMENTS_FILE`: absent, there are none.
    pub experiments: Option<PathBuf>,
    pub memory: Memory,
    pub store: Store,
    /// `REDIS_URL`: absent, this process counts alone.
    pub redis: Option<SecretString>,
    pub baseline: Baseline,
    pub budget: Budget,
    pub webhooks: Webhooks,
    /// Absent: alerts are logged and counted, and sent to nobody.
    pub alerts: Option<Webhook>,
    pub prosody: ProsodyPolicy,
    pub deadlines: Deadlines,
    pub limits: Limits,
    pub switches: Switches,
    /// `SPEECH_WPM`: words a minute.
    pub speech_wpm: u32,
    pub silence: SilenceReply,
    pub log: Log,
    pub otlp: Otlp,
    /// `SHUTDOWN_DELAY_S`: how long turns are still taken once told to stop.
    pub shutdown_delay: Duration,
    /// `SHUTDOWN_GRACE_S`: how long running turns may take to finish once told to stop.
    pub shutdown_grace: Duration,
    /// Whether upstream is the simulator: never set by an operator, only by what starts it.
    pub simulated: bool,
    /// Things that work but that the operator should know, such as a retired model slug.
    pub warnings: Vec<String>,
}

/// `HOST`, `PORT`, `OPS_HOST`, `OPS_PORT`, `WORKERS`, `PRACTICE`.
#[derive(Clone, Debug)]
pub struct Listen {
    pub host: IpAddr,
    pub port: u16,
    /// Where operators ask without a key.
    pub ops: Option<SocketAddr>,
    pub workers: usize,
    /// Whether workers go through turns of practice while people talk.
    pub practice: bool,
}

impl Listen {
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }
}

/// `CLM_API_KEYS`, `ADMIN_API_KEYS`, `ALLOW_ANONYMOUS`.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Open the turn routes and `/models`.
    pub callers: Vec<SecretString>,
    /// Open everything else that is not open to all.
    pub admins: Vec<SecretString>,
    pub allow_anonymous: bool,
}

/// `SESSION_SIGNING_KEYS`, `REQUIRE_SIGNED_SESSIONS`.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// The first signs, all verify. Empty: session ids are not signed.
    pub signing_keys: Vec<SecretString>,
    pub require_signed: RequireSigned,
}

/// `HUME_WEBHOOK_KEY`, `ELEVENLABS_WEBHOOK_SECRET`: what signs the webhooks that come in. Empty: none of
/// that platform are taken.
#[derive(Clone, Debug)]
pub struct Webhooks {
    pub hume: Vec<SecretString>,
    pub elevenlabs: Vec<SecretString>,
}

/// What an unsigned, expired or tampered session id gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequireSigned {
    /// It names the user itself: for demo and trusted networks.
    Off,
    /// A spoken turn without memory, tier free.
    Spoken,
    /// 401.
    Strict,
}

/// `OPEN_ROUTER_API_KEY`, `OPENROUTER_BASE_URL`, `OPENROUTER_FALLBACK_ENABLED`, `APP_URL`, `APP_TITLE`.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Absent only where nothing is served (`clm config`, `clm check`).
    pub api_key: Option<SecretString>,
    /// Without a trailing slash.
    pub base_url: String,
    pub fallback: bool,
    pub app_url: Option<String>,
    pub app_title: String,
}

/// `COACHES_FILE`, `COACH_MODEL_*`, `DEFAULT_TIER`.
#[derive(Clone, Debug)]
pub struct Coaches {
    pub file: Option<PathBuf>,
    /// Coach id (`master`, `career`, …) and the model that is tried first for it in every tier.
    pub models: Vec<(String, String)>,
    pub default_tier: Tier,
}

/// `ZEP_API_KEY`, `ZEP_BASE_URL`.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Absent: memory is off.
    pub api_key: Option<SecretString>,
    /// Without a trailing slash.
    pub base_url: String,
}

/// `DATABASE_URL`, `DATA_DIR`, `DATA_KEY`, `RETENTION_DAYS`, `CAPTURE_TEXT`, `CAPTURE_TTL`.
#[derive(Clone, Debug)]
pub struct Store {
    /// Absent: the embedded store.
    pub database: Option<Database>,
    pub data_dir: PathBuf,
    /// Absent: read from, or made once under, the data directory.
    pub data_key: Option<SecretString>,
    /// How long records are kept; absent: for ever.
    pub retention: Option<Duration>,
    /// How long the words of turns are kept, where they are.
    pub capture_ttl: Duration,
}

/// `BASELINE_MODEL`, `BASELINE_PRICE_IN`, `BASELINE_PRICE_OUT`: what savings are measured against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    pub model: String,
    /// For a million tokens.
    pub input: MicroUsd,
    /// For a million tokens.
    pub output: MicroUsd,
}

/// `DAILY_BUDGET_USD`, `DAILY_HARD_CAP_USD`, `USER_DAILY_CAP_USD`, `SESSION_CAP_USD`, `BUDGET_STRICT`,
/// `BUDGET_LEASE_USD`: what may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub daily: MicroUsd,
    pub cap: MicroUsd,
    /// Of one user's day; absent: none.
    pub user: Option<MicroUsd>,
    /// Of one session's life; absent: none.
    pub session: Option<MicroUsd>,
    /// Whether several machines ask for every turn.
    pub strict: bool,
    /// What a machine takes from the cap ahead.
    pub lease: MicroUsd,
}

/// The clock of one turn; each counts from the end of the request body unless it says otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// `MEMORY_DEADLINE_MS`: memory is waited for until then.
    pub memory: Duration,
    /// `FIRST_TOKEN_DEADLINE_MS`: from the first attempt's start to its first speakable token.
    pub first_token: Duration,
    /// `FALLBACK_FIRST_TOKEN_DEADLINE_MS`: the same for every later attempt.
    pub fallback_first_token: Duration,
    /// `IDLE_DEADLINE_MS`: the longest silence of upstream in mid-answer.
    pub idle: Duration,
    /// `TURN_DEADLINE_MS`: the whole turn.
    pub turn: Duration,
    /// `SPOKEN_FALLBACK_MS`: if nothing was said by then, the fallback line is.
    pub spoken_fallback: Duration,
}

/// `HEDGING`, `RESUME`, `LEAD_INS`, `COUNCIL`, `SPEECH_FILTER`, `CAPTURE_TEXT`: what holds where no flag
/// says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switches {
    pub hedging: bool,
    pub resume: bool,
    pub lead_ins: bool,
    /// Whether several coaches may be heard together.
    pub council: bool,
    /// Whether the words of turns are kept.
    pub capture: bool,
    /// Whether what a model writes is made speakable.
    pub speech_filter: bool,
}

/// `SILENCE_REPLY`: what a turn without words is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SilenceReply {
    /// The model is asked for a gentle sentence.
    Model,
    /// The coach's own nudges in their order, without a model; then nothing.
    Line,
    /// A well-formed answer without a word.
    Quiet,
}

/// How many turns one key or one session may take. Absent: no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnLimit {
    /// Within a minute, and as many at once.
    pub per_minute: Option<NonZeroU32>,
    /// Open at the same time.
    pub open: Option<NonZeroU32>,
}

/// `MAX_TURNS`, `MAX_BODY_BYTES`, `CALLER_STALL_S`, `KEY_TURNS_PER_MINUTE`, `KEY_MAX_TURNS`,
/// `SESSION_TURNS_PER_MINUTE`, `SESSION_MAX_TURNS`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Turns open at once before new ones are shed.
    pub max_turns: usize,
    /// The largest turn body.
    pub max_body_bytes: usize,
    /// How long a caller may take nothing before it is disconnected.
    pub caller_stall: Duration,
    pub key: TurnLimit,
    pub session: TurnLimit,
}

/// `LOG_FORMAT`, `RUST_LOG`.
#[derive(Clone, Debug)]
pub struct Log {
    pub format: LogFormat,
    /// `tracing_subscriber` directives.
    pub filter: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `Pretty` on a terminal, `Json` otherwise.
    Auto,
    Pretty,
    Json,
}

/// `OTEL_*`: where traces and metrics are sent as OTLP over HTTP, and as whose.
#[derive(Clone, Debug)]
pub struct Otlp {
    /// Absent: no span is made for it.
    pub traces: Option<String>,
    pub metrics: Option<String>,
    /// Sent with every export. Marked as sensitive, so that they are never shown.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How long one export may take.
    pub timeout: Duration,
    /// How often metrics are sent.
    pub interval: Duration,
    /// `service.name`.
    pub service: String,
    /// What else is told of this process.
    pub resource: Vec<(String, String)>,
    pub sampler: Sampler,
}

/// `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`: which traces are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// Whether a caller that continues its trace decides for its own.
    pub heeds_parent: bool,
    pub kind: SamplerKind,
    /// The share that [`SamplerKind::Ratio`] keeps, 0 to 1.
    pub ratio: f64,
}

/// What decides where no caller does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SamplerKind {
    AlwaysOn,
    AlwaysOff,
    Ratio,
}
