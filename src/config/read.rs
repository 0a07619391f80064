//! Turns what was found into [`Settings`]: parses all, reports all.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use super::env::{Origin, Sources};
use super::fault::{Faults, Problem, class};
use super::reader::{KeyRule, Reader};
use super::{
    Coaches, Deadlines, Keys, Limits, Listen, Log, LogFormat, Memory, RequireSigned, Sessions,
    Settings, SilenceReply, Switches, TurnLimit, Upstream, Webhooks, advise, alerts, otlp, records,
    retired,
};
use crate::turn::{ProsodyPolicy, Tier};

/// The shortest key that signs or encrypts.
const MIN_SECRET_BYTES: usize = 16;

/// The variable of each coach's model, and the coach.
const COACH_MODELS: &[(&str, &str)] = &[
    ("COACH_MODEL_MASTER", "master"),
    ("COACH_MODEL_CAREER", "career"),
    ("COACH_MODEL_SKILLS", "skills"),
    ("COACH_MODEL_LEADERSHIP", "leadership"),
    ("COACH_MODEL_NETWORK", "network"),
];

/// Parses every setting.
///
/// # Errors
/// With every fault there is, not only the first.
pub fn load(sources: &Sources) -> Result<Settings, Faults> {
    let mut reader = Reader::new(sources);
    let settings = settings(&mut reader);
    reader.finish(settings)
}

/// The same with what only a service that takes turns needs: the OpenRouter key, and that not anybody on the
/// network can spend it.
///
/// # Errors
/// With every fault there is of either kind.
pub fn load_to_serve(sources: &Sources) -> Result<Settings, Faults> {
    let mut reader = Reader::new(sources);
    let settings = settings(&mut reader);
    serving(&mut reader, &settings);
    reader.finish(settings)
}

fn settings(r: &mut Reader<'_>) -> Settings {
    let mut settings = Settings {
        listen: listen(r),
        upstream: upstream(r),
        coaches: coaches(r),
        experiments: r.read("EXPERIMENTS_FILE", path),
        memory: Memory {
            api_key: r.key("ZEP_API_KEY", KeyRule::Header),
            base_url: r.url("ZEP_BASE_URL").unwrap_or_default(),
        },
        keys: Keys {
            callers: r.keys("CLM_API_KEYS", KeyRule::Header),
            admins: r.keys("ADMIN_API_KEYS", KeyRule::Header),
            allow_anonymous: r.truth("ALLOW_ANONYMOUS"),
        },
        sessions: sessions(r),
        webhooks: Webhooks {
            hume: r.keys("HUME_WEBHOOK_KEY", SECRET),
            elevenlabs: r.keys("ELEVENLABS_WEBHOOK_SECRET", SECRET),
        },
        store: records::store(r),
        redis: records::redis(r),
        baseline: records::baseline(r),
        budget: records::budget(r),
        alerts: alerts::webhook(r),
        prosody: prosody(r),
        limits: limits(r),
        switches: Switches {
            hedging: r.truth("HEDGING"),
            resume: r.truth("RESUME"),
            lead_ins: r.truth("LEAD_INS"),
            council: r.truth("COUNCIL"),
            capture: r.truth("CAPTURE_TEXT"),
            speech_filter: r.truth("SPEECH_FILTER"),
        },
        speech_wpm: r.number("SPEECH_WPM", 60..=400).unwrap_or_default(),
        silence: silence(r),
        deadlines: deadlines(r),
        log: log(r),
        otlp: otlp::otlp(r),
        shutdown_delay: Duration::from_secs(
            r.number("SHUTDOWN_DELAY_S", 0..=60).unwrap_or_default(),
        ),
        shutdown_grace: Duration::from_secs(
            r.number("SHUTDOWN_GRACE_S", 0..=600).unwrap_or_default(),
        ),
        simulated: false,
        warnings: Vec::new(),
    };
    advise::advise(r, &settings);
    settings.warnings = std::mem::take(&mut r.warnings);
    settings
}

fn serving(r: &mut Reader<'_>, settings: &Settings) {
    // What is set and wrong has been told.
    if settings.upstream.api_key.is_none() && !r.is_faulty("OPEN_ROUTER_API_KEY") {
        r.fault(
            "OPEN_ROUTER_API_KEY",
            "needed to serve; `clm demo` tries everything without it".to_owned(),
        );
    }
    let open = settings.keys.callers.is_empty() && !settings.keys.allow_anonymous;
    if open && !settings.listen.host.is_loopback() && !r.is_faulty("CLM_API_KEYS") {
        r.fault(
            "CLM_API_KEYS",
            "needed because HOST is not loopback: anybody who reaches this port could spend the \
             OpenRouter key; set it, or HOST=127.0.0.1, or ALLOW_ANONYMOUS=true to mean it"
                .to_owned(),
        );
    }
}

pub(super) const SECRET: KeyRule = KeyRule::Secret {
    min_bytes: MIN_SECRET_BYTES,
};

fn listen(r: &mut Reader<'_>) -> Listen {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let host = r.host("HOST");
    let port = r.number("PORT", 0..=65_535).unwrap_or_default();
    let ops_host = if r.is_set("OPS_HOST") {
        r.host("OPS_HOST")
    } else {
        host
    };
    let ops_port: Option<u16> = r.number("OPS_PORT", 0..=65_535);
    if port != 0 && ops_port == Some(port) && ops_host == host {
        r.fault("OPS_PORT", "the same as PORT: it is a second one");
    }
    Listen {
        host,
        port,
        ops: ops_port.map(|port| SocketAddr::new(ops_host, port)),
        workers: r
            .number("WORKERS", 1..=256)
            .unwrap_or_else(|| cores().min(256)),
        practice: r.truth("PRACTICE"),
    }
}

fn upstream(r: &mut Reader<'_>) -> Upstream {
    Upstream {
        api_key: r.key("OPEN_ROUTER_API_KEY", KeyRule::Header),
        base_url: r.url("OPENROUTER_BASE_URL").unwrap_or_default(),
        fallback: r.truth("OPENROUTER_FALLBACK_ENABLED"),
        app_url: r.url("APP_URL"),
        app_title: r.header("APP_TITLE").unwrap_or_default(),
    }
}

fn coaches(r: &mut Reader<'_>) -> Coaches {
    const TIERS: &[(&str, Tier)] = &[
        ("free", Tier::Free),
        ("premium", Tier::Premium),
        ("enterprise", Tier::Enterprise),
    ];
    let mut models = Vec::new();
    for (name, coach) in COACH_MODELS {
        let Some(slug) = r.header(name) else { continue };
        if slug.contains(' ') {
            r.fault(name, "has a space in it");
            continue;
        }
        let slug = match retired::successor(&slug) {
            None => slug,
            Some(new) => {
                r.warnings
                    .push(format!("{name}: {slug} is retired; {new} is used instead"));
                new.to_owned()
            }
        };
        models.push(((*coach).to_owned(), slug));
    }
    Coaches {
        file: r.read("COACHES_FILE", path),
        models,
        default_tier: r.one_of("DEFAULT_TIER", TIERS).unwrap_or(Tier::Free),
    }
}

fn sessions(r: &mut Reader<'_>) -> Sessions {
    const POLICIES: &[(&str, RequireSigned)] = &[
        ("off", RequireSigned::Off),
        ("spoken", RequireSigned::Spoken),
        ("strict", RequireSigned::Strict),
    ];
    let signing_keys = r.keys("SESSION_SIGNING_KEYS", SECRET);
    // Faulty keys are set too: they are reported once, as themselves.
    let any_set = r.origin("SESSION_SIGNING_KEYS") != Origin::Unset;
    let asked = r.one_of("REQUIRE_SIGNED_SESSIONS", POLICIES);
    if !any_set && matches!(asked, Some(RequireSigned::Spoken | RequireSigned::Strict)) {
        r.fault(
            "REQUIRE_SIGNED_SESSIONS",
            "needs SESSION_SIGNING_KEYS, which is not set",
        );
    }
    Sessions {
        signing_keys,
        require_signed: asked.unwrap_or(if any_set {
            RequireSigned::Spoken
        } else {
            RequireSigned::Off
        }),
    }
}

fn limits(r: &mut Reader<'_>) -> Limits {
    let stall = r.number("CALLER_STALL_S", 1..=600).unwrap_or_default();
    let mut turns = |per_minute, open| TurnLimit {
        per_minute: r
            .number(per_minute, 0..=1_000_000)
            .and_then(NonZeroU32::new),
        open: r.number(open, 0..=1_000_000).and_then(NonZeroU32::new),
    };
    let key = turns("KEY_TURNS_PER_MINUTE", "KEY_MAX_TURNS");
    let session = turns("SESSION_TURNS_PER_MINUTE", "SESSION_MAX_TURNS");
    Limits {
        max_turns: r.number("MAX_TURNS", 1..=1_000_000).unwrap_or_default(),
        max_body_bytes: r
            .number("MAX_BODY_BYTES", 1024..=64 << 20)
            .unwrap_or_default(),
        caller_stall: Duration::from_secs(stall),
        key,
        session,
    }
}

fn prosody(r: &mut Reader<'_>) -> ProsodyPolicy {
    const POLICIES: &[(&str, ProsodyPolicy)] = &[
        ("off", ProsodyPolicy::Off),
        ("prompt", ProsodyPolicy::Prompt),
        ("full", ProsodyPolicy::Full),
    ];
    r.one_of("PROSODY", POLICIES).unwrap_or(ProsodyPolicy::Off)
}

fn silence(r: &mut Reader<'_>) -> SilenceReply {
    const REPLIES: &[(&str, SilenceReply)] = &[
        ("model", SilenceReply::Model),
        ("line", SilenceReply::Line),
        ("quiet", SilenceReply::Quiet),
    ];
    r.one_of("SILENCE_REPLY", REPLIES)
        .unwrap_or(SilenceReply::Model)
}

fn deadlines(r: &mut Reader<'_>) -> Deadlines {
    let deadlines = Deadlines {
        memory: r.millis("MEMORY_DEADLINE_MS"),
        first_token: r.millis("FIRST_TOKEN_DEADLINE_MS"),
        fallback_first_token: r.millis("FALLBACK_FIRST_TOKEN_DEADLINE_MS"),
        idle: r.millis("IDLE_DEADLINE_MS"),
        turn: r.millis("TURN_DEADLINE_MS"),
        spoken_fallback: r.millis("SPOKEN_FALLBACK_MS"),
    };
    // Zero stands for a deadline that was not readable and is reported already.
    if deadlines.turn.is_zero() {
        return deadlines;
    }
    for (name, first_token) in [
        ("FIRST_TOKEN_DEADLINE_MS", deadlines.first_token),
        (
            "FALLBACK_FIRST_TOKEN_DEADLINE_MS",
            deadlines.fallback_first_token,
        ),
    ] {
        if first_token > deadlines.turn {
            // Blame what the operator wrote, not a default.
            let (blamed, problem) = if r.origin(name) == Origin::Default {
                (
                    "TURN_DEADLINE_MS",
                    format!(
                        "shorter than {name}, which is {} by default",
                        first_token.as_millis()
                    ),
                )
            } else {
                (
                    name,
                    format!(
                        "longer than TURN_DEADLINE_MS, which is {}",
                        deadlines.turn.as_millis()
                    ),
                )
            };
            r.fault(blamed, problem);
        }
    }
    deadlines
}

fn log(r: &mut Reader<'_>) -> Log {
    const FORMATS: &[(&str, LogFormat)] = &[
        ("auto", LogFormat::Auto),
        ("pretty", LogFormat::Pretty),
        ("json", LogFormat::Json),
    ];
    let filter = r.read("RUST_LOG", |text| {
        let printable = !text.chars().any(char::is_control);
        if printable && tracing_subscriber::EnvFilter::try_new(text).is_ok() {
            return Ok(text.to_owned());
        }
        Err(format!("not a log directive, got {}", class(text)).into())
    });
    Log {
        format: r.one_of("LOG_FORMAT", FORMATS).unwrap_or(LogFormat::Auto),
        filter: filter.unwrap_or_default(),
    }
}

pub(super) fn path(text: &str) -> Result<std::path::PathBuf, Problem> {
    if text.chars().any(char::is_control) {
        return Err("has a control character in it".into());
    }
    Ok(text.into())
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
