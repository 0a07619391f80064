//! `clm simulate`: the simulated OpenRouter and Zep, for whoever builds against us.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use crate::lifecycle::Lifecycle;
use crate::simulate::{MemoryFault, Options, Simulator};

use super::Exit;
use super::serve::watch_signals;

/// `clm simulate`
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  clm simulate                               on port 8090
  clm simulate --first-token-ms 900 --memory-fault slow:2000
  COACH_MODEL_CAREER=sim/429:2 OPENROUTER_BASE_URL=http://127.0.0.1:8090/api/v1 \\
    OPEN_ROUTER_API_KEY=any clm serve        a model that refuses twice")]
pub(super) struct SimulateArgs {
    /// The port to listen on; 0 takes any free one.
    #[arg(long, default_value_t = 8090)]
    port: u16,
    /// The address to listen on.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Milliseconds from a request to its first token.
    #[arg(long, default_value_t = 180)]
    first_token_ms: u64,
    /// Milliseconds between two tokens.
    #[arg(long, default_value_t = 25)]
    gap_ms: u64,
    /// Milliseconds that Zep takes for anything.
    #[arg(long, default_value_t = 40)]
    memory_ms: u64,
    /// What goes wrong at Zep, such as `slow:2000`, `429-text` or `down`.
    #[arg(long)]
    memory_fault: Option<String>,
    /// Refuse calls without a key, as the real ones do.
    #[arg(long)]
    require_key: bool,
}

/// Serves until it is told to stop.
///
/// # Errors
/// When `err` takes no more.
pub(super) async fn run(args: &SimulateArgs, err: &mut impl Write) -> io::Result<Exit> {
    let memory_fault = match args
        .memory_fault
        .as_deref()
        .map(str::parse::<MemoryFault>)
        .transpose()
    {
        Ok(fault) => fault,
        Err(e) => {
            writeln!(err, "clm: --memory-fault: {e}")?;
            return Ok(Exit::Usage);
        }
    };
    let addr = SocketAddr::new(args.host, args.port);
    let listener = match TcpListener::bind(addr) {
        Ok(listener) => listener,
        Err(e) => {
            writeln!(err, "clm: {addr} cannot be listened on: {e}")?;
            return Ok(Exit::Usage);
        }
    };
    let lifecycle = Lifecycle::new();
    let options = Options {
        first_token: Duration::from_millis(args.first_token_ms),
        gap: Duration::from_millis(args.gap_ms),
        memory_latency: Duration::from_millis(args.memory_ms),
        memory_fault,
        require_key: args.require_key,
        ..Options::default()
    };
    let simulator = Simulator::start(listener, options, &lifecycle).await?;
    writeln!(
        err,
        "simulated OpenRouter  OPENROUTER_BASE_URL={}\n\
         simulated Zep         ZEP_BASE_URL={}\n\
         Any key is taken. The model's name chooses a fault: sim/cut:5, sim/429:2, sim/stall:3, …\n\
         What was asked: http://{}/__ledger",
        simulator.openrouter_url(),
        simulator.zep_url(),
        simulator.addr(),
    )?;
    watch_signals(&lifecycle, Duration::ZERO);
    lifecycle.soft().cancelled().await;
    simulator.stop().await;
    Ok(Exit::Fine)
}
