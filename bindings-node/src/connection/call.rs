//! One call from JavaScript: its arguments, the connection in the first of them, and the shell that catches panics.

use std::ffi::{CStr, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;

use litekeel_core::sqlite;
use napi::sys;

use crate::connection::token::{Environment, Token};
use crate::js::external::External;
use crate::js::function::Function;
use crate::js::scope;
use crate::js::value;

/// The arguments of one call.
pub(crate) struct Call {
    pub(crate) env: sys::napi_env,
    pub(crate) args: [sys::napi_value; 9],
    environment: *const Environment,
}

impl Call {
    /// # Safety
    /// `info` belongs to the running call of a function that [`Environment::export`] made.
    pub(crate) unsafe fn of(env: sys::napi_env, info: sys::napi_callback_info) -> Call {
        let (mut args, mut data) = ([ptr::null_mut(); 9], ptr::null_mut());
        let mut count = args.len();
        // SAFETY: N-API fills missing arguments with undefined up to `count`.
        unsafe { sys::napi_get_cb_info(env, info, &mut count, args.as_mut_ptr(), ptr::null_mut(), &mut data) };
        Call { env, args, environment: data.cast_const().cast() }
    }

    /// What the connections of this JavaScript thread share.
    pub(crate) fn environment(&self) -> Rc<Environment> {
        // SAFETY: the data of every exported function is an `Rc`'s pointer, one count of which lives with the functions.
        unsafe {
            Rc::increment_strong_count(self.environment);
            Rc::from_raw(self.environment)
        }
    }

    /// The token of the open connection in the first argument; throws a TypeError otherwise.
    pub(crate) fn open_token(&self) -> Option<Rc<Token>> {
        self.token().filter(|token| !token.db().is_null()).or_else(|| {
            value::throw_type(self.env, "The database connection is not open");
            None
        })
    }

    /// The connection in the first argument, open or not.
    pub(crate) fn token(&self) -> Option<Rc<Token>> {
        External::<Token>::of(self.env, self.args[0])
    }

    /// The open connection in the first argument; throws a TypeError otherwise.
    pub(crate) fn connection(&self) -> Option<*mut sqlite::sqlite3> {
        self.open_token().map(|token| token.db())
    }

    pub(crate) fn flag(&self, at: usize) -> bool {
        let mut flag = false;
        // SAFETY: anything but a boolean leaves the local as it is.
        unsafe { sys::napi_get_value_bool(self.env, self.args[at], &mut flag) };
        flag
    }

    pub(crate) fn int(&self, at: usize) -> c_int {
        let mut number = 0;
        // SAFETY: anything but a number leaves the local as it is.
        unsafe { sys::napi_get_value_int32(self.env, self.args[at], &mut number) };
        number
    }

    pub(crate) fn text(&self, at: usize) -> Option<std::ffi::CString> {
        let text = value::c_string(self.env, self.args[at]);
        if text.is_none() && !scope::exception_pending(self.env) {
            value::throw_type(self.env, "Expected a string without NUL characters");
        }
        text
    }

    /// As `text`, of an argument that may be left out; `None` when it threw.
    pub(crate) fn optional_text(&self, at: usize) -> Option<Option<std::ffi::CString>> {
        let mut kind = 0;
        // SAFETY: reads a handle of the running call.
        unsafe { sys::napi_typeof(self.env, self.args[at], &mut kind) };
        if kind == sys::ValueType::napi_undefined { Some(None) } else { self.text(at).map(Some) }
    }

    /// A function that SQLite is to call, given as `[anchor, function]`.
    pub(crate) fn callback(&self, at: usize) -> Option<Function> {
        Function::of(self.env, self.args[at])
    }

    pub(crate) fn function(&self, at: usize) -> Option<sys::napi_value> {
        let mut kind = 0;
        // SAFETY: reads a handle of the running call.
        unsafe { sys::napi_typeof(self.env, self.args[at], &mut kind) };
        (kind == sys::ValueType::napi_function).then_some(self.args[at])
    }

    /// `undefined` for `SQLITE_OK` or when JavaScript threw, else `[code, message]` of the call that has just returned `rc`.
    ///
    /// # Safety
    /// `db` is open, or has failed to open.
    pub(crate) unsafe fn outcome(&self, rc: c_int, db: *mut sqlite::sqlite3) -> sys::napi_value {
        if rc == sqlite::SQLITE_OK || scope::exception_pending(self.env) {
            return ptr::null_mut();
        }
        // SAFETY: open, or failed to (caller).
        let (code, message) = unsafe { litekeel_core::sqlite_error(db, rc) };
        self.list(&[value::number(self.env, f64::from(code)), value::string(self.env, message.as_bytes())])
    }

    pub(crate) fn failure(&self, rc: c_int, message: &CStr) -> sys::napi_value {
        self.list(&[value::number(self.env, f64::from(rc)), value::string(self.env, message.to_bytes())])
    }

    pub(crate) fn list(&self, items: &[sys::napi_value]) -> sys::napi_value {
        crate::js::object::list(self.env, items)
    }
}

pub(crate) type Body = unsafe fn(&Call) -> Option<sys::napi_value>;

/// The shell of every export: arguments out, panics caught.
pub(crate) unsafe fn enter(env: sys::napi_env, info: sys::napi_callback_info, body: Body) -> sys::napi_value {
    // SAFETY: called by N-API.
    let call = unsafe { Call::of(env, info) };
    // SAFETY: the bodies take their arguments from `call` and check them.
    guarded(env, || unsafe { body(&call) })
}

/// As [`enter`], with the connection in the first argument held for this thread: another owner of a shared connection
/// waits until the call ends.
pub(crate) unsafe fn enter_held(env: sys::napi_env, info: sys::napi_callback_info, body: Body) -> sys::napi_value {
    unsafe fn hold(call: &Call, body: Body) -> Option<sys::napi_value> {
        let token = call.open_token()?;
        // SAFETY: as in `enter`.
        let outcome = token.with_guard(|_| unsafe { body(call) });
        outcome.unwrap_or_else(|error| Some(crate::js::object::failure(call.env, &error)))
    }
    // SAFETY: called by N-API.
    let call = unsafe { Call::of(env, info) };
    // SAFETY: as in `enter`.
    guarded(env, || unsafe { hold(&call, body) })
}

fn guarded(env: sys::napi_env, body: impl FnOnce() -> Option<sys::napi_value>) -> sys::napi_value {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value.unwrap_or(ptr::null_mut()),
        Err(_) => {
            value::throw_type(env, "litekeel: internal error (panic) in the native module");
            ptr::null_mut()
        }
    }
}

/// Exports functions; those after `held` have a connection as their first argument, and hold it.
macro_rules! native_exports {
    ($($name:literal => $body:path,)* $(held { $($held_name:literal => $held_body:path,)+ })?) => {
        /// Adds this module's functions to the addon's exports.
        ///
        /// # Safety
        /// Called with the environment and exports object of the addon being loaded.
        pub(crate) unsafe fn register(environment: &$crate::connection::Environment, exports: napi::sys::napi_value) {
            $({
                unsafe extern "C" fn shell(
                    env: napi::sys::napi_env,
                    info: napi::sys::napi_callback_info,
                ) -> napi::sys::napi_value {
                    // SAFETY: called by N-API with a live environment.
                    unsafe { $crate::connection::call::enter(env, info, $body) }
                }
                environment.export(exports, $name, shell);
            })*
            $($({
                unsafe extern "C" fn shell(
                    env: napi::sys::napi_env,
                    info: napi::sys::napi_callback_info,
                ) -> napi::sys::napi_value {
                    // SAFETY: called by N-API with a live environment.
                    unsafe { $crate::connection::call::enter_held(env, info, $held_body) }
                }
                environment.export(exports, $held_name, shell);
            })+)?
        }
    };
}

pub(crate) use native_exports;
