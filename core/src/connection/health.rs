//! Whether the connection still stands on the files it opened, and still holds the locks it needs.
//!
//! A database that is deleted or replaced while it is open goes on accepting writes that nobody will ever see. A
//! descriptor of it that anything in this process closes takes all of the process's locks along. Neither is noticed by
//! SQLite; here both are, and the connection refuses to write from then on.

use std::ffi::c_int;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use crate::connection::Connection;
use crate::error::codes;
use crate::error::{Error, Result};
use crate::events::{self, Event};
use crate::platform::file_id::file_id;
use crate::platform::path_facts::beside;
#[cfg(target_os = "linux")]
use crate::platform::procfs;
use crate::sqlite;
use crate::vfs::file_monitor::Watch;
use crate::vfs::open_files;
use crate::vfs::wal_index::READ_LOCK;

/// A finding counts when it is there in so many looks, the first and the last of which lie at least 50 ms apart.
const LOOKS: u32 = 5;
const BETWEEN: Duration = Duration::from_micros(12_600);

/// Lock bytes of the database file: 510 that a reader locks one or all of.
const SHARED: (i64, i64) = (0x4000_0002, 510);
/// Locked in the `-shm` file by every process that uses the WAL, and by its writer.
const USER: (i64, i64) = (128, 1);
const WRITER: (i64, i64) = (120, 1);

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it must be.
    Good,
    /// Not as it must be.
    Bad,
    /// It cannot be found out on this system or at this moment.
    Unknown,
}

impl Verdict {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Good => "good",
            Verdict::Bad => "bad",
            Verdict::Unknown => "unknown",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Check {
    /// `database_file`, `wal_file`, `locks`, `second_sqlite`.
    pub name: &'static str,
    /// What was found.
    pub verdict: Verdict,
    /// What that means, with path and cause; empty when good.
    pub note: String,
    /// What to do; empty when good.
    pub hint: String,
}

/// The health of a connection.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Health {
    /// Everything that was looked at; nothing for a database in memory.
    pub checks: Vec<Check>,
    /// Set once something was found that loses data: the connection refuses to write until it is reopened.
    pub latched: Option<Error>,
}

impl Health {
    /// Nothing bad was found. What is unknown is not bad.
    pub fn is_good(&self) -> bool {
        self.latched.is_none() && self.checks.iter().all(|check| check.verdict != Verdict::Bad)
    }
}

impl Connection {
    /// Looks whether the database and its `-wal` are still the files that were opened, whether the locks that must be held
    /// are, and whether anything else in this process has the file open. What loses data is found again 50 ms later
    /// before it counts; then the connection refuses every write transaction until it is reopened.
    ///
    /// # Errors
    /// `KEEL_CLOSED`, `KEEL_FORKED`.
    pub fn health(&self) -> Result<Health> {
        let _guard = self.lock()?;
        let Some(path) = self.path() else { return Ok(Health::default()) };
        let Some(watch) = &self.identity.watch else {
            let note = "the VFS does not let its files be looked at".to_owned();
            let unknown = Check { name: "database_file", verdict: Verdict::Unknown, note, hint: String::new() };
            return Ok(Health { checks: vec![unknown], latched: None });
        };
        confirm(watch, true);
        let place = path.display();
        let check = |name, verdict, note: String, code: i32| match verdict {
            Verdict::Good => Check { name, verdict, note: String::new(), hint: String::new() },
            Verdict::Unknown => Check { name, verdict, note, hint: String::new() },
            Verdict::Bad => {
                Check { name, verdict, note, hint: codes::lookup(code).map_or("", |row| row.hint).to_owned() }
            }
        };
        let checks = vec![
            check("database_file", database_file(watch), sentence(watch, codes::DATABASE_MOVED), codes::DATABASE_MOVED),
            check("wal_file", wal_file(watch), sentence(watch, codes::WAL_UNLINKED), codes::WAL_UNLINKED),
            check(
                "locks",
                locks(watch),
                match locks(watch) {
                    Verdict::Unknown => "the system does not tell which locks this process holds".to_owned(),
                    _ => sentence(watch, codes::LOCKS_LOST),
                },
                codes::LOCKS_LOST,
            ),
            check(
                "second_sqlite",
                strangers(watch),
                format!(
                    "something else in this process has {place} open: another copy of SQLite, or a program that reads it as a \
                     plain file; when it closes it, every lock of this process is gone"
                ),
                codes::SECOND_SQLITE,
            ),
        ];
        Ok(Health { checks, latched: watch.latched().map(|code| error(watch, code)) })
    }
}

/// The error for a write transaction that the shim refused; and, for a failure of locks or files, the look that shows
/// whether they are gone. `None`: the failure is SQLite's own.
pub(crate) fn refusal(connection: &Connection, rc: c_int) -> Option<Error> {
    let watch = connection.identity.watch.as_ref().filter(|watch| watch.is_ours())?;
    match rc & 0xff {
        sqlite::SQLITE_FULL | sqlite::SQLITE_READONLY => {
            watch.take_refused().map(|code| error(watch, code).with_sqlite_code(rc))
        }
        sqlite::SQLITE_BUSY | sqlite::SQLITE_IOERR => {
            confirm(watch, true);
            None
        }
        _ => None,
    }
}

fn error(watch: &Watch, code: i32) -> Error {
    Error::new(code, sentence(watch, code)).with_path(&watch.path)
}

fn sentence(watch: &Watch, code: i32) -> String {
    let place = watch.path.display();
    match code {
        codes::DATABASE_MOVED => {
            format!(
                "{place} was deleted, renamed or replaced while it was open: what is written goes to a file without a name"
            )
        }
        codes::WAL_UNLINKED => format!(
            "the -wal or -shm of {place} was deleted or replaced while it was in use: what is committed there is seen by \
             nobody else"
        ),
        codes::LOCKS_LOST => format!(
            "{place}: locks that this process took are gone; something in it has opened and closed the file, and other \
             processes may write over what this one writes"
        ),
        _ => {
            let max = watch.care().map_or(0, |care| care.wal_max);
            format!(
                "{place}: the WAL has grown to more than four times wal_max ({max} bytes), and wal_max_action=error"
            )
        }
    }
}

/// A cheap look at the names: has the database or its WAL been replaced?
pub(crate) fn glance_at_files(watch: &Watch) {
    confirm(watch, false);
}

/// Latches what is bad in each of several looks.
fn confirm(watch: &Watch, with_locks: bool) {
    if watch.latched().is_some() {
        return;
    }
    let look = || {
        if database_file(watch) == Verdict::Bad {
            codes::DATABASE_MOVED
        } else if wal_file(watch) == Verdict::Bad {
            codes::WAL_UNLINKED
        } else if with_locks && locks(watch) == Verdict::Bad {
            codes::LOCKS_LOST
        } else {
            0
        }
    };
    let code = look();
    for _ in 1..LOOKS {
        if code == 0 || look() != code {
            return;
        }
        std::thread::sleep(BETWEEN);
    }
    if code != 0 && look() == code && watch.latch(code) {
        let name = codes::lookup(code).map_or("", |row| row.name);
        let event = Event::new("unhealthy").text("code", name).text("message", sentence(watch, code));
        watch.subscribers.tell_inside(events::named(event, Some(&watch.path)));
    }
}

fn database_file(watch: &Watch) -> Verdict {
    match fs::metadata(&watch.path) {
        Ok(_) if file_id(&watch.path) == Some(watch.database) => Verdict::Good,
        Ok(_) => Verdict::Bad,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Verdict::Bad,
        // A directory that may no longer be searched, for one.
        Err(_) => Verdict::Unknown,
    }
}

fn wal_file(watch: &Watch) -> Verdict {
    if !watch.has_wal() {
        return Verdict::Good;
    }
    let (wal, shm) = watch.files();
    let same = |suffix: &str, ino: Option<u64>| match (ino, fs::metadata(beside(&watch.path, suffix))) {
        (None, _) => Verdict::Unknown,
        (Some(ino), Ok(meta)) if meta.ino() == ino => Verdict::Good,
        (Some(_), Ok(_)) => Verdict::Bad,
        (Some(_), Err(error)) if error.kind() == std::io::ErrorKind::NotFound => Verdict::Bad,
        (Some(_), Err(_)) => Verdict::Unknown,
    };
    worst(&[same("-wal", wal), same("-shm", shm)])
}

fn worst(verdicts: &[Verdict]) -> Verdict {
    let any = |verdict| verdicts.contains(&verdict);
    if any(Verdict::Bad) {
        Verdict::Bad
    } else if any(Verdict::Unknown) {
        Verdict::Unknown
    } else {
        Verdict::Good
    }
}

/// Only locks that must be held: the file's since its first read in WAL mode, or during a transaction; the WAL's.
fn locks(watch: &Watch) -> Verdict {
    let mut verdicts = Vec::new();
    if watch.level() >= sqlite::SQLITE_LOCK_SHARED {
        verdicts.push(held(watch.database.ino, SHARED));
    }
    if let (true, (_, Some(shm))) = (watch.has_wal(), watch.files()) {
        verdicts.push(held(shm, USER));
        if let Some((slot, _)) = watch.reading() {
            verdicts.push(held(shm, (READ_LOCK as i64 + slot as i64, 1)));
        }
        if watch.is_writing() {
            verdicts.push(held(shm, WRITER));
        }
    }
    worst(&verdicts)
}

/// Whether this process holds a lock on one of the bytes.
#[cfg(target_os = "linux")]
fn held(inode: u64, (start, length): (i64, i64)) -> Verdict {
    // A lock that belongs to the open file is asked for: locks of this very process stand in its way, others' too. The
    // first one found is named.
    let first = open_files::with_descriptor(inode, |fd| {
        // SAFETY: plain data; the descriptor is open and GETLK changes nothing.
        unsafe {
            let mut lock: libc::flock = std::mem::zeroed();
            (lock.l_type, lock.l_whence) = (libc::F_WRLCK as i16, libc::SEEK_SET as i16);
            (lock.l_start, lock.l_len) = (start, length);
            (libc::fcntl(fd, libc::F_OFD_GETLK, &mut lock) == 0).then_some((lock.l_type, lock.l_pid))
        }
    });
    let me = std::process::id();
    match first.flatten() {
        None => Verdict::Unknown,
        Some((kind, _)) if kind == libc::F_UNLCK as i16 => Verdict::Bad,
        Some((_, pid)) if pid == me as i32 => Verdict::Good,
        // Another process's may hide ours.
        Some(_) => match procfs::posix_locks(&[inode]) {
            None => Verdict::Unknown,
            Some(table) => {
                let (start, end) = (start as u64, (start + length - 1) as u64);
                let ours = table.iter().any(|lock| lock.pid == me && lock.start <= end && lock.end >= start);
                // Without a row of anybody's the table numbers files in another way than `stat`.
                if ours {
                    Verdict::Good
                } else if table.is_empty() {
                    Verdict::Unknown
                } else {
                    Verdict::Bad
                }
            }
        },
    }
}

#[cfg(not(target_os = "linux"))]
fn held(_inode: u64, _bytes: (i64, i64)) -> Verdict {
    Verdict::Unknown
}

/// Names a process's own descriptors. Linux has the other name too, but not in every container.
const OPEN_DESCRIPTORS: &str = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };

/// Whether this process has a descriptor of the file that this copy of SQLite did not open.
fn strangers(watch: &Watch) -> Verdict {
    let (wal, shm) = watch.files();
    let inodes: Vec<u64> = [Some(watch.database.ino), wal, shm].into_iter().flatten().collect();
    if !open_files::known() {
        return Verdict::Unknown;
    }
    let mut seen = 0;
    for _ in 0..LOOKS * 4 {
        let before = open_files::steady();
        let Ok(entries) = fs::read_dir(OPEN_DESCRIPTORS) else { return Verdict::Unknown };
        let stranger = entries.flatten().any(|entry| {
            let fd = entry.file_name().to_str().and_then(|name| name.parse().ok());
            fd.is_some_and(|fd| {
                let file = open_files::file_behind(fd);
                let same = file.is_some_and(|file| file.dev == watch.database.dev && inodes.contains(&file.ino));
                same && !open_files::is_ours(fd)
            })
        });
        if !stranger {
            return Verdict::Good;
        }
        // With an open or a close of ours in between, the list and our books are of two moments.
        if before.is_some() && open_files::steady() == before {
            seen += 1;
            if seen == LOOKS {
                return Verdict::Bad;
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Verdict::Unknown
}
