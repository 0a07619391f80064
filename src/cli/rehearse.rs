//! `clm rehearse`: ten ugly turns through the real path, and how long each was silent.
//!
//! It asks a server whose models are simulated, as `clm demo` starts one, and lets each request name
//! its faults. What a listener hears is worked out from what was sent and when: words sound for as
//! long as a voice needs for them, and silence is when nothing sounds.

mod scene;
mod timeline;

use std::io::{self, Write};
use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::config::Sources;

use self::scene::{SCENES, Scene};
use self::timeline::Timeline;
use super::say::{self, Turn, Unheard};
use super::{Exit, ask, server, settings};

/// `clm rehearse`
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  clm demo &\n  clm rehearse\n\nExit code 1 when a turn was silent for longer than it may be."
)]
pub(super) struct RehearseArgs {
    /// The server's address; else HOST and PORT.
    #[arg(long, value_name = "URL", value_parser = ask::address)]
    url: Option<Url>,
    /// The key; else the first of ADMIN_API_KEYS, which must be a caller key too.
    #[arg(long)]
    key: Option<String>,
    /// Print the score card as JSON, one object a turn.
    #[arg(long)]
    json: bool,
}

/// What one scene came to.
struct Score {
    first_word: Duration,
    longest: Duration,
    outcome: String,
    said: String,
}

/// Plays the scenes one after the other and prints their score card.
///
/// # Errors
/// When an output takes no more.
pub(super) async fn run(
    args: &RehearseArgs,
    sources: &Sources,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Exit> {
    let Some(settings) = settings(sources, err)? else {
        return Ok(Exit::Usage);
    };
    let Some(base) = server(args.url.as_ref(), &settings, err)? else {
        return Ok(Exit::Usage);
    };
    let key = args.key.clone().map(SecretString::from);
    let key = key
        .or_else(|| settings.keys.callers.first().cloned())
        .or_else(|| settings.keys.admins.first().cloned());
    let stage = Stage {
        base,
        key,
        admin_key: settings.keys.admins.first().cloned(),
        wpm: settings.speech_wpm,
    };
    if let Err(problem) = stage.is_simulated().await {
        return tell(&problem, &stage.base, err);
    }
    if !args.json {
        writeln!(
            out,
            "{:<34} {:>10} {:>8} {:>8}  outcome",
            "turn", "first word", "silence", "at most"
        )?;
    }
    let mut good = 0;
    for scene in SCENES {
        let score = match stage.play(scene).await {
            Ok(score) => score,
            Err(problem) => return tell(&problem, &stage.base, err),
        };
        good += usize::from(score.longest <= scene.at_most);
        show(scene, &score, args.json, out)?;
    }
    let all = SCENES.len();
    if !args.json {
        writeln!(
            out,
            "\n{good} of {all} turns within what a listener bears. Silence is the longest stretch in \
             which nothing sounds,\nfrom the request's end to the last word, with a voice of {} words \
             a minute; endpointing, transport and\nspeech synthesis are left out.",
            stage.wpm
        )?;
    }
    Ok(match good == all {
        true => Exit::Fine,
        false => Exit::Problem,
    })
}

fn tell(problem: &Unheard, base: &Url, err: &mut impl Write) -> io::Result<Exit> {
    match problem {
        Unheard::Unreachable => {
            writeln!(err, "clm: nothing answers at {base}; start `clm demo`")?;
            Ok(Exit::Unreachable)
        }
        Unheard::Refused(why) | Unheard::Broken(why) => {
            writeln!(err, "clm: {why}")?;
            Ok(Exit::Problem)
        }
        Unheard::Output(e) => Err(io::Error::new(e.kind(), e.to_string())),
    }
}

fn show(scene: &Scene, score: &Score, as_json: bool, out: &mut impl Write) -> io::Result<()> {
    let ms = |d: Duration| d.as_millis();
    if as_json {
        let row = json!({
            "turn": scene.name,
            "faults": scene.faults,
            "first_word_ms": u64::try_from(ms(score.first_word)).unwrap_or(u64::MAX),
            "silence_ms": u64::try_from(ms(score.longest)).unwrap_or(u64::MAX),
            "at_most_ms": u64::try_from(ms(scene.at_most)).unwrap_or(u64::MAX),
            "outcome": score.outcome,
            "said": score.said,
        });
        return writeln!(out, "{row}");
    }
    let mark = match score.longest <= scene.at_most {
        true => "",
        false => "  TOO LONG",
    };
    writeln!(
        out,
        "{:<34} {:>7} ms {:>5} ms {:>5} ms  {}{mark}",
        scene.name,
        ms(score.first_word),
        ms(score.longest),
        ms(scene.at_most),
        score.outcome
    )
}

/// Where the scenes are played.
struct Stage {
    base: Url,
    key: Option<SecretString>,
    admin_key: Option<SecretString>,
    wpm: u32,
}

impl Stage {
    /// Nothing is rehearsed with real models: they cost money, and do not fail when asked to.
    async fn is_simulated(&self) -> Result<(), Unheard> {
        let Some(scene) = SCENES.first() else {
            return Ok(());
        };
        let turn = self.turn("rehearsal", scene, scene.words, "401");
        let model = say::planned_model(&turn).await?;
        if model.starts_with("sim/") {
            return Ok(());
        }
        Err(Unheard::Refused(
            "this server asks real models, so nothing can be rehearsed on it; start `clm demo`"
                .to_owned(),
        ))
    }

    async fn play(&self, scene: &Scene) -> Result<Score, Unheard> {
        let session = format!("rehearsal-{}", uuid::Uuid::now_v7());
        if let Some(words) = scene.before {
            // The user breaks in: the first answer is left after its first words.
            let turn = self.turn(&session, scene, words, "");
            say::listen(&turn, |_, _| Ok(say::Go::Leave)).await?;
        }
        let turn = self.turn(&session, scene, scene.words, scene.faults);
        let mut timeline = Timeline::new(self.wpm);
        let mut said = String::new();
        let heard = say::listen(&turn, |at, words| {
            timeline.hear(at, words);
            said.push_str(words);
            Ok(say::Go::On)
        })
        .await?;
        let refused = |why: &str| Unheard::Refused(why.to_owned());
        let record = say::record(&turn, &heard.turn_id).await;
        let record =
            record.ok_or_else(|| refused("the turn's record cannot be read; pass --key"))?;
        let text = |field: &str| record.get(field).and_then(Value::as_str);
        Ok(Score {
            first_word: heard.first_word.unwrap_or(heard.total),
            longest: timeline.longest_silence(),
            outcome: text("outcome").unwrap_or("unknown").to_owned(),
            said,
        })
    }

    fn turn(&self, session: &str, scene: &Scene, words: &str, faults: &str) -> Turn {
        let mut messages = scene.history();
        messages.push(json!({ "role": "user", "content": words }));
        Turn {
            base: self.base.clone(),
            key: self.key.clone(),
            admin_key: self.admin_key.clone(),
            session: Some(session.to_owned()),
            messages,
            // A fault of no effect, so that the server says whether it heeds them.
            faults: Some(match faults {
                "" => "ok".to_owned(),
                faults => faults.to_owned(),
            }),
        }
    }
}
