//! Facts about a path, gathered without opening it.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Whether this process, with its effective user and groups, may access `path` as `mode` (`R_OK`, `W_OK`, `X_OK`).
pub(crate) fn can_access(path: &Path, mode: i32) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    // SAFETY: a NUL-terminated path; no memory is handed over.
    unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), mode, libc::AT_EACCESS) == 0 }
}

/// The directory in which Litestream keeps its state beside the database at `path`; 0.3 gave it a name without a dot.
pub(crate) fn litestream_directory(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?;
    let named = |start: &str| {
        let mut own = std::ffi::OsString::from(start);
        own.push(name);
        own.push("-litestream");
        path.with_file_name(own)
    };
    [named("."), named("")].into_iter().find(|directory| directory.is_dir())
}

/// `owned by alice (uid 1000), mode 0644`, with who is asking. The name is that of `/etc/passwd`: the system's other
/// directories of users may be across a network, and a message must not wait for one.
pub(crate) fn owner_and_mode(path: &Path) -> String {
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
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    match users.lines().find_map(|line| name_of(line, uid)) {
        Some(name) => format!("{name} (uid {uid})"),
        None => format!("uid {uid}"),
    }
}

/// The user's name, when the line `name:password:uid:…` is of that user.
fn name_of(line: &str, uid: u32) -> Option<&str> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| !name.is_empty())?;
    (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
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
pub(crate) fn path_obstacle(directory: &Path) -> Option<Obstacle> {
    let mut walked = PathBuf::new();
    for component in directory.components() {
        walked.push(component);
        match fs::metadata(&walked) {
            Ok(meta) if !meta.is_dir() => return Some(Obstacle::NotADirectory(walked)),
            Ok(_) if !can_access(&walked, libc::X_OK) => return Some(Obstacle::NotSearchable(walked)),
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
pub(crate) fn kind_if_not_file(meta: &fs::Metadata) -> Option<&'static str> {
    let kind = meta.file_type();
    if kind.is_file() {
        None
    } else if kind.is_symlink() {
        Some("a symbolic link")
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
pub(crate) fn sidecar(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_named_by_the_systems_own_list() {
        assert_eq!(name_of("root:x:0:0:root:/root:/bin/sh", 0), Some("root"));
        for line in ["root:x:10:0:root:/root:/bin/sh", "root:x", ":x:0:0", "", "# comment", "+::::::"] {
            assert_eq!(name_of(line, 0), None, "{line}");
        }
        assert_eq!(user(4_294_967_294), "uid 4294967294");
    }
}
