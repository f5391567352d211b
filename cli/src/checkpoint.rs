//! `litekeel checkpoint`: the WAL's content into the database.

use std::time::Duration;

use clap::{Args, ValueEnum};
use litekeel_core::{Result, sqlite};
use serde::Serialize;

use crate::database::Database;
use crate::exit::Exit;
use crate::output::{self, say};
use crate::process_name::process_name;
use crate::terminal::{Terminal, Tone, bytes};
use crate::{duration, who};

#[derive(Args)]
pub struct Checkpoint {
    /// The URL or path.
    url: Option<String>,
    /// passive (as much as possible without waiting), full, restart (the WAL begins anew) or truncate (and its file is emptied).
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    mode: Mode,
    /// How long full, restart and truncate wait for readers and for a writer (50ms, 2s); other writers wait as long.
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = duration::any)]
    wait: Duration,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// As much as possible without waiting.
    Passive,
    /// All of it, waiting for a writer and for readers of older data.
    Full,
    /// Like full, and the next writer starts the WAL from its beginning.
    Restart,
    /// Like restart, and truncates the WAL file.
    #[default]
    Truncate,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Mode::Passive => "passive",
            Mode::Full => "full",
            Mode::Restart => "restart",
            Mode::Truncate => "truncate",
        }
    }
}

#[derive(Serialize)]
struct Outcome {
    path: String,
    /// Frames in the WAL afterwards; `null` without a WAL.
    log: Option<i64>,
    /// Frames of it that are in the database.
    done: Option<i64>,
    complete: bool,
    wal_bytes_before: u64,
    wal_bytes_after: u64,
}

impl Checkpoint {
    pub fn run(&self, out: Terminal) -> Result<Exit> {
        let database = Database::of(self.url.as_deref())?;
        database.must_exist()?;
        let before = database.wal_bytes().unwrap_or(0);
        // Passive at close moves nothing more than was asked for, and lets the last connection of all remove the -wal.
        let db = database.work(&[("close_checkpoint", "passive"), ("optimize", "off")])?;
        let wal = db.report().row("journal_mode").is_some_and(|row| row.value == "wal");
        let (mut log, mut done, mut busy) = (-1, -1, false);
        if wal {
            let mode = match self.mode {
                Mode::Passive => sqlite::SQLITE_CHECKPOINT_PASSIVE,
                Mode::Full => sqlite::SQLITE_CHECKPOINT_FULL,
                Mode::Restart => sqlite::SQLITE_CHECKPOINT_RESTART,
                Mode::Truncate => sqlite::SQLITE_CHECKPOINT_TRUNCATE,
            };
            let guard = db.lock()?;
            guard.set_busy_timeout(self.wait.as_millis().min(u32::MAX.into()) as u32);
            // SAFETY: the guard's own handle, used while the guard lives.
            let rc =
                unsafe { sqlite::sqlite3_wal_checkpoint_v2(guard.raw(), c"main".as_ptr(), mode, &mut log, &mut done) };
            busy = rc & 0xff == sqlite::SQLITE_BUSY;
            if rc != sqlite::SQLITE_OK && !busy {
                return Err(guard.fail(rc));
            }
        }
        let after = database.wal_bytes().unwrap_or(0);
        let holders = if busy || done < log { who::presence(&database).ok() } else { None };
        db.close()?;
        let outcome = Outcome {
            path: database.path.display().to_string(),
            log: wal.then_some(i64::from(log)),
            done: wal.then_some(i64::from(done)),
            complete: !busy && done >= log,
            wal_bytes_before: before,
            wal_bytes_after: after,
        };
        self.print(&outcome, holders.as_ref(), out);
        Ok(if outcome.complete { Exit::Fine } else { Exit::Problem })
    }

    fn print(&self, outcome: &Outcome, holders: Option<&who::Presence>, out: Terminal) {
        if self.json {
            output::json(&outcome);
            return;
        }
        let (Some(log), Some(done)) = (outcome.log, outcome.done) else {
            say!("{} has no WAL: nothing to do", outcome.path);
            return;
        };
        let sizes = format!("-wal {} → {}", bytes(outcome.wal_bytes_before), bytes(outcome.wal_bytes_after));
        if outcome.complete {
            say!("{} {}: everything is in the database; {sizes}", out.paint(Tone::Good, "done"), outcome.path);
            return;
        }
        say!(
            "{} {}: {done} of {log} frames are in the database; {sizes}",
            out.paint(Tone::Warning, "not finished"),
            outcome.path
        );
        if let Some(presence) = holders {
            who::table_with_pin(presence, out).iter().for_each(|line| say!("{line}"));
        }
        // Beyond passive it takes the write lock first.
        match holders.and_then(who::Presence::writer).filter(|_| self.mode != Mode::Passive) {
            Some(writer) => say!(
                "no data is lost; {} has the write lock, which {} needs: --wait gives it more time",
                process_name(writer.pid, &writer.command),
                self.mode.name(),
            ),
            None => say!("no data is lost; --wait gives readers more time, and makes writers wait as long"),
        }
    }
}
