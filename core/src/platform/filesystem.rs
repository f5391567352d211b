//! The file system under a path, by `statfs`: does WAL's shared memory work on it, is it writable, is there room?

use std::ffi::CString;
#[cfg(target_os = "linux")]
use std::ffi::OsString;
#[cfg(target_os = "linux")]
use std::fs;
use std::os::unix::ffi::OsStrExt;
#[cfg(target_os = "linux")]
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::platform::file_id::FileId;
#[cfg(target_os = "linux")]
use crate::platform::file_id::file_id;

/// How far a file system can be trusted with locks and shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A disk of this machine.
    Local,
    /// Some of them work: 9p, FUSE, virtiofs.
    Doubtful,
    /// Other machines see the files but not our shared memory: NFS, SMB and their kin.
    Network,
}

/// The name of the file system that holds `path`, and how far it reaches.
#[cfg(target_os = "linux")]
pub(crate) fn of(path: &Path) -> Option<(String, Reach)> {
    let magic = statfs(path)?.f_type as u32;
    let (name, reach) = match magic {
        0x6969 => ("NFS", Reach::Network),
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => ("SMB", Reach::Network),
        0x5346_414f => ("AFS", Reach::Network),
        0x00c3_6400 => ("Ceph", Reach::Network),
        0x7375_7245 => ("Coda", Reach::Network),
        0x0bd0_0bd0 => ("Lustre", Reach::Network),
        0x0102_1997 => ("9p", Reach::Doubtful),
        // virtiofs answers with FUSE's magic number.
        0x6573_5546 => ("FUSE", Reach::Doubtful),
        0xef53 => ("ext4", Reach::Local),
        0x5846_5342 => ("xfs", Reach::Local),
        0x9123_683e => ("btrfs", Reach::Local),
        0x2fc1_2fc1 => ("zfs", Reach::Local),
        0xf2f5_2010 => ("f2fs", Reach::Local),
        0x0102_1994 => ("tmpfs", Reach::Local),
        0x794c_7630 => ("overlayfs", Reach::Local),
        other => return Some((format!("{other:#x}"), Reach::Local)),
    };
    Some((name.to_owned(), reach))
}

/// The name of the file system that holds `path`, and how far it reaches.
#[cfg(target_vendor = "apple")]
pub(crate) fn of(path: &Path) -> Option<(String, Reach)> {
    let answer = statfs(path)?;
    let name: Vec<u8> = answer.f_fstypename.iter().map(|&byte| byte as u8).take_while(|&byte| byte != 0).collect();
    let reach = match &name[..] {
        b"nfs" | b"smbfs" | b"afpfs" | b"cifs" | b"webdav" | b"ftp" => Reach::Network,
        b"macfuse" | b"osxfuse" | b"virtiofs" => Reach::Doubtful,
        _ => Reach::Local,
    };
    Some((String::from_utf8_lossy(&name).into_owned(), reach))
}

/// The name of the file system that holds `path`, and how far it reaches.
#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
pub(crate) fn of(_: &Path) -> Option<(String, Reach)> {
    None
}

/// Whether the file itself is a mount point: a container's `-v /srv/app.db:/data/app.db`. Then it has another path, and
/// beside that one another `-wal`.
#[cfg(target_os = "linux")]
pub(crate) fn is_mounted_alone(path: &Path) -> bool {
    const MOUNT_ROOT: u64 = 0x2000;
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    // `struct statx`, which not every C library declares: the attributes are its second word, those that the system tells
    // of its eighth.
    let mut answer = [0u64; 32];
    // SAFETY: a NUL-terminated path, and a buffer of the structure's size.
    let rc = unsafe { libc::syscall(libc::SYS_statx, libc::AT_FDCWD, path.as_ptr(), 0, 0, answer.as_mut_ptr()) };
    rc == 0 && answer[1] & answer[7] & MOUNT_ROOT != 0
}

/// Elsewhere files are not mounted.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_mounted_alone(_: &Path) -> bool {
    false
}

/// Where this file is mounted once more, alone: a bind mount of it that this process sees. That of a container has a view of
/// the mounts of its own.
#[cfg(target_os = "linux")]
pub(crate) fn mounted_elsewhere(path: &Path, file: FileId) -> Option<PathBuf> {
    // A thread may have mounts of its own.
    let table = fs::read_to_string("/proc/thread-self/mountinfo").ok()?;
    // The fourth word is the directory, or file, that is mounted; the fifth where. Only mounts of a file of that name are
    // looked at: a server that does not answer would keep the look waiting.
    let mounts = table.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(3).map(unescaped);
        Some((words.next()?, words.next()?))
    });
    let mut others = mounts.filter(|(root, at)| root.file_name() == path.file_name() && at != path);
    others.find(|(_, at)| file_id(at) == Some(file)).map(|(_, at)| at)
}

/// Blanks and their kin stand in octal: `\040`.
#[cfg(target_os = "linux")]
fn unescaped(word: &str) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = word.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => (bytes.push(byte), rest = &after[3..]).1,
            None => (bytes.push(first), rest = after).1,
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// Elsewhere files are not mounted.
#[cfg(not(target_os = "linux"))]
pub(crate) fn mounted_elsewhere(_: &Path, _: FileId) -> Option<PathBuf> {
    None
}

/// Whether the file system is mounted read-only.
pub(crate) fn read_only(path: &Path) -> bool {
    statvfs(path).is_some_and(|fs| fs.f_flag & libc::ST_RDONLY != 0)
}

/// The bytes this user may still write.
#[allow(clippy::unnecessary_cast)] // The fields' width differs between systems.
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    statvfs(path).map(|fs| fs.f_bavail as u64 * fs.f_frsize as u64)
}

fn statvfs(path: &Path) -> Option<libc::statvfs> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: a NUL-terminated path, and a struct of integers for the answer.
    unsafe {
        let mut answer: libc::statvfs = std::mem::zeroed();
        (libc::statvfs(path.as_ptr(), &mut answer) == 0).then_some(answer)
    }
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn statfs(path: &Path) -> Option<libc::statfs> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: a NUL-terminated path, and a struct of integers for the answer.
    unsafe {
        let mut answer: libc::statfs = std::mem::zeroed();
        (libc::statfs(path.as_ptr(), &mut answer) == 0).then_some(answer)
    }
}
