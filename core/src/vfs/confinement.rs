//! Keeps what a connection with `allowed_roots` opens under them: its own files, ATTACH, VACUUM INTO, a backup's copy.
//!
//! SQLite opens files from many places, and none of them says for which connection. All of them run on the thread of a
//! call, so the call notes for its thread what it may open, and the functions that SQLite opens and removes files with
//! obey the note.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, OsStr, c_char, c_int};
use std::os::fd::IntoRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use crate::platform::allowed_roots::{self, Roots};
use crate::platform::errno;
use crate::vfs::failed_open;

thread_local! {
    /// How many notes this thread has. Most have none, and look no further.
    static NOTES: Cell<usize> = const { Cell::new(0) };
    /// What the calls that this thread is in may open, by the number of the note: the last one counts.
    static WITHIN: RefCell<Vec<(u64, Option<Arc<Roots>>)>> = const { RefCell::new(Vec::new()) };
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

/// The note of one call; it ends with it.
pub(crate) struct Confinement(Option<u64>);

/// From now on this thread opens only what lies under `roots`; anything without them.
pub(crate) fn confine(roots: Option<&Arc<Roots>>) -> Confinement {
    if roots.is_none() && NOTES.get() == 0 {
        return Confinement(None);
    }
    let number = NEXT.replace(NEXT.get() + 1);
    let noted = WITHIN.try_with(|within| within.borrow_mut().push((number, roots.cloned()))).is_ok();
    NOTES.set(NOTES.get() + usize::from(noted));
    Confinement(noted.then_some(number))
}

impl Drop for Confinement {
    fn drop(&mut self) {
        let Some(number) = self.0 else { return };
        // Two calls on two connections need not end in the order of their beginnings.
        let _ = WITHIN.try_with(|within| within.borrow_mut().retain(|(other, _)| *other != number));
        NOTES.set(NOTES.get().saturating_sub(1));
    }
}

fn current() -> Option<Arc<Roots>> {
    if NOTES.get() == 0 {
        return None;
    }
    WITHIN.try_with(|within| within.borrow().last().and_then(|(_, roots)| roots.clone())).ok().flatten()
}

/// Whether this thread is confined now.
pub(crate) fn is_active() -> bool {
    current().is_some()
}

/// SQLite's own: a temporary file, which nobody else can name, and its source of randomness.
fn is_exempt(path: &Path, creates_alone: bool) -> bool {
    let temporary = path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"etilqs_"));
    (temporary && creates_alone) || path == Path::new("/dev/urandom")
}

/// # Safety
/// `path` is NUL-terminated.
unsafe fn as_path<'a>(path: *const c_char) -> &'a Path {
    // SAFETY: the caller's promise.
    Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes()))
}

/// In place of `open`, where this thread is confined; with its result and errno.
///
/// # Safety
/// `path` is NUL-terminated.
pub(crate) unsafe fn open(path: *const c_char, flags: c_int, mode: c_int) -> Option<c_int> {
    let roots = current()?;
    // SAFETY: the caller's promise.
    let path = unsafe { as_path(path) };
    if is_exempt(path, flags & libc::O_EXCL != 0) {
        return None;
    }
    let opened = match roots.split(path) {
        Some((root, way)) => allowed_roots::open(root, way, flags, mode),
        None => Err(std::io::Error::from_raw_os_error(libc::EPERM)),
    };
    Some(opened.map(IntoRawFd::into_raw_fd).unwrap_or_else(|error| failed(path, &error)))
}

/// In place of `unlink`, likewise.
///
/// # Safety
/// As for [`open`].
pub(crate) unsafe fn unlink(path: *const c_char) -> Option<c_int> {
    let roots = current()?;
    // SAFETY: the caller's promise.
    let path = unsafe { as_path(path) };
    if is_exempt(path, true) {
        return None;
    }
    let removed = match roots.split(path) {
        Some((root, way)) => allowed_roots::unlink(root, way),
        None => Err(std::io::Error::from_raw_os_error(libc::EPERM)),
    };
    Some(removed.map(|()| 0).unwrap_or_else(|error| failed(path, &error)))
}

fn failed(path: &Path, error: &std::io::Error) -> c_int {
    let errno = error.raw_os_error().unwrap_or(libc::EIO);
    // A link, or what has become one.
    if matches!(errno, libc::EPERM | libc::ELOOP | libc::ENOTDIR) {
        failed_open::note(path, true);
    }
    errno::set(errno);
    -1
}
