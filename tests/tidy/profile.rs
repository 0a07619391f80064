//! `profile/`: what a release is compiled with is of this compiler and these crates, and goes nowhere else.

use std::fs;
use std::process::Command;

use sha2::{Digest as _, Sha256};

use super::{none, read, root};

/// What of `made.toml` is no longer so: the profile of a release finds a function by its name, and names hold
/// the compiler and all crates. The compiler is the one that the image is built with.
fn outdated(made: &str, lock: &str, profile: &[u8], rust: &str) -> Vec<String> {
    let made: toml::Table = made.parse().expect("made.toml is TOML");
    let told = |key: &str| made[key].as_str().expect("text");
    let mut offences = Vec::new();
    if !told("rustc").starts_with(&format!("{rust}.")) {
        offences.push(format!(
            "the profile is of rustc {}, not {rust}: run scripts/profile",
            told("rustc")
        ));
    }
    let hash = |bytes: &[u8]| base16ct::lower::encode_string(&Sha256::digest(bytes));
    if told("cargo_lock_sha256") != hash(lock.as_bytes()) {
        offences.push("the profile is of another Cargo.lock: run scripts/profile".to_owned());
    }
    if told("profile_sha256") != hash(profile) {
        offences.push("made.toml tells of another profile: run scripts/profile".to_owned());
    }
    offences
}

#[test]
fn the_profile_of_a_release_is_of_this_compiler_and_these_crates() {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("Cargo.toml is TOML");
    let rust = manifest["package"]["rust-version"].as_str();
    let rust = rust.expect("a version");
    let made = read("profile/made.toml");
    let profile = fs::read(root().join("profile/clm.profdata")).expect("a profile");
    none(&outdated(&made, &read("Cargo.lock"), &profile, rust));
    assert_eq!(outdated(&made, "other", b"other", "1.0").len(), 3);
    let config: toml::Table = read(".cargo/config.toml").parse().expect("TOML");
    assert_eq!(
        config["build"]["rustc-wrapper"].as_str(),
        Some("profile/rustc")
    );
}

/// What the compiler is called with by `profile/rustc`, asked to be called with `args`.
fn called(args: &[&str], into: Option<&str>) -> Vec<String> {
    let mut wrapper = Command::new(root().join("profile/rustc"));
    wrapper
        .args(["printf", "%s\\n"])
        .args(args)
        .env_remove("CLM_PROFILE_INTO");
    wrapper.envs(into.map(|into| ("CLM_PROFILE_INTO", into)));
    let output = wrapper.output().expect("profile/rustc runs");
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    let words = told.lines().map(str::to_owned);
    words.skip(args.len()).collect()
}

#[test]
fn the_profile_goes_into_a_release_and_nothing_else() {
    let release = ["-C", "opt-level=3", "--out-dir", "/x/target/release/deps"];
    let profile = root().join("profile/clm.profdata");
    let with = format!("-Cprofile-use={}", profile.display());
    let hushed = "-Cllvm-args=-no-pgo-warn-mismatch";
    assert_eq!(called(&release, None), [&with, hushed]);
    assert_eq!(
        called(&release, Some("/counts")),
        ["-Cprofile-generate=/counts"]
    );
    for args in [
        &["--out-dir", "/x/target/debug/deps"][..],
        &["-C", "opt-level=3", "--out-dir", "/x/target/counted/deps"],
        &["-C", "opt-level=3", "--out-dir", "/x/target/debug/deps"],
        // Build scripts and macros.
        &["--out-dir", "/x/target/release/deps"],
        &[&release[..], &["--cfg", "fuzzing"]].concat(),
        &[&release[..], &["-Cprofile-generate=/theirs"]].concat(),
        &["-vV"],
    ] {
        assert_eq!(called(args, None), [""; 0], "{args:?}");
        assert_eq!(called(args, Some("/counts")), [""; 0], "{args:?}");
    }
}
