//! What lies in `deploy/`, `fly.toml`, `Dockerfile`, and the commands in documents: the numbers are the
//! program's, and what is named exists.

use std::collections::BTreeMap;

use clap::{Command, CommandFactory as _};
use quest_clm::cli::Cli;
use quest_clm::config::SETTINGS;

use super::{none, read, root};

/// A setting's default, as a number.
fn default_of(name: &str) -> u64 {
    let setting = SETTINGS.iter().find(|s| s.name == name);
    let setting = setting.unwrap_or_else(|| panic!("no setting is called {name}"));
    setting.default.parse().expect("a number")
}

/// The number after this text in a source file.
fn number_in(path: &str, before: &str) -> u64 {
    let text = read(path);
    let (_, after) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("{path}: {before}"));
    let end = after.find(|c: char| !c.is_ascii_digit());
    let digits = after.get(..end.unwrap_or(after.len()));
    digits.and_then(|d| d.parse().ok()).expect("a number")
}

/// What a platform has to wait for until it kills.
fn longest_end(grace: u64) -> u64 {
    grace + number_in("src/cli/check/local.rs", "const FLUSH_S: u64 = ")
}

/// After how many seconds the program closes a caller's idle connection.
fn keep_alive() -> u64 {
    number_in(
        "src/app/listen.rs",
        "const KEEP_ALIVE: Duration = Duration::from_secs(",
    )
}

fn fly() -> toml::Table {
    read("fly.toml").parse().expect("fly.toml is TOML")
}

/// `NAME=value` words of the Dockerfile's `ENV`.
fn image_env() -> BTreeMap<String, String> {
    let dockerfile = read("Dockerfile");
    let lines = dockerfile.lines().filter_map(|l| l.strip_prefix("ENV "));
    let words = lines.flat_map(str::split_whitespace);
    let pairs = words.filter_map(|word| word.split_once('='));
    pairs.map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

/// The last instruction of this name in the Dockerfile.
fn instruction(name: &str) -> String {
    let dockerfile = read("Dockerfile");
    let mut lines = dockerfile.lines().filter_map(|l| l.strip_prefix(name));
    lines
        .next_back()
        .unwrap_or_else(|| panic!("no {name}"))
        .trim()
        .to_owned()
}

/// What of `clm …` does not exist: the subcommand, or a flag of it.
fn unknown(words: &str) -> Option<String> {
    let cli = Cli::command();
    let mut words = words.split_whitespace().skip(1);
    let mut first = words.next()?;
    if first == "--config" {
        first = words.nth(1)?;
    }
    // Where any command is meant, a document says COMMAND. What ends so is what one of ours prints.
    if first == "COMMAND" || first.starts_with('-') || first.ends_with(':') {
        return None;
    }
    let Some(command) = cli.find_subcommand(first) else {
        return Some(format!("there is no `clm {first}`"));
    };
    let is_known = |flag: &str, command: &Command| {
        let mut arguments = command.get_arguments();
        arguments.any(|argument| argument.get_long() == Some(flag))
    };
    words
        .filter_map(|word| word.strip_prefix("--"))
        .map(|flag| flag.split('=').next().unwrap_or(flag))
        .find(|flag| !is_known(flag, command) && !is_known(flag, &cli) && *flag != "help")
        .map(|flag| format!("`clm {first}` has no --{flag}"))
}

#[test]
fn fly_waits_as_long_as_the_program_needs_and_asks_it_the_right_way() {
    let fly = fly();
    let seconds = |name: &str| fly["env"][name].as_str().and_then(|s| s.parse().ok());
    let grace = seconds("SHUTDOWN_GRACE_S");
    let delay: u64 = seconds("SHUTDOWN_DELAY_S").expect("a delay");
    let kill = fly["kill_timeout"]
        .as_integer()
        .and_then(|s| u64::try_from(s).ok());
    let (grace, kill) = (grace.expect("a grace"), kill.expect("a timeout"));
    assert_eq!(fly["kill_signal"].as_str(), Some("SIGTERM"));
    assert_eq!(grace, default_of("SHUTDOWN_GRACE_S"));
    let longest = number_in("src/cli/check/local.rs", "const FLY_LONGEST_KILL_S: u64 = ");
    assert!(
        (longest_end(delay + grace)..=longest).contains(&kill),
        "{kill}"
    );
    let check = &fly["http_service"]["checks"][0];
    let every = |name: &str| check[name].as_str()?.strip_suffix('s')?.parse::<u64>().ok();
    let noticed = every("interval").expect("an interval") + every("timeout").expect("a timeout");
    assert!(delay > noticed, "{delay} s, and Fly asks within {noticed}");
    let release = fly["deploy"]["release_command"]
        .as_str()
        .expect("a command");
    assert_eq!(
        (unknown(release), release.starts_with("clm ")),
        (None, true)
    );
}

#[test]
fn fly_knows_where_the_program_listens_and_how_much_it_takes() {
    let fly = fly();
    let env = fly["env"].as_table().expect("env");
    let unknown = env
        .keys()
        .filter(|name| !SETTINGS.iter().any(|s| s.name == **name));
    none(
        &unknown
            .map(|name| format!("fly.toml: no setting is called {name}"))
            .collect::<Vec<_>>(),
    );
    let service = &fly["http_service"];
    let port = default_of("PORT");
    assert_eq!(
        service["internal_port"].as_integer(),
        i64::try_from(port).ok()
    );
    assert_eq!(env["PORT"].as_str(), Some(port.to_string().as_str()));
    assert_eq!(fly["mounts"]["destination"], env["DATA_DIR"]);
    // Fly's scraper sends no key, and comes to where none is wanted.
    let scraped = fly["metrics"]["port"].as_integer();
    assert_eq!(
        scraped.map(|port| port.to_string()).as_deref(),
        env["OPS_PORT"].as_str()
    );
    assert_ne!(scraped, service["internal_port"].as_integer());
    assert_eq!(fly["metrics"]["path"].as_str(), Some("/metrics"));
    let limit = |name: &str| {
        let limit = service["concurrency"][name].as_integer();
        u64::try_from(limit.expect("a limit")).expect("a limit")
    };
    assert_eq!(service["concurrency"]["type"].as_str(), Some("requests"));
    let most: u64 = env["MAX_TURNS"]
        .as_str()
        .expect("a bound")
        .parse()
        .expect("a number");
    // By what one machine carries, of as many cores as the document's.
    assert_eq!(fly["vm"][0]["size"].as_str(), Some("performance-2x"));
    let capacity = read("docs/CAPACITY.md");
    assert!(capacity.contains("For machines of 2 cores, 4 GiB"));
    let streams = |busy: &str| {
        let row = format!("| streams of a machine whose cores are {busy} busy | ");
        let row = capacity.split_once(&row).expect("a row").1;
        let digits = row.split(' ').next().expect("a number").replace(',', "");
        digits.parse::<u64>().expect("a number")
    };
    assert!(limit("soft_limit") <= streams("0.6"));
    assert!((limit("soft_limit")..=streams("0.8")).contains(&most));
    assert!(limit("hard_limit") > most, "it is clm that refuses");
    let idle = service["http_options"]["idle_timeout"]
        .as_integer()
        .expect("a time");
    assert!(
        u64::try_from(idle).is_ok_and(|idle| idle < keep_alive()),
        "{idle}"
    );
    let checks = service["checks"].as_array().expect("checks");
    assert!(
        checks
            .iter()
            .any(|check| check["path"].as_str() == Some("/readyz"))
    );
}

#[test]
fn the_image_is_what_fly_and_compose_expect() {
    let (fly, env) = (fly(), image_env());
    for name in ["HOST", "PORT", "DATA_DIR", "LOG_FORMAT"] {
        assert_eq!(
            fly["env"][name].as_str(),
            env.get(name).map(String::as_str),
            "{name}"
        );
    }
    let data = &env["DATA_DIR"];
    assert_eq!(
        (&instruction("VOLUME"), instruction("EXPOSE")),
        (data, env["PORT"].clone())
    );
    let entrypoint = read("deploy/entrypoint");
    assert!(entrypoint.contains(&format!(
        "find {data} -xdev \\( -user root -o -path {data} ! -user clm \\) -exec chown -h clm:clm {{}} +"
    )));
    assert!(
        entrypoint.contains("exec setpriv --reuid=clm"),
        "never as root"
    );
    let command = instruction("CMD").replace(['[', ']', '"', ','], "");
    assert_eq!(unknown(&command), None);
    let dockerfile = read("Dockerfile");
    assert!(dockerfile.contains("GET /readyz"));
    assert_eq!(instruction("STOPSIGNAL"), "SIGTERM");
    let compose = read("deploy/compose.yaml");
    assert!(compose.contains("user: \"10001:10001\""));
    assert!(dockerfile.contains("groupadd --gid 10001 clm"));
    assert!(dockerfile.contains("useradd --uid 10001 --gid clm"));
    let manifest: toml::Table = read("Cargo.toml").parse().expect("Cargo.toml is TOML");
    let made: toml::Table = read("profile/made.toml")
        .parse()
        .expect("made.toml is TOML");
    let rust = made["rustc"].as_str().expect("a version");
    assert!(
        dockerfile.contains(&format!("FROM rust:{rust}-")),
        "not the compiler of the profile, {rust}"
    );
    let mut offences = Vec::new();
    for (kind, dir, file) in [
        ("bench", "benches", ".rs"),
        ("example", "examples", "/main.rs"),
    ] {
        for target in manifest[kind].as_array().expect(kind) {
            let path = format!("{dir}/{}{file}", target["name"].as_str().expect("a name"));
            if !dockerfile.contains(&path) {
                offences.push(format!(
                    "Dockerfile: {path} is declared and has to be there"
                ));
            }
        }
    }
    let ignored = read(".dockerignore");
    let copies = dockerfile.lines().filter_map(|l| l.strip_prefix("COPY "));
    for from in copies.filter(|l| !l.starts_with("--")).flat_map(|l| {
        let words: Vec<&str> = l.split_whitespace().collect();
        words
            .split_last()
            .map(|(_, from)| from.to_vec())
            .unwrap_or_default()
    }) {
        if !root().join(from).exists() || !ignored.lines().any(|l| l == format!("!{from}")) {
            offences.push(format!(
                "Dockerfile: {from} is not there, or left out by .dockerignore"
            ));
        }
    }
    none(&offences);
}

#[test]
fn haproxy_and_compose_wait_as_long_as_a_turn_and_a_stop_may_take() {
    let haproxy = read("deploy/haproxy.cfg");
    let seconds = |setting: &str| -> u64 {
        let line = haproxy.lines().find_map(|l| l.trim().strip_prefix(setting));
        let digits = line
            .and_then(|l| l.trim().strip_suffix('s'))
            .and_then(|s| s.parse::<u64>().ok());
        digits.unwrap_or_else(|| panic!("haproxy.cfg: {setting}"))
    };
    let turn = default_of("TURN_DEADLINE_MS") / 1000;
    assert!(seconds("timeout server") > turn && seconds("timeout client") > turn);
    assert!(seconds("hard-stop-after") >= turn);
    assert!(seconds("timeout http-keep-alive") < keep_alive());
    assert!(haproxy.contains("uri /readyz ") && haproxy.contains("retry-on conn-failure\n"));
    let compose = read("deploy/compose.yaml");
    let grace = compose
        .lines()
        .find_map(|l| l.strip_prefix("  stop_grace_period: "));
    let grace: u64 = grace
        .and_then(|s| s.strip_suffix('s')?.parse().ok())
        .expect("a grace");
    let delay = compose
        .lines()
        .find_map(|l| l.strip_prefix("    SHUTDOWN_DELAY_S: \""));
    let delay: u64 = delay
        .and_then(|s| s.strip_suffix('"')?.parse().ok())
        .expect("a delay");
    assert!(
        grace >= longest_end(delay + default_of("SHUTDOWN_GRACE_S")),
        "{grace}"
    );
    let port = default_of("PORT");
    let mut offences = Vec::new();
    for n in 1..=3 {
        if !haproxy.contains(&format!("\n    server clm{n} \"${{CLM_{n}}}\"\n")) {
            offences.push(format!("haproxy.cfg: no server clm{n}"));
        }
        if !compose.contains(&format!("\n      CLM_{n}: clm{n}:{port}\n")) {
            offences.push(format!("compose.yaml: HAProxy is not told where clm{n} is"));
        }
    }
    let (_, settings) = compose
        .split_once("environment: &clm-environment\n")
        .expect("settings");
    let names = settings
        .lines()
        .take_while(|l| l.starts_with("    "))
        .map(str::trim);
    let names = names
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split_once(':'));
    for (name, _) in names {
        if !SETTINGS.iter().any(|s| s.name == name) {
            offences.push(format!("compose.yaml: no setting is called {name}"));
        }
    }
    none(&offences);
}

/// What documents tell people to run of ours: in backticks or on a line of a shell block.
fn commands(text: &str) -> Vec<String> {
    let spans = text.split('`').skip(1).step_by(2);
    let blocks = text.split("```").skip(1).step_by(2);
    let lines = blocks.flat_map(str::lines);
    let all = spans.chain(lines).map(|l| l.trim().trim_end_matches('\\'));
    let ours = all.filter(|l| l.starts_with("clm ") || l.starts_with("fly ssh console -C \"clm "));
    let bare = ours.map(|l| {
        l.trim_start_matches("fly ssh console -C \"")
            .trim_end_matches('"')
    });
    // What comes after a comment or a pipe is not ours.
    let end = |l: &str| {
        l.split([';', '|', '#', '>', '&'])
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    bare.map(end).filter(|l| l.contains(' ')).collect()
}

#[test]
fn documents_name_commands_and_files_that_exist() {
    let mut offences = Vec::new();
    for path in [
        "README.md",
        "docs/OPERATIONS.md",
        "docs/CHAOS.md",
        "fly.toml",
        "Dockerfile",
    ] {
        let text = read(path);
        let unknown = commands(&text).into_iter().filter_map(|c| unknown(&c));
        offences.extend(unknown.map(|what| format!("{path}: {what}")));
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"/._-".contains(c));
        let ours = words.filter(|w| w.starts_with("deploy/") || w.starts_with("scripts/"));
        let missing = ours
            .map(|w| w.trim_end_matches(['.', '/']))
            .filter(|w| !root().join(w).exists());
        offences.extend(missing.map(|w| format!("{path}: there is no {w}")));
    }
    none(&offences);
    let text = "`clm serve` and `clm fly`\n```sh\nclm token --user u --wings 2 | cat\nclm check # --no\n```\n";
    let found: Vec<String> = commands(text).iter().filter_map(|c| unknown(c)).collect();
    assert_eq!(
        found,
        ["there is no `clm fly`", "`clm token` has no --wings"]
    );
}
