//! Keeping what this process committed to a WAL that has no name any more: the file goes with its last descriptor.
//!
//! The frames are read through SQLite's own descriptor and written to a new file beside the database, so that they can be
//! looked at; nothing is put back by itself. Only when nobody has written to the database since does a copy of it with these
//! frames make sense, and is made too.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::platform::path_facts::sidecar;
use crate::platform::standard_error;
use crate::vfs::aside::Aside;
use crate::vfs::beginning::Written;
use crate::vfs::committed_frames::Committed;
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::open_files::borrowed;

/// A larger database is not copied inside the call that finds out.
const LARGEST_COPY: u64 = 256 << 20;

/// Keeps the frames of the connection's `-wal` that no database has, of which `backfilled` are in the database; without that
/// figure the pages are compared. Nothing to
/// keep: `None`. What was kept before is kept anew when more has been committed since.
///
/// `why` is part of the name. `unchanged` is the state in which the database must still be for a copy of it to fit the frames.
pub(crate) fn keep(
    watch: &FileMonitor,
    backfilled: Option<u64>,
    unchanged: Option<Written>,
    before: Option<&Aside>,
    why: &str,
) -> Option<Aside> {
    let source = borrowed(watch.wal.descriptor()?);
    let log = Committed::read(&source)?;
    // A process that closed as the last one, beside this one that it did not see, may have left a wrong figure.
    let missing = match backfilled {
        Some(backfilled) => log.frames.saturating_sub(backfilled),
        None => watch.descriptor().map_or(log.frames, |database| log.missing_in(&source, &borrowed(database))),
    };
    if missing == 0 || before.is_some_and(|before| before.frames >= log.frames) {
        return None;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let name = format!("{why}-{:08x}{:08x}-{now}", log.salts.0, log.salts.1);
    let place = match before.map(|before| &before.wal) {
        Some(Ok(place)) => place.clone(),
        _ => sidecar(&watch.path, &format!("-wal.{name}")),
    };
    let wal = copy(&source, log.bytes(), &place).map(|()| place.clone());
    if let Some(old) = before.and_then(|before| before.database.as_ref()) {
        let _ = (fs::remove_file(old), fs::remove_file(sidecar(old, "-wal")));
    }
    let database = wal.is_ok().then(|| database(watch, &source, &log, &name, unchanged)).flatten();
    Some(Aside {
        wal: wal.map_err(|error| format!("{}: {error}", place.display())),
        database,
        frames: log.frames,
        missing,
    })
}

/// A copy of the database with the log beside it, under a name that no other database has.
fn database(
    watch: &FileMonitor,
    wal: &File,
    log: &Committed,
    name: &str,
    unchanged: Option<Written>,
) -> Option<PathBuf> {
    let fits = || {
        let others = fs::metadata(sidecar(&watch.path, "-wal")).map_or(0, |meta| meta.len());
        others == 0 && unchanged.is_some() && watch.written() == unchanged
    };
    let source = borrowed(watch.descriptor()?);
    let size = source.metadata().ok()?.len();
    if !fits() || size > LARGEST_COPY {
        return None;
    }
    let place = sidecar(&watch.path, &format!(".{name}"));
    let done = copy(&source, size, &place).and_then(|()| copy(wal, log.bytes(), &sidecar(&place, "-wal")));
    if done.is_ok() && fits() {
        return Some(place);
    }
    let _ = (fs::remove_file(&place), fs::remove_file(sidecar(&place, "-wal")));
    None
}

/// Copies so many bytes to a new file with the owner and mode of the old one. Only a whole copy gets the name.
fn copy(source: &File, bytes: u64, to: &Path) -> io::Result<()> {
    let meta = source.metadata()?;
    let unfinished = sidecar(to, ".part");
    let created = OpenOptions::new().write(true).create_new(true).mode(meta.mode() & 0o777).open(&unfinished)?;
    let mut target = standard_error::above_standard(created)?;
    let written = (|| {
        // As SQLite does when root creates a side file.
        let _ = std::os::unix::fs::fchown(&target, Some(meta.uid()), Some(meta.gid()));
        let mut buffer = vec![0; 1 << 20];
        let mut at = 0;
        while at < bytes {
            let rest = usize::try_from(bytes - at).unwrap_or(usize::MAX).min(buffer.len());
            match source.read_at(&mut buffer[..rest], at)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => {
                    target.write_all(&buffer[..read])?;
                    at += read as u64;
                }
            }
        }
        target.sync_all()?;
        fs::rename(&unfinished, to)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written
}

/// Moves the committed frames of the connection's `-wal` into the database that it has open, and waits for the disk.
pub(crate) fn move_log(watch: &FileMonitor) -> io::Result<()> {
    let (Some(wal), Some(database)) = (watch.wal.descriptor(), watch.descriptor()) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    let (wal, database) = (borrowed(wal), borrowed(database));
    let Some(log) = Committed::read(&wal) else { return Ok(()) };
    let mut page = vec![0; log.page as usize];
    for (number, at) in log.last_frames(&wal)? {
        wal.read_exact_at(&mut page, at)?;
        database.write_all_at(&page, u64::from(number.max(1) - 1) * log.page)?;
    }
    database.set_len(u64::from(log.pages) * log.page)?;
    database.sync_all()
}

/// Empties the connection's `-wal`, whose frames are kept elsewhere.
pub(crate) fn empty_wal(watch: &FileMonitor) {
    if let Some(wal) = watch.wal.descriptor() {
        let _ = borrowed(wal).set_len(0);
    }
}
