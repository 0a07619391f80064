//! The data key, and what is encrypted under keys drawn from it.
//!
//! Words of people that have to wait on the disk wait there sealed: whoever finds the files without
//! the key finds nothing. A key for one purpose tells nothing of the key for another.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use secrecy::ExposeSecret as _;
use sha2::Sha256;

use crate::config;

const FILE: &str = "data.key";
/// Bytes below which no key is taken.
const SHORTEST: usize = 16;
/// Looks at a key file that is not whole yet, and the pause between two.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// What a sealed text begins with: how it was sealed.
const VERSION: u8 = 1;
const NONCE: usize = 24;

/// The one secret that belongs to the data, good for keyed hashes only. Its `Debug` shows nothing.
pub struct DataKey(Hmac<Sha256>);

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

impl DataKey {
    /// Takes `DATA_KEY`, else the key under the data directory, making it once with mode 0600.
    /// Processes that start at once on an empty directory agree on one key. Blocks on the disk.
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
        let mac = Hmac::new_from_slice(&key).map_err(|_| DataKeyError::Unusable)?;
        Ok(Self(mac))
    }

    /// A keyed hash under this key itself. What is hashed must begin with what it is hashed for.
    #[must_use]
    pub fn mac(&self) -> Hmac<Sha256> {
        self.0.clone()
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

/// Seals bytes and opens them again, under a key of its own.
#[derive(Clone)]
pub struct Vault {
    cipher: XChaCha20Poly1305,
}

impl Vault {
    #[must_use]
    pub fn new(key: &DataKey) -> Self {
        let mut mac = key.mac();
        // Pseudonyms hash `user`, NUL and an id, or `session`: no id gives this.
        mac.update(b"vault: xchacha20-poly1305, 1");
        let cipher = XChaCha20Poly1305::new(&mac.finalize().into_bytes());
        Self { cipher }
    }

    /// Encrypts `plain`, 41 bytes longer than it. It opens in the same `context` only, such as
    /// `memory`, so that nothing sealed for one place can be passed off in another.
    #[must_use]
    pub fn seal(&self, context: &str, plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE] = rand::random();
        let payload = Payload {
            msg: plain,
            aad: context.as_bytes(),
        };
        // Refused is only what no memory could hold; nothing then, which does not open.
        let Ok(encrypted) = self.cipher.encrypt(&XNonce::from(nonce), payload) else {
            return Vec::new();
        };
        let mut sealed = Vec::with_capacity(1 + NONCE + encrypted.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&encrypted);
        sealed
    }

    /// What was sealed in this context; none where it was not, not with this key, or was changed.
    #[must_use]
    pub fn open(&self, context: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (version, rest) = sealed.split_first()?;
        let (nonce, msg) = rest.split_first_chunk::<NONCE>()?;
        let aad = context.as_bytes();
        let opened = self
            .cipher
            .decrypt(&XNonce::from(*nonce), Payload { msg, aad });
        opened.ok().filter(|_| *version == VERSION)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(..)")
    }
}

fn read_or_make(dir: &Path, path: &Path) -> io::Result<Vec<u8>> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    match read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    let fresh = base16ct::lower::encode_string(&rand::random::<[u8; 32]>());
    // Written beside it and then linked: the name never stands for a file that is not whole, and
    // whoever links second finds the name taken.
    let beside = dir.join(format!(
        "{FILE}.{}",
        base16ct::lower::encode_string(&rand::random::<[u8; 8]>())
    ));
    let written = write(&beside, &fresh).and_then(|()| fs::hard_link(&beside, path));
    // It may never have come to be.
    let _ = fs::remove_file(&beside);
    match written {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        // Some file systems know no links.
        Err(_) => match write(path, &fresh) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        },
    }
    File::open(dir)?.sync_all()?;
    read(path)
}

/// Writes a file that was not there.
fn write(path: &Path, key: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(key.as_bytes())?;
    file.sync_all()
}

/// Reads the key; one that is too short may still be being written where files cannot be linked.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    for _ in 0..LOOKS {
        let key = fs::read(path)?;
        if key.len() >= SHORTEST {
            return Ok(key);
        }
        thread::sleep(PAUSE);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        "the key file is too short",
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Barrier;

    use proptest::prelude::*;

    use super::*;

    fn store(dir: &Path, key: Option<&str>) -> config::Store {
        config::Store {
            database: None,
            data_dir: dir.to_owned(),
            data_key: key.map(|key| key.to_owned().into()),
            retention: None,
            capture_ttl: std::time::Duration::from_secs(60),
        }
    }

    fn vault(key: &str) -> Vault {
        Vault::new(&DataKey::load(&store(Path::new("/nowhere"), Some(key))).unwrap())
    }

    fn told(key: &DataKey) -> Vec<u8> {
        key.mac().finalize().into_bytes().to_vec()
    }

    #[test]
    fn the_key_is_made_once_and_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let dir = &dir.path().join("deep/er");
        let first = DataKey::load(&store(dir, None)).unwrap();
        let again = DataKey::load(&store(dir, None)).unwrap();
        assert_eq!(told(&first), told(&again));
        assert_eq!(fs::read(dir.join(FILE)).unwrap().len(), 64);
        let mode = fs::metadata(dir.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir).unwrap().count(), 1, "nothing beside it");
        fs::write(dir.join(FILE), "short").unwrap();
        assert!(DataKey::load(&store(dir, None)).is_err());
    }

    #[test]
    fn who_starts_at_once_agrees_on_one_key() {
        for _ in 0..20 {
            let dir = tempfile::tempdir().unwrap();
            let all = Barrier::new(8);
            let keys: Vec<Vec<u8>> = thread::scope(|scope| {
                let one = || {
                    all.wait();
                    told(&DataKey::load(&store(dir.path(), None)).unwrap())
                };
                let running: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
                running.into_iter().map(|r| r.join().unwrap()).collect()
            });
            assert!(keys.iter().all(|key| *key == keys[0]));
            let left: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
            assert_eq!(left.len(), 1, "{left:?}");
        }
    }

    #[test]
    fn a_key_that_is_set_is_taken_and_not_shown() {
        let key = DataKey::load(&store(
            Path::new("/nowhere"),
            Some("planted-key-0123456789"),
        ));
        let key = key.unwrap();
        let same = Hmac::<Sha256>::new_from_slice(b"planted-key-0123456789").unwrap();
        assert_eq!(told(&key), same.finalize().into_bytes().to_vec());
        assert!(!format!("{key:?} {:?}", Vault::new(&key)).contains("planted"));
    }

    #[test]
    fn nothing_opens_with_another_key_context_version_or_byte() {
        let sealed = vault("a-key-0123456789").seal("memory", b"planted words");
        let open = |key: &str, context: &str, sealed: &[u8]| vault(key).open(context, sealed);
        let right = open("a-key-0123456789", "memory", &sealed);
        assert_eq!(right.as_deref(), Some(&b"planted words"[..]));
        assert_eq!(sealed.len(), 13 + 41);
        assert!(!sealed.windows(7).any(|w| w == b"planted"));
        assert_ne!(
            sealed,
            vault("a-key-0123456789").seal("memory", b"planted words"),
            "a nonce of its own"
        );
        assert_eq!(open("another-key-0123", "memory", &sealed), None);
        assert_eq!(open("a-key-0123456789", "capture:1", &sealed), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(open("a-key-0123456789", "memory", &changed), None, "{at}");
            assert_eq!(open("a-key-0123456789", "memory", &sealed[..at]), None);
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(plain in any::<Vec<u8>>(), context in ".{0,12}") {
            let vault = vault("a-key-0123456789");
            prop_assert_eq!(vault.open(&context, &vault.seal(&context, &plain)), Some(plain));
        }

        #[test]
        fn rubbish_does_not_open(bytes in any::<Vec<u8>>()) {
            prop_assert_eq!(vault("a-key-0123456789").open("memory", &bytes), None);
        }
    }
}
