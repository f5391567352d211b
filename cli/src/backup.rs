//! `litekeel backup` and `litekeel restore`: a consistent copy of a live database, in either direction.

use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use litekeel_core::settings::Id;
use litekeel_core::{Error, Result, codes, sqlite};
use serde::Serialize;

use crate::database::{Database, Opened};
use crate::exit::Exit;
use crate::interrupt;
use crate::progress::{Progress, Waiting};
use crate::terminal::{Terminal, Tone, bytes, time};

#[derive(Args)]
pub struct Backup {
    /// The database to copy.
    url: String,
    /// The copy.
    destination: String,
    #[command(flatten)]
    how: How,
}

#[derive(Args)]
pub struct Restore {
    /// The copy to restore from.
    source: String,
    /// The database that gets its content.
    url: String,
    #[command(flatten)]
    how: How,
}

#[derive(Args)]
struct How {
    /// Replace a database that exists, in one transaction; who has it open sees the new content.
    #[arg(long)]
    overwrite: bool,
    /// Do not check the pages of the copy (and, to restore, of the source first).
    #[arg(long)]
    no_check: bool,
    /// Pages to copy in one step; writers get their turn in between.
    #[arg(long, value_name = "PAGES", default_value_t = 256, value_parser = clap::value_parser!(i32).range(1..))]
    pages: i32,
    /// Rest between steps, to leave the disk to others.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    pause: u64,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Outcome {
    source: String,
    destination: String,
    bytes: u64,
    pages: i64,
    /// How often another process's write made it begin anew.
    restarts: u32,
    elapsed_ms: u64,
    /// `quick_check` said ok; `null` when it was not asked.
    checked: Option<bool>,
}

impl Backup {
    pub fn run(&self, out: Terminal, err: Terminal) -> Result<Exit> {
        copy("backup", &self.url, &self.destination, &self.how, out, err)
    }
}

impl Restore {
    pub fn run(&self, out: Terminal, err: Terminal) -> Result<Exit> {
        // A damaged copy must not replace anything.
        if !self.how.no_check {
            check(&Database::of(Some(&self.source))?, err)?;
        }
        copy("restore", &self.source, &as_destination(&self.url)?, &self.how, out, err)
    }
}

/// The application's own URL, without the settings that describe a connection: a copy takes none of them.
fn as_destination(url: &str) -> Result<String> {
    let database = Database::of(Some(url))?;
    let settings = &database.resolved.settings;
    let path = database.path.display().to_string();
    let mut text = format!("file:{}?mode={}", litekeel_core::url::encode(&path), settings.word(Id::Mode));
    if let Some(timeout) = settings.int(Id::BusyTimeout) {
        text.push_str(&format!("&busy_timeout={timeout}"));
    }
    Ok(text)
}

fn copy(label: &'static str, from: &str, to: &str, how: &How, out: Terminal, err: Terminal) -> Result<Exit> {
    let (source, destination) = (Database::of(Some(from))?, Database::of(Some(to))?);
    let is_new = std::fs::symlink_metadata(&destination.path).is_err();
    if !how.overwrite && !is_new {
        let text = format!("{} exists already", destination.path.display());
        return Err(Error::new(codes::CONFLICT, text)
            .with_hint("name another file, or say --overwrite to replace its content")
            .with_path(&destination.path));
    }
    let opened = reading(&source)?;
    let page_size: i64 =
        opened.lock()?.sqlite().pragma_query_value(None, "page_size", |row| row.get(0)).unwrap_or(4096);
    let began = Instant::now();
    let mut progress = Progress::new(label, err);
    let copied = opened.backup(to, how.pages, |done, total| {
        progress.show((done * page_size) as u64, (total * page_size) as u64);
        !opened.saw_one_state()
            || interrupt::asked()
            || how.pause > 0 && !interrupt::sleep(Duration::from_millis(how.pause))
    });
    drop(progress);
    let report = match copied {
        Ok(report) => report,
        Err(error) if error.code() & 0xff == sqlite::SQLITE_INTERRUPT && interrupt::asked() => {
            opened.close()?;
            eprintln!("{} {}", err.paint(Tone::Warning, "stopped:"), untouched(&destination.path));
            return Ok(Exit::Interrupted);
        }
        Err(_) if !opened.saw_one_state() => return Err(changed(&source.path)),
        Err(error) => return Err(error),
    };
    if !opened.saw_one_state() {
        // Written during the very last step.
        if is_new {
            let _ = std::fs::remove_file(&destination.path);
        }
        return Err(changed(&source.path));
    }
    opened.close()?;
    if !how.no_check {
        check(&destination, err)?;
    }
    let outcome = Outcome {
        source: source.path.display().to_string(),
        destination: destination.path.display().to_string(),
        bytes: (report.pages * page_size) as u64,
        pages: report.pages,
        restarts: report.restarts,
        elapsed_ms: began.elapsed().as_millis() as u64,
        checked: (!how.no_check).then_some(true),
    };
    if how.json {
        println!("{}", serde_json::to_string_pretty(&outcome).expect("strings and numbers"));
        return Ok(Exit::Fine);
    }
    let anew = match outcome.restarts {
        0 => String::new(),
        count => format!("; begun anew {count} times, as others wrote"),
    };
    println!(
        "{} {} → {}: {} in {}{}{anew}",
        out.paint(Tone::Good, "done"),
        outcome.source,
        outcome.destination,
        bytes(outcome.bytes),
        time(began.elapsed()),
        if how.no_check { "" } else { ", quick_check: ok" },
    );
    Ok(Exit::Fine)
}

fn untouched(path: &Path) -> String {
    if path.exists() {
        format!("{} is as it was before", path.display())
    } else {
        format!("{} was not created", path.display())
    }
}

/// The database to read: as an ordinary connection, which keeps others from changing what is being read; without a trace
/// in a directory that may not be written, or by a URL that only reads.
fn reading(database: &Database) -> Result<Opened> {
    if database.resolved.settings.word(Id::Mode) == "ro" {
        return database.inspect();
    }
    match database.work(&[("optimize", "off")]) {
        Err(error) if error.code() == codes::FILE_NOT_WRITABLE => database.inspect(),
        other => other,
    }
}

fn changed(path: &Path) -> Error {
    Error::new(sqlite::SQLITE_BUSY, format!("{} was written while it was read without locks", path.display()))
        .with_hint("what was read may be a mixture: try again")
        .with_path(path)
}

/// Reads every page.
fn check(database: &Database, err: Terminal) -> Result<()> {
    let db = database.inspect()?;
    let mut waiting = Waiting::new("checking the copy", err);
    let said = interrupt::ends(
        &db,
        |time| waiting.show(time),
        || -> Result<String> {
            let guard = db.lock()?;
            let asked = guard.sqlite().pragma_query_value(None, "quick_check", |row| row.get(0));
            asked.map_err(|error| match error.sqlite_error() {
                Some(cause) => guard.fail(cause.extended_code),
                None => Error::new(sqlite::SQLITE_ERROR, error.to_string()),
            })
        },
    );
    drop(waiting);
    let trusted = db.saw_one_state();
    db.close()?;
    if !trusted {
        return Err(changed(&database.path));
    }
    match said? {
        said if said == "ok" => Ok(()),
        said => Err(Error::new(sqlite::SQLITE_CORRUPT, format!("{}: quick_check: {said}", database.path.display()))
            .with_hint("litekeel doctor says more; use another copy")
            .with_path(&database.path)),
    }
}
