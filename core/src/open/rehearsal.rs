//! What opening would say, without opening.

use std::fs;
use std::path::Path;

use super::target::{check_existing, check_file_system, makes_directories, side_files};
use crate::error::Result;
use crate::explain::{FailedCall, explain};
use crate::platform::path_facts::{Obstacle, can_access, path_obstacle, sidecar};
use crate::preflight::orphan_wal;
use crate::report::OpenReport;
use crate::settings::words::OnOrphanWal;
use crate::settings::{Access, Resolved, SettingId, Target};
use crate::sqlite;

/// What would make opening this fail, as far as that shows without creating or opening anything. `wal` is whether the
/// file is known to be in WAL mode.
///
/// # Errors
/// Those of opening.
pub fn rehearse(resolved: &Resolved, wal: Option<bool>) -> Result<()> {
    let Target::File(path) = &resolved.target else { return Ok(()) };
    let settings = &resolved.settings;
    let access = settings.access();
    let failure = |rc| explain(&FailedCall::of(std::ptr::null_mut(), Some(path), access), rc);
    let parent = path.parent().unwrap_or(Path::new("/"));
    let side_files = side_files(path)?;
    let mut report = OpenReport::default();
    check_file_system(path, settings, &mut report)?;
    if settings.on_orphan_wal() != Some(OnOrphanWal::SetAside) || access == Access::Read {
        orphan_wal::check(path, OnOrphanWal::Refuse)?;
    }
    let Ok(meta) = fs::metadata(path) else {
        let above = match path_obstacle(parent) {
            Some(Obstacle::Missing(first)) if makes_directories(resolved, access) => first.parent().map(Path::to_owned),
            Some(_) => None,
            None => Some(parent.to_owned()),
        };
        let can_create = access == Access::Create && above.is_some_and(|dir| can_access(&dir, libc::W_OK | libc::X_OK));
        return if can_create { Ok(()) } else { Err(failure(sqlite::SQLITE_CANTOPEN)) };
    };
    check_existing(path, &meta, &side_files, settings, access, &mut report)?;
    let hidden = |file: &Path| fs::metadata(file).is_ok() && !can_access(file, libc::R_OK);
    if hidden(path) || ["-wal", "-shm", "-journal"].iter().any(|suffix| hidden(&sidecar(path, suffix))) {
        return Err(failure(sqlite::SQLITE_CANTOPEN));
    }
    // A reader of a WAL needs the -shm, and creates one where there is none.
    let needs_shm = access == Access::Read && wal == Some(true) && !settings.bool(SettingId::Immutable);
    if needs_shm && fs::metadata(sidecar(path, "-shm")).is_err() && !can_access(parent, libc::W_OK) {
        return Err(failure(sqlite::SQLITE_READONLY_DIRECTORY));
    }
    Ok(())
}
