//! What a running statement looks at now and then, waiting for a lock or not: whether its thread is to end, and whether its
//! time is up.
//!
//! Node stops a worker only when native code has returned, and runs clean-up hooks after that, so nobody can tell a
//! long statement to stop but itself. N-API refuses every call from the moment of `worker.terminate()` on: asking for
//! something small tells.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::time::Duration;

use litekeel_core::{CallLimit, ProgressFn, deadline_has_passed, end_waits_when, limit_calls};
use napi::sys;
use rusqlite::ffi as sqlite;

use crate::connection::at_exit;
use crate::connection::call::{Call, native_exports};
use crate::connection::open_tokens;
use crate::connection::token::{Attachment, Token};
use crate::js::scope::{self, Scope};

/// Virtual machine instructions between two looks at an untuned connection, some 100 µs; as in the core.
const INSTRUCTIONS: c_int = 10_000;
/// Asking the environment takes about 2 µs: it is done once in so many looks, about every millisecond.
const ASKED_ONCE_IN: u32 = 10;

native_exports! {
    c"beginLimit" => begin,
    c"endLimit" => end,
}

thread_local! {
    /// The limits that `lib/` has begun, innermost last.
    static LIMITS: RefCell<Vec<CallLimit>> = const { RefCell::new(Vec::new()) };
}

/// `(milliseconds)`: what this thread does from now on is limited, until `endLimit`.
unsafe fn begin(call: &Call) -> Option<sys::napi_value> {
    let mut milliseconds = 0.0;
    // SAFETY: anything but a number leaves the local as it is.
    unsafe { sys::napi_get_value_double(call.env, call.args[0], &mut milliseconds) };
    let timeout = Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or_default();
    LIMITS.with_borrow_mut(|limits| limits.push(limit_calls(timeout)));
    None
}

/// `()` → whether the time was up
unsafe fn end(call: &Call) -> Option<sys::napi_value> {
    let passed = deadline_has_passed();
    drop(LIMITS.with_borrow_mut(Vec::pop));
    let mut out = ptr::null_mut();
    // SAFETY: writes a handle of the running call.
    unsafe { sys::napi_get_boolean(call.env, passed, &mut out) };
    Some(out)
}

/// An environment, asked by the thread that it belongs to; null once the connection is no longer this environment's.
struct Home {
    env: AtomicPtr<sys::napi_env__>,
    thread: usize,
    looks: AtomicU32,
}

impl Home {
    /// Whether JavaScript can no longer run here, asked now and then.
    fn ending(&self) -> bool {
        if !self.looks.fetch_add(1, Ordering::Relaxed).is_multiple_of(ASKED_ONCE_IN) {
            return false;
        }
        // Another owner of a shared connection runs on a thread of its own.
        if open_tokens::this_thread() != self.thread || crate::js::exiting::exiting() {
            return false;
        }
        let env = self.env.load(Ordering::Relaxed);
        !env.is_null() && is_ending(env)
    }
}

/// Whether JavaScript can no longer run in an environment of this thread.
fn is_ending(env: sys::napi_env) -> bool {
    let Some(_scope) = Scope::open(env) else { return true };
    let (mut global, mut has) = (ptr::null_mut(), false);
    // SAFETY: the environment's own thread; handles of the scope above.
    let status = unsafe {
        sys::napi_get_global(env, &mut global);
        sys::napi_has_named_property(env, global, c"Object".as_ptr(), &mut has)
    };
    if status == sys::Status::napi_ok {
        return false;
    }
    // An exception that waits looks the same, and a statement in a transaction must not be interrupted for it.
    let mut pending = false;
    // SAFETY: as above.
    unsafe { sys::napi_is_exception_pending(env, &mut pending) };
    !pending
}

/// Lets no wait for a lock hold up the end of this thread: those of tuned connections ask [`waits_in_vain`], and SQLite's own
/// busy handler sleeps in a VFS that does.
pub(crate) fn end_waits_with_thread() {
    end_waits_when(waits_in_vain);
}

fn waits_in_vain() -> bool {
    if crate::js::exiting::exiting() || !scope::any_here(is_ending) {
        return false;
    }
    // SQLite's own busy handler takes no answer from its sleep, and looks at its connection's timeout each time.
    at_exit::each_plain_here(|db| {
        // SAFETY: open, and this thread's alone; SQLite allows it from within a busy handler, which this may be called by.
        unsafe { sqlite::sqlite3_busy_timeout(db, 0) };
    });
    true
}

/// Ends the looking when the connection closes, or is another owner's alone.
struct Looking {
    /// The connection that has a handler of ours; null if the core has it.
    db: *mut sqlite::sqlite3,
    home: Arc<Home>,
    /// What the core asks as long as it is here.
    _hook: Option<ProgressFn>,
}

impl Attachment for Looking {
    fn release(&self) {
        self.home.env.store(ptr::null_mut(), Ordering::Relaxed);
        if !self.db.is_null() {
            // SAFETY: called while the connection is still open.
            unsafe { sqlite::sqlite3_progress_handler(self.db, 0, None, ptr::null_mut()) };
        }
    }
}

unsafe extern "C" fn on_progress(home: *mut c_void) -> c_int {
    // SAFETY: the attachment owns it, and takes the handler away before it goes.
    let home = unsafe { &*home.cast::<Home>() };
    c_int::from(deadline_has_passed() || home.ending())
}

/// Makes every statement of the connection look.
pub(crate) fn install(env: sys::napi_env, token: &Token) {
    let thread = open_tokens::this_thread();
    let home = Arc::new(Home { env: AtomicPtr::new(env), thread, looks: AtomicU32::new(1) });
    let (mut db, mut hook) = (ptr::null_mut(), None);
    if let Some(connection) = token.core() {
        let home = home.clone();
        let asked: ProgressFn = Arc::new(move || home.ending());
        // A connection that is closed already runs nothing.
        let _ = connection.add_progress(&asked);
        hook = Some(asked);
    } else {
        db = token.db();
        let context: *mut c_void = Arc::as_ptr(&home).cast_mut().cast();
        // SAFETY: open; the attachment keeps the context alive.
        unsafe { sqlite::sqlite3_progress_handler(db, INSTRUCTIONS, Some(on_progress), context) };
    }
    token.attach(Rc::new(Looking { db, home, _hook: hook }));
}
