//! The directories that a connection's files must lie in, and the way down to a file without leaving them.
//!
//! Looking at a path and then opening it are two moments: whoever may rename things in between leads the second
//! elsewhere. So the way is walked with a descriptor of each directory, following no link: what SQLite is given, creates
//! or removes lies under the root, whatever happens meanwhile. SQLite has resolved the links of the path before; one that
//! is met on the way has been put there since.

use std::ffi::{CString, OsStr, c_int};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::errors;
use crate::error::Result;

/// Directories, by their real paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots(Vec<PathBuf>);

impl Roots {
    /// The directories as they are now. One that does not exist allows nothing.
    pub(crate) fn of(directories: &[PathBuf]) -> Roots {
        Roots(directories.iter().filter_map(|root| std::fs::canonicalize(root).ok()).collect())
    }

    /// Whether a path may be opened, as far as can be told before it is.
    ///
    /// # Errors
    /// `KEEL_PATH_NOT_ALLOWED`.
    pub(crate) fn check(&self, path: &Path) -> Result<()> {
        // The deepest part that is there decides, a link that leads nowhere included: it is there, and SQLite would create
        // the database where it points.
        let there = path.ancestors().find(|ancestor| std::fs::symlink_metadata(ancestor).is_ok());
        let real = there.and_then(|part| std::fs::canonicalize(part).ok());
        let climbs = path.components().any(|part| part == Component::ParentDir);
        if climbs || !real.is_some_and(|real| self.0.iter().any(|root| real.starts_with(root))) {
            return Err(errors::outside_the_roots(path));
        }
        Ok(())
    }

    /// The root that a real path lies in, and its way from there.
    pub(crate) fn split<'a>(&'a self, path: &'a Path) -> Option<(&'a Path, &'a Path)> {
        // The names of SQLite's files are real paths, but for one that it made up of two.
        let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        self.0.iter().filter(|_| plain).find_map(|root| Some((root.as_path(), path.strip_prefix(root).ok()?)))
    }
}

/// Only to get further from there: no right to read the directory is needed, and nothing of it can be locked.
#[cfg(any(target_os = "linux", target_os = "android"))]
const PASS: c_int = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const PASS: c_int = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;

fn c_name(name: &OsStr) -> io::Result<CString> {
    CString::new(name.as_bytes()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

/// Opens a name in a directory.
fn open_in(directory: c_int, name: &OsStr, flags: c_int, mode: c_int) -> io::Result<OwnedFd> {
    let name = c_name(name)?;
    // SAFETY: a NUL-terminated name and a descriptor that is open; what comes back belongs to nobody else.
    unsafe {
        match libc::openat(directory, name.as_ptr(), flags, mode) {
            fd if fd >= 0 => Ok(OwnedFd::from_raw_fd(fd)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// The directory at the end of a way that follows no link.
pub(crate) fn directory(root: &Path, way: &Path) -> io::Result<OwnedFd> {
    let root = open_in(libc::AT_FDCWD, root.as_os_str(), PASS, 0)?;
    way.components().try_fold(root, |at, part| open_in(at.as_raw_fd(), part.as_os_str(), PASS | libc::O_NOFOLLOW, 0))
}

/// Opens a file at the end of a way that follows no link.
pub(crate) fn open(root: &Path, way: &Path, flags: c_int, mode: c_int) -> io::Result<OwnedFd> {
    let Some(name) = way.file_name() else { return open_in(libc::AT_FDCWD, root.as_os_str(), flags, mode) };
    let parent = directory(root, way.parent().unwrap_or(Path::new("")))?;
    open_in(parent.as_raw_fd(), name, flags | libc::O_NOFOLLOW, mode)
}

/// Removes the name of a file at the end of a way that follows no link.
pub(crate) fn unlink(root: &Path, way: &Path) -> io::Result<()> {
    let name = c_name(way.file_name().unwrap_or_default())?;
    let parent = directory(root, way.parent().unwrap_or(Path::new("")))?;
    // SAFETY: a NUL-terminated name and a descriptor that is open.
    if unsafe { libc::unlinkat(parent.as_raw_fd(), name.as_ptr(), 0) } == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// Creates an empty file at the end of a way that follows no link. No descriptor of it is made, whose close could drop the
/// locks of another thread that opened it in between.
#[cfg(target_os = "linux")]
pub(crate) fn create(root: &Path, way: &Path, mode: u32) -> io::Result<()> {
    let name = c_name(way.file_name().unwrap_or_default())?;
    let parent = directory(root, way.parent().unwrap_or(Path::new("")))?;
    // SAFETY: as above.
    if unsafe { libc::mknodat(parent.as_raw_fd(), name.as_ptr(), libc::S_IFREG | mode as libc::mode_t, 0) } == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// Elsewhere `mknod` makes no files: by its path, and what SQLite opens is looked at again.
#[cfg(not(target_os = "linux"))]
pub(crate) fn create(root: &Path, way: &Path, mode: u32) -> io::Result<()> {
    super::new_file::create(&root.join(way), mode)
}

/// Creates the directories that are missing on a way that follows no link.
pub(crate) fn create_directories(root: &Path, way: &Path) -> io::Result<()> {
    let mut at = open_in(libc::AT_FDCWD, root.as_os_str(), PASS, 0)?;
    for part in way.components() {
        let name = c_name(part.as_os_str())?;
        let mut next = open_in(at.as_raw_fd(), part.as_os_str(), PASS | libc::O_NOFOLLOW, 0);
        if next.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            // SAFETY: a NUL-terminated name and a descriptor that is open.
            if unsafe { libc::mkdirat(at.as_raw_fd(), name.as_ptr(), 0o777) } != 0 {
                let error = io::Error::last_os_error();
                // Somebody else may have made it meanwhile.
                if error.kind() != io::ErrorKind::AlreadyExists {
                    return Err(error);
                }
            }
            next = open_in(at.as_raw_fd(), part.as_os_str(), PASS | libc::O_NOFOLLOW, 0);
        }
        at = next?;
    }
    Ok(())
}
