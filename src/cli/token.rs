//! `clm token`: a signed session id, made here with `SESSION_SIGNING_KEYS`; asks no server. For trying
//! things and for scripts; a front end's backend asks `POST /v1/sessions`, which also warms memory.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::json;

use crate::clock::{self, Clock, rfc3339};
use crate::coach::Roster;
use crate::config::{Settings, Sources};
use crate::session::{MintRequest, Minted, Sessions};
use crate::turn::{ProsodyPolicy, Tier};

use super::{Exit, plain, settings};

/// `clm token`
#[derive(Clone, Debug, clap::Args)]
#[command(before_help = "\
Examples:
  clm token --user u-42
  clm token --user u-42 --tier enterprise --coach career --ttl 30m
  curl \"http://127.0.0.1:8080/chat/completions?custom_session_id=$(clm token --user u-42)\" …")]
pub(super) struct TokenArgs {
    /// Whose session it is: their memory is read and written.
    #[arg(long, value_name = "USER")]
    user: String,
    /// free, premium or enterprise; else DEFAULT_TIER.
    #[arg(long, value_parser = tier)]
    tier: Option<Tier>,
    /// The coach that answers, whatever is said.
    #[arg(long, value_name = "ID")]
    coach: Option<String>,
    /// How long it holds: 1m to 30d.
    #[arg(long, default_value = "2h", value_parser = ttl)]
    ttl: Duration,
    /// off, prompt or full: what may be done with how the user sounds, at most what PROSODY allows.
    #[arg(long, value_parser = prosody)]
    prosody: Option<ProsodyPolicy>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Prints the id.
///
/// # Errors
/// When an output takes no more.
pub(super) fn run(
    args: &TokenArgs,
    sources: &Sources,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Exit> {
    let Some(settings) = settings(sources, err)? else {
        return Ok(Exit::Usage);
    };
    let minted = match minted(args, &settings) {
        Ok(minted) => minted,
        Err(why) => {
            writeln!(err, "clm: {}", plain(&why))?;
            return Ok(Exit::Usage);
        }
    };
    let (session, expires) = (minted.session.as_str(), rfc3339(minted.expires_at * 1000));
    if args.json {
        let told = json!({ "session_id": session, "expires_at": expires });
        writeln!(out, "{told}")?;
    } else {
        writeln!(
            err,
            "holds until {expires}; whoever has it speaks as this user"
        )?;
        writeln!(out, "{session}")?;
    }
    Ok(Exit::Fine)
}

fn minted(args: &TokenArgs, settings: &Settings) -> Result<Minted, String> {
    if settings.sessions.signing_keys.is_empty() {
        // The server's own key lives as long as its process, and nobody else knows it.
        return Err(
            "SESSION_SIGNING_KEYS is not set, so no server would believe an id made here; set the \
             server's, or ask it with POST /v1/sessions"
                .to_owned(),
        );
    }
    if let Some(coach) = &args.coach {
        let roster = Roster::load(&settings.coaches).map_err(|e| e.to_string())?;
        if roster.get(coach).is_none() {
            let ids: Vec<_> = roster.iter().map(|c| c.id.as_str()).collect();
            let ids = ids.join(", ");
            return Err(format!("no coach is called `{coach}`; there are {ids}"));
        }
    }
    let request = MintRequest {
        user_id: args.user.clone(),
        tier: args.tier,
        coach: args.coach.clone(),
        ttl_s: i64::try_from(args.ttl.as_secs()).ok(),
        prosody: args.prosody,
    };
    let minted = Sessions::new(settings, Clock::System).mint(request);
    minted.map_err(|e| e.to_string())
}

fn tier(text: &str) -> Result<Tier, String> {
    word(text, "free, premium or enterprise")
}

fn prosody(text: &str) -> Result<ProsodyPolicy, String> {
    word(text, "off, prompt or full")
}

/// A word as the API takes it.
fn word<T: serde::de::DeserializeOwned>(text: &str, accepted: &str) -> Result<T, String> {
    serde_json::from_value(json!(text)).map_err(|_| format!("it is {accepted}"))
}

fn ttl(text: &str) -> Result<Duration, String> {
    clock::duration(text).ok_or_else(|| "a number and its unit s, m, h or d, such as 2h".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::session::Unproven;

    const KEY: (&str, &str) = ("SESSION_SIGNING_KEYS", "a-signing-key-of-some-length");
    /// Or a warning would be told too.
    const ADMIN: (&str, &str) = ("ADMIN_API_KEYS", "an-admin-key");

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        token: TokenArgs,
    }

    fn printed(words: &[&str], pairs: &[(&str, &str)]) -> (Exit, String, String) {
        let line = Line::try_parse_from([&["token"], words].concat()).unwrap();
        let sources = Sources::from_pairs(pairs.iter().copied());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = run(&line.token, &sources, &mut out, &mut err).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (exit, text(out), text(err))
    }

    #[test]
    fn what_it_prints_is_what_the_server_believes() {
        let asked = "--user ines --tier enterprise --coach career --ttl 30m --prosody off";
        let words: Vec<&str> = asked.split(' ').collect();
        let (exit, out, err) = printed(&words, &[KEY, ADMIN]);
        assert_eq!(exit, Exit::Fine);
        assert!(
            err.starts_with("holds until 2") && !err.contains("c1."),
            "{err}"
        );
        let settings = crate::config::load(&Sources::from_pairs([KEY])).unwrap();
        let server = Sessions::new(&settings, Clock::System);
        let speaker = server.identify(Unproven {
            session: Some(out.trim_end()),
            ..Unproven::default()
        });
        let speaker = speaker.unwrap();
        assert_eq!(speaker.user.as_deref(), Some("ines"));
        assert_eq!(
            (speaker.tier, speaker.pin.as_deref(), speaker.prosody),
            (Tier::Enterprise, Some("career"), ProsodyPolicy::Off)
        );
        let (_, out, err) = printed(&["--user", "ines", "--json"], &[KEY, ADMIN]);
        let told: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert!(told["session_id"].as_str().unwrap().starts_with("c1."));
        assert_eq!(err, "");
    }

    #[test]
    fn what_cannot_be_signed_is_2_and_says_what_to_do() {
        for (words, pairs, why) in [
            (&["--user", "ines"][..], &[][..], "POST /v1/sessions"),
            (&["--user", ""], &[KEY], "user_id"),
            (&["--user", "ines", "--ttl", "31d"], &[KEY], "ttl_s"),
            (&["--user", "ines", "--coach", "x"], &[KEY], "career"),
            (&["--user", &"x".repeat(250)], &[KEY], "255"),
        ] {
            let (exit, out, err) = printed(words, pairs);
            assert_eq!((exit, out.as_str()), (Exit::Usage, ""), "{words:?}");
            assert!(err.contains(why), "{err}");
        }
        for odd in [
            &["--tier", "gold"][..],
            &["--ttl", "soon"],
            &["--prosody", "on"],
        ] {
            let words = [&["token", "--user", "ines"], odd].concat();
            assert!(Line::try_parse_from(words).is_err(), "{odd:?}");
        }
    }
}
