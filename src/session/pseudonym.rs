//! Names that stand for people wherever something is kept or sent on: a keyed hash, so that whoever
//! reads the table cannot tell by trying which user a row belongs to.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::Sha256;

use crate::config;

const FILE: &str = "data.key";

/// Derives pseudonyms under the data key.
#[derive(Clone, Debug)]
pub struct Pseudonyms {
    key: Hmac<Sha256>,
}

/// The data key could not be had.
#[derive(Debug, thiserror::Error)]
pub enum DataKeyError {
    #[error(
        "{0}: the data key can neither be read nor made; make DATA_DIR writable or set DATA_KEY"
    )]
    File(PathBuf, #[source] io::Error),
    #[error("the data key cannot be used")]
    Unusable,
}

impl Pseudonyms {
    /// Takes `DATA_KEY`, else the key under the data directory, making it once with mode 0600.
    ///
    /// # Errors
    /// When the file can neither be read nor made.
    pub fn load(store: &config::Store) -> Result<Self, DataKeyError> {
        let key = match &store.data_key {
            Some(key) => key.expose_secret().as_bytes().to_vec(),
            None => {
                let path = store.data_dir.join(FILE);
                read_or_make(&store.data_dir, &path).map_err(|e| DataKeyError::File(path, e))?
            }
        };
        let key = Hmac::new_from_slice(&key).map_err(|_| DataKeyError::Unusable)?;
        Ok(Self { key })
    }

    /// 32 hex digits for a user id.
    #[must_use]
    pub fn user(&self, user: &str) -> String {
        self.derive("user", user)
    }

    /// 32 hex digits for a session id.
    #[must_use]
    pub fn session(&self, session: &str) -> String {
        self.derive("session", session)
    }

    fn derive(&self, kind: &str, id: &str) -> String {
        let mut mac = self.key.clone();
        mac.update(kind.as_bytes());
        mac.update(&[0]);
        mac.update(id.as_bytes());
        let digest = mac.finalize().into_bytes();
        Hex(digest.get(..16).unwrap_or_default()).to_string()
    }
}

fn read_or_make(dir: &Path, path: &Path) -> io::Result<Vec<u8>> {
    fs::create_dir_all(dir)?;
    let fresh = Hex(&rand::random::<[u8; 32]>()).to_string();
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Ok(mut file) => {
            file.write_all(fresh.as_bytes())?;
            file.sync_all()?;
            Ok(fresh.into_bytes())
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => match fs::read(path)? {
            key if key.len() >= 16 => Ok(key),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the key file is too short",
            )),
        },
        Err(e) => Err(e),
    }
}

/// Hex digits of some bytes.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn store(dir: &Path) -> config::Store {
        config::Store {
            database: None,
            data_dir: dir.to_owned(),
            data_key: None,
            retention: None,
            capture: None,
        }
    }

    #[test]
    fn the_key_is_made_once_and_for_its_owner_only() {
        let dir = std::env::temp_dir().join(format!("clm-key-{}", rand::random::<u64>()));
        let first = Pseudonyms::load(&store(&dir)).unwrap();
        let again = Pseudonyms::load(&store(&dir)).unwrap();
        assert_eq!(first.user("ada"), again.user("ada"));
        assert_ne!(first.user("ada"), first.session("ada"));
        let mode = fs::metadata(dir.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(dir.join(FILE), "short").unwrap();
        assert!(Pseudonyms::load(&store(&dir)).is_err());
        fs::remove_dir_all(&dir).unwrap();
    }
}
