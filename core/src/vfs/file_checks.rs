//! Looks at a database's three files and at the locks that this process must hold on them, by `stat` and `fcntl` alone.
//!
//! Nothing is opened: closing a descriptor of any of these files would drop the locks.

use std::ffi::c_int;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use crate::platform::file_id::{FileId, file_id};
use crate::platform::path_facts::sidecar;
#[cfg(target_os = "linux")]
use crate::platform::procfs;
use crate::raw::lock_bytes;
use crate::sqlite;
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::firm_reads;
use crate::vfs::lock_state::FIRST_READER;
use crate::vfs::open_files::{self, borrowed};

/// Looks that must agree where one alone could be of two moments.
pub(crate) const LOOKS: u32 = 5;

/// Lock bytes of the database file: 510 that a reader locks one or all of.
#[cfg(target_os = "linux")]
const SHARED: (i64, i64) = (lock_bytes::SHARED as i64, lock_bytes::SHARED_SIZE as i64);
/// Without the last of them, which is [locked firmly](crate::vfs::firm_locks), to be asked for.
const ASKED: (i64, i64) = (lock_bytes::SHARED as i64, lock_bytes::SHARED_SIZE as i64 - 1);
/// Locked in the `-shm` file by every process that uses the WAL, and by its writer.
pub(super) const USER: (i64, i64) = (lock_bytes::USER as i64, 1);
const WRITER: (i64, i64) = (lock_bytes::WRITE as i64, 1);

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

/// Whether the path still names the database that was opened.
pub(crate) fn database_file(watch: &FileMonitor) -> Verdict {
    match fs::metadata(&watch.path) {
        Ok(meta) if FileId::of(&meta) == watch.database => Verdict::Good,
        Ok(_) => Verdict::Bad,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Verdict::Bad,
        // A directory that may no longer be searched, for one.
        Err(_) => Verdict::Unknown,
    }
}

/// Whether the names of the `-wal` and the `-shm` are still those of the files in use.
pub(crate) fn wal_file(watch: &FileMonitor) -> Verdict {
    match watch.files() {
        (None, None) if !watch.has_wal() => Verdict::Good,
        (wal, None) if !watch.has_wal() => named(watch, "-wal", wal),
        (wal, shm) => worst(&[named(watch, "-wal", wal), named(watch, "-shm", shm)]),
    }
}

/// Whether the side file of this suffix is the one with this inode.
pub(crate) fn named(watch: &FileMonitor, suffix: &str, ino: Option<u64>) -> Verdict {
    match (ino, fs::metadata(sidecar(&watch.path, suffix))) {
        (None, _) => Verdict::Unknown,
        (Some(ino), Ok(meta)) if meta.ino() == ino => Verdict::Good,
        (Some(_), Ok(_)) => Verdict::Bad,
        (Some(_), Err(error)) if error.kind() == std::io::ErrorKind::NotFound => Verdict::Bad,
        (Some(_), Err(_)) => Verdict::Unknown,
    }
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

/// Only locks that must be held: the file's since its first read in WAL mode, or during a transaction; the WAL's. Those that
/// last from the first read to the end are taken again by the look; those of a transaction are not, since somebody may have
/// worked in their place.
pub(crate) fn locks(watch: &FileMonitor) -> Verdict {
    let mut verdicts = vec![take_again(watch)];
    let (_, shm) = watch.files();
    if verdicts[0] == Verdict::Unknown {
        verdicts.clear();
        if watch.locks.level() >= sqlite::SQLITE_LOCK_SHARED {
            verdicts.push(held(watch.database, ASKED));
        }
        verdicts.extend(shm.map(|ino| held(FileId { ino, ..watch.database }, USER)));
    }
    // It lies on the database's file system.
    if let Some(shm) = shm.map(|ino| FileId { ino, ..watch.database }) {
        if let Some((slot, _)) = watch.locks.reading() {
            take_read_again(watch, slot as i32 + FIRST_READER);
            verdicts.push(held(shm, (lock_bytes::READ as i64 + slot as i64, 1)));
        }
        if watch.locks.is_writing() {
            verdicts.push(held(shm, WRITER));
        }
    }
    worst(&verdicts)
}

/// What the kernel says of one range of bytes of a file that SQLite has open.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    /// Nobody has a lock on it.
    None,
    /// This process has one.
    Ours,
    /// Somebody else has one; ours may stand behind it.
    Theirs,
}

/// What is in the way of an exclusive lock on the range: of this process (`F_GETLK`), or of the open file (`F_OFD_GETLK`), with
/// which locks of this very process stand in its way, others' too. The first one found is named.
#[cfg(target_os = "linux")]
fn in_the_way(fd: c_int, command: c_int, (start, length): (i64, i64)) -> Option<libc::flock> {
    // SAFETY: plain data; the caller's descriptor is open and GETLK changes nothing but the struct.
    unsafe {
        let mut lock: libc::flock = std::mem::zeroed();
        (lock.l_type, lock.l_whence) = (libc::F_WRLCK as i16, libc::SEEK_SET as i16);
        (lock.l_start, lock.l_len) = (start, length);
        (libc::fcntl(fd, command, &mut lock) == 0).then_some(lock)
    }
}

#[cfg(target_os = "linux")]
fn lock_at(fd: c_int, range: (i64, i64)) -> Option<Lock> {
    let lock = in_the_way(fd, libc::F_OFD_GETLK, range)?;
    Some(match lock.l_type {
        kind if kind == libc::F_UNLCK as i16 => Lock::None,
        _ if lock.l_pid == std::process::id() as i32 => Lock::Ours,
        _ => Lock::Theirs,
    })
}

/// Whether this process holds a lock on one of the bytes.
#[cfg(target_os = "linux")]
fn held(file: FileId, (start, length): (i64, i64)) -> Verdict {
    let first = open_files::with_file(file, |fd| lock_at(fd, (start, length)));
    let me = std::process::id();
    match first.flatten() {
        None => Verdict::Unknown,
        Some(Lock::None) => Verdict::Bad,
        Some(Lock::Ours) => Verdict::Good,
        // Another process's may hide ours.
        Some(Lock::Theirs) => match procfs::posix_locks(&[file]) {
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

/// Whether this process holds any of SQLite's locks on a database.
pub(crate) fn has_sqlite_lock(file: FileId) -> Verdict {
    let first = lock_bytes::PENDING as i64;
    held(file, (first, lock_bytes::SHARED_LAST as i64 + 1 - first))
}

#[cfg(not(target_os = "linux"))]
fn held(_file: FileId, _bytes: (i64, i64)) -> Verdict {
    Verdict::Unknown
}

/// Whether the WAL's write lock, which SQLite believes this connection to hold, is really this process's.
#[cfg(target_os = "linux")]
pub(crate) fn holds_write_lock(watch: &FileMonitor) -> Verdict {
    // Nobody else can have it beside us: it is exclusive.
    match watch.file.shm_descriptor().and_then(|fd| lock_at(fd, WRITER)) {
        Some(Lock::Ours) => Verdict::Good,
        Some(Lock::None | Lock::Theirs) => Verdict::Bad,
        None => Verdict::Unknown,
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn holds_write_lock(_: &FileMonitor) -> Verdict {
    Verdict::Unknown
}

/// Takes the locks again that SQLite believes to hold on the database and the `-shm`, on its own descriptors. Where they
/// are held that changes nothing; where they have been dropped nobody can close as the last one from now on. Bad: somebody
/// else has a lock that excludes them.
#[cfg(target_os = "linux")]
pub(crate) fn take_again(watch: &FileMonitor) -> Verdict {
    let Some(database) = watch.descriptor() else { return Verdict::Unknown };
    // Another kind of lock would be changed into this one. That SQLite gives this connection's level up meanwhile is
    // impossible: this thread is in the call that would.
    let kind = match watch.locks.level() {
        sqlite::SQLITE_LOCK_SHARED | sqlite::SQLITE_LOCK_RESERVED => libc::F_RDLCK,
        sqlite::SQLITE_LOCK_EXCLUSIVE => libc::F_WRLCK,
        _ => return Verdict::Unknown,
    };
    let shm = if watch.has_wal() { watch.file.shm_descriptor() } else { None };
    let taken = |fd, kind, bytes| !matches!(set_lock(fd, libc::F_SETLK, kind, bytes), Err(libc::EAGAIN | libc::EACCES));
    if !taken(database, kind, SHARED) || !shm.is_none_or(|shm| taken(shm, libc::F_RDLCK, USER)) {
        return Verdict::Bad;
    }
    Verdict::Good
}

/// A read lock that was kept and is firmly held still has been nobody else's: where the process's own was dropped while it
/// was idle, that is no loss.
fn take_read_again(watch: &FileMonitor, slot: c_int) {
    if let Some(shm) = watch.file.shm_descriptor().filter(|_| watch.kept.is_firm_at(slot)) {
        firm_reads::system::lock_again(shm, slot);
    }
}

#[cfg(target_os = "linux")]
pub(super) fn set_lock(fd: c_int, command: c_int, kind: c_int, (start, length): (i64, i64)) -> Result<(), c_int> {
    // SAFETY: plain data; the descriptor is SQLite's own and open while its connection is. It is not waited for.
    let rc = unsafe {
        let mut lock: libc::flock = std::mem::zeroed();
        (lock.l_type, lock.l_whence) = (kind as i16, libc::SEEK_SET as i16);
        (lock.l_start, lock.l_len) = (start, length);
        libc::fcntl(fd, command, &lock)
    };
    if rc == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)) }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn take_again(_: &FileMonitor) -> Verdict {
    Verdict::Unknown
}

/// Names a process's own descriptors. Linux has the other name too, but not in every container.
const OPEN_DESCRIPTORS: &str = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };

/// Whether this process has a descriptor of the file that this copy of SQLite did not open.
pub(crate) fn strangers(watch: &FileMonitor) -> Verdict {
    let (wal, shm) = watch.files();
    let inodes = [Some(watch.database.ino), wal, shm].into_iter().flatten();
    let files: Vec<FileId> = inodes.map(|ino| FileId { dev: watch.database.dev, ino }).collect();
    strange_descriptors(&files).0
}

/// Whether this process has a descriptor of one of the files that this copy of SQLite did not open, and whether the file
/// can be written through it.
pub(crate) fn strange_descriptors(files: &[FileId]) -> (Verdict, bool) {
    if !open_files::is_hooked() {
        return (Verdict::Unknown, false);
    }
    let mut seen = 0;
    for _ in 0..LOOKS * 4 {
        let before = open_files::change_count();
        let Ok(entries) = fs::read_dir(OPEN_DESCRIPTORS) else { return (Verdict::Unknown, false) };
        let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let strange: Vec<c_int> = numbers
            // First what costs no system call: a process with many databases open has many descriptors, nearly all ours.
            .filter(|fd| !open_files::opened_by_us(*fd))
            .filter(|fd| open_files::file_behind(*fd).is_some_and(|file| files.contains(&file)))
            .collect();
        if strange.is_empty() {
            return (Verdict::Good, false);
        }
        // With an open or a close of ours in between, the list and our books are of two moments.
        if before.is_some() && open_files::change_count() == before {
            seen += 1;
            if seen == LOOKS {
                // SAFETY: any number may be asked for.
                let flags = |fd: &c_int| unsafe { libc::fcntl(*fd, libc::F_GETFL) };
                let writes = |flags: c_int| flags >= 0 && flags & libc::O_ACCMODE != libc::O_RDONLY;
                return (Verdict::Bad, strange.iter().map(flags).any(writes));
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    (Verdict::Unknown, false)
}

/// Whether the `-wal` in use still has its name.
pub(crate) fn is_wal_in_place(watch: &FileMonitor) -> bool {
    named(watch, "-wal", watch.files().0) != Verdict::Bad
}

/// Whether another file has the database's name.
pub(crate) fn is_replaced(watch: &FileMonitor) -> bool {
    file_id(&watch.path).is_some_and(|found| found != watch.database)
}

/// Whether the file that is open has no name any more, so that nobody can open it.
pub(crate) fn is_nameless(watch: &FileMonitor) -> bool {
    watch.descriptor().is_some_and(|fd| borrowed(fd).metadata().is_ok_and(|meta| meta.nlink() == 0))
}

/// Whether no other process has a lock on the database, as each has that uses it in WAL mode.
#[cfg(target_os = "linux")]
pub(super) fn is_alone(watch: &FileMonitor) -> bool {
    let others = watch.descriptor().and_then(|fd| in_the_way(fd, libc::F_GETLK, ASKED));
    others.is_some_and(|lock| lock.l_type == libc::F_UNLCK as i16)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_alone(_: &FileMonitor) -> bool {
    false
}

/// Runs `act` while no other process has a lock on the database, and none gets one; not at all where one has.
#[cfg(target_os = "linux")]
pub(crate) fn undisturbed(watch: &FileMonitor, act: impl FnOnce()) {
    const PENDING: (i64, i64) = (lock_bytes::PENDING as i64, 1);
    let Some(fd) = watch.descriptor() else { return };
    // Who wants to read it takes this byte first.
    if set_lock(fd, libc::F_OFD_SETLK, libc::F_WRLCK, PENDING).is_err() {
        return;
    }
    if is_alone(watch) {
        act();
    }
    let _ = set_lock(fd, libc::F_OFD_SETLK, libc::F_UNLCK, PENDING);
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn undisturbed(_: &FileMonitor, _: impl FnOnce()) {}

/// Whether another process uses the `-shm`, as whoever uses the WAL does; also where that cannot be found out.
pub(crate) fn is_wal_used(watch: &FileMonitor) -> bool {
    #[cfg(target_os = "linux")]
    if let Some(fd) = watch.file.shm_descriptor().filter(|_| watch.has_wal()) {
        return in_the_way(fd, libc::F_GETLK, USER).is_none_or(|lock| lock.l_type != libc::F_UNLCK as i16);
    }
    let _ = watch;
    true
}
