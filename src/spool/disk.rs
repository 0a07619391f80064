//! The one place that touches files, so that a test can make any of it fail.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

#[cfg(test)]
pub(super) mod faults;

/// Only the service itself reads its rows.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;
pub(super) const LOCK: &str = "lock";
pub(super) const PROBE: &str = "probe";
/// What is being written beside the file that it will replace.
const UNFINISHED: &str = "tmp";

#[derive(Debug)]
pub(super) struct Disk {
    dir: PathBuf,
    #[cfg(test)]
    pub(super) faults: std::sync::Arc<faults::Faults>,
}

impl Disk {
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            #[cfg(test)]
            faults: std::sync::Arc::default(),
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(super) fn make_dir(&self, dir: &Path) -> io::Result<()> {
        #[cfg(test)]
        self.faults.change()?;
        DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(dir)?;
        // One that was there may belong to somebody else, who then decides who reads it.
        fs::set_permissions(dir, Permissions::from_mode(DIRECTORY_MODE)).unwrap_or_default();
        Ok(())
    }

    /// The directory's lock file, not locked yet. On a disk that became read-only it can be had too.
    pub(super) fn lock_file(&self) -> io::Result<File> {
        let path = self.path(LOCK);
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE);
        options.open(&path).or_else(|_| File::open(&path))
    }

    /// The names of the files in the directory. What is no text is none of ours.
    pub(super) fn names(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    pub(super) fn create(&self, path: &Path) -> io::Result<File> {
        #[cfg(test)]
        self.faults.change()?;
        let mut options = OpenOptions::new();
        options.append(true).create_new(true).mode(FILE_MODE);
        let file = options.open(path)?;
        #[cfg(test)]
        self.faults.created(&file);
        Ok(file)
    }

    pub(super) fn append(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        self.faults.room(file, bytes)?;
        file.write_all(bytes)
    }

    pub(super) fn cut(&self, path: &Path, length: u64) -> io::Result<()> {
        #[cfg(test)]
        self.faults.change()?;
        OpenOptions::new().write(true).open(path)?.set_len(length)
    }

    pub(super) fn sync(&self, file: &File) -> io::Result<()> {
        #[cfg(test)]
        self.faults.sync()?;
        file.sync_data()?;
        #[cfg(test)]
        self.faults.synced(file);
        Ok(())
    }

    /// Makes the coming and going of files durable.
    pub(super) fn sync_dir(&self) -> io::Result<()> {
        #[cfg(test)]
        self.faults.sync()?;
        File::open(&self.dir)?.sync_all()?;
        #[cfg(test)]
        self.faults.synced_dir();
        Ok(())
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        #[cfg(test)]
        self.faults.removing(path)?;
        fs::remove_file(path)
    }

    /// Puts a file in place whole or not at all. The directory is not synced.
    pub(super) fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let unfinished = path.with_added_extension(UNFINISHED);
        // Of an attempt that failed.
        self.clear(&unfinished);
        let written = self.create(&unfinished).and_then(|file| {
            self.append(&file, bytes)?;
            self.sync(&file)?;
            #[cfg(test)]
            self.faults.renaming(&file, path);
            fs::rename(&unfinished, path)
        });
        if written.is_err() {
            self.clear(&unfinished);
        }
        written
    }

    /// Removes what may be there. Where that fails, making the file again fails too and is told.
    pub(super) fn clear(&self, path: &Path) {
        if path.exists() {
            self.remove(path).unwrap_or_default();
        }
    }

    /// Whether files can be made and written, found out by doing it.
    pub(super) fn probe(&self) -> io::Result<()> {
        let path = self.path(PROBE);
        self.replace(&path, b"spool")?;
        self.remove(&path)
    }

    /// The name of the file that was to be replaced, where a crash left one half written.
    pub(super) fn unfinished(name: &str) -> Option<&str> {
        name.strip_suffix(UNFINISHED)?.strip_suffix('.')
    }
}
