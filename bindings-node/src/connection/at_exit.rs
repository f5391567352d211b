//! Closing what is still open when the process ends.
//!
//! Node runs no finalizer on `process.exit()` or an uncaught error, and an open connection would leave its `-wal`
//! behind. libc's `atexit` runs in all of these cases.

use std::collections::HashMap;
use std::sync::{Mutex, Once};

use napi::sys;
use rusqlite::ffi as sqlite;

use crate::connection::call::{Call, native_exports};
use crate::connection::token::Token;
use crate::js::exiting;

static REGISTER: Once = Once::new();
/// The core's own handler comes with the first tuned connection, and ours has to run before it, which means to be
/// registered after it: statements are finalised, and nothing that the core closes may call into Node.
static REGISTER_TUNED: Once = Once::new();

/// Open connections by the address of their token.
static OPEN: Mutex<Option<HashMap<usize, Owner>>> = Mutex::new(None);

/// Whose connection it is: no other thread may touch it, and no forked child close it.
#[derive(PartialEq, Clone, Copy)]
struct Owner {
    thread: usize,
    process: libc::pid_t,
}

impl Owner {
    fn here() -> Owner {
        // SAFETY: only reads who is calling.
        Owner { thread: this_thread(), process: unsafe { libc::getpid() } }
    }
}

/// The calling thread, as a number: in musl the system's own name for it is a pointer. Asked for after a thread's local
/// data is gone, too, when Rust's name for it is.
pub(crate) fn this_thread() -> usize {
    // SAFETY: only reads who is calling.
    unsafe { libc::pthread_self() as usize }
}

#[cfg(target_os = "linux")]
unsafe extern "C" {
    /// Of the C library; not among the `libc` crate's.
    fn at_quick_exit(function: extern "C" fn()) -> std::ffi::c_int;
}

native_exports! {
    c"closeWithEnvironment" => close_with_environment,
}

/// `()`: closes what this environment leaves open when it ends. For Bun, which finalizes nothing then.
unsafe fn close_with_environment(call: &Call) -> Option<sys::napi_value> {
    // Node aborts when the same hook with the same argument comes again; a thread that has loaded the module twice has
    // two environments.
    if !call.environment().closes_with_it.replace(true) {
        // SAFETY: a static function, which does not use its argument.
        unsafe { sys::napi_add_env_cleanup_hook(call.env, Some(end_environment), call.env.cast()) };
    }
    None
}

unsafe extern "C" fn end_environment(_: *mut std::ffi::c_void) {
    for token in take_mine().unwrap_or_default() {
        // SAFETY: a token removes itself before it is freed, and belongs to this very thread.
        let token = unsafe { &*(token as *const Token) };
        if !token.is_running() {
            token.abandon_with_environment();
        }
    }
}

/// To be closed at exit unless `forget` comes first.
pub(crate) fn remember(token: *const Token, tuned: bool) {
    let register = if tuned { &REGISTER_TUNED } else { &REGISTER };
    register.call_once(|| {
        // Node unloads an addon that only a worker loaded; the handler would then point at nothing.
        // SAFETY: asks for the file that holds `close_all` and pins it; a failure leaves things as they were.
        unsafe {
            let mut here: libc::Dl_info = std::mem::zeroed();
            if libc::dladdr(close_all as *const libc::c_void, &mut here) != 0 {
                libc::dlopen(here.dli_fname, libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
            }
            libc::atexit(close_all);
            // Bun ends by `quick_exit`, which calls none of the others.
            #[cfg(target_os = "linux")]
            at_quick_exit(close_all);
        }
    });
    if let Ok(mut open) = OPEN.lock() {
        open.get_or_insert_default().insert(token as usize, Owner::here());
    }
}

/// The connection has closed.
pub(crate) fn forget(token: *const Token) {
    if let Ok(mut open) = OPEN.lock()
        && let Some(open) = open.as_mut()
    {
        open.remove(&(token as usize));
    }
}

/// Calls `with` for each untuned connection of this thread that is open.
pub(crate) fn each_plain_here(with: impl Fn(*mut sqlite::sqlite3)) {
    let here = Owner::here();
    // `try_lock`: another thread's opening or closing is no reason to wait; the caller comes again.
    let Ok(open) = OPEN.try_lock() else { return };
    for (token, _) in open.iter().flatten().filter(|(_, owner)| **owner == here) {
        // SAFETY: a token removes itself before it is freed, and belongs to this very thread.
        let token = unsafe { &*(*token as *const Token) };
        if token.core().is_none() && !token.db().is_null() {
            with(token.db());
        }
    }
}

/// The open connections of this thread, taken off the list; `None` where somebody else holds that.
fn take_mine() -> Option<Vec<usize>> {
    let here = Owner::here();
    // `try_lock`: a worker that was stopped in the middle must not hang the exit.
    let mut open = OPEN.try_lock().ok()?;
    let open = open.get_or_insert_default();
    let mine: Vec<usize> = open.iter().filter(|(_, owner)| **owner == here).map(|(token, _)| *token).collect();
    for token in &mine {
        open.remove(token);
    }
    Some(mine)
}

extern "C" fn close_all() {
    exiting::begin();
    for token in take_mine().unwrap_or_default() {
        // SAFETY: a token removes itself before it is freed, and belongs to this very thread.
        let token = unsafe { &*(token as *const Token) };
        // `process.exit()` inside a function that SQLite called: that statement cannot be ended from within.
        if !token.is_running() {
            token.abandon();
        }
    }
}
