//! The data of a new server, made once in a process: `initdb` takes a second or more, a copy a
//! fraction of one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tokio::sync::OnceCell;

use super::super::home::{find, home};
use super::{PASSWORD, USER, is_file};

static TEMPLATE: OnceCell<Template> = OnceCell::const_new();

pub(super) struct Template {
    programs: PathBuf,
    data: PathBuf,
}

impl Template {
    pub(super) async fn get() -> &'static Self {
        TEMPLATE.get_or_init(async || Self::make()).await
    }

    fn make() -> Self {
        let programs = programs();
        let data = home().dir().join("template");
        succeed(
            home()
                .command(&programs.join("initdb"))
                .arg("-D")
                .arg(&data)
                .args(["--no-sync", "--no-instructions", "--auth=trust"])
                .args(["--username=postgres", "--encoding=UTF8", "--locale=C"])
                // Small files, quickly copied.
                .arg("--wal-segsize=1"),
        );
        // Its owner may make tables in a database; others may not.
        let sql = format!(
            "create role {USER} login password '{PASSWORD}';\nalter database postgres owner to {USER};\n"
        );
        let statements = home().dir().join("template.sql");
        fs::write(&statements, sql).unwrap();
        succeed(
            home()
                .command(&programs.join("postgres"))
                .args(["--single", "-F", "-D"])
                .arg(&data)
                .arg("postgres")
                .stdin(fs::File::open(&statements).unwrap()),
        );
        Self { programs, data }
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    pub(super) fn copy(&self, to: &Path) {
        let mut copy = home().command("cp".as_ref());
        succeed(copy.arg("-a").arg(&self.data).arg(to));
    }
}

/// Where the programs are: in the path, or where Debian keeps them, the newest.
fn programs() -> PathBuf {
    // It looks for its other programs beside itself, not beside a link to it.
    let in_path = find("initdb").and_then(|initdb| fs::canonicalize(initdb).ok());
    let in_path = in_path.and_then(|initdb| Some(initdb.parent()?.to_owned()));
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    let in_debian = versions.into_iter().rev().map(|(_, bin)| bin);
    in_path
        .into_iter()
        .chain(in_debian)
        .find(|bin| ["initdb", "postgres"].iter().all(|p| is_file(&bin.join(p))))
        .expect("PostgreSQL is missing (initdb and postgres): ./scripts/test installs it")
}

/// Runs a command that has to succeed, and that must not outlive the tests either.
pub(super) fn succeed(command: &mut Command) {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?}: {e}; ./scripts/test installs what is missing"));
    let pid = child.id();
    home().janitor().watch(pid);
    let done = child.wait_with_output().unwrap();
    home().janitor().forget(pid);
    assert!(
        done.status.success(),
        "{command:?}: {}\n{}{}",
        done.status,
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}
