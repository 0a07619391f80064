//! The binary: parses the command line, starts the background runtime, hands over.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use quest_clm::cli::{self, Cli, Exit};

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.prepare_process();
    // For what no turn waits for: memory, records, house-keeping. Turns run on actix's workers.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("background")
        .enable_all()
        .build();
    let ended = runtime.and_then(|runtime| runtime.block_on(cli::run(cli)));
    match ended {
        Ok(exit) => exit.into(),
        // Whoever read our output has read enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Exit::Fine.into(),
        Err(e) => {
            let _ = writeln!(io::stderr(), "clm: {e}");
            Exit::Problem.into()
        }
    }
}
