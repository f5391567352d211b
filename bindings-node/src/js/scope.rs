//! Which environments this thread runs the JavaScript of, and the scopes that handles live in.

use std::cell::RefCell;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use napi::sys;

/// An open handle scope: SQLite may call back a million times inside one native call, whose own scope would
/// otherwise keep every value alive until it ends.
pub(crate) struct Scope {
    env: sys::napi_env,
    scope: sys::napi_handle_scope,
}

impl Scope {
    /// `None` when the environment can no longer run JavaScript, or not in this thread.
    pub(crate) fn open(env: sys::napi_env) -> Option<Scope> {
        if !is_here(env) {
            return None;
        }
        let mut scope = ptr::null_mut();
        // SAFETY: `env` is the environment of the JavaScript thread that runs the statement.
        let status = unsafe { sys::napi_open_handle_scope(env, &mut scope) };
        (status == sys::Status::napi_ok).then_some(Scope { env, scope })
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        // SAFETY: opened by `open` in the same environment, closed in reverse order by Rust's own scoping.
        unsafe { sys::napi_close_handle_scope(self.env, self.scope) };
    }
}

thread_local! {
    /// The environments of this thread.
    static HERE: RefCell<Vec<Home>> = const { RefCell::new(Vec::new()) };
}
static LAST: AtomicU64 = AtomicU64::new(0);

/// Makes this thread the one that runs the environment's JavaScript.
pub(crate) fn settle_here(env: sys::napi_env) {
    let home = Home { env, number: LAST.fetch_add(1, Ordering::Relaxed) };
    HERE.with_borrow_mut(|here| here.push(home));
}

/// The environment has ended.
pub(crate) fn leave(env: sys::napi_env) {
    let _ = HERE.try_with(|here| here.borrow_mut().retain(|other| other.env != env));
}

/// The environment that a callback belongs to, which it may outlive on a shared connection: another environment can be
/// at the same address by then, and another thread have the same number.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Home {
    env: sys::napi_env,
    number: u64,
}

impl Home {
    /// Of an environment of this thread.
    pub(crate) fn of(env: sys::napi_env) -> Home {
        let found = HERE.try_with(|here| here.borrow().iter().find(|home| home.env == env).copied());
        found.ok().flatten().unwrap_or(Home { env: ptr::null_mut(), number: 0 })
    }

    /// The environment, or null when this thread does not run its JavaScript: then nothing may be asked of it, and the
    /// functions of this module do not.
    #[inline]
    pub(crate) fn env(&self) -> sys::napi_env {
        let here = HERE.try_with(|here| here.borrow().contains(self)).unwrap_or(false);
        if here { self.env } else { ptr::null_mut() }
    }
}

/// Whether this thread runs the environment's JavaScript: another host of the process may use a connection, on a thread
/// of its own, that has functions of JavaScript's.
pub(super) fn is_here(env: sys::napi_env) -> bool {
    // At exit, thread-locals are gone before the last connections are.
    HERE.try_with(|here| here.borrow().iter().any(|home| home.env == env)).unwrap_or(false)
}

/// Whether `test` holds for an environment of this thread, all of which end together. It must not begin or end one.
pub(crate) fn any_here(test: impl Fn(sys::napi_env) -> bool) -> bool {
    HERE.try_with(|here| here.borrow().iter().any(|home| test(home.env))).unwrap_or(false)
}

/// Whether a JavaScript exception waits: no JavaScript may be called until it has been delivered.
pub(crate) fn exception_pending(env: sys::napi_env) -> bool {
    if !is_here(env) {
        return true;
    }
    let mut pending = false;
    // SAFETY: plain query on a live environment.
    let status = unsafe { sys::napi_is_exception_pending(env, &mut pending) };
    status != sys::Status::napi_ok || pending
}
