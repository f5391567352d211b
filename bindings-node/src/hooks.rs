//! What a connection tells while it works: rows that change, commits, rollbacks.
//!
//! The callbacks run inside SQLite's own call, which the connection's JavaScript thread made. Calls by another owner of
//! a shared connection, on another thread, are not told: no JavaScript may run there.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::rc::Rc;

use napi::sys;
use rusqlite::ffi as sqlite;

use crate::extension::value::{self, Scope};
use crate::extension::{Attachment, Call, native_exports};

native_exports! {
    held {
        c"setHooks" => set,
    }
}

struct Callback {
    env: sys::napi_env,
    thread: libc::pthread_t,
    function: sys::napi_ref,
    safe_integers: bool,
}

impl Callback {
    /// Calls the function if JavaScript may run here and now; false when it threw, before or now.
    fn call(&self, arguments: impl FnOnce(sys::napi_env) -> Vec<sys::napi_value>) -> bool {
        // SAFETY: reads who is calling.
        if unsafe { libc::pthread_self() } != self.thread {
            return true;
        }
        if value::exception_pending(self.env) {
            return false;
        }
        let Some(_scope) = Scope::open(self.env) else { return false };
        value::call(self.env, self.function, &arguments(self.env)).is_some()
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        value::release(self.env, self.function);
    }
}

/// The callbacks of one connection.
struct Hooks {
    db: *mut sqlite::sqlite3,
    update: Option<Box<Callback>>,
    commit: Option<Box<Callback>>,
    rollback: Option<Box<Callback>>,
}

struct Registered(RefCell<Hooks>);

impl Attachment for Registered {
    fn release(&self) {
        let mut hooks = self.0.borrow_mut();
        // SAFETY: called while the connection is still open.
        unsafe {
            sqlite::sqlite3_update_hook(hooks.db, None, ptr::null_mut());
            sqlite::sqlite3_commit_hook(hooks.db, None, ptr::null_mut());
            sqlite::sqlite3_rollback_hook(hooks.db, None, ptr::null_mut());
        }
        (hooks.update, hooks.commit, hooks.rollback) = (None, None, None);
    }
}

/// `(token, safeIntegers, update | null, commit | null, rollback | null)`: replaces all three.
unsafe fn set(call: &Call) -> Option<sys::napi_value> {
    let db = call.connection()?;
    let token = call.token()?;
    token.extended.set(true);
    let callback = |at: usize| {
        let function = value::reference(call.env, call.function(at)?)?;
        // SAFETY: reads who is calling.
        let thread = unsafe { libc::pthread_self() };
        Some(Box::new(Callback { env: call.env, thread, function, safe_integers: call.flag(1) }))
    };
    let hooks = Hooks { db, update: callback(2), commit: callback(3), rollback: callback(4) };
    fn context(callback: &Option<Box<Callback>>) -> *mut c_void {
        callback.as_deref().map_or(ptr::null_mut(), |callback| ptr::from_ref(callback).cast_mut().cast())
    }
    // SAFETY: the boxes stay where they are until `release`, or until the next call has replaced them.
    unsafe {
        let update = hooks.update.as_ref().map(|_| on_update as _);
        sqlite::sqlite3_update_hook(db, update, context(&hooks.update));
        // Without a commit hook, what an update hook throws could not undo the statement.
        let either = if hooks.commit.is_some() { &hooks.commit } else { &hooks.update };
        let commit: unsafe extern "C" fn(*mut c_void) -> c_int =
            if hooks.commit.is_some() { on_commit } else { on_commit_after_update };
        sqlite::sqlite3_commit_hook(db, either.as_ref().map(|_| commit), context(either));
        sqlite::sqlite3_rollback_hook(db, hooks.rollback.as_ref().map(|_| on_rollback as _), context(&hooks.rollback));
    }
    token.attach_instead(Rc::new(Registered(RefCell::new(hooks))));
    None
}

unsafe extern "C" fn on_update(
    context: *mut c_void,
    operation: c_int,
    database: *const c_char,
    table: *const c_char,
    rowid: i64,
) {
    // SAFETY: the context is a live `Callback`; the names are SQLite's for this call.
    unsafe {
        let callback = &*context.cast::<Callback>();
        callback.call(|env| {
            let operation: &[u8] = match operation {
                sqlite::SQLITE_INSERT => b"insert",
                sqlite::SQLITE_DELETE => b"delete",
                _ => b"update",
            };
            let mut id = ptr::null_mut();
            if callback.safe_integers {
                sys::napi_create_bigint_int64(env, rowid, &mut id);
            } else {
                sys::napi_create_double(env, rowid as f64, &mut id);
            }
            let text = |text| value::string(env, CStr::from_ptr(text).to_bytes());
            vec![value::string(env, operation), text(database), text(table), id]
        });
    }
}

/// Anything but zero turns the commit into a rollback.
unsafe extern "C" fn on_commit(context: *mut c_void) -> c_int {
    // SAFETY: the context is a live `Callback`.
    c_int::from(!unsafe { &*context.cast::<Callback>() }.call(|_| Vec::new()))
}

unsafe extern "C" fn on_commit_after_update(context: *mut c_void) -> c_int {
    // SAFETY: the context is a live `Callback`.
    let callback = unsafe { &*context.cast::<Callback>() };
    // SAFETY: reads who is calling.
    let here = unsafe { libc::pthread_self() } == callback.thread;
    c_int::from(here && value::exception_pending(callback.env))
}

unsafe extern "C" fn on_rollback(context: *mut c_void) {
    // SAFETY: the context is a live `Callback`; the exception is a handle of the scope around it.
    unsafe {
        let callback = &*context.cast::<Callback>();
        if libc::pthread_self() != callback.thread {
            return;
        }
        // A commit that was refused by an exception rolls back while that waits: it is put aside for this call.
        let Some(_scope) = Scope::open(callback.env) else { return };
        let mut waiting = ptr::null_mut();
        if value::exception_pending(callback.env) {
            sys::napi_get_and_clear_last_exception(callback.env, &mut waiting);
        }
        callback.call(|_| Vec::new());
        if !waiting.is_null() {
            let mut later = ptr::null_mut();
            sys::napi_get_and_clear_last_exception(callback.env, &mut later);
            sys::napi_throw(callback.env, waiting);
        }
    }
}
