//! What the kernel tells about processes and POSIX locks: `/proc/locks`, `/proc/<pid>/stat`, `/proc/<pid>/cmdline`.
//!
//! Other systems have no such table: there the locks are unknown. What macOS tells of a process comes from `libproc`.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

#[cfg(not(target_vendor = "apple"))]
use crate::error::HolderState;
use crate::platform::file_id::{FileId, file_id};

#[cfg(target_vendor = "apple")]
pub(crate) use super::libproc::{command, state};

/// A POSIX record lock that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PosixLock {
    /// The holder; 0 when it is outside this PID namespace.
    pub pid: u32,
    pub exclusive: bool,
    /// The device and inode of the file, as the table has them: the device is not always the one that `stat` gives.
    pub dev: u64,
    pub ino: u64,
    pub start: u64,
    pub end: u64,
}

/// The POSIX locks that are held on one of the files; `None` when the table cannot be read, or is of a PID namespace that
/// this process is not in. This process's own have the number that it knows itself by, also where the table is that of an
/// outer namespace.
pub(crate) fn posix_locks(files: &[FileId]) -> Option<Vec<PosixLock>> {
    let (me, here) = (std::process::id(), own_number()?);
    let mut found: Vec<PosixLock> = Vec::new();
    for _ in 0..READINGS {
        let table = table().ok()?;
        for lock in table.lines().filter_map(parse) {
            let Some(file) = files.iter().find(|file| file.ino == lock.ino) else { continue };
            let known = found.iter().any(|other| PosixLock { pid: renamed(lock.pid, me, here), ..lock } == *other);
            if !known && is_on(&lock, *file) {
                found.push(PosixLock { pid: renamed(lock.pid, me, here), ..lock });
            }
        }
        if table.len() < ONE_PIECE {
            break;
        }
    }
    Some(found)
}

/// The number that `/proc` knows this process by: another than its own where `/proc` belongs to an outer PID namespace.
fn own_number() -> Option<u32> {
    fs::read_link("/proc/self").ok()?.to_str()?.parse().ok()
}

/// A number of the table as this process is to read it. Where it has another name itself, its own number is somebody else's.
fn renamed(pid: u32, me: u32, here: u32) -> u32 {
    match pid {
        pid if pid == here => me,
        pid if pid == me => 0,
        pid => pid,
    }
}

/// Whether a lock on a file of this number is one on this file. Two file systems number theirs alike; and on overlayfs and
/// btrfs the table has another device than `stat`. Who has a lock has the file open, so that where the devices differ the
/// holder's descriptors tell. Where they may not be read, the number counts.
fn is_on(lock: &PosixLock, file: FileId) -> bool {
    if lock.dev == file.dev {
        return true;
    }
    let Ok(entries) = fs::read_dir(format!("/proc/{}/fd", lock.pid)) else { return true };
    let (mut found, mut unknown) = (false, false);
    for entry in entries.flatten() {
        // `stat` of the entry is one of the open file; nothing is opened by it.
        match fs::metadata(entry.path()) {
            // The holder has the other one open too, and there the devices agree.
            Ok(meta) if (meta.dev(), meta.ino()) == (lock.dev, lock.ino) => return false,
            Ok(meta) => found |= (meta.dev(), meta.ino()) == (file.dev, file.ino),
            Err(_) => unknown = true,
        }
    }
    found || unknown
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
    let mut place = words.next()?.split(':');
    let (major, minor) = (place.next()?, place.next()?);
    let number = |text| u32::from_str_radix(text, 16).ok();
    let dev = device(number(major)?, number(minor)?);
    let ino = place.next()?.parse().ok()?;
    let start = words.next()?.parse().ok()?;
    let end = match words.next()? {
        "EOF" => u64::MAX,
        number => number.parse().ok()?,
    };
    Some(PosixLock { pid: u32::try_from(pid).unwrap_or(0), exclusive, dev, ino, start, end })
}

/// A device number as `stat` gives it.
#[allow(clippy::unnecessary_cast)] // The field's width differs between systems.
fn device(major: u32, minor: u32) -> u64 {
    #[cfg(target_os = "linux")]
    return libc::makedev(major, minor) as u64;
    #[cfg(not(target_os = "linux"))]
    return libc::makedev(major as i32, minor as i32) as u64;
}

/// Whether this process is in a PID namespace of its own, as in a container: the table of locks leaves out whoever is
/// not in it.
pub fn in_pid_namespace() -> bool {
    /// The number of the system's first one (`PROC_PID_INIT_INO`).
    const FIRST: &str = "pid:[4026531836]";
    fs::read_link("/proc/self/ns/pid").is_ok_and(|name| name.as_os_str() != FIRST)
}

/// What of a command line may stand in a message, which goes to logs and to strangers: the program and its script, none of
/// the arguments, which may be passwords.
pub(crate) fn program(command: &str) -> String {
    const SCRIPTS: [&str; 13] =
        [".py", ".js", ".mjs", ".cjs", ".ts", ".mts", ".tsx", ".jsx", ".rb", ".php", ".pl", ".sh", ".jar"];
    let mut words = command.split(' ');
    let Some(program) = words.next().filter(|word| !word.is_empty()) else { return String::new() };
    let is_script = |word: &&str| {
        SCRIPTS.iter().any(|suffix| word.ends_with(suffix)) && !word.starts_with('-') && !word.contains(['=', '@', '?'])
    };
    match words.clone().find(is_script) {
        Some(script) if words.clone().count() > 1 => format!("{program} {script} …"),
        Some(script) => format!("{program} {script}"),
        None if words.next().is_some() => format!("{program} …"),
        None => program.to_owned(),
    }
}

/// The command line with blanks between the arguments; empty when it may not be read. What a terminal would obey, a line end or an escape, becomes a blank too.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn command(pid: u32) -> String {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&raw);
    let words = text.split(char::is_control).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// Every process that has a number here.
pub(crate) fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Whether the process has a descriptor of the file; false when it may not be looked into.
pub(crate) fn has_open(pid: u32, file: FileId) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    descriptors
        .filter_map(|fd| fs::metadata(fd.path()).ok())
        .any(|meta| (meta.dev(), meta.ino()) == (file.dev, file.ino))
}

/// The bytes of a deleted file of this name that the process has open beside `file`; `None` when it has none, or may not be
/// looked into.
pub(crate) fn deleted(pid: u32, name: &Path, file: FileId) -> Option<u64> {
    let mut gone = name.as_os_str().to_owned();
    gone.push(" (deleted)");
    let open: Vec<_> = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.filter_map(|fd| Some(fd.ok()?.path())).collect();
    // The directory may have another name in the process's own view of the mounts.
    let is_it = |fd: &&PathBuf| fs::read_link(fd).is_ok_and(|target| target.file_name() == Some(&gone));
    let bytes = fs::metadata(open.iter().find(is_it)?).ok()?.len();
    let beside = |fd: &PathBuf| fs::metadata(fd).is_ok_and(|meta| (meta.dev(), meta.ino()) == (file.dev, file.ino));
    open.iter().any(beside).then_some(bytes)
}

/// Whether the process has no descriptor of the file that `path` names, and one of a file of this name that was deleted, or those
/// of both files beside it: who copies files has one of them at a time. In a mount namespace of its own, and below another root, a
/// path may name another directory.
pub(crate) fn has_another(pid: u32, path: &Path, file: Option<FileId>, side: [Option<FileId>; 2]) -> bool {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let open: Vec<_> = entries.flatten().map(|fd| fd.path()).collect();
    let ids: Vec<_> = open.iter().filter_map(|fd| Some(FileId::of(&fs::metadata(fd).ok()?))).collect();
    if file.is_some_and(|file| ids.contains(&file)) {
        return false;
    }
    let mut gone = path.as_os_str().to_owned();
    gone.push(" (deleted)");
    let directory = path.parent().and_then(file_id);
    let same_directory = || {
        let own_view = path.parent().and_then(|parent| parent.strip_prefix("/").ok());
        own_view.and_then(|parent| file_id(&Path::new(&format!("/proc/{pid}/root")).join(parent))) == directory
    };
    let was_there = |fd: &PathBuf| {
        fs::metadata(fd).is_ok_and(|meta| directory.is_some_and(|directory| directory.dev == meta.dev()))
            && fs::read_link(fd).is_ok_and(|target| target.as_os_str() == gone)
    };
    (open.iter().any(was_there) && same_directory())
        || side.iter().all(|file| file.is_some_and(|file| ids.contains(&file)))
}

/// What the process is doing.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn state(pid: u32) -> HolderState {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The command name before it is in parentheses and may contain anything, parentheses too.
    match stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()) {
        Some('R') => HolderState::Running,
        Some('S' | 'D' | 'I') => HolderState::Sleeping,
        Some('T' | 't') => HolderState::Stopped,
        Some('Z' | 'X') => HolderState::Zombie,
        _ => HolderState::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_program_and_its_script_alone() {
        for (command, shown) in [
            ("", ""),
            ("postgres", "postgres"),
            ("python3 cron.py", "python3 cron.py"),
            ("/usr/bin/python3 /srv/cron.py --password c4nary", "/usr/bin/python3 /srv/cron.py …"),
            ("node --import tsx src/server.ts", "node src/server.ts …"),
            ("java -Dpassword=c4nary -jar app.jar", "java app.jar …"),
            ("sqlite3 app.db insert into t values('c4nary')", "sqlite3 …"),
            ("python3 -c c4nary", "python3 …"),
            ("app --key=c4nary.py user:c4nary@h/x.sh", "app …"),
        ] {
            assert_eq!(program(command), shown);
        }
    }

    #[test]
    fn only_held_posix_locks_are_read() {
        let held = parse("3: POSIX  ADVISORY  WRITE 1234 00:2f:5678 120 120").unwrap();
        assert_eq!(
            held,
            PosixLock { pid: 1234, exclusive: true, dev: device(0, 0x2f), ino: 5678, start: 120, end: 120 }
        );
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
        use std::sync::atomic::{AtomicBool, Ordering};

        let own = tempfile::tempdir().unwrap();
        let dir = own.path();
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
        let file = crate::platform::file_id::file_id(&dir.join("held")).unwrap();
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
            let missed = (0..500).filter(|_| posix_locks(&[file]).unwrap().len() != 1).count();
            over.store(true, Ordering::Relaxed);
            missed
        });
        assert_eq!(missed, 0, "of 500 readings");
    }

    #[cfg(not(target_vendor = "apple"))]
    #[test]
    fn the_command_of_this_very_process_is_one_line() {
        let own = command(std::process::id());
        assert!(!own.is_empty() && !own.chars().any(char::is_control), "{own}");
        assert!(
            matches!(state(std::process::id()), HolderState::Running | HolderState::Sleeping),
            "its main thread waits for this one"
        );
        assert_eq!(command(u32::MAX), "", "no such process");
    }
}
