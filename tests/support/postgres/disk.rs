//! A disk that is full when the test says so.
//!
//! A small file system would need the right to mount, and a limit on the size of files gives another
//! error than the one that PostgreSQL knows. So the C library's writes are wrapped: one that would
//! make a file grow fails with `ENOSPC`, and all that follows is PostgreSQL's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::super::home::home;
use super::template::succeed;

static WRAPPER: OnceLock<PathBuf> = OnceLock::new();

/// While this file is there the disk is full.
fn flag(room: &Path) -> PathBuf {
    room.join("full")
}

pub(super) fn make_fillable(command: &mut Command, room: &Path) {
    command
        .env("LD_PRELOAD", WRAPPER.get_or_init(build))
        .env("FULL_WHEN", flag(room));
}

pub(super) fn fill(room: &Path) {
    fs::write(flag(room), "").unwrap();
}

pub(super) fn free(room: &Path) {
    fs::remove_file(flag(room)).unwrap();
}

fn build() -> PathBuf {
    let source = home().dir().join("full_disk.c");
    let built = home().dir().join("full_disk.so");
    fs::write(&source, include_str!("full_disk.c")).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .arg(&built)
        .arg(&source)
        .arg("-ldl");
    succeed(&mut cc);
    built
}
