//! The locks of other processes where no table tells of them: each byte that SQLite locks is asked for, through a
//! descriptor that SQLite has of the file. Of several who share a byte one is named, and this process's own locks are
//! never in its way.

use std::ffi::c_int;

use crate::platform::file_id::FileId;
use crate::platform::procfs::PosixLock;
use crate::raw::lock_bytes::{
    CHECKPOINT, PENDING, READ, READ_LAST, RECOVER, RESERVED, SHARED, SHARED_SIZE, USER, WRITE,
};
use crate::vfs::open_files;

/// First bytes and lengths of the ranges that SQLite locks: PENDING, RESERVED, SHARED of the database file, then those
/// of the `-shm`, one by one: of several locks in one range an unspecified one is named.
const RANGES: [(u64, u64); 12] = [
    (PENDING, 1),
    (RESERVED, 1),
    // The last is where litekeel keeps a second lock of its own.
    (SHARED, SHARED_SIZE - 1),
    (WRITE, 1),
    (CHECKPOINT, 1),
    (RECOVER, 1),
    (READ, 1),
    (READ + 1, 1),
    (READ + 2, 1),
    (READ + 3, 1),
    (READ_LAST, 1),
    (USER, 1),
];

/// The locks of other processes on the files; `None` when this process has none of them open.
pub(crate) fn locks_of_others(files: &[FileId]) -> Option<Vec<PosixLock>> {
    let mut known = false;
    let mut found: Vec<PosixLock> = Vec::new();
    for &file in files {
        let seen = open_files::with_file(file, |fd| RANGES.iter().filter_map(|range| ask(fd, file, *range)).collect());
        known |= seen.is_some();
        for lock in seen.unwrap_or_else(Vec::new) {
            if !found.contains(&lock) {
                found.push(lock);
            }
        }
    }
    known.then_some(found)
}

/// Who would be in the way of an exclusive lock on the range.
#[allow(clippy::unnecessary_cast)] // The fields' width differs between systems.
fn ask(fd: c_int, file: FileId, (start, length): (u64, u64)) -> Option<PosixLock> {
    // SAFETY: plain data; the descriptor is open, and GETLK changes nothing but the struct.
    let lock = unsafe {
        let mut lock: libc::flock = std::mem::zeroed();
        (lock.l_type, lock.l_whence) = (libc::F_WRLCK as _, libc::SEEK_SET as _);
        (lock.l_start, lock.l_len) = (start as _, length as _);
        (libc::fcntl(fd, libc::F_GETLK, &mut lock) == 0).then_some(lock)?
    };
    // A lock of an open file has no process (-1): this process has one itself.
    if lock.l_type == libc::F_UNLCK as libc::c_short || lock.l_pid < 0 {
        return None;
    }
    let start = lock.l_start as u64;
    let end = if lock.l_len == 0 { u64::MAX } else { start + lock.l_len as u64 - 1 };
    let exclusive = lock.l_type == libc::F_WRLCK as libc::c_short;
    Some(PosixLock { pid: u32::try_from(lock.l_pid).unwrap_or(0), exclusive, dev: file.dev, ino: file.ino, start, end })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::platform::file_id::file_id;
    use crate::{Connection, Options};

    /// Names the database for the process that holds the locks.
    const HOLD: &str = "KEEL_TEST_HOLDS_LOCKS_OF";

    /// In a process of its own: a writer until its standard input ends.
    #[test]
    fn holds_the_write_lock_when_asked_to() {
        let Ok(url) = std::env::var(HOLD) else { return };
        let connection = Connection::open(Some(&url), &Options::new()).unwrap();
        connection.exec("BEGIN IMMEDIATE").unwrap();
        println!("\nholding");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        connection.exec("ROLLBACK").unwrap();
    }

    #[test]
    fn the_locks_of_another_process_are_found_and_our_own_are_not() {
        let own = tempfile::tempdir().unwrap();
        let dir = own.path();
        let path = dir.join("app.db");
        let url = format!("sqlite://{}", path.display());
        let file = |suffix: &str| file_id(Path::new(&format!("{}{suffix}", path.display()))).unwrap();
        let connection = Connection::open(Some(&url), &Options::new()).unwrap();
        connection.exec("CREATE TABLE t(x); BEGIN IMMEDIATE").unwrap();
        let files = [file(""), file("-shm")];
        assert_eq!(locks_of_others(&files).unwrap(), [], "this process's own are in nobody's way here");
        connection.exec("COMMIT").unwrap();

        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "locks::probe::tests::holds_the_write_lock_when_asked_to", "--nocapture"])
            .env(HOLD, &url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(said.any(|line| line.unwrap() == "holding"));
        let found = locks_of_others(&files).unwrap();
        let has = |file: FileId, byte: u64, exclusive: bool| {
            found.iter().any(|lock| {
                let covers = lock.start <= byte && byte <= lock.end;
                lock.pid == child.id() && lock.ino == file.ino && lock.exclusive == exclusive && covers
            })
        };
        assert!(has(files[1], WRITE, true), "the writer's byte: {found:?}");
        // On Linux the second lock that this process has there stands before it.
        assert!(cfg!(target_os = "linux") || has(files[1], USER, false), "the user's byte: {found:?}");
        assert!(has(files[0], SHARED, false), "SHARED: {found:?}");
        assert!(!has(files[1], CHECKPOINT, true), "nobody checkpoints: {found:?}");
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
        assert_eq!(locks_of_others(&files).unwrap(), []);
        connection.close().unwrap();
        assert_eq!(locks_of_others(&files), None, "no descriptor, no answer");
    }
}
