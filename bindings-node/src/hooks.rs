//! What a connection tells while it works: rows that change, commits, rollbacks.
//!
//! The callbacks run inside SQLite's own call, which the connection's JavaScript thread made. Calls by another owner of
//! a shared connection, on another thread, are not told: no JavaScript may run there.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use napi::sys;
use rusqlite::ffi as sqlite;

use crate::connection::call::{Call, native_exports};
use crate::connection::token::Attachment;
use crate::js::function::Function;
use crate::js::scope::{self, Home, Scope};
use crate::js::value;

native_exports! {
    held {
        c"setHooks" => set,
    }
}

struct Callback {
    home: Home,
    function: Function,
    safe_integers: bool,
}

impl Callback {
    /// Calls the function if JavaScript may run here and now; false when it threw, before or now.
    fn call(&self, arguments: impl FnOnce(sys::napi_env) -> Vec<sys::napi_value>) -> bool {
        let env = self.home.env();
        if env.is_null() {
            return true;
        }
        if scope::exception_pending(env) {
            return false;
        }
        let Some(_scope) = Scope::open(env) else { return false };
        self.function.is_gone(env) || self.function.call(env, &arguments(env)).is_some()
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        self.function.release(self.home.env());
    }
}

/// The callbacks of one owner of a connection.
struct Owner {
    number: u64,
    update: Option<Callback>,
    commit: Option<Callback>,
    rollback: Option<Callback>,
}

// SAFETY: the callbacks are called and released in their own thread only, which they see to themselves.
unsafe impl Send for Owner {}
// SAFETY: as above.
unsafe impl Sync for Owner {}

/// SQLite has one hook of each kind for a connection, and a shared connection several owners: what its hooks get.
/// Changed only by who holds the connection.
#[derive(Default)]
struct Hub {
    owners: Mutex<Vec<Arc<Owner>>>,
}

impl Hub {
    /// A copy: what is called may not change the list, but it costs little to be sure.
    fn owners(&self) -> Vec<Arc<Owner>> {
        self.owners.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// # Safety
    /// `db` is open and held.
    unsafe fn change(db: *mut sqlite::sqlite3, change: impl FnOnce(&mut Vec<Arc<Owner>>)) {
        let mut hubs = HUBS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let hub = hubs.entry(db as usize).or_default().clone();
        let mut owners = hub.owners();
        change(&mut owners);
        let any = |wanted: fn(&Owner) -> bool| owners.iter().any(|owner| wanted(owner));
        let update = any(|owner| owner.update.is_some());
        // Without a commit hook, what an update hook throws could not undo the statement.
        let commit = update || any(|owner| owner.commit.is_some());
        let rollback = any(|owner| owner.rollback.is_some());
        let context: *mut c_void = Arc::as_ptr(&hub).cast_mut().cast();
        // SAFETY: the table keeps the hub until it has no owner, and with that no hook, any more.
        unsafe {
            sqlite::sqlite3_update_hook(db, update.then_some(on_update as _), context);
            sqlite::sqlite3_commit_hook(db, commit.then_some(on_commit as _), context);
            sqlite::sqlite3_rollback_hook(db, rollback.then_some(on_rollback as _), context);
        }
        if owners.is_empty() {
            hubs.remove(&(db as usize));
        }
        drop(hubs);
        // The callbacks that are gone are released when nothing is locked.
        let before = std::mem::replace(&mut *hub.owners.lock().unwrap_or_else(|p| p.into_inner()), owners);
        drop(before);
    }
}

/// By the connection's address.
static HUBS: Mutex<BTreeMap<usize, Arc<Hub>>> = Mutex::new(BTreeMap::new());
static LAST: AtomicU64 = AtomicU64::new(0);

/// What one owner's callbacks are found by.
struct Registered {
    db: *mut sqlite::sqlite3,
    number: u64,
}

impl Attachment for Registered {
    fn release(&self) {
        // SAFETY: called while the connection is still open, and held.
        unsafe { Hub::change(self.db, |owners| owners.retain(|owner| owner.number != self.number)) };
    }
}

/// `(token, safeIntegers, update | null, commit | null, rollback | null)`: replaces all three.
unsafe fn set(call: &Call) -> Option<sys::napi_value> {
    let token = call.open_token()?;
    let db = token.db();
    token.may_call_js.set(true);
    let callback = |at: usize| {
        let function = call.callback(at)?;
        Some(Callback { home: Home::of(call.env), function, safe_integers: call.flag(1) })
    };
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    let owner = Owner { number, update: callback(2), commit: callback(3), rollback: callback(4) };
    token.end_attachments::<Registered>();
    // SAFETY: open, and held during the call.
    unsafe { Hub::change(db, |owners| owners.push(Arc::new(owner))) };
    token.attach(Rc::new(Registered { db, number }));
    None
}

/// # Safety
/// `context` is a hub that hooks were set with.
unsafe fn owners(context: *mut c_void) -> Vec<Arc<Owner>> {
    // SAFETY: the hub lives as long as the hooks.
    unsafe { &*context.cast_const().cast::<Hub>() }.owners()
}

unsafe extern "C" fn on_update(
    context: *mut c_void,
    operation: c_int,
    database: *const c_char,
    table: *const c_char,
    rowid: i64,
) {
    // SAFETY: as SQLite calls its hooks.
    for owner in unsafe { owners(context) } {
        let Some(callback) = &owner.update else { continue };
        // SAFETY: the names are SQLite's for this call.
        callback.call(|env| unsafe {
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
    // SAFETY: as SQLite calls its hooks.
    let refused = unsafe { owners(context) }.iter().any(|owner| match (&owner.commit, &owner.update) {
        (Some(commit), _) => !commit.call(|_| Vec::new()),
        (None, Some(update)) => !update.home.env().is_null() && scope::exception_pending(update.home.env()),
        (None, None) => false,
    });
    c_int::from(refused)
}

unsafe extern "C" fn on_rollback(context: *mut c_void) {
    // SAFETY: as SQLite calls its hooks.
    for owner in unsafe { owners(context) } {
        let Some(callback) = &owner.rollback else { continue };
        let env = callback.home.env();
        if env.is_null() {
            continue;
        }
        // A commit that was refused by an exception rolls back while that waits: it is put aside for this call.
        let Some(_scope) = Scope::open(env) else { return };
        // SAFETY: the environment's own thread; the exception is a handle of the scope above.
        unsafe {
            let mut waiting = ptr::null_mut();
            if scope::exception_pending(env) {
                sys::napi_get_and_clear_last_exception(env, &mut waiting);
            }
            callback.call(|_| Vec::new());
            if !waiting.is_null() {
                let mut later = ptr::null_mut();
                sys::napi_get_and_clear_last_exception(env, &mut later);
                sys::napi_throw(env, waiting);
            }
        }
    }
}
