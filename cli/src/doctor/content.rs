//! What a database says about itself: its header, its pages, and how they fit the settings.

use litekeel_core::words::JournalMode;
use litekeel_core::{Connection, Error, Result, sqlite};
use litekeel_core::{Hazard, HazardLevel};
use litekeel_core::{SettingId, Settings};
use rusqlite::Connection as Sqlite;

use super::finding::{Depth, failed};
use super::settings;
use crate::bounds::{self, Bounds};
use crate::database::Database;
use crate::integrity::{self, Check, Checked};
use crate::interrupt;
use crate::progress::Waiting;
use crate::terminal::{Terminal, bytes};

/// How many complaints of an integrity check are shown.
const COMPLAINTS: usize = 5;

pub struct Content {
    pub findings: Vec<Hazard>,
    pub settings: Vec<settings::Line>,
    pub is_wal: bool,
}

/// So often the content is read again when somebody wrote it meanwhile.
const ATTEMPTS: usize = 20;

/// Opens the database to look only, and looks.
///
/// # Errors
/// Those of open. What goes wrong afterwards is a finding.
pub fn examine(database: &Database, depth: Depth, bounds: &Bounds<'_>, err: Terminal) -> Result<Content> {
    for _ in 0..ATTEMPTS {
        let db = database.inspect()?;
        let is_wal = db.report().row("journal_mode").is_some_and(|row| row.value == "wal");
        let settings = db.report().rows.iter().map(settings::Line::from).collect();
        let findings = look(&db, database, depth, bounds, err);
        // A database that nobody had open is read without locks; what was seen may be a mixture then.
        let trusted = db.saw_one_state() || interrupt::asked();
        db.close()?;
        if trusted {
            return Ok(Content { findings, settings, is_wal });
        }
    }
    Err(Error::new(sqlite::SQLITE_BUSY, "the database was written each time it was read")
        .with_hint("it is opened and closed too often to be looked at without a trace: try again"))
}

fn look(db: &Connection, database: &Database, depth: Depth, bounds: &Bounds<'_>, err: Terminal) -> Vec<Hazard> {
    let waiting = Waiting::new("reading the content", err);
    let found = bounds.run(db, &database.path, waiting, || checks(db, &database.resolved.settings, depth));
    found.unwrap_or_else(|error| vec![failed("content", &error)])
}

fn checks(db: &Connection, wanted: &Settings, depth: Depth) -> Result<Vec<Hazard>> {
    let warnings = &db.report().warnings;
    let mut found: Vec<Hazard> =
        warnings.iter().map(|text| Hazard::new("open", HazardLevel::Warning, text.as_str(), "")).collect();
    let journal = db.report().row("journal_mode").map(|row| row.value.clone()).unwrap_or_default();
    let guard = db.lock()?;
    let sqlite = guard.sqlite();
    let explain = |error: rusqlite::Error| match error.sqlite_error() {
        Some(cause) => guard.fail(cause.extended_code),
        None => Error::new(sqlite::SQLITE_ERROR, error.to_string()),
    };
    found.push(journal_mode(&journal, wanted));
    found.extend(header(sqlite, wanted).map_err(explain)?);
    // A file can be damaged so badly that the check itself fails: that is its finding, unless we have ended it.
    let or_failed = |check, result: rusqlite::Result<Hazard>| match result.map_err(explain) {
        Err(error) if error.code() & 0xff == sqlite::SQLITE_INTERRUPT => Err(error),
        Err(error) if error.code() & 0xff == sqlite::SQLITE_TOOBIG => {
            Ok(failed(check, &error.with_hint(bounds::COMPUTES)))
        }
        other => Ok(other.unwrap_or_else(|error| failed(check, &error))),
    };
    if depth != Depth::Header {
        let asked = if depth == Depth::Full { Check::Full } else { Check::Quick };
        let checked = integrity::check(sqlite, asked, COMPLAINTS);
        let without = checked.as_ref().ok().and_then(|checked| checked.left_out.as_deref().map(left_out));
        found.push(or_failed("content", checked.map(|checked| content(asked.pragma(), &checked)))?);
        found.extend(without);
    }
    if depth == Depth::Full {
        found.push(or_failed("foreign_keys", foreign_keys(sqlite))?);
    }
    Ok(found)
}

/// Only whether it is WAL is written in the file.
fn journal_mode(has: &str, wanted: &Settings) -> Hazard {
    let wanted = wanted.journal_mode();
    let Some(wanted) = wanted.map(JournalMode::as_str).filter(|wanted| (has == "wal") != (*wanted == "wal")) else {
        return Hazard::new("journal_mode", HazardLevel::Fine, has, "");
    };
    let text = format!("the file is in journal_mode={has}, the settings ask for {wanted}");
    Hazard::new("journal_mode", HazardLevel::Note, text, "nothing: the next open for writing converts it")
}

fn header(db: &Sqlite, wanted: &Settings) -> rusqlite::Result<Vec<Hazard>> {
    let number = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (pages, free, page_size) = (number("page_count")?, number("freelist_count")?, number("page_size")?);
    let mut found = Vec::new();
    let create_only =
        [(SettingId::PageSize, page_size), (SettingId::ApplicationId, number("application_id")? & 0xffff_ffff)];
    for (id, has) in create_only {
        if let Some(asked) = wanted.int(id).filter(|asked| *asked != has) {
            found.push(Hazard::new(
                "settings",
                HazardLevel::Problem,
                format!("{}={asked} is asked for, the file has {has}: opening it for writing is refused", id.key()),
                format!("remove {}, or rebuild the file with VACUUM INTO", id.key()),
            ));
        }
    }
    let total = format!("{pages} pages of {page_size} bytes, {free} of them free");
    found.push(if pages > 1000 && free * 4 > pages {
        let text = format!("{total}: {} of the file are empty", bytes((free * page_size) as u64));
        Hazard::new("pages", HazardLevel::Note, text, "VACUUM gives them back to the file system")
    } else {
        Hazard::new("pages", HazardLevel::Fine, total, "")
    });
    Ok(found)
}

fn content(pragma: &str, checked: &Checked) -> Hazard {
    if checked.complaints.is_empty() {
        return Hazard::new("content", HazardLevel::Fine, format!("{pragma}: ok"), "");
    }
    Hazard::new(
        "content",
        HazardLevel::Problem,
        format!("{pragma}: {}", checked.complaints.join("; ")),
        "keep a copy of the database and its -wal, then restore a backup, or rebuild it with sqlite3's .recover",
    )
}

fn left_out(what: &str) -> Hazard {
    Hazard::new(
        "content",
        HazardLevel::Note,
        what,
        "to check that as well, run PRAGMA integrity_check in the program that writes the file",
    )
}

fn foreign_keys(db: &Sqlite) -> rusqlite::Result<Hazard> {
    let sql =
        "SELECT \"table\", \"parent\", count(*) FROM pragma_foreign_key_check GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 5";
    let mut statement = db.prepare(sql)?;
    let line = |row: &rusqlite::Row<'_>| {
        let (table, parent, count): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(match count {
            1 => format!("1 row of {table} refers to a row of {parent} that does not exist"),
            _ => format!("{count} rows of {table} refer to rows of {parent} that do not exist"),
        })
    };
    let broken: Vec<String> = statement.query_map([], line)?.collect::<rusqlite::Result<_>>()?;
    if broken.is_empty() {
        return Ok(Hazard::new("foreign_keys", HazardLevel::Fine, "every reference has its row", ""));
    }
    let remedy = "PRAGMA foreign_key_check lists the rows: add what they refer to, or delete them; they were written with \
                  foreign_keys off, as most other clients have it";
    Ok(Hazard::new("foreign_keys", HazardLevel::Problem, broken.join("; "), remedy))
}
