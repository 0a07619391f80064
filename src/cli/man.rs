//! `clm man [COMMAND]`: the manual page, made of the same words as `--help`.

use std::io::{self, Write};

use clap_mangen::Man;

use super::{Exit, plain};

/// What every command's end tells the shell.
const EXIT_STATUS: &str = "\
0  fine
1  a problem was found
2  the command line or the settings are wrong
3  nothing answers there

`clm check` ends with 1 on any warning or failure, and with 2 where the settings would not let
`clm serve` start.";

/// `clm man`
#[derive(Clone, Debug, clap::Args)]
#[command(before_help = "\
Examples:
  clm man > clm.1 && man -l clm.1
  clm man replay | man -l -
  clm man > /usr/local/share/man/man1/clm.1")]
pub(super) struct ManArgs {
    /// The command whose page is wanted; else clm's own.
    command: Option<String>,
}

/// Prints the page of `command`, or of one of its own.
///
/// # Errors
/// When an output takes no more.
pub(super) fn run(
    args: &ManArgs,
    command: clap::Command,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Exit> {
    let mut command = command.disable_help_subcommand(true);
    // Gives what is global to each command, and each its whole name.
    command.build();
    let wanted = match &args.command {
        None => Some(&command),
        Some(name) => command.find_subcommand(name),
    };
    let Some(wanted) = wanted else {
        let name = args.command.as_deref().unwrap_or_default();
        writeln!(err, "clm: no command is called {}", plain(name))?;
        return Ok(Exit::Usage);
    };
    out.write_all(&page(wanted)?)?;
    Ok(Exit::Fine)
}

/// Made in memory, so that a pipe that is closed early is told as such.
fn page(command: &clap::Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone());
    let name = command.get_display_name().unwrap_or("clm");
    let version = command.get_version().unwrap_or_default();
    let mut page = Vec::new();
    // The page has no date, and clap_mangen's title line without one loses what comes after it.
    writeln!(page, ".TH {name} 1 \"\" \"clm {version}\" \"clm manual\"")?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(examples) = command.get_before_help() {
        let examples = examples.to_string();
        let examples = examples.trim_start_matches("Examples:\n");
        verbatim("EXAMPLES", examples, &mut page)?;
    }
    verbatim("EXIT STATUS", EXIT_STATUS, &mut page)?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// A section whose lines stay as they are.
fn verbatim(heading: &str, text: &str, page: &mut Vec<u8>) -> io::Result<()> {
    writeln!(page, ".SH \"{heading}\"\n.nf")?;
    for line in text.lines() {
        // A line that begins with a dot or a quote would be an order; `\&` is nothing, and no order.
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        writeln!(page, "\\&{line}")?;
    }
    writeln!(page, ".fi")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    fn man(command: Option<&str>) -> (Exit, String) {
        let args = ManArgs {
            command: command.map(str::to_owned),
        };
        let mut out = Vec::new();
        let exit = run(&args, Cli::command(), &mut out, &mut io::sink()).unwrap();
        (exit, String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_page_names_every_command_and_each_has_its_own() {
        let (exit, page) = man(None);
        assert_eq!(exit, Exit::Fine);
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            let listed = format!("clm\\-{}(1)", name.replace('-', "\\-"));
            assert!(page.contains(&listed), "{listed}\n{page}");
            let (exit, own) = man(Some(name));
            assert_eq!(exit, Exit::Fine);
            assert!(own.contains(".SH \"EXIT STATUS\""), "{own}");
        }
        let (_, replay) = man(Some("replay"));
        assert!(
            replay.contains(".SH \"EXAMPLES\"\n.nf\n\\&  clm replay"),
            "{replay}"
        );
        assert!(replay.contains("\\-\\-model"), "{replay}");
        assert!(replay.contains(".TH clm-replay 1 \"\" \"clm "), "{replay}");
        assert_eq!(man(Some("nothing")), (Exit::Usage, String::new()));
    }

    #[test]
    fn every_help_begins_with_examples_and_is_the_same_by_either_flag() {
        let mut cli = Cli::command();
        cli.build();
        let all = cli.get_subcommands().filter(|c| c.get_name() != "help");
        for command in all.chain([&cli]) {
            let name = command.get_name();
            let (mut short, mut long) = (command.clone(), command.clone());
            let help = short.render_help().to_string();
            assert!(help.starts_with("Examples:\n"), "{name}\n{help}");
            // Laid out with more room, and not a word more.
            let long = long.render_long_help().to_string();
            let words = |text: &str| {
                text.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            assert_eq!(words(&help), words(&long), "{name}");
        }
    }
}
