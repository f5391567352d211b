//! A WAL whose database is gone: SQLite would delete it without a word, and with it every commit it holds.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::errors;
use crate::error::Result;
use crate::platform::path_facts::sidecar;
use crate::settings::words::OnOrphanWal;

/// Refuses, or renames, a non-empty `-wal` beside a missing or empty database.
///
/// Returns the new name when one was set aside.
///
/// # Errors
/// `KEEL_ORPHAN_WAL`; `KEEL_IO` when the renaming fails.
pub(crate) fn check(database: &Path, action: OnOrphanWal) -> Result<Option<PathBuf>> {
    let wal = sidecar(database, "-wal");
    // The WAL first: whoever creates a database writes it before its WAL. The other way round, a database created
    // between the two looks would pass for an orphan's.
    let size = fs::metadata(&wal).map_or(0, |meta| meta.len());
    if size == 0 {
        return Ok(None);
    }
    let state = match fs::metadata(database) {
        Ok(meta) if meta.len() > 0 => return Ok(None),
        Ok(_) => "is empty",
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "does not exist",
        // A database that cannot be looked at is no missing one; opening it says what is wrong.
        Err(_) => return Ok(None),
    };
    if action == OnOrphanWal::Refuse {
        return Err(errors::orphan_wal(database, &wal, size, state));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let aside = sidecar(database, &format!("-wal.orphan-{now}"));
    fs::rename(&wal, &aside).map_err(|error| errors::not_set_aside(database, &wal, &error))?;
    Ok(Some(aside))
}
