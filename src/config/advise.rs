//! Settings that work, but hardly as intended: warnings, never faults.

use std::collections::BTreeSet;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::reader::Reader;
use super::{RequireSigned, Settings};

/// A speaker takes a longer silence for a lost line.
const LONGEST_SILENCE: Duration = Duration::from_millis(5000);

/// What works, but hardly as intended.
pub(super) fn advise(r: &mut Reader<'_>, settings: &Settings) {
    let deadlines = &settings.deadlines;
    let silence = deadlines.spoken_fallback;
    if silence > LONGEST_SILENCE {
        r.warnings.push(format!(
            "SPOKEN_FALLBACK_MS is {}: after {} ms of silence people take the line for lost",
            silence.as_millis(),
            LONGEST_SILENCE.as_millis()
        ));
    }
    if !silence.is_zero() && deadlines.first_token >= silence {
        r.warnings.push(format!(
            "FIRST_TOKEN_DEADLINE_MS ({}) is not below SPOKEN_FALLBACK_MS ({}): no second model gets \
             its chance before the fallback line is spoken",
            deadlines.first_token.as_millis(),
            silence.as_millis()
        ));
    }
    let keyless = settings.keys.callers.is_empty() && settings.keys.admins.is_empty();
    if keyless && !settings.sessions.signing_keys.is_empty() {
        r.warnings.push(
            "SESSION_SIGNING_KEYS is set, but neither CLM_API_KEYS nor ADMIN_API_KEYS: whoever \
             reaches this address can mint a session in anybody's name"
                .to_owned(),
        );
    }
    if settings.sessions.require_signed == RequireSigned::Off && !settings.listen.host.is_loopback()
    {
        r.warnings.push(
            "session ids are trusted unsigned although HOST is not loopback: whoever guesses one \
             reads that person's memory; set SESSION_SIGNING_KEYS"
                .to_owned(),
        );
    }
    if share_one(&settings.keys.callers, &settings.keys.admins) {
        r.warnings.push(
            "ADMIN_API_KEYS and CLM_API_KEYS share a key: every caller is an administrator"
                .to_owned(),
        );
    }
}

fn share_one(a: &[SecretString], b: &[SecretString]) -> bool {
    let known: BTreeSet<&str> = a.iter().map(|key| key.expose_secret()).collect();
    b.iter().any(|key| known.contains(key.expose_secret()))
}
