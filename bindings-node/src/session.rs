//! Sessions, which record what changes, and changesets, which carry it to another database.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::rc::Rc;

use napi::sys;
use rusqlite::ffi as sqlite;

use crate::connection::call::{Call, native_exports};
use crate::connection::token::{Attachment, Token};
use crate::js::bytes;
use crate::js::external::{self, External, Held};
use crate::js::scope::{self, Scope};
use crate::js::value;

native_exports! {
    c"sessionChanges" => changes,
    c"closeSession" => close,
    held {
        c"createSession" => create,
        c"applyChangeset" => apply,
    }
}

/// Null once it has ended; it ends before its connection.
struct Session(Cell<*mut sqlite::sqlite3_session>);

impl Attachment for Session {
    fn release(&self) {
        let session = self.0.replace(ptr::null_mut());
        if !session.is_null() {
            // SAFETY: live until here, and so is its connection.
            unsafe { sqlite::sqlite3session_delete(session) };
        }
    }
}

/// What JavaScript holds.
struct HeldSession {
    session: Rc<Session>,
    token: Rc<Token>,
}

impl Held for HeldSession {
    type Pointer = Rc<HeldSession>;
    const TAG: sys::napi_type_tag = external::tag(0x7365_7373_696f_6e01);
}

impl Drop for HeldSession {
    fn drop(&mut self) {
        self.token.with_teardown_lock(|| self.session.release());
        self.token.detach_from(&self.session);
    }
}

/// `(token, schema, table | undefined)` → session, or `[code, message]`
unsafe fn create(call: &Call) -> Option<sys::napi_value> {
    let db = call.connection()?;
    let token = call.token()?;
    let schema = call.text(1)?;
    let table = call.optional_text(2)?;
    let mut session = ptr::null_mut();
    // SAFETY: open; the session is deleted on failure and owned by its attachment otherwise.
    unsafe {
        // SQLite would record nothing, without a word.
        let mut names = (0..).map(|at| sqlite::sqlite3_db_name(db, at)).take_while(|name| !name.is_null());
        if !names.any(|name| CStr::from_ptr(name).to_bytes().eq_ignore_ascii_case(schema.to_bytes())) {
            return Some(call.failure(sqlite::SQLITE_ERROR, c"unknown database"));
        }
        let mut rc = sqlite::sqlite3session_create(db, schema.as_ptr(), &mut session);
        if rc == sqlite::SQLITE_OK {
            rc = sqlite::sqlite3session_attach(session, table.as_ref().map_or(ptr::null(), |table| table.as_ptr()));
            if rc != sqlite::SQLITE_OK {
                sqlite::sqlite3session_delete(session);
            }
        }
        if rc != sqlite::SQLITE_OK {
            return Some(call.failure(rc, CStr::from_ptr(sqlite::sqlite3_errstr(rc))));
        }
        let session = Rc::new(Session(Cell::new(session)));
        token.attach(session.clone());
        External::<HeldSession>::make(call.env, Rc::new(HeldSession { session, token }))
    }
}

fn session(call: &Call) -> Option<(Rc<Session>, Rc<Token>)> {
    let held = External::<HeldSession>::of(call.env, call.args[0])?;
    Some((held.session.clone(), held.token.clone()))
}

/// `(session, patchset)` → Buffer, `[code, message]`, or undefined when the session has ended
unsafe fn changes(call: &Call) -> Option<sys::napi_value> {
    let (session, token) = session(call)?;
    let session = session.0.get();
    if session.is_null() {
        return None;
    }
    // SAFETY: a session that lives has an open connection.
    let answer = token.with_guard(|_| unsafe { record(call, session) });
    answer.unwrap_or_else(|error| Some(crate::js::object::failure(call.env, &error)))
}

unsafe fn record(call: &Call, session: *mut sqlite::sqlite3_session) -> Option<sys::napi_value> {
    let (mut length, mut data) = (0, ptr::null_mut());
    // SAFETY: live; the bytes are SQLite's memory, copied and then freed.
    unsafe {
        let rc = if call.flag(1) {
            sqlite::sqlite3session_patchset(session, &mut length, &mut data)
        } else {
            sqlite::sqlite3session_changeset(session, &mut length, &mut data)
        };
        if rc != sqlite::SQLITE_OK {
            return Some(call.failure(rc, CStr::from_ptr(sqlite::sqlite3_errstr(rc))));
        }
        let mut out = ptr::null_mut();
        sys::napi_create_buffer_copy(call.env, length as usize, data, ptr::null_mut(), &mut out);
        sqlite::sqlite3_free(data);
        Some(out)
    }
}

/// `(session)` → whether it was open
unsafe fn close(call: &Call) -> Option<sys::napi_value> {
    let (session, token) = session(call)?;
    let open = !session.0.get().is_null();
    if open {
        token.with_teardown_lock(|| session.release());
    }
    let mut out = ptr::null_mut();
    // SAFETY: writes a handle of the running call.
    unsafe { sys::napi_get_boolean(call.env, open, &mut out) };
    Some(out)
}

/// The callbacks of one `apply`, handles of the running call.
struct Choices {
    env: sys::napi_env,
    filter: Option<sys::napi_value>,
    conflict: Option<sys::napi_value>,
}

impl Choices {
    fn ask(&self, function: sys::napi_value, argument: impl FnOnce() -> sys::napi_value) -> Option<sys::napi_value> {
        if scope::exception_pending(self.env) {
            return None;
        }
        let mut result = ptr::null_mut();
        let argument = argument();
        // SAFETY: handles of the running call and of the open scope.
        let status = unsafe {
            sys::napi_call_function(self.env, value::undefined(self.env), function, 1, &argument, &mut result)
        };
        (status == sys::Status::napi_ok && !scope::exception_pending(self.env)).then_some(result)
    }
}

/// `(token, bytes, filter | undefined, conflict | undefined)` → true, false when a conflict aborted it, or
/// `[code, message]`
unsafe fn apply(call: &Call) -> Option<sys::napi_value> {
    let db = call.connection()?;
    let Some(bytes) = bytes::bytes(call.env, call.args[1]) else {
        value::throw_type(call.env, "Expected a Uint8Array");
        return None;
    };
    let Ok(length) = c_int::try_from(bytes.len()) else {
        return Some(call.failure(sqlite::SQLITE_TOOBIG, c"string or blob too big"));
    };
    // SAFETY: copied at once: the callbacks could detach the bytes.
    let mut bytes = unsafe { bytes.to_vec() };
    let choices = Choices { env: call.env, filter: call.function(2), conflict: call.function(3) };
    // SAFETY: open; the bytes and the choices live during the call, which uses them on this thread.
    unsafe {
        let rc = sqlite::sqlite3changeset_apply(
            db,
            length,
            bytes.as_mut_ptr().cast(),
            choices.filter.map(|_| on_filter as _),
            Some(on_conflict),
            (&raw const choices).cast_mut().cast(),
        );
        if scope::exception_pending(call.env) {
            return None;
        }
        if rc != sqlite::SQLITE_OK && rc != sqlite::SQLITE_ABORT {
            return Some(call.failure(rc, CStr::from_ptr(sqlite::sqlite3_errstr(rc))));
        }
        let mut out = ptr::null_mut();
        sys::napi_get_boolean(call.env, rc == sqlite::SQLITE_OK, &mut out);
        Some(out)
    }
}

unsafe extern "C" fn on_filter(context: *mut c_void, table: *const c_char) -> c_int {
    // SAFETY: the context is the running call's `Choices`; the name is SQLite's for this call.
    unsafe {
        let choices = &*context.cast::<Choices>();
        let Some(_scope) = Scope::open(choices.env) else { return 0 };
        let Some(function) = choices.filter else { return 1 };
        let Some(answer) = choices.ask(function, || value::string(choices.env, CStr::from_ptr(table).to_bytes()))
        else {
            return 0;
        };
        let (mut truthy, mut yes) = (ptr::null_mut(), false);
        sys::napi_coerce_to_bool(choices.env, answer, &mut truthy);
        sys::napi_get_value_bool(choices.env, truthy, &mut yes);
        c_int::from(yes)
    }
}

unsafe extern "C" fn on_conflict(context: *mut c_void, kind: c_int, _: *mut sqlite::sqlite3_changeset_iter) -> c_int {
    // SAFETY: as in `on_filter`.
    unsafe {
        let choices = &*context.cast::<Choices>();
        let Some(_scope) = Scope::open(choices.env) else { return sqlite::SQLITE_CHANGESET_ABORT };
        let Some(function) = choices.conflict else { return sqlite::SQLITE_CHANGESET_ABORT };
        let Some(answer) = choices.ask(function, || value::number(choices.env, f64::from(kind))) else {
            return sqlite::SQLITE_CHANGESET_ABORT;
        };
        let mut choice = f64::NAN;
        sys::napi_get_value_double(choices.env, answer, &mut choice);
        match choice {
            0.0 => sqlite::SQLITE_CHANGESET_OMIT,
            // SQLite takes REPLACE for these kinds only and calls anything else misuse.
            1.0 if kind == sqlite::SQLITE_CHANGESET_DATA || kind == sqlite::SQLITE_CHANGESET_CONFLICT => {
                sqlite::SQLITE_CHANGESET_REPLACE
            }
            _ => sqlite::SQLITE_CHANGESET_ABORT,
        }
    }
}
