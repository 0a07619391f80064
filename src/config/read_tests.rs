//! Good and bad values, through [`load`].

use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::*;
use crate::config::table;

const LONG: &str = "0123456789abcdef";

fn good<const N: usize>(pairs: [(&str, &str); N]) -> Settings {
    load(&Sources::from_pairs(pairs)).unwrap()
}

fn faults<const N: usize>(pairs: [(&str, &str); N]) -> Faults {
    load(&Sources::from_pairs(pairs)).unwrap_err()
}

#[test]
fn nothing_set_gives_every_default_and_no_warning() {
    let s = good([]);
    assert_eq!(s.listen.addr().to_string(), "127.0.0.1:8080");
    assert!(s.listen.workers >= 1);
    assert_eq!(s.upstream.base_url, "https://openrouter.ai/api/v1");
    assert_eq!(s.memory.base_url, "https://api.getzep.com/api/v2");
    assert!(s.upstream.fallback && s.upstream.api_key.is_none() && s.memory.api_key.is_none());
    assert!(s.keys.callers.is_empty() && !s.keys.allow_anonymous);
    assert_eq!(s.coaches.default_tier, Tier::Premium);
    assert_eq!(s.sessions.require_signed, RequireSigned::Off);
    assert_eq!(s.prosody, ProsodyPolicy::Prompt);
    assert_eq!(s.deadlines.memory, Duration::from_millis(250));
    assert_eq!(s.deadlines.turn, Duration::from_secs(60));
    assert_eq!(s.limits.max_body_bytes, 4 << 20);
    assert_eq!(s.limits.max_turns, 4000);
    let bounds = |limit: TurnLimit| [limit.per_minute, limit.open].map(|n| n.map(u32::from));
    assert_eq!(bounds(s.limits.key), [None, None]);
    assert_eq!(bounds(s.limits.session), [Some(600), Some(64)]);
    assert_eq!(s.shutdown_delay, Duration::ZERO);
    assert_eq!(s.shutdown_grace, Duration::from_secs(25));
    assert_eq!(
        (s.log.format, s.log.filter.as_str()),
        (LogFormat::Auto, "warn,clm=info,quest_clm=info")
    );
    assert_eq!(s.store.data_dir, Path::new("./data"));
    assert!(s.warnings.is_empty(), "{:?}", s.warnings);
}

#[test]
fn good_values_are_taken() {
    for host in [
        "localhost",
        "127.0.0.1",
        "0.0.0.0",
        "::",
        "[::1]",
        "10.1.2.3",
    ] {
        good([("HOST", host)]);
    }
    for yes in ["true", "1", "yes", "on", "TRUE", " On "] {
        assert!(
            good([("ALLOW_ANONYMOUS", yes)]).keys.allow_anonymous,
            "{yes}"
        );
    }
    let s = good([
        ("CLM_API_KEYS", "one, two ,three"),
        ("OPENROUTER_BASE_URL", "http://localhost:11434/v1//"),
        ("SESSION_SIGNING_KEYS", LONG),
        ("COACH_MODEL_SKILLS", "llama3.2:3b"),
        ("PORT", "0"),
        ("RUST_LOG", "quest_clm=debug,warn"),
    ]);
    let keys: Vec<&str> = s.keys.callers.iter().map(|k| k.expose_secret()).collect();
    assert_eq!(keys, ["one", "two", "three"]);
    assert_eq!(s.upstream.base_url, "http://localhost:11434/v1");
    assert_eq!(s.sessions.require_signed, RequireSigned::Spoken);
    assert_eq!(
        s.coaches.models,
        [("skills".to_owned(), "llama3.2:3b".to_owned())]
    );
}

#[test]
fn each_bad_value_is_one_fault_that_names_its_variable() {
    let long_url = "https://user:pass@example.com";
    for (name, value, part) in [
        ("HOST", "example.com", "not an address"),
        ("PORT", "65536", "out of range, got the number 65536"),
        ("PORT", "-1", "got the number -1"),
        ("OPS_PORT", "8080", "the same as PORT"),
        ("OPS_HOST", "here", "not an address"),
        ("PORT", "80.5", "a number with decimals"),
        ("PORT", "\"8080\"", "quotation marks"),
        ("WORKERS", "0", "allowed: 1 to 256"),
        ("WORKERS", "257", "out of range"),
        ("MAX_TURNS", "0", "out of range"),
        ("MAX_BODY_BYTES", "1023", "out of range"),
        ("MAX_BODY_BYTES", "67108865", "out of range"),
        ("MEMORY_DEADLINE_MS", "0", "out of range"),
        ("MEMORY_DEADLINE_MS", "250ms", "a number with a unit"),
        ("IDLE_DEADLINE_MS", "600001", "out of range"),
        (
            "FIRST_TOKEN_DEADLINE_MS",
            "60001",
            "longer than TURN_DEADLINE_MS",
        ),
        ("SHUTDOWN_DELAY_S", "61", "out of range"),
        ("SHUTDOWN_GRACE_S", "601", "out of range"),
        ("OPENROUTER_FALLBACK_ENABLED", "ture", "did you mean true?"),
        ("DEFAULT_TIER", "premum", "did you mean premium?"),
        ("PROSODY", "all", "allowed: off, prompt, full"),
        ("LOG_FORMAT", "jsn", "did you mean json?"),
        ("RUST_LOG", "clm=loud", "not a log directive"),
        ("OPENROUTER_BASE_URL", "openrouter.ai", "not a URL"),
        ("OPENROUTER_BASE_URL", "ftp://openrouter.ai", "neither http"),
        ("ZEP_BASE_URL", long_url, "credentials"),
        ("APP_URL", "https://quest.example/?a=1", "a query"),
        ("APP_TITLE", "Qu\u{e9}st", "printable ASCII"),
        ("COACH_MODEL_CAREER", "claude sonnet", "has a space"),
        ("CLM_API_KEYS", "one,,two", "key 2: empty"),
        ("ADMIN_API_KEYS", "a b", "a space or a control character"),
        ("ZEP_API_KEY", "z\u{201d}", "not ASCII"),
        ("SESSION_SIGNING_KEYS", "short", "got 5 bytes"),
        ("DATA_KEY", "short", "too short"),
        (
            "REQUIRE_SIGNED_SESSIONS",
            "strict",
            "needs SESSION_SIGNING_KEYS",
        ),
    ] {
        let found = faults([(name, value)]);
        let said = found.to_string();
        assert_eq!(found.items().len(), 1, "{name}={value}: {said}");
        assert!(
            said.starts_with(&format!("{name} (environment): ")),
            "{said}"
        );
        assert!(said.contains(part), "{name}={value}: {said}");
    }
}

#[test]
fn a_short_turn_deadline_is_blamed_itself_when_the_rest_is_default() {
    let found = faults([("TURN_DEADLINE_MS", "3000")]);
    assert_eq!(found.items().len(), 1);
    assert_eq!(found.items()[0].variable, "TURN_DEADLINE_MS");
}

#[test]
fn all_faults_come_at_once_one_line_each() {
    let found = faults([
        ("PORT", "http"),
        ("DEFAULT_TIER", "gold"),
        ("CLM_API_KEYS", "a b,c"),
        ("TURN_DEADLINE_MS", "soon"),
        ("SESSION_SIGNING_KEYS", "short"),
        ("REQUIRE_SIGNED_SESSIONS", "strict"),
    ]);
    assert_eq!(found.items().len(), 5, "{found}");
    assert_eq!(found.to_string().lines().count(), 5);
}

#[test]
fn no_value_that_may_be_a_secret_is_ever_shown() {
    let secret = "sk-or-v1-do-not-show";
    for row in table::SETTINGS {
        let spoiled = format!("{secret}\u{7} \u{e9}");
        let result = load(&Sources::from_pairs([(row.name, spoiled.as_str())]));
        let said = match result {
            Ok(settings) => format!("{settings:?}"),
            Err(faults) => format!("{faults} {faults:?}"),
        };
        assert!(!said.contains("do-not-show"), "{}: {said}", row.name);
    }
    let s = good([
        ("CLM_API_KEYS", secret),
        ("ZEP_API_KEY", secret),
        ("DATA_KEY", secret),
    ]);
    assert!(!format!("{s:?}").contains(secret));
}

#[test]
fn the_environment_wins_and_the_file_fills_in() {
    let file = "PORT = 1\nHOST = \"0.0.0.0\"\nCLM_API_KEYS = [\"a\", \"b\"]\nALLOW_ANONYMOUS = true\n\
                WORKERS = 3\n";
    let sources = Sources::from_pairs([("PORT", "2"), ("WORKERS", "")])
        .with_toml(Path::new("clm.toml"), file)
        .unwrap();
    let s = load(&sources).unwrap();
    assert_eq!(
        (s.listen.addr().to_string().as_str(), s.listen.workers),
        ("0.0.0.0:2", 3)
    );
    assert!(s.keys.callers.len() == 2 && s.keys.allow_anonymous);
}

#[test]
fn the_file_is_judged_like_the_environment() {
    let file = "port = 1\nCLM_API_KEY = \"x\"\nPORT = [\"1\"]\nHOST = { a = 1 }\n\
                ADMIN_API_KEYS = [\"a,b\"]\nWORKERS = 2.0\nDATA_KEY = [1]\n";
    let sources = Sources::default()
        .with_toml(Path::new("clm.toml"), file)
        .unwrap();
    let said = load(&sources).unwrap_err().to_string();
    for part in [
        "port (clm.toml): no such setting; did you mean PORT?",
        "CLM_API_KEY (clm.toml): no such setting; did you mean CLM_API_KEYS?",
        "PORT (clm.toml): takes one value, got an array",
        "HOST (clm.toml): got a table",
        "ADMIN_API_KEYS (clm.toml): an item of the array has a comma",
        "WORKERS (clm.toml): not a whole number, got a number with decimals",
        "DATA_KEY (clm.toml): got an array of something other than text",
    ] {
        assert!(said.contains(part), "{part} in\n{said}");
    }
}

#[test]
fn aliases_work_and_their_own_name_wins() {
    let key = |s: Settings| s.upstream.api_key.unwrap().expose_secret().to_owned();
    assert_eq!(key(good([("OPENROUTER_API_KEY", "b")])), "b");
    let both = good([("OPENROUTER_API_KEY", "b"), ("OPEN_ROUTER_API_KEY", "a")]);
    assert_eq!(both.warnings.len(), 1, "{:?}", both.warnings);
    assert_eq!(key(both), "a");
    let url = good([("NEXT_PUBLIC_APP_URL", "https://quest.example/")]);
    assert_eq!(
        url.upstream.app_url.as_deref(),
        Some("https://quest.example")
    );
    let said = faults([("OPENROUTER_API_KEY", "a b")]).to_string();
    assert!(said.starts_with("OPEN_ROUTER_API_KEY (environment, as OPENROUTER_API_KEY): "));
}

#[test]
fn what_hardly_works_is_a_warning() {
    let retired = good([("COACH_MODEL_MASTER", "openai/gpt-4-turbo")]);
    assert_eq!(retired.coaches.models[0].1, "openai/gpt-6.1-terra");
    for (pairs, part) in [
        (
            [("COACH_MODEL_MASTER", "openai/gpt-4"), ("", "")],
            "is retired",
        ),
        ([("SPOKEN_FALLBACK_MS", "5001"), ("", "")], "lost"),
        ([("FIRST_TOKEN_DEADLINE_MS", "5000"), ("", "")], "not below"),
        ([("HOST", "0.0.0.0"), ("", "")], "unsigned"),
        (
            [("CLM_API_KEYS", "a,b"), ("ADMIN_API_KEYS", "b")],
            "share a key",
        ),
        (
            [("SESSION_SIGNING_KEY", LONG), ("", "")],
            "did you mean SESSION_SIGNING_KEYS?",
        ),
    ] {
        let s = good(pairs);
        assert_eq!(s.warnings.len(), 1, "{:?}", s.warnings);
        assert!(s.warnings[0].contains(part), "{:?}", s.warnings);
    }
}

#[test]
fn serving_needs_a_key_and_a_door() {
    let serve = |pairs: &[(&str, &str)]| {
        let served = load_to_serve(&Sources::from_pairs(pairs.iter().copied()));
        served.map(|_| ()).map_err(|faults| faults.to_string())
    };
    let said = serve(&[]).unwrap_err();
    assert!(said.starts_with("OPEN_ROUTER_API_KEY (not set): ") && said.contains("`clm demo`"));
    let key = ("OPEN_ROUTER_API_KEY", "k");
    let world = ("HOST", "0.0.0.0");
    assert!(serve(&[key]).is_ok());
    let said = serve(&[key, world]).unwrap_err();
    assert!(said.starts_with("CLM_API_KEYS (not set): ") && said.contains("ALLOW_ANONYMOUS=true"));
    assert!(serve(&[key, world, ("ALLOW_ANONYMOUS", "true")]).is_ok());
    assert!(serve(&[key, world, ("CLM_API_KEYS", "c")]).is_ok());
    // Whatever else is wrong is told with it.
    let said = serve(&[world, ("PORT", "http"), ("CLM_API_KEYS", "a b")]).unwrap_err();
    let about: Vec<_> = said
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(
        about,
        ["PORT", "OPEN_ROUTER_API_KEY", "CLM_API_KEYS"],
        "{said}"
    );
}
