//! The calling thread's `errno`, for functions that stand in for the system's own.

use std::ffi::c_int;

/// Sets it. Async-signal-safe.
pub(crate) fn set(errno: c_int) {
    #[cfg(target_os = "linux")]
    // SAFETY: the address of the thread's own variable, which is always writable.
    unsafe {
        *libc::__errno_location() = errno;
    }
    #[cfg(target_vendor = "apple")]
    // SAFETY: as above.
    unsafe {
        *libc::__error() = errno;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_set_is_read() {
        for errno in [libc::EOWNERDEAD, libc::ENOENT, 0] {
            super::set(errno);
            assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(errno));
        }
    }
}
