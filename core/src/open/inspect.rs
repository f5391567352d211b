//! Opening to look only: nothing is created, written or removed, not even by SQLite.
//!
//! `mode=ro` alone does not promise that. A reader of a WAL database creates the `-wal` and the `-shm`, writes its read
//! mark into the `-shm`, and as the last one to leave may not remove them again. So a database in WAL mode is read
//! through the `-shm` that is there, mapped read-only, or, when nobody has it open and there is no `-wal`, as immutable.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::errors;
use crate::connection::Connection;
use crate::error::Result;
use crate::platform::file_id::FileStamp;
use crate::platform::path_facts::sidecar;
use crate::raw::handle;
use crate::report::OpenReport;
use crate::settings::{Resolved, SettingId, SettingValue, Settings, Target};
use crate::sqlite;

/// What an inspection leaves undone of the settings.
const SKIPPED: &[SettingId] = &[
    SettingId::JournalMode,
    SettingId::PageSize,
    SettingId::AutoVacuum,
    SettingId::ApplicationId,
    SettingId::WalAutocheckpoint,
    SettingId::JournalSizeLimit,
    SettingId::Mkdir,
    SettingId::LockingMode,
    SettingId::PersistWal,
    SettingId::Checkpoint,
    SettingId::WalMax,
    SettingId::WalMaxAction,
];

/// The parameter for SQLite that keeps it from leaving a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadPath {
    /// No `-wal` is there. If it is a WAL database, nobody has it open.
    Immutable,
    /// Through the `-shm` that is there, mapped read-only.
    SharedMemory,
    /// A rollback journal: a reader creates nothing and takes its shared lock.
    Plain,
}

impl ReadPath {
    pub(super) fn parameter(self) -> &'static str {
        match self {
            ReadPath::Immutable => "immutable=1",
            ReadPath::SharedMemory => "readonly_shm=1",
            ReadPath::Plain => "",
        }
    }
}

/// An opening or closing process passes through states that look like faults; a fault stays as it is for so long.
const SETTLED: Duration = Duration::from_millis(100);
/// After this time a database that is opened and closed all the time is given up.
const PATIENCE: Duration = Duration::from_secs(2);

/// Opens until what was read in opening is of one state of the database, and until what looks like a fault has stayed.
///
/// # Errors
/// That of the last attempt; `SQLITE_BUSY` when the database never came to rest.
pub(super) fn patiently(path: &Path, attempt: impl Fn() -> Result<Arc<Connection>>) -> Result<Arc<Connection>> {
    let began = Instant::now();
    let mut fault: Option<(Instant, i32)> = None;
    loop {
        let before = around(path);
        let outcome = attempt();
        let over = began.elapsed() > PATIENCE;
        match outcome {
            Ok(connection) if connection.saw_one_state() => return Ok(connection),
            Ok(connection) => {
                connection.close()?;
                fault = None;
                if over {
                    return Err(errors::never_at_rest(path));
                }
            }
            Err(error) => {
                let passing = matches!(
                    error.code() & 0xff,
                    sqlite::SQLITE_CANTOPEN
                        | sqlite::SQLITE_READONLY
                        | sqlite::SQLITE_CORRUPT
                        | sqlite::SQLITE_NOTADB
                        | sqlite::SQLITE_PROTOCOL
                        | sqlite::SQLITE_IOERR
                ) && error.code() > 0
                    && before.main.is_some();
                let same = before.main.as_ref().is_some_and(|stamp| stamp.old) && around(path) == before;
                let since = match fault {
                    Some((since, code)) if code == error.code() && same => since,
                    _ => Instant::now(),
                };
                fault = Some((since, error.code()));
                if !passing || over || since.elapsed() >= SETTLED {
                    return Err(error);
                }
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The database and what lies beside it.
#[derive(PartialEq)]
struct Around {
    main: Option<FileStamp>,
    wal: Option<u64>,
    shm: bool,
}

fn around(path: &Path) -> Around {
    Around {
        main: FileStamp::at(path),
        wal: std::fs::metadata(sidecar(path, "-wal")).ok().map(|meta| meta.len()),
        shm: std::fs::metadata(sidecar(path, "-shm")).is_ok(),
    }
}

/// Read-only, and without the settings that would change the file.
pub(super) fn tighten(resolved: &mut Resolved) {
    if resolved.target == Target::Memory {
        return;
    }
    let settings = &mut resolved.settings;
    settings.set(SettingId::Mode, SettingValue::Word("ro"), crate::settings::Origin::Option);
    for id in SKIPPED {
        settings.skip(*id, "an inspection changes nothing");
    }
}

/// Decides by what lies beside the database; nothing is opened.
pub(super) fn first_look(path: &Path, settings: &Settings) -> Result<ReadPath> {
    let exists = |suffix: &str| std::fs::metadata(sidecar(path, suffix)).ok();
    if settings.bool(SettingId::Immutable) {
        return Ok(ReadPath::Plain);
    }
    match (exists("-wal").map(|wal| wal.len()), exists("-shm").is_some()) {
        (None, _) | (Some(0), false) => Ok(ReadPath::Immutable),
        (Some(_), true) => Ok(ReadPath::SharedMemory),
        (Some(size), false) => Err(errors::log_without_shared_memory(path, size)),
    }
}

/// Whether the header says WAL, read through SQLite's own descriptor.
///
/// # Safety
/// `db` is open and used by this thread alone.
pub(super) unsafe fn is_wal(db: *mut sqlite::sqlite3) -> bool {
    let mut versions = [0u8; 2];
    // SAFETY: the caller's promise; two bytes fit the buffer.
    unsafe {
        let Some(file) = handle::file_object(db) else { return false };
        match (*(*file).pMethods).xRead {
            Some(read) => read(file, versions.as_mut_ptr().cast(), 2, 18) == sqlite::SQLITE_OK && versions == [2, 2],
            None => false,
        }
    }
}

/// An immutable database answers for its journal as one that has none.
pub(super) fn correct(look: ReadPath, report: &mut OpenReport) {
    if look == ReadPath::Immutable
        && let Some(row) = report.rows.iter_mut().find(|row| row.name == SettingId::JournalMode.key())
    {
        row.value = "wal".to_owned();
    }
}
