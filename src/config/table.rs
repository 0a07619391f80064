//! Every setting there is: the one list that parsing, `clm config` and the README's table use.
//!
//! A row's `default` is what is parsed when nothing is set, so what is documented is what happens.

use std::fmt::Write as _;

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The environment variable and the key in the file.
    pub name: &'static str,
    /// Other names it is accepted under; `name` wins when both are set.
    pub aliases: &'static [&'static str],
    /// Parsed when nothing is set. Empty: none, and `meaning` says what that does.
    pub default: &'static str,
    /// What it does, with its unit.
    pub meaning: &'static str,
    /// Which values are accepted, in words.
    pub values: &'static str,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// Whether several comma-separated values are accepted (an array in the file).
    pub list: bool,
}

impl Setting {
    const fn new(name: &'static str, default: &'static str, values: &'static str) -> Self {
        Self {
            name,
            aliases: &[],
            default,
            meaning: "",
            values,
            secret: false,
            list: false,
        }
    }

    const fn secret(name: &'static str, values: &'static str) -> Self {
        let mut row = Self::new(name, "", values);
        row.secret = true;
        row
    }

    const fn secrets(name: &'static str, values: &'static str) -> Self {
        let mut row = Self::secret(name, values);
        row.list = true;
        row
    }

    /// The name under which a file with the value is given; absent where none can be.
    #[must_use]
    pub fn file_name(&self) -> Option<String> {
        self.secret.then(|| super::files::of(self.name))
    }

    const fn or(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn is(mut self, meaning: &'static str) -> Self {
        self.meaning = meaning;
        self
    }
}

const MS: &str = "1 to 600000 milliseconds, a bare number";
const URL: &str = "http:// or https:// with a host, without credentials, query or fragment";
const BOOL: &str = "true, false, 1, 0, yes, no, on, off";
const KEY: &str = "one key of printable ASCII without spaces";
const KEYS: &str = "one or more keys of printable ASCII without spaces, separated by commas";
const SLUG: &str = "a model slug such as anthropic/claude-sonnet-5";
const DOLLARS: &str = "0 to 100000 dollars, such as 10 or 0.25";
const TURNS: &str = "0 to 1000000, a bare number";
const HEADER: &str = "printable ASCII, up to 256 characters";

/// In the order of the README.
pub const SETTINGS: &[Setting] = &[
    Setting::new("HOST", "127.0.0.1", "localhost, an IPv4 or an IPv6 address")
        .is("address to listen on; `0.0.0.0` or `::` for every interface"),
    Setting::new("PORT", "8080", "0 to 65535").is("port to listen on; 0: any free one"),
    Setting::new("WORKERS", "", "1 to 256").is("worker threads; unset: one per core"),
    Setting::new("PRACTICE", "true", BOOL)
        .is("whether a worker that asked no model for 4 ms goes through a turn of practice while people talk, so that the next is quick; 1 to 2 % of a core a worker"),
    Setting::new("OPS_HOST", "", "localhost, an IPv4 or an IPv6 address")
        .is("address of `OPS_PORT`; unset: that of `HOST`"),
    Setting::new("OPS_PORT", "", "0 to 65535")
        .is("second port, of `/healthz`, `/readyz` and `/metrics` alone and without a key, on a thread of its own; for a network that only operators reach; 0: any free one; unset: none"),
    Setting::secret("OPEN_ROUTER_API_KEY", KEY)
        .or(&["OPENROUTER_API_KEY"])
        .is("OpenRouter key; `clm serve` refuses to start without it, `clm demo` needs none"),
    Setting::new("OPENROUTER_BASE_URL", "https://openrouter.ai/api/v1", URL)
        .is("where models are asked; any OpenAI-compatible server works (a local Ollama, vLLM, …)"),
    Setting::new("OPENROUTER_FALLBACK_ENABLED", "true", BOOL)
        .is("whether other models are tried when one fails"),
    Setting::new("COACH_MODEL_MASTER", "", SLUG).is("model tried first by the master coach in every tier; unset: the roster's"),
    Setting::new("COACH_MODEL_CAREER", "", SLUG).is("the same for the career coach"),
    Setting::new("COACH_MODEL_SKILLS", "", SLUG).is("the same for the skills coach"),
    Setting::new("COACH_MODEL_LEADERSHIP", "", SLUG).is("the same for the leadership coach"),
    Setting::new("COACH_MODEL_NETWORK", "", SLUG).is("the same for the network coach"),
    Setting::new("DEFAULT_TIER", "premium", "free, premium, enterprise")
        .is("tier of a session that carries none; a speaker without identity is always `free`"),
    Setting::new("APP_URL", "", URL)
        .or(&["NEXT_PUBLIC_APP_URL"])
        .is("sent to OpenRouter as `HTTP-Referer`; unset: not sent"),
    Setting::new("APP_TITLE", "Quest Core Professional Development Platform", HEADER)
        .is("sent to OpenRouter as `X-OpenRouter-Title` and `X-Title`"),
    Setting::new("COACHES_FILE", "", "a path").is("another roster of coaches; unset: the five built in"),
    Setting::new("EXPERIMENTS_FILE", "", "a path").is("experiments: coaches' variants by weight, as TOML; unset: none"),
    Setting::secret("ZEP_API_KEY", KEY).is("Zep project key; unset: memory is off"),
    Setting::new("ZEP_BASE_URL", "https://api.getzep.com/api/v2", URL).is("where memory is asked"),
    Setting::secret("DATABASE_URL", "postgres://user:password@host:5432/name, with sslmode (disable, prefer, require, verify-full) and sslrootcert where wanted")
        .is("PostgreSQL that keeps the records; unset: the embedded store under `DATA_DIR`"),
    Setting::new("DATA_DIR", "./data", "a path")
        .is("where the spool, the embedded store and the data key lie; give each machine a volume for it, or what the database has not taken yet is lost with the machine"),
    Setting::new("RETENTION_DAYS", "90", "0 to 3650 days, a bare number")
        .is("how long records are kept, days; 0: for ever"),
    Setting::secret("REDIS_URL", "redis://host:6379 or rediss://host:6379, with a password where needed")
        .is("live counters, and which request is a session's newest or a repeat, shared by several machines; unset: this process knows its own alone"),
    Setting::new("CAPTURE_TEXT", "false", BOOL)
        .is("keeps the words of turns, encrypted under the data key; off: no store holds a word of anybody"),
    Setting::new("CAPTURE_TTL", "7d", "60s to 365d: a number and s, m, h or d")
        .is("how long captured words are kept"),
    Setting::new("DAILY_BUDGET_USD", "50", DOLLARS)
        .is("what a UTC day should cost, dollars; with less than 5 of it left every turn gets its coach's cheapest model; alerts at 50, 80 and 100 %"),
    Setting::new("DAILY_HARD_CAP_USD", "", DOLLARS)
        .is("what a UTC day must not cost: above it a turn hears a sentence and no model is asked; unset: twice the budget"),
    Setting::new("USER_DAILY_CAP_USD", "", DOLLARS).is("the same for one user's day; unset: none"),
    Setting::new("SESSION_CAP_USD", "", DOLLARS).is("the same for one session, as long as it lives; unset: none"),
    Setting::new("BUDGET_STRICT", "false", BOOL)
        .is("several machines on one database: each turn asks it whether there is money, beside memory, and is refused where it has not said so by `MEMORY_DEADLINE_MS`; off: each machine takes a lease from the cap ahead"),
    Setting::new("BUDGET_LEASE_USD", "5", DOLLARS)
        .is("what one machine takes from the cap ahead; while the database is away a machine goes so far beyond what it holds, at most"),
    Setting::new("BASELINE_MODEL", "openai/gpt-4-turbo", SLUG).is("the model that savings are measured against"),
    Setting::new("BASELINE_PRICE_IN", "10", DOLLARS).is("what a million tokens of its input cost, dollars"),
    Setting::new("BASELINE_PRICE_OUT", "30", DOLLARS).is("the same for its output"),
    Setting::secret("ALERT_WEBHOOK_URL", "https:// with a host and without a password; http:// and private addresses with ALLOW_PRIVATE_WEBHOOKS=true")
        .is("where alerts are sent, signed as Standard Webhooks describe; unset: they are logged and counted only"),
    Setting::secrets("ALERT_WEBHOOK_SECRET", "one or more secrets separated by commas, each whsec_ and 24 to 64 bytes in base64")
        .is("sign the alerts, each of them, for rotation; needed with `ALERT_WEBHOOK_URL`"),
    Setting::new("ALLOW_PRIVATE_WEBHOOKS", "false", BOOL)
        .is("lets `ALERT_WEBHOOK_URL` be http or lead to a private address"),
    Setting::secrets("CLM_API_KEYS", KEYS)
        .is("open the turn routes and `/models`; all are valid at once, for rotation"),
    Setting::secrets("ADMIN_API_KEYS", KEYS)
        .is("open everything else under `/v1`, and `/metrics`; unset: open only where `CLM_API_KEYS` is unset too and `HOST` is loopback"),
    Setting::new("ALLOW_ANONYMOUS", "false", BOOL)
        .is("lets anybody take turns, also beyond loopback, without `CLM_API_KEYS`; opens nothing else"),
    Setting::secrets("SESSION_SIGNING_KEYS", "one or more keys of at least 16 bytes without spaces, separated by commas")
        .is("sign session ids: the first signs, all verify; unset: session ids are not signed"),
    Setting::new("REQUIRE_SIGNED_SESSIONS", "", "off, spoken, strict")
        .is("what an unsigned, expired or tampered session id gets: `off` trust, `spoken` a turn without memory, `strict` a 401; unset: `spoken` when signing keys are set, else `off`"),
    Setting::secrets("HUME_WEBHOOK_KEY", "one or more keys of at least 16 bytes without spaces, separated by commas")
        .is("Hume's webhook signing key: what `POST /v1/webhooks/hume` is signed with; unset: none is taken"),
    Setting::secrets("ELEVENLABS_WEBHOOK_SECRET", "one or more keys of at least 16 bytes without spaces, separated by commas")
        .is("the same for `POST /v1/webhooks/elevenlabs`: the secret that ElevenLabs shows for the webhook"),
    Setting::secret("DATA_KEY", "one key of at least 16 bytes without spaces")
        .is("derives the pseudonyms of users and sessions in records and upstream, and encrypts what words must touch the disk; unset: made once under `DATA_DIR`, mode 0600; several machines on one database need the same one"),
    Setting::new("MAX_TURNS", "4000", "1 to 1000000")
        .is("turns open at once before new ones are shed"),
    Setting::new("KEY_TURNS_PER_MINUTE", "0", TURNS)
        .is("turns that one of `CLM_API_KEYS` may take within a minute, and as many at once; all who need no key count as one; beyond it a 429; 0: no limit"),
    Setting::new("KEY_MAX_TURNS", "0", TURNS).is("turns that one of them may have open at once; 0: no limit"),
    Setting::new("SESSION_TURNS_PER_MINUTE", "600", TURNS)
        .is("the same for one session: no call of a person's comes near it, a loop does; a repeat is not counted; 0: no limit"),
    Setting::new("SESSION_MAX_TURNS", "64", TURNS)
        .is("turns that one session may have open at once, repeats among them; 0: no limit"),
    Setting::new("MAX_BODY_BYTES", "4194304", "1024 to 67108864 bytes, a bare number").is("largest turn body, bytes"),
    Setting::new("HEDGING", "true", BOOL)
        .is("whether a second model starts when the first is slower than usual; at most one turn in ten"),
    Setting::new("RESUME", "true", BOOL)
        .is("whether another model goes on in the same stream when one breaks off in mid-answer"),
    Setting::new("LEAD_INS", "true", BOOL)
        .is("whether a coach says a short phrase when nothing was said for 1,200 ms; never on a first reply"),
    Setting::new("SPEECH_FILTER", "true", BOOL)
        .is("whether what a model writes is made speakable: no markdown, figures in words"),
    Setting::new("COUNCIL", "true", BOOL)
        .is("whether several coaches may be heard together"),
    Setting::new("SPEECH_WPM", "170", "60 to 400 words a minute, a bare number")
        .is("how fast the voice speaks, words a minute: tells how long the words already sent still sound"),
    Setting::new("SILENCE_REPLY", "model", "model, line, quiet")
        .is("what a turn without words is answered with: `model` a sentence of the model's, no oftener in a row than the coach has nudges, `line` the coach's nudges in their order, the last a leave-taking, then nothing, `quiet` nothing"),
    Setting::new("CALLER_STALL_S", "30", "1 to 600 seconds, a bare number")
        .is("a caller that takes nothing for so long is disconnected, seconds"),
    Setting::new("PROSODY", "prompt", "off, prompt, full")
        .is("how the user sounded: `off` dropped at the door, `prompt` used for the turn and stored nowhere; `full` allows storing, which this version does not do; a session may only lower it"),
    Setting::new("MEMORY_DEADLINE_MS", "250", MS).is("how long a turn waits for memory"),
    Setting::new("FIRST_TOKEN_DEADLINE_MS", "2500", MS)
        .is("first model: from its start to its first speakable token; at most `TURN_DEADLINE_MS`"),
    Setting::new("FALLBACK_FIRST_TOKEN_DEADLINE_MS", "4000", MS)
        .is("the same for every later model; at most `TURN_DEADLINE_MS`"),
    Setting::new("IDLE_DEADLINE_MS", "3000", MS).is("longest silence of a model in mid-answer"),
    Setting::new("TURN_DEADLINE_MS", "60000", MS).is("the whole turn"),
    Setting::new("SPOKEN_FALLBACK_MS", "5000", MS)
        .is("when nothing was said by then, a fallback line is"),
    Setting::new("SHUTDOWN_DELAY_S", "0", "0 to 60 seconds, a bare number")
        .is("how long turns that come are still taken once told to stop, while `/readyz` says so: until the balancer knows, seconds"),
    Setting::new("SHUTDOWN_GRACE_S", "25", "0 to 600 seconds, a bare number")
        .is("how long running turns may take to finish once told to stop, seconds"),
    Setting::new("LOG_FORMAT", "auto", "auto, pretty, json")
        .is("`auto`: pretty on a terminal, JSON otherwise"),
    Setting::new("RUST_LOG", "warn,clm=info,quest_clm=info", "log directives such as info or warn,clm=debug")
        .is("which log lines are written"),
    Setting::new("OTEL_EXPORTER_OTLP_ENDPOINT", "", URL)
        .is("collector that traces and metrics are sent to as OTLP over HTTP/protobuf, without `/v1/traces`; unset: nothing is sent"),
    Setting::new("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "", URL)
        .is("the whole address for traces alone; unset: `/v1/traces` under the one above"),
    Setting::new("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "", URL).is("the same for metrics"),
    Setting::secrets("OTEL_EXPORTER_OTLP_HEADERS", "name=value pairs separated by commas, values percent-encoded")
        .is("sent with every export, such as the collector's key"),
    Setting::new("OTEL_EXPORTER_OTLP_TIMEOUT", "10000", MS).is("how long one export may take"),
    Setting::new("OTEL_METRIC_EXPORT_INTERVAL", "15000", "100 to 3600000 milliseconds, a bare number")
        .is("how often metrics are sent"),
    Setting::new("OTEL_SERVICE_NAME", "clm", HEADER).is("`service.name` of what is sent"),
    Setting::new("OTEL_RESOURCE_ATTRIBUTES", "", "name=value pairs separated by commas, values percent-encoded")
        .is("what else is told of this process, such as `deployment.environment.name=production`"),
    Setting::new("OTEL_TRACES_SAMPLER", "parentbased_always_on", "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio")
        .is("which traces are kept; `parentbased`: a caller that continues its own trace decides"),
    Setting::new("OTEL_TRACES_SAMPLER_ARG", "", "a number from 0 to 1")
        .is("the share of traces that `traceidratio` keeps; unset: 1"),
    Setting::new("OTEL_SDK_DISABLED", "false", BOOL).is("sends nothing, whatever else is set"),
];

/// The row that goes by `name`, under its own name or an alias.
#[must_use]
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS
        .iter()
        .find(|row| row.name == name || row.aliases.contains(&name))
}

/// The table of the README: `| variable | default | meaning |`, newline at the end.
#[must_use]
pub fn markdown() -> String {
    let mut table = String::from("| variable | default | meaning |\n|---|---|---|\n");
    for row in SETTINGS {
        let mut variable = format!("`{}`", row.name);
        for alias in row.aliases {
            let _ = write!(variable, " (or `{alias}`)");
        }
        let default = match row.default {
            "" => "–".to_owned(),
            value => format!("`{value}`"),
        };
        let _ = writeln!(
            table,
            "| {variable} | {default} | {} |",
            row.meaning.replace('|', "\\|")
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_whole_and_named_once() {
        let mut seen = std::collections::BTreeSet::new();
        for row in SETTINGS {
            assert!(
                !row.meaning.is_empty() && !row.values.is_empty(),
                "{}",
                row.name
            );
            for name in row.aliases.iter().chain([&row.name]) {
                assert!(seen.insert(*name), "{name} twice");
            }
            assert!(!row.secret || row.default.is_empty(), "{}", row.name);
        }
    }

    #[test]
    fn markdown_has_every_name_and_three_columns() {
        let table = markdown();
        for row in SETTINGS {
            for name in row.aliases.iter().chain([&row.name]) {
                assert!(table.contains(&format!("`{name}`")), "{name}");
            }
        }
        assert_eq!(table.lines().count(), SETTINGS.len() + 2);
        for line in table.lines() {
            assert_eq!(line.matches('|').count(), 4, "{line}");
        }
    }

    #[test]
    fn rows_are_found_by_name_and_by_alias() {
        assert_eq!(
            find("OPENROUTER_API_KEY").unwrap().name,
            "OPEN_ROUTER_API_KEY"
        );
        assert_eq!(find("PORT").unwrap().default, "8080");
        assert!(find("port").is_none());
    }
}
