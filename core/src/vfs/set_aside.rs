//! Keeping what this process committed to a WAL that has no name any more: the file goes with its last descriptor.
//!
//! The frames are read through SQLite's own descriptor and written to a new file beside the database, so that they can be
//! looked at; nothing is put back by itself. Only when nobody has written to the database since does a copy of it with these
//! frames make sense, and is made too.

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::platform::path_facts::sidecar;
use crate::platform::standard_error;
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::wal_index::{FRAME_HEADER, LOG_HEADER};

/// A larger database is not copied inside the call that finds out.
const LARGEST_COPY: u64 = 256 << 20;

/// What was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Aside {
    /// The WAL's committed frames as a file of their own; `None` when it could not be written.
    pub wal: Result<PathBuf, String>,
    /// A copy of the database with them; where nobody has written to the database since.
    pub database: Option<PathBuf>,
    /// Committed frames in it, and how many of them are in no database.
    pub frames: u64,
    pub missing: u64,
}

impl Aside {
    /// One sentence for people.
    pub(crate) fn describe(&self) -> String {
        match (&self.wal, &self.database) {
            (Ok(wal), Some(database)) => format!(
                "what this process committed there ({} pages) is kept as the database {}, and as a WAL in {}",
                self.missing,
                database.display(),
                wal.display()
            ),
            (Ok(wal), None) => format!(
                "what this process committed there ({} pages) is kept in {}, a WAL that fits the database as it was then",
                self.missing,
                wal.display()
            ),
            (Err(why), _) => {
                format!("what this process committed there ({} pages) cannot be kept: {why}", self.missing)
            }
        }
    }
}

/// What tells that a database file has not been written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(u64, i64, i64, i64, i64);

impl Stamp {
    /// The state of the database that the connection has open.
    pub(crate) fn of(watch: &FileMonitor) -> Option<Stamp> {
        let meta = borrowed(watch.descriptor()?).metadata().ok()?;
        Some(Stamp(meta.len(), meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()))
    }
}

impl Stamp {
    /// What changes when something is written.
    pub(crate) fn content(&self) -> (u64, i64, i64) {
        (self.0, self.1, self.2)
    }
}

/// SQLite's own descriptor, which must never be closed here.
pub(crate) fn borrowed(fd: c_int) -> ManuallyDrop<File> {
    // SAFETY: SQLite keeps it open as long as its file; it is not closed by this.
    ManuallyDrop::new(unsafe { File::from_raw_fd(fd) })
}

/// Keeps the frames of the connection's `-wal` that no database has, of which `backfilled` are in the database; without that
/// figure the pages are compared. Nothing to
/// keep: `None`. What was kept before is kept anew when more has been committed since.
///
/// `why` is part of the name. `unchanged` is the state in which the database must still be for a copy of it to fit the frames.
pub(crate) fn keep(
    watch: &FileMonitor,
    backfilled: Option<u64>,
    unchanged: Option<Stamp>,
    before: Option<&Aside>,
    why: &str,
) -> Option<Aside> {
    let source = borrowed(watch.wal_descriptor()?);
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
fn database(watch: &FileMonitor, wal: &File, log: &Committed, name: &str, unchanged: Option<Stamp>) -> Option<PathBuf> {
    let fits = || {
        let others = fs::metadata(sidecar(&watch.path, "-wal")).map_or(0, |meta| meta.len());
        others == 0 && unchanged.is_some() && Stamp::of(watch) == unchanged
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
    let (Some(wal), Some(database)) = (watch.wal_descriptor(), watch.descriptor()) else {
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
    if let Some(wal) = watch.wal_descriptor() {
        let _ = borrowed(wal).set_len(0);
    }
}

/// How far a log is whole: up to the last frame that ends a transaction.
struct Committed {
    frames: u64,
    page: u64,
    /// The pages of the database as of the last of them.
    pages: u32,
    salts: (u32, u32),
}

impl Committed {
    fn bytes(&self) -> u64 {
        LOG_HEADER as u64 + self.frames * (self.page + FRAME_HEADER as u64)
    }

    /// By the number of the page: where in the file its last frame has it.
    fn last_frames(&self, wal: &File) -> io::Result<BTreeMap<u32, u64>> {
        let mut number = [0; 4];
        let size = self.page + FRAME_HEADER as u64;
        let all = (0..self.frames).map(|frame| LOG_HEADER as u64 + frame * size);
        all.map(|at| {
            wal.read_exact_at(&mut number, at)?;
            Ok((u32::from_be_bytes(number), at + FRAME_HEADER as u64))
        })
        .collect()
    }

    /// How many pages the database has otherwise than the log's last frame of each.
    fn missing_in(&self, wal: &File, database: &File) -> u64 {
        let Ok(last) = self.last_frames(wal) else { return self.frames };
        let (mut ours, mut theirs) = (vec![0; self.page as usize], vec![0; self.page as usize]);
        let differs = |(page, at): (u32, u64)| {
            let read = wal.read_exact_at(&mut ours, at).is_ok()
                && database.read_exact_at(&mut theirs, u64::from(page.max(1) - 1) * self.page).is_ok();
            !read || ours != theirs
        };
        last.into_iter().map(differs).filter(|differs| *differs).count() as u64
    }

    /// Reads a WAL as recovery does (<https://sqlite.org/fileformat2.html#wal_file_format>). `None` for none.
    fn read(file: &File) -> Option<Committed> {
        let mut header = [0; LOG_HEADER];
        file.read_exact_at(&mut header, 0).ok()?;
        let big_endian = match be(&header, 0) {
            0x377f_0683 => true,
            0x377f_0682 => false,
            _ => return None,
        };
        let page = u64::from(be(&header, 8));
        if !(512..=65536).contains(&page) || !page.is_power_of_two() {
            return None;
        }
        let mut sum = (0, 0);
        checksum(&mut sum, &header[..24], big_endian);
        if sum != (be(&header, 24), be(&header, 28)) {
            return None;
        }
        let mut log = Committed { frames: 0, page, pages: 0, salts: (be(&header, 16), be(&header, 20)) };
        let mut frame = vec![0; FRAME_HEADER + page as usize];
        for number in 1.. {
            let at = LOG_HEADER as u64 + (number - 1) * frame.len() as u64;
            if file.read_exact_at(&mut frame, at).is_err() || (be(&frame, 8), be(&frame, 12)) != log.salts {
                break;
            }
            checksum(&mut sum, &frame[..8], big_endian);
            checksum(&mut sum, &frame[FRAME_HEADER..], big_endian);
            if sum != (be(&frame, 16), be(&frame, 20)) {
                break;
            }
            if be(&frame, 4) != 0 {
                (log.frames, log.pages) = (number, be(&frame, 4));
            }
        }
        (log.frames > 0).then_some(log)
    }
}

fn be(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The sums that the header of a frame should tell, of a log with this header, where `before` are those of the frame before it.
pub(crate) fn frame_sums(log: &[u8; LOG_HEADER], before: [u8; 8], frame: &[u8]) -> [u8; 8] {
    let big_endian = be(log, 0) == 0x377f_0683;
    let mut sum = (be(&before, 0), be(&before, 4));
    checksum(&mut sum, &frame[..8], big_endian);
    checksum(&mut sum, &frame[FRAME_HEADER..], big_endian);
    let mut sums = [0; 8];
    sums[..4].copy_from_slice(&sum.0.to_be_bytes());
    sums[4..].copy_from_slice(&sum.1.to_be_bytes());
    sums
}

fn checksum(sum: &mut (u32, u32), bytes: &[u8], big_endian: bool) {
    let word = |bytes: &[u8]| {
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    };
    for pair in bytes.chunks_exact(8) {
        sum.0 = sum.0.wrapping_add(word(&pair[..4])).wrapping_add(sum.1);
        sum.1 = sum.1.wrapping_add(word(&pair[4..])).wrapping_add(sum.0);
    }
}
