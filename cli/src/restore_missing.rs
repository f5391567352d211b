//! `litekeel restore-if-missing`: brings a database back from Litestream's replica before a program starts, once.

use std::path::Path;
use std::time::Instant;

use clap::Args;
use litekeel_core::{Error, Result, codes};
use litekeel_core::{RestoreOutcome, no_backup_error, restore_if_missing};
use serde::Serialize;

use crate::database::Database;
use crate::exit::Exit;
use crate::interrupt;
use crate::litestream::Litestream;
use crate::output::{self, say};
use crate::terminal::{Terminal, Tone};

#[derive(Args)]
pub struct RestoreIfMissing {
    /// The URL or path of the database.
    url: Option<String>,
    #[command(flatten)]
    litestream: Litestream,
    /// It is fine if there is nothing to restore: the first start of a new program.
    #[arg(long)]
    if_available: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Told {
    path: String,
    /// "there", "restored" or "no_backup".
    outcome: &'static str,
    took_ms: u64,
}

impl RestoreIfMissing {
    pub fn run(&self, out: Terminal) -> Result<Exit> {
        let began = Instant::now();
        let path = Database::of(self.url.as_deref())?.path;
        let Some(outcome) = self.settle(&path)? else { return Ok(Exit::Interrupted) };
        let text = match outcome {
            "there" => "is there already",
            "restored" => "is restored from its replica",
            _ => "has no backup yet: it begins empty",
        };
        let outcome = Told { path: path.display().to_string(), outcome, took_ms: began.elapsed().as_millis() as u64 };
        if self.json {
            output::json(&outcome);
        } else {
            say!("{} {text}", out.paint(Tone::Good, &outcome.path));
        }
        Ok(Exit::Fine)
    }

    /// What has become of it; `None` when it was interrupted.
    fn settle(&self, path: &Path) -> Result<Option<&'static str>> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).map_err(|error| {
            Error::new(codes::IO, format!("{} cannot be made: {error}", parent.display())).with_path(parent)
        })?;
        Ok(match restore_if_missing(path, &self.litestream.source(), None, &interrupt::asked)? {
            None => None,
            Some(RestoreOutcome::There) => Some("there"),
            Some(RestoreOutcome::Restored) => Some("restored"),
            Some(RestoreOutcome::NoBackup) if self.if_available => Some("no_backup"),
            Some(RestoreOutcome::NoBackup) => return Err(no_backup_error(path, "--if-available")),
        })
    }
}
