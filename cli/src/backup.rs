//! `litekeel backup` and `litekeel restore`: a consistent copy of a live database, in either direction.

use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use litekeel_core::SettingId;
use litekeel_core::words;
use litekeel_core::{BackupOptions, DESTINATION_SETTINGS, Error, Result, codes, sqlite};
use litekeel_core::{User, unlinked_wals};
use serde::Serialize;

use crate::bounds::{self, Bounds};
use crate::database::{Database, Opened};
use crate::duration;
use crate::exit::Exit;
use crate::integrity::{self, Check, Checked};
use crate::interrupt;
use crate::output::{self, say, tell};
use crate::process_name::process_name;
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
    /// Restore even a copy that looks as if its -wal had been left behind: a WAL database without a table and without a -wal.
    #[arg(long)]
    without_wal: bool,
    #[command(flatten)]
    how: How,
}

#[derive(Args)]
struct How {
    /// Replace a database that exists, in one transaction; anyone who has it open sees the new content.
    #[arg(long)]
    overwrite: bool,
    /// Do not check the pages of the copy (and, in restore, of the source first).
    #[arg(long)]
    no_check: bool,
    /// Pages to copy in one step; writers get their turn in between.
    #[arg(long, value_name = "PAGES", default_value_t = 256, value_parser = clap::value_parser!(i32).range(1..))]
    pages: i32,
    /// Rest between steps, to leave the disk to others: 50ms, 1s.
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = duration::any)]
    pause: Duration,
    /// Stop a check of the pages after this time: 30s, 5m [default: by the size of the file].
    #[arg(long, value_name = "TIME", value_parser = duration::interval)]
    check_timeout: Option<Duration>,
    /// Print JSON.
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
    /// What that check left out, since only the program that wrote the file has what it needs; `null` for nothing.
    left_out: Option<String>,
}

impl Backup {
    pub fn run(&self, out: Terminal, err: Terminal) -> Result<Exit> {
        let source = Database::of(Some(&self.url))?;
        source.must_exist()?;
        self.how.refuse_existing(&self.destination)?;
        let opened = reading(&source)?;
        copy(&Task { label: "backup", source, to: &self.destination, how: &self.how }, opened, out, err)
    }
}

impl Restore {
    pub fn run(&self, out: Terminal, err: Terminal) -> Result<Exit> {
        let source = Database::of(Some(&self.source))?;
        source.must_exist()?;
        let to = as_destination(&self.url)?;
        self.how.refuse_existing(&to)?;
        // Opening it in the ordinary way makes one.
        let has_wal = source.wal_bytes().is_some();
        // A damaged copy must not replace anything. What was checked is what is copied: by one connection, in one
        // transaction, whatever becomes of the name meanwhile.
        let opened = if self.how.no_check {
            reading(&source)?
        } else {
            let opened = if source.lacks_shm() { source.recovering()? } else { source.inspect()? };
            opened
                .lock()?
                .sqlite()
                .execute_batch("BEGIN")
                .map_err(|error| Error::new(sqlite::SQLITE_ERROR, error.to_string()))?;
            check(&opened, &source.path, &Bounds::of(&source.path, self.how.check_timeout), err)?;
            opened
        };
        if !has_wal && !self.without_wal {
            refuse_without_wal(&opened, &source.path)?;
        }
        copy(&Task { label: "restore", source, to: &to, how: &self.how }, opened, out, err)
    }
}

/// A young WAL database copied without its `-wal` is one page without a table: everything is in the `-wal`, and the copy
/// passes every check of its pages. A database that was really empty looks the same, and is seldom restored.
fn refuse_without_wal(copy: &Opened, path: &Path) -> Result<()> {
    if copy.report().row("journal_mode").is_none_or(|row| row.value != "wal") {
        return Ok(());
    }
    let tables = copy.lock()?.sqlite().query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    // Where that cannot be asked, the copying says why.
    if tables.unwrap_or(1) > 0 {
        return Ok(());
    }
    let text = format!("{} is a WAL database without a table, and has no -wal beside it", path.display());
    Err(Error::new(sqlite::SQLITE_NOTADB, text)
        .with_hint(
            "so looks a copy made with cp while everything was in the -wal: use one that litekeel backup has made, or put its \
             -wal beside it, then open and close it once; if the database was really empty, say --without-wal",
        )
        .with_path(path))
}

impl How {
    /// Before the source is opened, where that can be seen; the backup itself decides.
    fn refuse_existing(&self, to: &str) -> Result<()> {
        let path = Database::of(Some(to))?.path;
        let Ok(there) = std::fs::metadata(&path).or_else(|_| std::fs::symlink_metadata(&path)) else { return Ok(()) };
        if there.is_dir() {
            // Saying --overwrite would not help.
            return Err(Error::new(codes::NOT_A_FILE, format!("{} is a directory, not a file", path.display()))
                .with_hint("name the file in it")
                .with_path(path));
        }
        if self.overwrite {
            return Ok(());
        }
        Err(Error::new(codes::CONFLICT, format!("{} exists already", path.display())).with_hint(EXISTS).with_path(path))
    }
}

const EXISTS: &str = "name another file, or say --overwrite to replace its content";

/// The application's own URL, without the settings that describe a connection: a copy takes none of them.
fn as_destination(url: &str) -> Result<String> {
    let database = Database::of(Some(url))?;
    let settings = &database.resolved.settings;
    let path = database.path.display().to_string();
    let mut text =
        format!("file:{}?mode={}", litekeel_core::encode_path(&path), settings.mode().map_or("", words::Mode::as_str));
    for id in DESTINATION_SETTINGS.iter().filter(|id| **id != SettingId::Mode) {
        if let Some(value) = settings.get(*id).filter(|_| settings.is_explicit(*id) || *id == SettingId::BusyTimeout) {
            text.push_str(&format!("&{}={}", id.key(), litekeel_core::encode_path(&value.to_string())));
        }
    }
    Ok(text)
}

/// What is copied where.
struct Task<'a> {
    label: &'static str,
    source: Database,
    to: &'a str,
    how: &'a How,
}

fn copy(task: &Task<'_>, opened: Opened, out: Terminal, err: Terminal) -> Result<Exit> {
    let (source, how) = (&task.source, task.how);
    let destination = Database::of(Some(task.to))?;
    let existed = destination.path.exists();
    let page_size: i64 =
        opened.lock()?.sqlite().pragma_query_value(None, "page_size", |row| row.get(0)).unwrap_or(4096);
    for text in warnings_of_unlinked_wals(source) {
        tell!("{} {text}", err.paint(Tone::Warning, "warning:"));
    }
    let began = Instant::now();
    let mut progress = Progress::new(task.label, err);
    let mut left_out = None;
    let mut check_copy = |path: &Path| {
        // Written during the very last step.
        if !opened.saw_one_state() {
            return Err(changed(&source.path));
        }
        if how.no_check {
            return Ok(());
        }
        let copy = Database::of(Some(&format!("file:{}", litekeel_core::encode_path(&path.display().to_string()))))?;
        let db = copy.inspect()?;
        let mut bounds = Bounds::of(path, how.check_timeout);
        // A database that existed has the new content, whatever becomes of this process.
        bounds.unfinished = (path != destination.path && !existed).then_some(path);
        left_out = check(&db, &destination.path, &bounds, err)?;
        db.close().map(drop)
    };
    let options = BackupOptions {
        pages: how.pages,
        overwrite: how.overwrite,
        // What is restored is to be used by whoever uses that directory; a copy may be read by nobody else.
        owner_of_directory: task.label == "restore",
        check: Some(&mut check_copy),
    };
    let copied = opened.backup_with(task.to, options, |done, total| {
        progress.show((done * page_size) as u64, (total * page_size) as u64);
        !opened.saw_one_state() || interrupt::asked() || !how.pause.is_zero() && !interrupt::sleep(how.pause)
    });
    drop(progress);
    let report = match copied {
        Ok(report) => report,
        Err(error) if error.code() & 0xff == sqlite::SQLITE_INTERRUPT && interrupt::asked() => {
            opened.close()?;
            tell!("{} {}", err.paint(Tone::Warning, "stopped:"), untouched(&destination.path));
            return Ok(Exit::Interrupted);
        }
        Err(_) if !opened.saw_one_state() => return Err(changed(&source.path)),
        Err(error) if error.errno() == libc::EEXIST => {
            return Err(error.with_hint(EXISTS));
        }
        Err(error) => return Err(error),
    };
    opened.close()?;
    for warning in &report.warnings {
        tell!("{} {warning}", err.paint(Tone::Warning, "warning:"));
    }
    let outcome = Outcome {
        source: source.path.display().to_string(),
        destination: destination.path.display().to_string(),
        bytes: (report.pages * page_size) as u64,
        pages: report.pages,
        restarts: report.restarts,
        elapsed_ms: began.elapsed().as_millis() as u64,
        checked: (!how.no_check).then_some(true),
        left_out,
    };
    if how.json {
        output::json(&outcome);
        return Ok(Exit::Fine);
    }
    let anew = match outcome.restarts {
        0 => String::new(),
        count => format!("; begun anew {count} times, as others wrote"),
    };
    say!(
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

/// What is not in the copy, since nobody sees it but who has written it.
fn warnings_of_unlinked_wals(source: &Database) -> Vec<String> {
    let tell = |(user, size): (User, u64)| {
        format!(
            "{} has {} open with a -wal that was deleted: what it commits there ({} so far) is not in the copy. Let it copy its own \
             state (VACUUM INTO, litekeel's backup with unsafe=1), then start it anew",
            process_name(user.pid, &user.command),
            source.path.display(),
            bytes(size)
        )
    };
    unlinked_wals(&source.path).into_iter().map(tell).collect()
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
    if database.lacks_shm() {
        return database.recovering();
    }
    if database.resolved.settings.mode() == Some(words::Mode::Ro) {
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

/// Reads every page. `path` is the name to tell. What could not be checked is told, and returned.
fn check(db: &Opened, path: &Path, bounds: &Bounds<'_>, err: Terminal) -> Result<Option<String>> {
    let said = bounds.run(db, path, Waiting::new("checking the copy", err), || -> Result<Checked> {
        let guard = db.lock()?;
        let asked = integrity::check(guard.sqlite(), Check::Quick, 1);
        // By the name that the copy is to get.
        asked.map_err(|error| {
            let code = error.sqlite_error().map_or(sqlite::SQLITE_ERROR, |cause| cause.extended_code);
            Error::new(code, format!("{}: quick_check failed: {error}", path.display()))
                .with_hint(match code & 0xff {
                    sqlite::SQLITE_TOOBIG => bounds::COMPUTES,
                    _ => "litekeel doctor says more; use another copy",
                })
                .with_path(path)
        })
    });
    if !db.saw_one_state() {
        return Err(changed(path));
    }
    let checked = said?;
    if let Some(said) = checked.complaints.first() {
        return Err(Error::new(sqlite::SQLITE_CORRUPT, format!("{}: quick_check: {said}", path.display()))
            .with_hint("litekeel doctor says more; use another copy")
            .with_path(path));
    }
    if let Some(left_out) = &checked.left_out {
        tell!("{} {}: {left_out}", err.paint(Tone::Warning, "warning:"), path.display());
    }
    Ok(checked.left_out)
}
