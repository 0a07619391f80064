//! `deny.toml`: what this program is made of has a licence we may ship, comes from where we take crates
//! from, and is none that we do not want. Licences are those of the crates built on this machine's kind,
//! names and sources those of the whole lock file.

use std::process::Command;

use serde_json::Value;

use super::{none, read, root};

/// What is allowed, as `deny.toml` says.
struct Rules {
    licences: Vec<String>,
    registries: Vec<String>,
    banned: Vec<String>,
}

impl Rules {
    fn of(deny: &str) -> Self {
        let deny: toml::Table = deny.parse().expect("deny.toml is TOML");
        let list = |section: &str, key: &str| {
            let items = deny[section][key].as_array().expect("a list").clone();
            items.into_iter()
        };
        let text = |item: toml::Value| item.as_str().expect("text").to_owned();
        let banned = list("bans", "deny").map(|row| {
            assert!(row["reason"].is_str(), "a ban without its reason: {row}");
            text(row["crate"].clone())
        });
        assert_eq!(deny["sources"]["unknown-registry"].as_str(), Some("deny"));
        assert_eq!(list("sources", "allow-git").len(), 0, "no crate from git");
        Self {
            licences: list("licenses", "allow").map(text).collect(),
            registries: list("sources", "allow-registry").map(text).collect(),
            banned: banned.collect(),
        }
    }

    /// Whether an SPDX expression can be met by what is allowed: any of an `OR`, all of an `AND`, which
    /// binds closer. A slash is an old way of writing `OR`. An exception only ever allows more.
    fn allow(&self, expression: &str) -> bool {
        let spaced = expression.replace('/', " OR ");
        let spaced = spaced.replace('(', " ( ").replace(')', " ) ");
        let mut words = spaced.split_whitespace().peekable();
        let met = self.any(&mut words);
        met && words.next().is_none()
    }

    fn any<'a>(&self, words: &mut Words<impl Iterator<Item = &'a str>>) -> bool {
        let mut met = self.all(words);
        while words.next_if_eq(&"OR").is_some() {
            met |= self.all(words);
        }
        met
    }

    fn all<'a>(&self, words: &mut Words<impl Iterator<Item = &'a str>>) -> bool {
        let mut met = self.one(words);
        while words.next_if_eq(&"AND").is_some() {
            met &= self.one(words);
        }
        met
    }

    fn one<'a>(&self, words: &mut Words<impl Iterator<Item = &'a str>>) -> bool {
        match words.next() {
            Some("(") => self.any(words) & (words.next() == Some(")")),
            Some(licence) => {
                if words.next_if_eq(&"WITH").is_some() {
                    words.next();
                }
                self.licences.iter().any(|allowed| allowed == licence)
            }
            None => false,
        }
    }

    /// What of a lock file is not allowed.
    fn locked(&self, lock: &str) -> Vec<String> {
        let lock: toml::Table = lock.parse().expect("Cargo.lock is TOML");
        let packages = lock["package"].as_array().expect("packages");
        let mut offences = Vec::new();
        for package in packages {
            let name = package["name"].as_str().expect("a name");
            if self.banned.iter().any(|banned| banned == name) {
                offences.push(format!("{name} is banned, see deny.toml"));
            }
            // What has no source lies here.
            let source = package.get("source").and_then(toml::Value::as_str);
            let registry = source.map(|source| source.strip_prefix("registry+").unwrap_or(source));
            if registry.is_some_and(|from| !self.registries.iter().any(|r| r == from)) {
                offences.push(format!("{name} comes from {registry:?}"));
            }
        }
        offences
    }

    /// Crates whose licence is not allowed.
    fn licensed(&self, metadata: &Value) -> Vec<String> {
        let packages = metadata["packages"].as_array().expect("packages");
        let foreign = packages
            .iter()
            .filter(|package| !package["source"].is_null());
        foreign
            .filter(|package| !package["license"].as_str().is_some_and(|l| self.allow(l)))
            .map(|package| format!("{}: the licence {}", package["name"], package["license"]))
            .collect()
    }
}

type Words<I> = std::iter::Peekable<I>;

/// What cargo knows of the crates that are built on a machine like this one.
fn metadata() -> Value {
    let run = |program: &str, args: &[&str]| {
        let output = Command::new(program)
            .args(args)
            .current_dir(root())
            .output();
        let output = output.unwrap_or_else(|e| panic!("{program}: {e}"));
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{program} {args:?}: {told}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let version = run("rustc", &["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let args = ["metadata", "--offline", "--locked", "--format-version", "1"];
    let only = ["--filter-platform", host.expect("the host")];
    serde_json::from_str(&run(env!("CARGO"), &[&args[..], &only].concat())).expect("JSON")
}

#[test]
fn every_crate_has_a_licence_and_a_source_that_we_take_and_is_wanted() {
    let rules = Rules::of(&read("deny.toml"));
    let metadata = metadata();
    let count = metadata["packages"].as_array().map_or(0, Vec::len);
    assert!(count > 100, "{count} crates");
    none(&rules.licensed(&metadata));
    none(&rules.locked(&read("Cargo.lock")));
    none(&rules.locked(&read("fuzz/Cargo.lock")));
}

#[test]
fn what_is_not_allowed_is_found() {
    let rules = Rules {
        licences: vec!["MIT".to_owned(), "Apache-2.0".to_owned()],
        registries: vec!["https://here".to_owned()],
        banned: vec!["bad".to_owned()],
    };
    for (expression, allowed) in [
        ("MIT", true),
        ("MIT/GPL-3.0", true),
        ("GPL-3.0", false),
        ("MIT AND GPL-3.0", false),
        ("GPL-3.0 OR MIT AND Apache-2.0", true),
        ("(MIT OR GPL-3.0) AND (Apache-2.0 OR Zlib)", true),
        ("(MIT OR GPL-3.0) AND Zlib", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("", false),
        ("(MIT", false),
        ("MIT MIT", false),
    ] {
        assert_eq!(rules.allow(expression), allowed, "{expression}");
    }
    let lock = "[[package]]\nname = \"bad\"\nsource = \"registry+https://here\"\n\
                [[package]]\nname = \"odd\"\nsource = \"git+https://there\"\n\
                [[package]]\nname = \"own\"\n";
    assert_eq!(rules.locked(lock).len(), 2);
    let crates = serde_json::json!({"packages": [
        {"name": "a", "license": null, "source": "x"},
        {"name": "b", "license": "MIT", "source": "x"},
        {"name": "c", "license": "GPL-3.0", "source": "x"},
        {"name": "own", "license": null, "source": null},
    ]});
    assert_eq!(rules.licensed(&crates).len(), 2);
}
