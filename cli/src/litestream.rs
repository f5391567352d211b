//! Litestream's program, as the commands that restore from a replica run it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use clap::Args;
use litekeel_core::{Error, Result, codes};

/// Where the replica is, and by which program it is read.
#[derive(Args)]
pub struct Litestream {
    /// Litestream's configuration file; without it /etc/litestream.yml.
    #[arg(long, value_name = "FILE", conflicts_with = "replica")]
    config: Option<PathBuf>,
    /// The replica's URL, instead of a configuration file.
    #[arg(long, value_name = "URL")]
    replica: Option<String>,
    /// Litestream's program.
    #[arg(long = "litestream", value_name = "FILE", default_value = "litestream")]
    program: PathBuf,
}

impl Litestream {
    /// Restores the replica of `database` with these further arguments, and waits for the end.
    ///
    /// # Errors
    /// When the program cannot be run. What it made of it is in its output.
    pub fn restore(&self, database: &Path, arguments: &[&OsStr]) -> Result<Output> {
        let mut restore = Command::new(&self.program);
        restore.arg("restore").args(arguments);
        match (&self.replica, &self.config) {
            (Some(replica), _) => restore.arg(replica),
            (None, Some(config)) => restore.arg("-config").arg(config).arg(database),
            (None, None) => restore.arg(database),
        };
        restore.stdin(Stdio::null()).output().map_err(|error| {
            Error::new(codes::IO, format!("{} cannot be run: {error}", self.program.display()))
                .with_hint("install Litestream, or name it with --litestream")
        })
    }

    /// What failed, in Litestream's own words, which it says on either of its two outputs.
    pub fn failure(&self, ended: Output, what: &str) -> String {
        let said = [ended.stderr, ended.stdout].concat();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        format!("{} restore {what} ({}): {said}", self.program.display(), ended.status)
    }
}
