//! `clm completions SHELL`: the script that teaches a shell our commands.

use std::io::{self, Write};

use clap_complete::Shell;

/// `clm completions`
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(before_help = "\
Examples:
  source <(clm completions bash)             for this shell; put it into ~/.bashrc to keep it
  clm completions zsh > ~/.zfunc/_clm
  clm completions fish > ~/.config/fish/completions/clm.fish")]
pub(super) struct CompletionsArgs {
    /// The shell to write for.
    pub(super) shell: Shell,
}

/// Prints the script for `command`, called by its own name.
///
/// # Errors
/// When `out` takes no more.
pub(super) fn run(
    args: &CompletionsArgs,
    mut command: clap::Command,
    out: &mut impl Write,
) -> io::Result<()> {
    let name = command.get_name().to_owned();
    // Into memory first: the generator panics where a pipe is closed early.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    out.write_all(&script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_learns_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish] {
            let command = clap::Command::new("clm").subcommand(clap::Command::new("rehearse"));
            let mut out = Vec::new();
            run(&CompletionsArgs { shell }, command, &mut out).unwrap();
            let script = String::from_utf8(out).unwrap();
            assert!(script.contains("rehearse"), "{shell}");
        }
    }
}
