//! A lock that SQLite gives back to take it in another way at once: its books change in two steps, the kernel's lock in one call,
//! since the release between the two is not passed on.
//!
//! SQLite's unix VFS counts the locks of this process by itself, under a mutex, and asks the kernel where the count comes
//! from or goes to zero. So a lock that the kernel still holds while the books have nobody for it is in no connection's way
//! here, only in that of other processes; whoever of this process takes it next asks the kernel again, and whoever then gives
//! it back does so for all. Who leaves one behind sees to it that one of the two comes.

use std::cell::Cell;
use std::ffi::c_int;

use crate::vfs::system_calls::{self, SystemCall};

// SAFETY: the type is that of SQLite's table.
static FCNTL: SystemCall<system_calls::Fcntl> = unsafe { SystemCall::new(c"fcntl") };

/// Where a function that takes three arguments may stand in the place of a variadic one: the third is in a register for both.
const CALLS_ALIKE: bool = cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")));

thread_local!(static LEAVES_BEHIND: Cell<bool> = const { Cell::new(false) });

/// Once per process, before the first open.
pub(crate) fn install() {
    if CALLS_ALIKE && FCNTL.find() {
        // SAFETY: see `CALLS_ALIKE`.
        FCNTL.replace(unsafe {
            std::mem::transmute::<unsafe extern "C" fn(c_int, c_int, usize) -> c_int, system_calls::Fcntl>(on_fcntl)
        });
    }
}

/// Whether a release can be left out.
pub(super) fn is_possible() -> bool {
    CALLS_ALIKE && FCNTL.is_found()
}

/// Runs a release of SQLite's, which changes its books alone.
pub(super) fn in_the_books<T>(release: impl FnOnce() -> T) -> T {
    LEAVES_BEHIND.set(true);
    let done = release();
    LEAVES_BEHIND.set(false);
    done
}

unsafe extern "C" fn on_fcntl(fd: c_int, command: c_int, argument: usize) -> c_int {
    if command == libc::F_SETLK && LEAVES_BEHIND.get() {
        // SAFETY: what SQLite gives with this command.
        let lock = unsafe { &*(argument as *const libc::flock) };
        if lock.l_type == libc::F_UNLCK as i16 {
            return 0;
        }
    }
    // SAFETY: this function stands in its place, and hands on what it was given.
    unsafe { FCNTL.original()(fd, command, argument) }
}
