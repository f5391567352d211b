//! Making what was written survive a loss of power.

use std::ffi::c_int;

/// Waits until the file's content is on the medium; whether it is.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn sync(fd: c_int) -> bool {
    // SAFETY: any number may be asked for.
    unsafe { libc::fdatasync(fd) == 0 }
}

/// Waits until the file's content is on the medium; whether it is. `fsync` only hands it to the drive, whose cache is
/// emptied by `F_FULLFSYNC`; not every file system has that, and then `fsync` is all there is, as it is for SQLite.
#[cfg(target_vendor = "apple")]
pub(crate) fn sync(fd: c_int) -> bool {
    // SAFETY: any number may be asked for.
    unsafe { libc::fcntl(fd, libc::F_FULLFSYNC, 0) == 0 || libc::fsync(fd) == 0 }
}
