//! Closing what is still open when the process ends.
//!
//! Node runs no finalizer on `process.exit()` or an uncaught error, and an open connection would leave its `-wal`
//! behind. libc's `atexit` runs in all of these cases.

use std::sync::Once;

use napi::sys;
use rusqlite::ffi as sqlite;

use crate::connection::call::{Call, native_exports};
use crate::connection::open_tokens;
use crate::connection::token::Token;
use crate::js::exiting;

static REGISTER: Once = Once::new();
/// The core's own handler comes with the first tuned connection, and ours has to run before it, which means to be
/// registered after it: statements are finalised, and nothing that the core closes may call into Node.
static REGISTER_TUNED: Once = Once::new();

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
    for token in open_tokens::take_here().unwrap_or_default() {
        // SAFETY: a token removes itself before it is freed, and belongs to this very thread.
        let token = unsafe { &*(token as *const Token) };
        if !token.is_running() {
            token.abandon_with_environment();
        }
    }
}

/// To be closed at exit unless the connection closes before.
pub(super) fn remember(token: &Token) {
    let register = if token.core().is_some() { &REGISTER_TUNED } else { &REGISTER };
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
    open_tokens::remember(token.address());
}

/// Calls `with` for each untuned connection of this thread that is open.
pub(crate) fn each_plain_here(with: impl Fn(*mut sqlite::sqlite3)) {
    open_tokens::each_here(|token| {
        // SAFETY: a token removes itself before it is freed, and belongs to this very thread.
        let token = unsafe { &*(token as *const Token) };
        if token.core().is_none() && !token.db().is_null() {
            with(token.db());
        }
    });
}

extern "C" fn close_all() {
    exiting::begin();
    for token in open_tokens::take_here().unwrap_or_default() {
        // SAFETY: a token removes itself before it is freed, and belongs to this very thread.
        let token = unsafe { &*(token as *const Token) };
        // `process.exit()` inside a function that SQLite called: that statement cannot be ended from within.
        if !token.is_running() {
            token.abandon();
        }
    }
}
