//! Litestream's program, as the commands that restore from a replica run it.

use std::path::PathBuf;

use clap::Args;
use litekeel_core::RestoreSource;

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
    pub fn source(&self) -> RestoreSource {
        RestoreSource { program: self.program.clone(), replica: self.replica.clone(), config: self.config.clone() }
    }
}
