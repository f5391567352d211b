//! `litekeel verify-replica`: restores the replica beside the database and compares the two, at one moment.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use litekeel_core::{Connection, Error, Result, codes};
use rusqlite::OpenFlags;
use serde::Serialize;

use crate::compare::{self, Table};
use crate::database::Database;
use crate::duration;
use crate::exit::Exit;
use crate::integrity;
use crate::interrupt;
use crate::litestream::Litestream;
use crate::output::{self, say};
use crate::terminal::{Terminal, Tone};

#[derive(Args)]
pub struct VerifyReplica {
    /// The URL or path of the live database.
    url: Option<String>,
    #[command(flatten)]
    litestream: Litestream,
    /// Where the copy is restored, and removed again; it needs as much room as the database. Without it: TMPDIR, else /tmp.
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
    /// How long to wait for the replica (500ms, 10s). Nobody else can write meanwhile.
    #[arg(long, value_name = "TIME", value_parser = duration::any, default_value = "4s")]
    timeout: Duration,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Outcome {
    path: String,
    /// Litestream's number of the position that was restored, 16 hexadecimal digits.
    txid: String,
    good: bool,
    /// What `PRAGMA integrity_check` says of the restored copy: "ok", or its findings.
    integrity: Vec<String>,
    /// What that check left out, since only the program that writes the database has what it needs; `null` for nothing.
    left_out: Option<String>,
    tables: Vec<Table>,
    /// For how long nobody else could write.
    locked_ms: u64,
    took_ms: u64,
}

impl VerifyReplica {
    pub fn run(&self, out: Terminal) -> Result<Exit> {
        let database = Database::of(self.url.as_deref())?;
        database.must_exist()?;
        let began = Instant::now();
        let quiet = [("optimize", "off"), ("close_checkpoint", "none"), ("durability", "local")];
        let (writer, reader) = (database.work(&quiet)?, database.work(&quiet)?);
        let (txid, locked) = self.at_one_moment(&writer, &reader)?;
        let copy = Copy::restore(self, &database.path, &txid)?;
        if interrupt::asked() {
            return Ok(Exit::Interrupted);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let restored = rusqlite::Connection::open_with_flags(copy.file(), flags).map_err(|error| sql(&error))?;
        // What cannot be read at all is damaged, and there is nothing to compare.
        let (integrity, left_out) = match integrity::check(&restored, integrity::Check::Full, 20) {
            Ok(checked) if checked.complaints.is_empty() => (vec!["ok".to_owned()], checked.left_out),
            Ok(checked) => (checked.complaints, checked.left_out),
            Err(error) => (vec![error.to_string()], None),
        };
        let tables = if integrity == ["ok"] {
            let live = reader.lock()?;
            integrity::stand_in_for_collations(live.sqlite()).map_err(|error| sql(&error))?;
            compare::tables(live.sqlite(), &restored, &interrupt::asked).map_err(|error| failed(&error))?
        } else {
            Vec::new()
        };
        drop(restored);
        drop(copy);
        if interrupt::asked() {
            return Ok(Exit::Interrupted);
        }
        let good = integrity == ["ok"] && tables.iter().all(Table::is_same);
        let outcome = Outcome {
            path: database.path.display().to_string(),
            txid,
            good,
            integrity,
            left_out,
            tables,
            locked_ms: locked.as_millis() as u64,
            took_ms: began.elapsed().as_millis() as u64,
        };
        self.tell(&outcome, out);
        Ok(if good { Exit::Fine } else { Exit::Problem })
    }

    /// The position at the replica, and the reader in a transaction that sees just that: nobody writes in between.
    fn at_one_moment(&self, writer: &Connection, reader: &Connection) -> Result<(String, Duration)> {
        writer.exec("BEGIN IMMEDIATE")?;
        let began = Instant::now();
        let txid = writer.wait_from_here(Some(self.timeout)).and_then(|wait| wait.run(&interrupt::asked));
        let sees = txid.and_then(|txid| {
            reader.exec("BEGIN; SELECT count(*) FROM sqlite_schema")?;
            Ok(txid.to_string())
        });
        writer.exec("ROLLBACK")?;
        Ok((sees?, began.elapsed()))
    }

    fn tell(&self, outcome: &Outcome, out: Terminal) {
        if self.json {
            return output::json(outcome);
        }
        for finding in outcome.integrity.iter().filter(|finding| *finding != "ok") {
            say!("{} the restored copy is damaged: {finding}", out.paint(Tone::Bad, "integrity"));
        }
        if let Some(left_out) = &outcome.left_out {
            say!("{} {left_out}", out.paint(Tone::Warning, "note:"));
        }
        for table in outcome.tables.iter().filter(|table| !table.is_same()) {
            say!("{} {}: {}", out.paint(Tone::Bad, "differs"), table.name, table.says());
        }
        let rows: u64 = outcome.tables.iter().map(|table| table.rows).sum();
        let (tone, word) = if outcome.good { (Tone::Good, "the same") } else { (Tone::Bad, "not the same") };
        say!(
            "{} {} and its replica at {}: {} table(s), {rows} row(s); writers waited {} ms",
            out.paint(tone, word),
            outcome.path,
            outcome.txid,
            outcome.tables.len(),
            outcome.locked_ms
        );
        if !outcome.good {
            say!(
                "  what to do: restart Litestream, which copies the database anew, and run this again; look for another program that \
                 checkpoints"
            );
        }
    }
}

/// A restored copy in a directory of its own, which goes away with it.
struct Copy(PathBuf);

impl Copy {
    fn restore(command: &VerifyReplica, database: &Path, txid: &str) -> Result<Copy> {
        let parent = command.dir.clone().unwrap_or_else(std::env::temp_dir);
        let io = |what: String| move |error: std::io::Error| Error::new(codes::IO, format!("{what}: {error}"));
        let mut template = parent.join("litekeel-verify-XXXXXX").as_os_str().as_bytes().to_vec();
        template.push(0);
        // SAFETY: a writable, NUL-terminated text that ends with six X.
        if unsafe { libc::mkdtemp(template.as_mut_ptr().cast()) }.is_null() {
            let error = std::io::Error::last_os_error();
            return Err(io(format!("no directory can be made in {}", parent.display()))(error)
                .with_hint("name one with room for a copy of the database: --dir"));
        }
        template.pop();
        let copy = Copy(PathBuf::from(OsStr::from_bytes(&template)));
        let (flags, file) = (["-txid", txid, "-o"].map(OsStr::new), copy.file());
        let source = command.litestream.source();
        let ended = source.run(database, &[&flags[..], &[file.as_os_str()]].concat(), &interrupt::asked)?;
        let Some(ended) = ended else { return Ok(copy) };
        if !ended.success || !file.exists() {
            let text = format!("{} restore could not bring {txid} back {}", source.program.display(), ended.said);
            return Err(Error::new(codes::IO, text).with_hint(
                "name Litestream's configuration with --config, or the replica with --replica; it needs the same access as Litestream",
            ));
        }
        Ok(copy)
    }

    fn file(&self) -> PathBuf {
        self.0.join("restored.db")
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // A directory that stays is seen by whoever looks for room.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn sql(error: &rusqlite::Error) -> Error {
    Error::new(codes::IO, format!("the restored copy cannot be opened: {error}"))
}

fn failed(error: &rusqlite::Error) -> Error {
    Error::new(codes::IO, format!("the comparison failed: {error}"))
        .with_hint("litekeel doctor examines the live database")
}
