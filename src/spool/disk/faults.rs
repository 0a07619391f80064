//! A disk that can be told to fail, and that remembers what a power cut would leave of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

const NO_SPACE: i32 = 28;
const IO: i32 = 5;

#[derive(Debug, Default)]
pub(in crate::spool) struct Faults(Mutex<State>);

#[derive(Debug, Default)]
pub(in crate::spool) struct State {
    /// Bytes that may yet be written, if there is a bound.
    pub(in crate::spool) room: Option<usize>,
    pub(in crate::spool) syncs_fail: bool,
    /// Nothing can be made, cut or removed.
    pub(in crate::spool) is_read_only: bool,
    /// What is durable of a file that was made in this life, by its inode.
    pub(in crate::spool) durable: BTreeMap<u64, u64>,
    /// Files made since the directory was last synced.
    pub(in crate::spool) unlinked: BTreeSet<u64>,
    /// Files removed or replaced since then, as they were.
    pub(in crate::spool) ghosts: BTreeMap<PathBuf, Vec<u8>>,
    pub(in crate::spool) syncs: u64,
    /// The most bytes that were in a directory when a file was written anew.
    pub(in crate::spool) peak: u64,
}

impl Faults {
    pub(in crate::spool) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn change(&self) -> io::Result<()> {
        match self.state().is_read_only {
            true => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            false => Ok(()),
        }
    }

    pub(super) fn created(&self, file: &File) {
        let inode = file.metadata().unwrap().ino();
        let mut state = self.state();
        state.durable.insert(inode, 0);
        state.unlinked.insert(inode);
    }

    /// Like a disk that runs full, it takes as much of a write as there is room for.
    pub(super) fn room(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        if let Some(room) = &mut state.room {
            let taken = bytes.len().min(*room);
            *room -= taken;
            if taken < bytes.len() {
                file.write_all(&bytes[..taken])?;
                return Err(io::Error::from_raw_os_error(NO_SPACE));
            }
        }
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.syncs += 1;
        match state.syncs_fail {
            true => Err(io::Error::from_raw_os_error(IO)),
            false => Ok(()),
        }
    }

    pub(super) fn synced(&self, file: &File) {
        let meta = file.metadata().unwrap();
        self.state().durable.insert(meta.ino(), meta.len());
    }

    pub(super) fn synced_dir(&self) {
        let mut state = self.state();
        state.unlinked.clear();
        state.ghosts.clear();
    }

    pub(super) fn removing(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        let bytes = fs::read(path)?;
        let inode = fs::metadata(path)?.ino();
        let mut state = self.state();
        if let Some(room) = &mut state.room {
            *room += bytes.len();
        }
        let durable = state.durable.remove(&inode);
        let length = durable.map_or(bytes.len(), |d| usize::try_from(d).unwrap());
        if !state.unlinked.remove(&inode) {
            let ghost = bytes[..length.min(bytes.len())].to_vec();
            state.ghosts.insert(path.to_owned(), ghost);
        }
        Ok(())
    }

    /// Both are there at this moment, and either may be found after a loss of power.
    pub(super) fn renaming(&self, file: &File, to: &Path) {
        let files = fs::read_dir(to.parent().unwrap()).unwrap();
        let sizes = files.map(|f| f.unwrap().metadata().unwrap());
        let bytes = sizes.filter(fs::Metadata::is_file).map(|m| m.len()).sum();
        let mut state = self.state();
        state.peak = state.peak.max(bytes);
        state.unlinked.remove(&file.metadata().unwrap().ino());
        if let Ok(old) = fs::read(to) {
            state.ghosts.insert(to.to_owned(), old);
        }
    }
}
