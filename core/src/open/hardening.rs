//! `sqlite3_db_config`: what SQL may do to the file and to the process, set and read back.

use std::ffi::{CStr, c_char, c_int, c_void};

use super::Opening;
use super::errors;
use crate::error::{FailedStep, Result};
use crate::raw::handle;
use crate::settings::words;
use crate::settings::{SettingId, Settings};
use crate::sqlite;
use crate::vfs::confinement;

const STEP: FailedStep = FailedStep::Config;

pub(super) fn apply(opening: &mut Opening, settings: &Settings, confined: bool) -> Result<()> {
    opening.confined = confined;
    let attach = settings.attach();
    let switches = [
        ("load_extension", sqlite::SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, false),
        ("dqs", sqlite::SQLITE_DBCONFIG_DQS_DML, settings.bool(SettingId::Dqs)),
        ("dqs", sqlite::SQLITE_DBCONFIG_DQS_DDL, settings.bool(SettingId::Dqs)),
        ("trusted_schema", sqlite::SQLITE_DBCONFIG_TRUSTED_SCHEMA, settings.bool(SettingId::TrustedSchema)),
        ("defensive", sqlite::SQLITE_DBCONFIG_DEFENSIVE, settings.bool(SettingId::Defensive)),
        ("attach", sqlite::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, attach == Some(words::Attach::Any)),
    ];
    for (name, op, on) in switches {
        let mut got: c_int = -1;
        // SAFETY: these opcodes take an int and a pointer to an int; the handle is open.
        let rc = unsafe { sqlite::sqlite3_db_config(opening.raw, op, c_int::from(on), &raw mut got) };
        if rc != sqlite::SQLITE_OK || got != c_int::from(on) {
            return Err(errors::switch_not_applied(name, c_int::from(on), got, rc).with_step(STEP));
        }
    }
    if attach == Some(words::Attach::None) {
        // SAFETY: the callback only reads, and its context is the handle it belongs to.
        unsafe { sqlite::sqlite3_set_authorizer(opening.raw, Some(deny_attach), opening.raw.cast()) };
    } else if confined {
        // SAFETY: the callback takes no context.
        unsafe { sqlite::sqlite3_set_authorizer(opening.raw, Some(confine_attach), std::ptr::null_mut()) };
    }
    Ok(())
}

/// Through litekeel every ATTACH is held under the allowed roots where it opens its file. On SQLite's own handle nobody
/// says which connection opens: there it is refused, but for a database without a name or in memory.
pub(super) unsafe extern "C" fn confine_attach(
    _: *mut c_void,
    action: c_int,
    name: *const c_char,
    _: *const c_char,
    _: *const c_char,
    _: *const c_char,
) -> c_int {
    if action != sqlite::SQLITE_ATTACH || confinement::is_active() {
        return sqlite::SQLITE_OK;
    }
    // SAFETY: NULL for an expression, else NUL-terminated.
    let name = if name.is_null() { None } else { Some(unsafe { CStr::from_ptr(name) }) };
    if name.is_some_and(|name| name.is_empty() || name == c":memory:") {
        sqlite::SQLITE_OK
    } else {
        sqlite::SQLITE_DENY
    }
}

pub(super) unsafe extern "C" fn deny_attach(
    context: *mut c_void,
    action: c_int,
    _: *const c_char,
    _: *const c_char,
    _: *const c_char,
    _: *const c_char,
) -> c_int {
    if action != sqlite::SQLITE_ATTACH {
        return sqlite::SQLITE_OK;
    }
    // VACUUM attaches a temporary database while it runs; nothing else may.
    // SAFETY: the context is the connection that is preparing the statement.
    if unsafe { handle::vacuuming(context.cast()) }.is_some() { sqlite::SQLITE_OK } else { sqlite::SQLITE_DENY }
}

/// Whether a switch is on, as SQLite says.
pub(crate) fn read(opening: &Opening, op: c_int) -> bool {
    // SAFETY: the handle is open and nobody else has it yet.
    unsafe { handle::is_switched_on(opening.raw, op) == Some(true) }
}

/// SQLite's compile-time version text.
pub(crate) fn version() -> String {
    // SAFETY: a static string.
    unsafe { handle::copy_text(sqlite::sqlite3_libversion()) }.unwrap_or_default()
}
