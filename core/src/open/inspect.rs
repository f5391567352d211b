//! Opening to look only: nothing is created, written or removed, not even by SQLite.
//!
//! `mode=ro` alone does not promise that. A reader of a WAL database creates the `-wal` and the `-shm`, writes its read
//! mark into the `-shm`, and as the last one to leave may not remove them again. So a database in WAL mode is read
//! through the `-shm` that is there, mapped read-only, or, when nobody has it open and there is no `-wal`, as immutable.

use std::path::Path;

use super::Opening;
use crate::error::{Error, Result};
use crate::explain::beside;
use crate::report::OpenReport;
use crate::settings::{Id, Resolved, Settings, Target, Value};
use crate::sqlite;

/// What an inspection leaves undone of the settings.
const SKIPPED: &[Id] = &[
    Id::JournalMode,
    Id::PageSize,
    Id::AutoVacuum,
    Id::ApplicationId,
    Id::WalAutocheckpoint,
    Id::JournalSizeLimit,
    Id::Mkdir,
    Id::LockingMode,
    Id::PersistWal,
];

/// The parameter for SQLite that keeps it from leaving a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// No `-wal` is there. If it is a WAL database, nobody has it open.
    Immutable,
    /// Through the `-shm` that is there, mapped read-only.
    SharedMemory,
    /// A rollback journal: a reader creates nothing and takes its shared lock.
    Plain,
}

impl Look {
    pub(super) fn parameter(self) -> &'static str {
        match self {
            Look::Immutable => "immutable=1",
            Look::SharedMemory => "readonly_shm=1",
            Look::Plain => "",
        }
    }
}

/// Read-only, and without the settings that would change the file.
pub(super) fn tighten(resolved: &mut Resolved) {
    if resolved.target == Target::Memory {
        return;
    }
    let settings = &mut resolved.settings;
    settings.set(Id::Mode, Value::Word("ro"), crate::settings::Origin::Option);
    for id in SKIPPED {
        settings.skip(*id, "an inspection changes nothing");
    }
}

/// Decides by what lies beside the database; nothing is opened.
pub(super) fn first_look(path: &Path, settings: &Settings) -> Result<Look> {
    let exists = |suffix: &str| std::fs::metadata(beside(path, suffix)).ok();
    if settings.bool(Id::Immutable) {
        return Ok(Look::Plain);
    }
    match (exists("-wal").map(|wal| wal.len()), exists("-shm").is_some()) {
        (None, _) | (Some(0), false) => Ok(Look::Immutable),
        (Some(_), true) => Ok(Look::SharedMemory),
        (Some(size), false) => Err(Error::new(
            sqlite::SQLITE_CANTOPEN,
            format!(
                "{} has {size} bytes and no -shm: no process has the database open, and reading it would create one",
                beside(path, "-wal").display()
            ),
        )
        .with_hint("open and close it once in the usual way, which moves the -wal into the database")
        .with_path(path)),
    }
}

/// Whether the header says WAL, read through SQLite's own descriptor.
pub(super) fn is_wal(opening: &Opening) -> bool {
    let mut file: *mut sqlite::sqlite3_file = std::ptr::null_mut();
    let mut versions = [0u8; 2];
    // SAFETY: the handle is open and nobody else has it; the file object and its methods are SQLite's and live as long
    // as the handle; two bytes fit the buffer.
    unsafe {
        let rc = sqlite::sqlite3_file_control(
            opening.raw,
            c"main".as_ptr(),
            sqlite::SQLITE_FCNTL_FILE_POINTER,
            (&raw mut file).cast(),
        );
        if rc != sqlite::SQLITE_OK || file.is_null() || (*file).pMethods.is_null() {
            return false;
        }
        match (*(*file).pMethods).xRead {
            Some(read) => read(file, versions.as_mut_ptr().cast(), 2, 18) == sqlite::SQLITE_OK && versions == [2, 2],
            None => false,
        }
    }
}

/// An immutable database answers for its journal as one that has none.
pub(super) fn correct(look: Look, report: &mut OpenReport) {
    if look == Look::Immutable
        && let Some(row) = report.rows.iter_mut().find(|row| row.name == Id::JournalMode.key())
    {
        row.value = "wal".to_owned();
    }
}
