//! Secrets that lie in files, as containers and systemd mount them: for a secret setting `NAME`,
//! `NAME_FILE` names a file whose text, trimmed, is the value. It works for every row of the table that
//! is a secret, under each of its names, in the environment and in the settings file; other settings
//! have no such name. Neither the text nor the path is ever told: who pastes the secret itself into
//! `NAME_FILE` must not find it in a log.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};

use super::env::Raw;
use super::table::{SETTINGS, Setting, find};

/// What is put behind a secret's name.
const SUFFIX: &str = "_FILE";
/// No secret is longer, several of them in one list included.
const MAX_BYTES: u64 = 64 * 1024;

/// Values by name, as one place has them.
type Values = BTreeMap<String, Raw>;

/// The secret whose file `name` names, if it is such a name.
pub(super) fn secret(name: &str) -> Option<&'static Setting> {
    find(name.strip_suffix(SUFFIX)?).filter(|setting| setting.secret)
}

/// Every name that names a secret's file, aliases aside.
pub(super) fn names() -> impl Iterator<Item = String> {
    let secrets = SETTINGS.iter().filter(|setting| setting.secret);
    secrets.map(|setting| of(setting.name))
}

/// The name of the file of `name`.
pub(super) fn of(name: &str) -> String {
    format!("{name}{SUFFIX}")
}

/// One place's values, with what the files say under the names that name them.
pub(super) fn read_all(mut values: Values) -> Values {
    for setting in SETTINGS.iter().filter(|setting| setting.secret) {
        for name in std::iter::once(&setting.name).chain(setting.aliases) {
            let file = of(name);
            let Some(raw) = values.get(&file).filter(|raw| !raw.is_blank()) else {
                continue;
            };
            let is_set = |name: &&str| values.get(*name).is_some_and(|raw| !raw.is_blank());
            let both = std::iter::once(&setting.name)
                .chain(setting.aliases)
                .find(|name| is_set(name));
            let text = match (both, raw) {
                (Some(name), _) => Raw::Faulty(format!("{name} is set too: leave one of them out")),
                (None, Raw::Text(path)) => text_of(path.trim()),
                (None, Raw::List(_)) => Raw::Unusable("an array"),
                (None, raw) => raw.clone(),
            };
            values.insert(file, text);
        }
    }
    values
}

/// What the file says, or what is wrong with it.
fn text_of(path: &str) -> Raw {
    match read(path) {
        Err(error) => Raw::Faulty(unread(path, &error)),
        Ok(text) if text.len() as u64 > MAX_BYTES => Raw::Faulty(format!(
            "the file it names is larger than {MAX_BYTES} bytes: is it the right one?"
        )),
        Ok(text) => match text.trim() {
            "" => Raw::Faulty("the file it names is empty: write the secret into it".to_owned()),
            text => Raw::Text(text.to_owned()),
        },
    }
}

fn read(path: &str) -> io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    // Opened, a directory reads as an error of its own; a pipe without a writer would wait for ever.
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    Ok(text)
}

fn unread(path: &str, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound if !path.contains('/') => {
            "no file has this name here: give its whole path, or the secret itself under the name without _FILE".to_owned()
        }
        ErrorKind::NotFound => "the file it names is not there: is it mounted?".to_owned(),
        ErrorKind::PermissionDenied => {
            "this process may not read the file it names: give it to the user that runs clm, mode 0400".to_owned()
        }
        ErrorKind::InvalidData => "the file it names is not UTF-8 text".to_owned(),
        _ => format!("the file it names cannot be read: {error}"),
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
