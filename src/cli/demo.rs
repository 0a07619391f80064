//! `clm demo`: the whole service with nothing else installed, and one turn through its real door.
//!
//! OpenRouter and Zep are simulated, which is said; the path between them and the caller is the
//! one that production runs.

use std::io::{self, Write};
use std::net::TcpListener;
use std::time::Duration;

use reqwest::Url;
use serde_json::json;

use crate::app::{Application, Ended};
use crate::config::{self, Settings, Sources};
use crate::export::Export;
use crate::http;
use crate::lifecycle::Lifecycle;
use crate::memory::Person;
use crate::simulate::{Options, Simulator};
use crate::telemetry::logs;

use super::say::{self, Turn, Unheard};
use super::serve::watch_signals;
use super::{Exit, settings, waterfall};

pub(super) const EXAMPLES: &str = "\
Examples:
  clm demo                                   no account and no key
  PORT=9090 clm demo                         another port, else any free one
  CAPTURE_TEXT=true clm demo                 `clm turn ID --json` shows what was said";

const SESSION: &str = "demo";
const QUESTION: &str = "I was passed over for a promotion.";
/// What the simulated memory knows of the person in the demo.
const FACTS: &[&str] = &[
    "Leads a payments team of six since last spring.",
    "Wants to speak up sooner in meetings.",
];

/// Serves until it is told to stop.
///
/// # Errors
/// When an output takes no more.
pub(super) async fn run(
    sources: &Sources,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Exit> {
    // The simulator outlives the service, so that what it flushes at the end still arrives.
    let backstage = Lifecycle::new();
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let simulator = Simulator::start(listener, Options::default(), &backstage).await?;
    let Some(mut settings) = settings(&simulated(sources, &simulator), err)? else {
        return Ok(Exit::Usage);
    };
    settings.simulated = true;
    // Looked at first: what is built before the door is held by this process until it ends, the spool's lock among it.
    if TcpListener::bind(settings.listen.addr()).is_err() {
        settings.listen.port = 0;
    }
    // A demo goes on without a log, and without a collector.
    let export = Export::start(&settings).unwrap_or_default();
    let logs = logs::init(&settings.log, export.tracer()).ok();
    let dropped = logs.as_ref().map(logs::Logs::dropped);
    let application = match Application::build(&settings, dropped) {
        Ok(application) => application,
        Err(e) => {
            writeln!(err, "clm: {e}")?;
            return Ok(Exit::Usage);
        }
    };
    // Nobody chooses another machine, and Ctrl-C is meant.
    watch_signals(application.lifecycle(), Duration::ZERO);
    let address = format!("http://{}", application.addr());
    let lifecycle = application.lifecycle().clone();
    let served = application.run();
    let shown = async {
        let shown = show(&address, &settings, &simulator, out, err).await;
        if shown.is_err() {
            lifecycle.soft().cancel();
        }
        shown
    };
    let (served, shown) = tokio::join!(served, shown);
    export.stop().await;
    shown?;
    simulator.stop().await;
    match served {
        Ok(Ended::Clean) => Ok(Exit::Fine),
        Ok(Ended::Cut) => Ok(Exit::Problem),
        Err(e) => {
            writeln!(err, "clm: {e}")?;
            Ok(Exit::Problem)
        }
    }
}

/// The operator's settings, with upstream and memory replaced and the door kept to this machine.
fn simulated(sources: &Sources, simulator: &Simulator) -> Sources {
    let mut replaced = vec![
        ("HOST", "127.0.0.1".to_owned()),
        ("DATA_DIR", apart(sources)),
        // Empty counts as not set: simulated turns do not belong among real ones.
        ("DATABASE_URL", String::new()),
        ("OPS_PORT", String::new()),
        ("REDIS_URL", String::new()),
        ("OPEN_ROUTER_API_KEY", "simulated".to_owned()),
        ("OPENROUTER_BASE_URL", simulator.openrouter_url()),
        ("ZEP_API_KEY", "simulated".to_owned()),
        ("ZEP_BASE_URL", simulator.zep_url()),
    ];
    if !sources.is_set("RUST_LOG") {
        // The words on the screen are the demo's; its log is one line a turn.
        replaced.push(("RUST_LOG", "warn,clm::turn=info,actix_http=off".to_owned()));
    }
    sources.clone().with_overrides(replaced)
}

/// A directory of the demo's own, for the same reason.
fn apart(sources: &Sources) -> String {
    let data_dir = config::load(sources).map(|s| s.store.data_dir);
    let data_dir = data_dir.unwrap_or_else(|_| "data".into());
    data_dir.join("demo").to_string_lossy().into_owned()
}

async fn show(
    address: &str,
    settings: &Settings,
    simulator: &Simulator,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<()> {
    simulator.seed_memory(Person::new(SESSION, SESSION).zep_user(), FACTS);
    writeln!(
        err,
        "clm demo: OpenRouter and Zep are simulated; nothing leaves this machine.\n"
    )?;
    writeln!(out, "you    {QUESTION}")?;
    write!(out, "coach  ")?;
    out.flush()?;
    let Ok(base) = Url::parse(address) else {
        return Ok(());
    };
    let turn = Turn {
        base,
        key: settings.keys.callers.first().cloned(),
        admin_key: settings.keys.admins.first().cloned(),
        session: Some(SESSION.to_owned()),
        messages: vec![json!({ "role": "user", "content": QUESTION })],
        faults: None,
    };
    match say::speak(&turn, out).await {
        Ok(heard) => {
            writeln!(out, "\n")?;
            if let Some(record) = say::record(&turn, &heard.turn_id).await {
                waterfall::print(&record, out)?;
            }
        }
        Err(Unheard::Output(e)) => return Err(e),
        Err(other) => writeln!(err, "\nclm: the example turn failed: {other:?}")?,
    }
    writeln!(
        out,
        "\nServing on {address} until Ctrl-C. Try:\n\n{}\n\n\
         Playground    {address}/playground\nDashboard     {address}/dashboard\n\
         Turns so far  {address}/v1/turns\nMetrics       {address}/metrics\nReadiness     {address}/readyz",
        http::curl(address, !settings.keys.callers.is_empty())
    )?;
    out.flush()
}
