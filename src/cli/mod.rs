//! The subcommands, one file each. Each writes to the `out` it is given and returns how it went;
//! only `main` knows stdout and exit codes.

pub mod config;
pub mod completions;
pub mod check;

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Fine,
    /// Something is not as it should be.
    Problem,
    /// The command line or the settings are wrong.
    Usage,
    /// Nothing answered.
    Unreachable,
}

impl Exit {
    /// What the shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Problem => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Who reads the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A person, without colours: `NO_COLOR`, or not a terminal.
    Plain,
    /// A person at a terminal.
    Coloured,
    /// A machine.
    Json,
}
