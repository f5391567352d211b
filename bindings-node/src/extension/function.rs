//! JavaScript functions as SQL functions: scalar, aggregate and window.
//!
//! A callback that throws leaves its exception pending in the environment and fails the statement; whoever stepped
//! the statement sees the pending exception and lets it through, so the very value that was thrown arrives.

use std::ffi::{c_int, c_void};

use napi::sys;
use rusqlite::ffi as sqlite;

use crate::js::function::Function;
use crate::js::scope::{self, Home, Scope};
use crate::js::value::{self, Origin};

/// What an aggregate has beside its `step`.
pub(super) struct Aggregate {
    /// Of a window function.
    pub(super) inverse: Option<Function>,
    /// Gives the value of an accumulator; called with `(slot, final)`.
    pub(super) value: Function,
    /// Forgets accumulators whose query died while an exception was pending; called with `(slot)`.
    pub(super) drop: Function,
}

/// One registered function. SQLite owns it and frees it through [`destroy`].
struct Callback {
    home: Home,
    /// The scalar function, or an aggregate's `step`.
    step: Function,
    aggregate: Option<Aggregate>,
    next_slot: u32,
    orphans: Vec<u32>,
    safe_integers: bool,
    origin: String,
}

impl Drop for Callback {
    fn drop(&mut self) {
        let env = self.home.env();
        self.step.release(env);
        let Some(Aggregate { inverse, value, drop }) = &self.aggregate else { return };
        for function in inverse.iter().chain([value, drop]) {
            function.release(env);
        }
    }
}

/// What to register.
pub(super) struct Definition {
    pub(super) name: std::ffi::CString,
    /// Number of arguments, −1 for any.
    pub(super) arity: c_int,
    pub(super) flags: c_int,
    pub(super) safe_integers: bool,
    /// The scalar function, or an aggregate's `step`.
    pub(super) step: Function,
    pub(super) aggregate: Option<Aggregate>,
}

/// Registers a function; SQLite's result code. An existing one of the same name and arity is replaced.
///
/// # Safety
/// `db` is open and belongs to the calling JavaScript thread.
pub(super) unsafe fn register(env: sys::napi_env, db: *mut sqlite::sqlite3, definition: Definition) -> c_int {
    let window = definition.aggregate.as_ref().map(|aggregate| aggregate.inverse.is_some());
    let callback = Box::new(Callback {
        home: Home::of(env),
        step: definition.step,
        aggregate: definition.aggregate,
        next_slot: 1,
        orphans: Vec::new(),
        safe_integers: definition.safe_integers,
        origin: format!("User-defined function {}() returned", definition.name.to_string_lossy()),
    });
    let name = definition.name.as_ptr();
    let flags = sqlite::SQLITE_UTF8 | definition.flags;
    // SAFETY: SQLite takes ownership of the box and calls `destroy` exactly once, on failure too.
    unsafe {
        match window {
            None => sqlite::sqlite3_create_function_v2(
                db,
                name,
                definition.arity,
                flags,
                Box::into_raw(callback).cast(),
                Some(scalar),
                None,
                None,
                Some(destroy),
            ),
            Some(window) => sqlite::sqlite3_create_window_function(
                db,
                name,
                definition.arity,
                flags,
                Box::into_raw(callback).cast(),
                Some(step),
                Some(finish),
                if window { Some(current) } else { None },
                if window { Some(inverse_step) } else { None },
                Some(destroy),
            ),
        }
    }
}

unsafe extern "C" fn destroy(user: *mut c_void) {
    // SAFETY: `user` is the box given to SQLite by `register`; SQLite calls this once.
    drop(unsafe { Box::from_raw(user.cast::<Callback>()) });
}

unsafe extern "C" fn scalar(context: *mut sqlite::sqlite3_context, argc: c_int, argv: *mut *mut sqlite::sqlite3_value) {
    // SAFETY: user data is the box of `register`, alive while the function is registered; the references in it are
    // copied out before JavaScript runs, which may replace this very function only when no statement is running.
    unsafe {
        let callback = &*sqlite::sqlite3_user_data(context).cast::<Callback>();
        let env = callback.home.env();
        if scope::exception_pending(env) {
            return value::fail(context);
        }
        let Some(_scope) = Scope::open(env) else { return value::fail(context) };
        let done = value::arguments(env, None, argc, argv, callback.safe_integers)
            .and_then(|args| callback.step.call(env, &args))
            .is_some_and(|result| value::set_result(env, context, result, &Origin(&callback.origin)));
        if !done {
            value::fail(context);
        }
    }
}

/// An aggregate's memory in SQLite, zeroed at first use. The accumulated value itself lives in JavaScript under
/// `slot`, since N-API 9 has no references to primitive values.
#[repr(C)]
struct Accumulator {
    slot: u32,
    window: bool,
}

/// The accumulator of this invocation, or null when SQLite is out of memory.
///
/// # Safety
/// `context` belongs to the aggregate callback that is running and `callback` is its user data.
unsafe fn accumulator(context: *mut sqlite::sqlite3_context, callback: *mut Callback) -> *mut Accumulator {
    // SAFETY: SQLite returns zeroed memory of this size, which is a valid `Accumulator`.
    unsafe {
        let acc = sqlite::sqlite3_aggregate_context(context, size_of::<Accumulator>() as c_int).cast::<Accumulator>();
        if !acc.is_null() && (*acc).slot == 0 {
            (*acc).slot = (*callback).next_slot;
            (*callback).next_slot = (*callback).next_slot.checked_add(1).unwrap_or(1);
        }
        acc
    }
}

unsafe extern "C" fn step(context: *mut sqlite::sqlite3_context, argc: c_int, argv: *mut *mut sqlite::sqlite3_value) {
    // SAFETY: forwarded unchanged from SQLite.
    unsafe { advance(context, argc, argv, false) }
}

unsafe extern "C" fn inverse_step(
    context: *mut sqlite::sqlite3_context,
    argc: c_int,
    argv: *mut *mut sqlite::sqlite3_value,
) {
    // SAFETY: forwarded unchanged from SQLite.
    unsafe { advance(context, argc, argv, true) }
}

/// # Safety
/// Called by SQLite with the arguments of a running aggregate.
unsafe fn advance(
    context: *mut sqlite::sqlite3_context,
    argc: c_int,
    argv: *mut *mut sqlite::sqlite3_value,
    inverse: bool,
) {
    // SAFETY: as in `scalar`; the box is reached through a raw pointer because JavaScript may re-enter it.
    unsafe {
        let callback = sqlite::sqlite3_user_data(context).cast::<Callback>();
        let env = (*callback).home.env();
        let acc = accumulator(context, callback);
        if acc.is_null() {
            return sqlite::sqlite3_result_error_nomem(context);
        }
        if scope::exception_pending(env) {
            return value::fail(context);
        }
        let Some(_scope) = Scope::open(env) else { return value::fail(context) };
        let slot = value::number(env, f64::from((*acc).slot));
        let aggregate = (*callback).aggregate.as_ref();
        let function = if inverse { aggregate.and_then(|it| it.inverse.as_ref()) } else { Some(&(*callback).step) };
        let done = value::arguments(env, Some(slot), argc, argv, (*callback).safe_integers)
            .and_then(|args| function?.call(env, &args));
        if done.is_none() {
            value::fail(context);
        }
    }
}

unsafe extern "C" fn current(context: *mut sqlite::sqlite3_context) {
    // SAFETY: forwarded unchanged from SQLite.
    unsafe { conclude(context, false) }
}

unsafe extern "C" fn finish(context: *mut sqlite::sqlite3_context) {
    // SAFETY: forwarded unchanged from SQLite.
    unsafe { conclude(context, true) }
}

/// # Safety
/// Called by SQLite for a running aggregate.
unsafe fn conclude(context: *mut sqlite::sqlite3_context, last: bool) {
    // SAFETY: as in `advance`.
    unsafe {
        let callback = sqlite::sqlite3_user_data(context).cast::<Callback>();
        let env = (*callback).home.env();
        let acc = accumulator(context, callback);
        if acc.is_null() {
            return sqlite::sqlite3_result_error_nomem(context);
        }
        let slot = (*acc).slot;
        if scope::exception_pending(env) {
            // JavaScript cannot be called now: what this accumulator holds is forgotten at the next chance.
            if last {
                (*callback).orphans.push(slot);
            }
            return value::fail(context);
        }
        let Some(_scope) = Scope::open(env) else { return value::fail(context) };
        let Some(aggregate) = (*callback).aggregate.as_ref() else { return value::fail(context) };
        while let Some(orphan) = (*callback).orphans.pop() {
            aggregate.drop.call(env, &[value::number(env, f64::from(orphan))]);
        }
        if last && (*acc).window {
            // Every value of a window was delivered by `current`.
            aggregate.drop.call(env, &[value::number(env, f64::from(slot))]);
            return;
        }
        (*acc).window = !last;
        let mut is_last = std::ptr::null_mut();
        sys::napi_get_boolean(env, last, &mut is_last);
        let done = aggregate
            .value
            .call(env, &[value::number(env, f64::from(slot)), is_last])
            .is_some_and(|result| value::set_result(env, context, result, &Origin(&(*callback).origin)));
        if !done {
            value::fail(context);
        }
    }
}
