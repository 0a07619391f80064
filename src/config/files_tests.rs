use std::fs;
use std::path::Path;

use secrecy::ExposeSecret as _;

use super::*;
use crate::config::{Faults, Settings, Sources, load};

const KEY: &str = "0123456789abcdef-planted";

/// A directory with one file of this text, and that file's path.
fn filed(text: impl AsRef<[u8]>) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

fn set(pairs: &[(&str, &str)]) -> Result<Settings, Faults> {
    load(&Sources::from_pairs(pairs.iter().copied()))
}

fn toml(text: &str) -> Result<Settings, Faults> {
    let sources = Sources::default().with_toml(Path::new("clm.toml"), text);
    load(&sources.unwrap())
}

fn said(loaded: Result<Settings, Faults>) -> String {
    loaded.unwrap_err().to_string()
}

#[test]
fn every_secret_can_lie_in_a_file_and_nothing_else_can() {
    for setting in SETTINGS {
        let taken = secret(&of(setting.name)).is_some();
        assert_eq!(taken, setting.secret, "{}", setting.name);
    }
    assert!(secret("OPENROUTER_API_KEY_FILE").is_some());
    assert!(secret("COACHES_FILE").is_none() && secret("DATA_KEY").is_none());
}

#[test]
fn the_trimmed_text_is_the_value_from_the_environment_and_from_the_settings_file() {
    let (_dir, path) = filed(format!("  {KEY}\n\n"));
    let key = |settings: Settings| settings.store.data_key.unwrap();
    let settings = set(&[("DATA_KEY_FILE", &path)]).unwrap();
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
    assert_eq!(key(settings).expose_secret(), KEY);
    let settings = toml(&format!("DATA_KEY_FILE = {path:?}")).unwrap();
    assert_eq!(key(settings).expose_secret(), KEY);
    let settings = set(&[("OPENROUTER_API_KEY_FILE", &path)]).unwrap();
    assert_eq!(settings.upstream.api_key.unwrap().expose_secret(), KEY);
    let (_dir, two) = filed("first-key,second-key\n");
    let settings = set(&[("CLM_API_KEYS_FILE", &two)]).unwrap();
    assert_eq!(settings.keys.callers.len(), 2);
}

#[test]
fn the_environment_wins_over_the_settings_file_and_an_override_over_both() {
    let (_dir, path) = filed("from-the-file-of-files");
    let text = format!("ZEP_API_KEY_FILE = {path:?}");
    let both = Sources::from_pairs([("ZEP_API_KEY", "from-environment")])
        .with_toml(Path::new("clm.toml"), &text)
        .unwrap();
    let key = |sources: &Sources| load(sources).unwrap().memory.api_key.unwrap();
    assert_eq!(key(&both).expose_secret(), "from-environment");
    let filed = Sources::from_pairs([("ZEP_API_KEY_FILE", path.as_str())])
        .with_overrides([("ZEP_API_KEY", "overridden".to_owned())]);
    assert_eq!(key(&filed).expose_secret(), "overridden");
}

#[test]
fn both_names_at_once_are_a_fault() {
    let (_dir, path) = filed(KEY);
    for (one, other) in [
        ("DATA_KEY", "DATA_KEY_FILE"),
        ("OPEN_ROUTER_API_KEY", "OPENROUTER_API_KEY_FILE"),
        ("OPENROUTER_API_KEY", "OPEN_ROUTER_API_KEY_FILE"),
    ] {
        let said = said(set(&[(one, "another-0123456789"), (other, &path)]));
        assert!(said.contains(&format!("as {other}")), "{said}");
        assert!(said.contains(&format!("{one} is set too")), "{said}");
        assert!(!said.contains("another-0123456789") && !said.contains(KEY));
    }
    let said = said(toml(&format!(
        "DATA_KEY = \"{KEY}\"\nDATA_KEY_FILE = {path:?}"
    )));
    assert!(said.contains("clm.toml, as DATA_KEY_FILE"), "{said}");
    assert!(set(&[("DATA_KEY", ""), ("DATA_KEY_FILE", &path)]).is_ok());
}

#[test]
fn a_file_that_cannot_be_used_says_what_to_do_and_shows_neither_text_nor_path() {
    let (_a, empty) = filed(" \n\t\n");
    let (_b, large) = filed(KEY.repeat(4096));
    let (_c, bytes) = filed(b"planted\xff\xfe");
    let (_d, short) = filed("planted");
    let dir = tempfile::tempdir().unwrap();
    let planted = dir.path().join("planted");
    let nowhere = planted.to_str().unwrap();
    let folder = dir.path().to_str().unwrap();
    for (path, expected) in [
        (empty.as_str(), "is empty: write the secret into it"),
        (&large, "larger than 65536 bytes"),
        (&bytes, "not UTF-8"),
        (&short, "too short, got 7 bytes"),
        (nowhere, "is not there: is it mounted?"),
        (folder, "cannot be read: not a file"),
        (KEY, "the secret itself under the name without _FILE"),
    ] {
        let said = said(set(&[("DATA_KEY_FILE", path)]));
        assert!(said.starts_with("DATA_KEY (environment, as DATA_KEY_FILE): "));
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("planted") && !said.contains(path), "{said}");
    }
    let said = said(toml("DATA_KEY_FILE = [\"a\", \"b\"]"));
    assert!(said.contains("got an array"), "{said}");
}

#[test]
fn a_slip_in_such_a_name_is_told() {
    let near = set(&[("CLM_API_KEY_FILE", "/run/secrets/keys")]).unwrap();
    let warning = near.warnings.first().unwrap();
    assert!(
        warning.contains("did you mean CLM_API_KEYS_FILE"),
        "{warning}"
    );
    let said = said(toml("PORT_FILE = \"/run/port\""));
    assert!(said.contains("PORT_FILE") && said.contains("no such setting"));
}
