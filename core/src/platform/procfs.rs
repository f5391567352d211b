//! What the kernel tells about processes and POSIX locks: `/proc/locks`, `/proc/<pid>/stat`, `/proc/<pid>/cmdline`.
//!
//! Other systems have no such table: there the locks are unknown. What macOS tells of a process comes from `libproc`.

use std::fs;
use std::io::{self, Read};

#[cfg(target_vendor = "apple")]
pub(crate) use super::libproc::{command, state};

/// A POSIX record lock that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PosixLock {
    /// The holder; 0 when it is outside this PID namespace.
    pub pid: u32,
    pub exclusive: bool,
    pub ino: u64,
    pub start: u64,
    pub end: u64,
}

/// The POSIX locks that are held on one of the inodes; `None` when the table cannot be read.
///
/// Matched by inode alone: on overlayfs and btrfs the device number in the table is not the one `stat` gives.
pub(crate) fn posix_locks(inodes: &[u64]) -> Option<Vec<PosixLock>> {
    let mut found: Vec<PosixLock> = Vec::new();
    for _ in 0..READINGS {
        let table = table().ok()?;
        for lock in table.lines().filter_map(parse).filter(|lock| inodes.contains(&lock.ino)) {
            if !found.contains(&lock) {
                found.push(lock);
            }
        }
        if table.len() < ONE_PIECE {
            break;
        }
    }
    Some(found)
}

/// The kernel hands a long table out a page at a time. Locks of others that come and go in between shift it, and one that
/// is held all the while can be missing or come twice (measured with busy neighbours: 1 reading of 200 misses one). So a
/// table in pieces is read again, and what any reading has was held.
const READINGS: usize = 4;

/// A shorter table came in one piece: another line would have fitted into its page.
const ONE_PIECE: usize = 3500;

/// The table of locks, in as few pieces as the kernel gives: `fs::read_to_string` begins with a few bytes.
fn table() -> io::Result<String> {
    let mut file = fs::File::open("/proc/locks")?;
    let (mut text, mut piece) = (Vec::new(), [0; 8192]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(String::from_utf8_lossy(&text).into_owned()),
            length => text.extend_from_slice(&piece[..length]),
        }
    }
}

/// One line of the table: `1: POSIX  ADVISORY  WRITE 1234 08:01:5678 120 120`. Waiters (`->`), flock and OFD locks
/// are none of SQLite's.
fn parse(line: &str) -> Option<PosixLock> {
    let mut words = line.split_whitespace().skip(1);
    if words.next()? != "POSIX" {
        return None;
    }
    let exclusive = words.nth(1)? == "WRITE";
    let pid = words.next()?.parse::<i64>().ok()?;
    let ino = words.next()?.rsplit(':').next()?.parse().ok()?;
    let start = words.next()?.parse().ok()?;
    let end = match words.next()? {
        "EOF" => u64::MAX,
        number => number.parse().ok()?,
    };
    Some(PosixLock { pid: u32::try_from(pid).unwrap_or(0), exclusive, ino, start, end })
}

/// Whether this process is in a PID namespace of its own, as in a container: the table of locks leaves out whoever is
/// not in it.
pub fn in_pid_namespace() -> bool {
    /// The number of the system's first one (`PROC_PID_INIT_INO`).
    const FIRST: &str = "pid:[4026531836]";
    fs::read_link("/proc/self/ns/pid").is_ok_and(|name| name.as_os_str() != FIRST)
}

/// The command line with blanks between the arguments; empty when it may not be read. It stands in messages: what a
/// terminal would obey, a line end or an escape, becomes a blank too.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn command(pid: u32) -> String {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&raw);
    let words = text.split(char::is_control).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// `running`, `sleeping`, `stopped` or `zombie`; empty when unknown.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn state(pid: u32) -> &'static str {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The command name before it is in parentheses and may contain anything, parentheses too.
    match stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()) {
        Some('R') => "running",
        Some('S' | 'D' | 'I') => "sleeping",
        Some('T' | 't') => "stopped",
        Some('Z' | 'X') => "zombie",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_held_posix_locks_are_read() {
        let held = parse("3: POSIX  ADVISORY  WRITE 1234 00:2f:5678 120 120").unwrap();
        assert_eq!(held, PosixLock { pid: 1234, exclusive: true, ino: 5678, start: 120, end: 120 });
        assert_eq!(parse("3: POSIX  ADVISORY  READ 7 00:2f:5678 0 EOF").unwrap().end, u64::MAX);
        assert_eq!(parse("3: POSIX  ADVISORY  READ 0 00:2f:5678 1 2").unwrap().pid, 0);
        assert_eq!(parse("3: -> POSIX  ADVISORY  WRITE 1234 00:2f:5678 120 120"), None);
        assert_eq!(parse("4: FLOCK  ADVISORY  WRITE 1234 00:2f:5678 0 EOF"), None);
        assert_eq!(parse("5: OFDLCK ADVISORY  WRITE -1 00:2f:5678 0 EOF"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_lock_that_is_held_is_seen_while_others_come_and_go() {
        use std::os::fd::AsRawFd;
        use std::os::unix::fs::MetadataExt;
        use std::sync::atomic::{AtomicBool, Ordering};

        let dir = std::env::temp_dir().join(format!("litekeel-locks-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let lock = |file: &fs::File, kind: i32| {
            // SAFETY: a struct of integers, and the file is open.
            unsafe {
                let mut range: libc::flock = std::mem::zeroed();
                (range.l_type, range.l_start, range.l_len) = (kind as _, 120, 1);
                assert_eq!(libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &range), 0);
            }
        };
        let held = fs::File::create(dir.join("held")).unwrap();
        lock(&held, libc::F_WRLCK);
        let inode = held.metadata().unwrap().ino();
        let over = AtomicBool::new(false);
        let missed = std::thread::scope(|scope| {
            for thread in 0..2 {
                let (dir, over, lock) = (&dir, &over, &lock);
                scope.spawn(move || {
                    let files: Vec<_> =
                        (0..50).map(|n| fs::File::create(dir.join(format!("{thread}-{n}"))).unwrap()).collect();
                    while !over.load(Ordering::Relaxed) {
                        files.iter().for_each(|file| lock(file, libc::F_WRLCK));
                        files.iter().for_each(|file| lock(file, libc::F_UNLCK));
                    }
                });
            }
            let missed = (0..500).filter(|_| posix_locks(&[inode]).unwrap().len() != 1).count();
            over.store(true, Ordering::Relaxed);
            missed
        });
        fs::remove_dir_all(dir).unwrap();
        assert_eq!(missed, 0, "of 500 readings");
    }
}
