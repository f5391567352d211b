//! `litekeel replicated`: waits until what is committed is at the replica.

use std::time::{Duration, Instant};

use clap::Args;
use litekeel_core::Result;
use serde::Serialize;

use crate::database::Database;
use crate::duration;
use crate::exit::Exit;
use crate::interrupt;
use crate::output::{self, say};
use crate::terminal::{Terminal, Tone};

#[derive(Args)]
pub struct Replicated {
    /// The URL or path.
    url: Option<String>,
    /// How long to wait: 500ms, 10s [default: the setting replication_timeout].
    #[arg(long, value_name = "TIME", value_parser = duration::any)]
    timeout: Option<Duration>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Outcome {
    path: String,
    /// Litestream's number of the position, 16 hexadecimal digits.
    txid: String,
    waited_ms: u64,
}

impl Replicated {
    pub fn run(&self, out: Terminal) -> Result<Exit> {
        let database = Database::of(self.url.as_deref())?;
        database.must_exist()?;
        let db = database.work(&[("optimize", "off"), ("close_checkpoint", "none")])?;
        let began = Instant::now();
        let txid = db.replica_wait(self.timeout)?.run(&interrupt::asked)?.to_string();
        let waited_ms = began.elapsed().as_millis() as u64;
        db.close()?;
        let outcome = Outcome { path: database.path.display().to_string(), txid, waited_ms };
        if self.json {
            output::json(&outcome);
        } else {
            let done = out.paint(Tone::Good, "at the replica");
            say!("{done} {}: everything up to {}", outcome.path, outcome.txid);
        }
        Ok(Exit::Fine)
    }
}
