//! The exit status, for scripts.

use std::process::ExitCode;

use litekeel_core::{Error, sqlite};
use litekeel_core::{codes, codes::Class};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; for `doctor`, nothing is wrong.
    Fine = 0,
    /// Done, and the answer is no: a problem was found, or a checkpoint could not finish.
    Problem = 1,
    /// The command line or the URL is wrong. clap uses the same number.
    Usage = 2,
    /// It could not be done.
    Failed = 3,
    /// Ended by Ctrl-C before it was done.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// What an error means for the exit status.
pub fn of(error: &Error) -> Exit {
    match codes::lookup(error.code()).map(|row| row.class) {
        Some(Class::Config) => Exit::Usage,
        _ if error.code() == sqlite::SQLITE_INTERRUPT => Exit::Interrupted,
        _ => Exit::Failed,
    }
}
