//! A database that Litestream replicates: found out, and opened so that its replica stays one that can be restored.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;

use super::Opening;
use super::errors;
use crate::error::{FailedStep, Result};
use crate::events::{self, Event, EventName};
use crate::replication::protected;
use crate::replication::signs::{self, Sign};
use crate::report::OpenReport;
use crate::settings::replicated::{enforce, short_wait};
use crate::settings::{Origin, SettingId, SettingValue, Settings, words};
use crate::sqlite;

const STEP: FailedStep = FailedStep::Replication;

/// Looks for Litestream where the settings leave it open, and gives the settings what it needs; before the database is read.
pub(super) fn look_beside(path: &Path, settings: &mut Settings, report: &mut OpenReport) -> Result<()> {
    match signs::beside(path) {
        Some(sign) => found(path, settings, &sign, report),
        None => Ok(()),
    }
}

/// The same for what only the database itself tells.
pub(super) fn look_inside(opening: &mut Opening, settings: &mut Settings, report: &mut OpenReport) -> Result<()> {
    let Some(path) = opening.path.clone() else { return Ok(()) };
    // SAFETY: the handle is open and nobody else has it yet.
    let Some(table) = (unsafe { signs::table(opening.raw, c"main") }) else { return Ok(()) };
    found(&path, settings, &Sign::Table(table), report)?;
    if let Some(waiting) = &opening.waiting {
        waiting.set_timeout(settings.int(SettingId::BusyTimeout).unwrap_or(0).clamp(0, i64::from(i32::MAX)) as u32);
    }
    Ok(())
}

fn found(path: &Path, settings: &mut Settings, sign: &Sign, report: &mut OpenReport) -> Result<()> {
    if settings.replication() != Some(words::Replication::Auto) {
        return Ok(());
    }
    settings.set(SettingId::Replication, SettingValue::Word("litestream"), Origin::Replication);
    enforce(settings).map_err(|error| error.with_path(path).with_step(STEP))?;
    let mut text = format!(
        "{sign}: Litestream replicates this database, and litekeel leaves every checkpoint to it; if Litestream is not used any \
         more, add replication=none"
    );
    if short_wait(settings) {
        let wait = settings.int(SettingId::BusyTimeout).unwrap_or(0);
        text.push_str(&format!(
            "; busy_timeout={wait} may end before Litestream gives the write lock back: 5s or more"
        ));
    }
    let event =
        Event::new(EventName::ReplicationDetected).text("sign", sign.to_string()).text("message", text.as_str());
    events::tell_users(&[], event, path);
    report.warnings.push(text);
    Ok(())
}

/// Whether the settings say, or it was found, that the database is replicated.
pub(super) fn is_replicated(settings: &Settings) -> bool {
    settings.replication() == Some(words::Replication::Litestream)
}

/// From here on nothing of this process checkpoints the file; with `auto`, as soon as Litestream is seen.
pub(super) fn declare(opening: &Opening, settings: &Settings) -> Result<()> {
    let Some(watch) = &opening.watch else { return Ok(()) };
    let alarm = settings.int(SettingId::WalAlarm).unwrap_or(0);
    match settings.replication() {
        Some(words::Replication::Litestream) => watch.file.replicated.declare(alarm),
        Some(words::Replication::Auto) => watch.file.replicated.look_out(alarm),
        _ => return Ok(()),
    }
    if is_replicated(settings) {
        // Before anything is written: SQLite's own threshold is 1000 pages.
        opening.run("PRAGMA wal_autocheckpoint=0".to_owned(), STEP)?;
        protect_tables(opening, settings);
    }
    Ok(())
}

/// Puts the protection of Litestream's tables before the authorizer that is there.
fn protect_tables(opening: &Opening, settings: &Settings) {
    let attach_none = settings.attach() == Some(words::Attach::None);
    let (callback, context): (Authorizer, *mut c_void) = match (attach_none, opening.confined) {
        (true, _) => (protect_and_deny_attach, opening.raw.cast()),
        (false, true) => (protect_and_confine, std::ptr::null_mut()),
        (false, false) => (protected::authorize, std::ptr::null_mut()),
    };
    // SAFETY: the callbacks only read; the context is null, or the handle it belongs to.
    unsafe { sqlite::sqlite3_set_authorizer(opening.raw, Some(callback), context) };
}

type Authorizer =
    unsafe extern "C" fn(*mut c_void, c_int, *const c_char, *const c_char, *const c_char, *const c_char) -> c_int;

macro_rules! protect_and {
    ($name:ident, $then:path) => {
        unsafe extern "C" fn $name(
            context: *mut c_void,
            action: c_int,
            first: *const c_char,
            second: *const c_char,
            schema: *const c_char,
            from: *const c_char,
        ) -> c_int {
            // SAFETY: SQLite's arguments, passed on.
            unsafe {
                match protected::authorize(context, action, first, second, schema, from) {
                    sqlite::SQLITE_OK => $then(context, action, first, second, schema, from),
                    refused => refused,
                }
            }
        }
    };
}

protect_and!(protect_and_deny_attach, super::hardening::deny_attach);
protect_and!(protect_and_confine, super::hardening::confine_attach);

/// Reads back what SQLite keeps of it: that the close neither checkpoints nor removes the WAL.
pub(super) fn verify(opening: &Opening, settings: &Settings, report: &mut OpenReport) -> Result<()> {
    if !is_replicated(settings) || opening.path.is_none() {
        return Ok(());
    }
    let (mut no_checkpoint, mut persist): (c_int, c_int) = (-1, -1);
    let (schema, opcode): (&CStr, _) = (c"main", sqlite::SQLITE_FCNTL_PERSIST_WAL);
    // SAFETY: the handle is open; a negative value reads without setting, and both answer with an int.
    unsafe {
        let op = sqlite::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        sqlite::sqlite3_db_config(opening.raw, op, -1 as c_int, &raw mut no_checkpoint);
        sqlite::sqlite3_file_control(opening.raw, schema.as_ptr(), opcode, (&raw mut persist).cast());
    }
    let journal = opening.run("PRAGMA journal_mode".to_owned(), STEP)?.unwrap_or_default();
    let pages = opening.run("PRAGMA wal_autocheckpoint".to_owned(), STEP)?.unwrap_or_default();
    let reads = opening.access == crate::settings::Access::Read;
    for (name, has, wanted) in [
        ("close_checkpoint", no_checkpoint.to_string(), "1"),
        ("persist_wal", persist.to_string(), "1"),
        ("wal_autocheckpoint", pages, "0"),
        ("journal_mode", journal, "wal"),
    ] {
        // Who only reads cannot make it WAL; whoever writes next does.
        if has == wanted || (reads && name == "journal_mode") {
            continue;
        }
        return Err(errors::not_as_litestream_needs(name, &has, wanted).with_step(STEP));
    }
    if let Some(row) = report.rows.iter_mut().find(|row| row.name == "replication") {
        row.note = signs::beside(opening.path.as_deref().unwrap_or(Path::new(""))).map_or_else(
            || "no directory of Litestream's beside the database yet: it has not begun".to_owned(),
            |sign| sign.to_string(),
        );
    }
    Ok(())
}
