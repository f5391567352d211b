//! A line on standard error, where it can be written: a reader that is gone, or a descriptor that is closed, ends nothing.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use crate::error::printable::printable;

/// Writes `litekeel: ` and the text as one line on standard error, with what a terminal would obey written out. What cannot
/// be written is lost: there is nobody left to tell.
///
/// `eprintln!` panics where the reader of a pipe is gone (`program 2>&1 | head -1`), and a panic at the end of the process
/// aborts it; where the host has not ignored SIGPIPE, as Rust programs do, the write alone would end it.
pub fn line(text: &str) {
    let line = format!("litekeel: {}\n", printable(text));
    without_sigpipe(|| {
        let mut rest = line.as_bytes();
        while !rest.is_empty() {
            // By itself, not through `std`: its lock could be held by a thread that a forked child does not have.
            // SAFETY: reads that many bytes of a live slice.
            let written = unsafe { libc::write(libc::STDERR_FILENO, rest.as_ptr().cast(), rest.len()) };
            match usize::try_from(written) {
                Ok(written) if written > 0 => rest = &rest[written..],
                _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
                _ => return,
            }
        }
    });
}

/// Runs `write` with SIGPIPE blocked on this thread, and takes the one that it has caused.
fn without_sigpipe(write: impl FnOnce()) {
    // SAFETY: plain data; the mask is this thread's, and put back.
    unsafe {
        let mut pipe: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut pipe);
        libc::sigaddset(&mut pipe, libc::SIGPIPE);
        let waited = is_pending(libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, &pipe, &mut before);
        write();
        if !waited && is_pending(libc::SIGPIPE) {
            take(&pipe);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, ptr::null_mut());
    }
}

fn is_pending(signal: c_int) -> bool {
    // SAFETY: plain data.
    unsafe {
        let mut pending: libc::sigset_t = std::mem::zeroed();
        libc::sigpending(&mut pending) == 0 && libc::sigismember(&pending, signal) == 1
    }
}

/// Takes a pending signal, which the caller has blocked.
unsafe fn take(signals: &libc::sigset_t) {
    // SAFETY: plain data.
    unsafe {
        #[cfg(target_os = "linux")]
        {
            // Without waiting: one that came for the whole process may be another thread's by now.
            let none = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            libc::sigtimedwait(signals, ptr::null_mut(), &none);
        }
        #[cfg(not(target_os = "linux"))]
        {
            let mut number = 0;
            libc::sigwait(signals, &mut number);
        }
    }
}

/// The descriptor, above the three standard streams: what a program prints must not go to a file, a socket or a pipe of ours
/// only because it was started with one of those closed.
///
/// Not for a database or what lies beside it: the close of the lower descriptor would take the process's locks along.
///
/// # Errors
/// The system's, when there is no free descriptor.
pub(crate) fn above_standard<F: Into<OwnedFd> + From<OwnedFd>>(descriptor: F) -> io::Result<F> {
    let low: OwnedFd = descriptor.into();
    if low.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(low.into());
    }
    // SAFETY: a new descriptor, which nobody else has.
    unsafe {
        match libc::fcntl(low.as_raw_fd(), libc::F_DUPFD_CLOEXEC, libc::STDERR_FILENO + 1) {
            -1 => Err(io::Error::last_os_error()),
            above => Ok(OwnedFd::from_raw_fd(above).into()),
        }
    }
}

/// Gives each of the three standard streams that is closed a descriptor that nothing can be written to, so that no file that
/// is opened next gets its number.
///
/// SQLite opens the file, closes it again, and puts `/dev/null` in the way only then: that close drops every lock that the
/// process has on the database.
pub(crate) fn take_the_places() {
    for stream in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        // SAFETY: any number may be asked for; the paths are NUL-terminated, and the descriptor is left open on purpose.
        unsafe {
            let closed = libc::fcntl(stream, libc::F_GETFD) == -1;
            // The root directory is there where a jail has no devices.
            if closed && libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY) == -1 {
                libc::open(c"/".as_ptr(), libc::O_RDONLY);
            }
        }
    }
}
