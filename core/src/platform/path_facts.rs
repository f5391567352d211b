//! Facts about a path, gathered without opening it.

use std::ffi::{CStr, CString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Whether this process, with its effective user and groups, may access `path` as `mode` (`R_OK`, `W_OK`, `X_OK`).
pub(crate) fn may(path: &Path, mode: i32) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    // SAFETY: a NUL-terminated path; no memory is handed over.
    unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), mode, libc::AT_EACCESS) == 0 }
}

/// `owned by alice (uid 1000), mode 0644`, with who is asking.
pub(crate) fn describe(path: &Path) -> String {
    match fs::metadata(path) {
        Ok(meta) => format!(
            "owned by {}, mode {:04o}; this process runs as {}",
            user(meta.uid()),
            meta.mode() & 0o7777,
            // SAFETY: no arguments, cannot fail.
            user(unsafe { libc::geteuid() })
        ),
        Err(error) => format!("cannot be examined: {error}"),
    }
}

fn user(uid: u32) -> String {
    // SAFETY: an all-zero passwd is a valid value of a struct of integers and pointers.
    let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
    let mut found = std::ptr::null_mut();
    let mut buffer = [0 as libc::c_char; 2048];
    // SAFETY: the buffer outlives the use of `entry`, whose strings point into it.
    unsafe {
        let rc = libc::getpwuid_r(uid, &mut entry, buffer.as_mut_ptr(), buffer.len(), &mut found);
        if rc == 0 && !found.is_null() {
            return format!("{} (uid {uid})", CStr::from_ptr(entry.pw_name).to_string_lossy());
        }
    }
    format!("uid {uid}")
}

/// What the operating system calls an errno.
pub(crate) fn strerror(errno: i32) -> String {
    std::io::Error::from_raw_os_error(errno).to_string()
}

/// What stands in the way on the path down to a file's directory.
pub(crate) enum Obstacle {
    /// The first directory that does not exist.
    Missing(PathBuf),
    /// A component that should be a directory and is not.
    NotADirectory(PathBuf),
    /// A directory that this process may not search.
    NotSearchable(PathBuf),
    /// More symbolic links than the system follows.
    Loop(PathBuf),
}

/// Walks `directory` from the root; `None` when it exists and can be searched.
pub(crate) fn obstacle(directory: &Path) -> Option<Obstacle> {
    let mut walked = PathBuf::new();
    for component in directory.components() {
        walked.push(component);
        match fs::metadata(&walked) {
            Ok(meta) if !meta.is_dir() => return Some(Obstacle::NotADirectory(walked)),
            Ok(_) if !may(&walked, libc::X_OK) => return Some(Obstacle::NotSearchable(walked)),
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => return Some(Obstacle::Loop(walked)),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                walked.pop();
                return Some(Obstacle::NotSearchable(walked));
            }
            Err(_) => return Some(Obstacle::Missing(walked)),
        }
    }
    None
}

/// What a path names when it is no regular file: `a directory`, `a FIFO`…
pub(crate) fn kind(meta: &fs::Metadata) -> Option<&'static str> {
    let kind = meta.file_type();
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a directory")
    } else if kind.is_fifo() {
        Some("a FIFO")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

/// `path` with a suffix of SQLite's: `-wal`, `-shm`, `-journal`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
