//! What a connection can be extended with from JavaScript: functions, aggregates, virtual tables, loadable
//! extensions; and copying a whole database: backup, serialisation.
//!
//! The functions exported here are called by `lib/` only, which has checked every argument and that the connection
//! is open and idle. They take the connection as a token. A failure of SQLite's comes back as
//! `[code, message]`, which `lib/` turns into a `SqliteError`; success is `undefined` or the result.

mod backup;
mod function;
mod image;
mod table;
pub(crate) mod value;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::{CStr, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use litekeel_core::{CloseReport, Connection, Result};
use napi::sys;
use rusqlite::ffi as sqlite;

/// Marks externals as connections, so that another addon's external is refused instead of dereferenced.
const CONNECTION: sys::napi_type_tag =
    sys::napi_type_tag { lower: 0x6c69_7465_6b65_656c, upper: 0x636f_6e6e_6563_7401 };

/// What has to end before its connection closes.
pub(crate) trait Attachment: Any {
    /// Ends it; a second call does nothing.
    fn release(&self);
}

/// Counts a call that may run JavaScript, for as long as it lives.
pub(crate) struct Stepping<'a>(&'a Token);

impl Drop for Stepping<'_> {
    fn drop(&mut self) {
        self.0.stepping.set(self.0.stepping.get() - 1);
    }
}

/// A connection as JavaScript holds it, shared with its statements.
pub(crate) struct Token {
    db: Cell<*mut sqlite::sqlite3>,
    /// The core's side of a tuned connection, which alone may close it.
    tuned: RefCell<Option<Arc<Connection>>>,
    /// Every statement that is not finalised, so that closing can do it.
    pub(crate) statements: RefCell<HashMap<usize, Rc<Cell<*mut sqlite::sqlite3_stmt>>>>,
    /// How many calls of SQLite's that may call back into JavaScript are running.
    pub(crate) stepping: Cell<u32>,
    attachments: RefCell<Vec<Rc<dyn Attachment>>>,
}

impl Token {
    /// The open connection, or null.
    pub(crate) fn db(&self) -> *mut sqlite::sqlite3 {
        self.db.get()
    }

    /// Ends `attachment` before the connection closes.
    pub(crate) fn attach(&self, attachment: Rc<dyn Attachment>) {
        self.attachments.borrow_mut().push(attachment);
    }

    /// As `attach`, in the place of an earlier one of the same type.
    pub(crate) fn attach_instead(&self, attachment: Rc<dyn Attachment>) {
        let mut list = self.attachments.borrow_mut();
        list.retain(|other| (**other).type_id() != (*attachment).type_id());
        list.push(attachment);
    }

    /// Ends the attachments of one type.
    pub(crate) fn end_attachments<T: Attachment>(&self) {
        let ended: Vec<_> = {
            let mut list = self.attachments.borrow_mut();
            let (of_type, rest) = list.drain(..).partition(|one| (**one).type_id() == std::any::TypeId::of::<T>());
            *list = rest;
            of_type
        };
        ended.iter().for_each(|one| one.release());
    }

    /// Forgets an attachment that has ended.
    pub(crate) fn detach_from<T: Attachment>(&self, attachment: &Rc<T>) {
        // A connection that is closing has taken the list.
        if let Ok(mut list) = self.attachments.try_borrow_mut() {
            list.retain(|other| !ptr::addr_eq(Rc::as_ptr(other), Rc::as_ptr(attachment)));
        }
    }

    /// Marks the connection as in a call that may run JavaScript.
    pub(crate) fn enter(&self) -> Stepping<'_> {
        self.stepping.set(self.stepping.get() + 1);
        Stepping(self)
    }

    /// The core's side, if the connection has one.
    pub(crate) fn core(&self) -> Option<Arc<Connection>> {
        self.tuned.borrow().clone()
    }

    /// Finalises what is left and closes; what the core says of it if the connection is tuned. A second call does
    /// nothing.
    pub(crate) fn close(&self) -> Option<Result<CloseReport>> {
        let db = self.detach()?;
        if let Some(connection) = self.tuned.take() {
            return Some(connection.close());
        }
        // SAFETY: open until here; its statements are gone, and `lib/` has ended its backups.
        unsafe { sqlite::sqlite3_close(db) };
        None
    }

    /// Closes what JavaScript forgot. The core warns of its own connections when they are dropped open, or at exit.
    pub(crate) fn abandon(&self) {
        if self.tuned.borrow().is_some() {
            self.detach();
        } else {
            self.close();
        }
    }

    /// Finalises what is left and gives the handle up, if that has not happened yet.
    fn detach(&self) -> Option<*mut sqlite::sqlite3> {
        let db = self.db.replace(ptr::null_mut());
        if db.is_null() {
            return None;
        }
        crate::exit::forget(self);
        for attachment in self.attachments.take() {
            attachment.release();
        }
        for (_, statement) in self.statements.borrow_mut().drain() {
            // SAFETY: listed statements are live; the cell is emptied, so nobody uses it afterwards.
            unsafe { sqlite::sqlite3_finalize(statement.replace(ptr::null_mut())) };
        }
        Some(db)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.abandon();
    }
}

/// Makes the JavaScript value that stands for a connection, which then closes at the latest when it is collected.
///
/// # Safety
/// `db` is open (the handle of `tuned`, if given), belongs to the calling JavaScript thread, and nobody else closes it.
pub(crate) unsafe fn connection_token(
    env: sys::napi_env,
    db: *mut sqlite::sqlite3,
    tuned: Option<Arc<Connection>>,
) -> Option<sys::napi_value> {
    let is_tuned = tuned.is_some();
    let token = Rc::into_raw(Rc::new(Token {
        db: Cell::new(db),
        tuned: RefCell::new(tuned),
        statements: RefCell::default(),
        stepping: Cell::new(0),
        attachments: RefCell::default(),
    }));
    crate::exit::remember(token, is_tuned);
    let mut value = ptr::null_mut();
    // SAFETY: the external owns one count and gives it back in `free_token`.
    unsafe {
        let status =
            sys::napi_create_external(env, token.cast_mut().cast(), Some(free_token), ptr::null_mut(), &mut value);
        if status != sys::Status::napi_ok {
            drop(Rc::from_raw(token));
            return None;
        }
        sys::napi_type_tag_object(env, value, &CONNECTION);
    }
    Some(value)
}

unsafe extern "C" fn free_token(_env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    // SAFETY: the count of `connection_token`; finalised once.
    drop(unsafe { Rc::from_raw(data.cast_const().cast::<Token>()) });
}

/// The arguments of one call.
pub(crate) struct Call {
    pub(crate) env: sys::napi_env,
    pub(crate) args: [sys::napi_value; 9],
}

impl Call {
    /// The connection in the first argument, open or not.
    pub(crate) fn token(&self) -> Option<Rc<Token>> {
        let data = self.external(0, &CONNECTION)?.cast::<Token>().cast_const();
        // SAFETY: the tag says that the external is one of `connection_token`'s, which holds a count while it lives.
        unsafe {
            Rc::increment_strong_count(data);
            Some(Rc::from_raw(data))
        }
    }

    /// The pointer of an external that carries `tag`.
    pub(crate) fn external(&self, at: usize, tag: &sys::napi_type_tag) -> Option<*mut c_void> {
        let mut ours = false;
        let mut data = ptr::null_mut();
        // SAFETY: the tag is checked before the pointer is believed.
        unsafe {
            sys::napi_check_object_type_tag(self.env, self.args[at], tag, &mut ours);
            if ours {
                sys::napi_get_value_external(self.env, self.args[at], &mut data);
            }
        }
        (!data.is_null()).then_some(data)
    }

    /// The open connection in the first argument; throws a TypeError otherwise.
    pub(crate) fn connection(&self) -> Option<*mut sqlite::sqlite3> {
        let db = self.token().map_or(ptr::null_mut(), |token| token.db());
        if db.is_null() {
            value::throw_type(self.env, "The database connection is not open");
            return None;
        }
        Some(db)
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
        if text.is_none() && !value::exception_pending(self.env) {
            value::throw_type(self.env, "Expected a string");
        }
        text
    }

    pub(crate) fn function(&self, at: usize) -> Option<sys::napi_value> {
        let mut kind = 0;
        // SAFETY: reads a handle of the running call.
        unsafe { sys::napi_typeof(self.env, self.args[at], &mut kind) };
        (kind == sys::ValueType::napi_function).then_some(self.args[at])
    }

    /// `undefined` for `SQLITE_OK` or when JavaScript threw, else `[code, message]` of the connection.
    ///
    /// # Safety
    /// `db` is open.
    pub(crate) unsafe fn outcome(&self, rc: c_int, db: *mut sqlite::sqlite3) -> sys::napi_value {
        if rc == sqlite::SQLITE_OK || value::exception_pending(self.env) {
            return ptr::null_mut();
        }
        // SAFETY: `sqlite3_errmsg` is valid until the next call on `db`; it is copied here.
        unsafe { self.failure(sqlite::sqlite3_extended_errcode(db), CStr::from_ptr(sqlite::sqlite3_errmsg(db))) }
    }

    pub(crate) fn failure(&self, rc: c_int, message: &CStr) -> sys::napi_value {
        self.list(&[value::number(self.env, f64::from(rc)), value::string(self.env, message.to_bytes())])
    }

    pub(crate) fn list(&self, items: &[sys::napi_value]) -> sys::napi_value {
        let mut list = ptr::null_mut();
        // SAFETY: handles of the running call.
        unsafe {
            sys::napi_create_array_with_length(self.env, items.len(), &mut list);
            for (at, item) in items.iter().enumerate() {
                sys::napi_set_element(self.env, list, at as u32, *item);
            }
        }
        list
    }
}

pub(crate) type Body = unsafe fn(&Call) -> Option<sys::napi_value>;

/// The shell of every export: arguments out, panics caught.
pub(crate) unsafe fn enter(env: sys::napi_env, info: sys::napi_callback_info, body: Body) -> sys::napi_value {
    let mut call = Call { env, args: [ptr::null_mut(); 9] };
    let mut count = call.args.len();
    // SAFETY: N-API fills missing arguments with undefined up to `count`.
    unsafe {
        sys::napi_get_cb_info(env, info, &mut count, call.args.as_mut_ptr(), ptr::null_mut(), ptr::null_mut());
    }
    // SAFETY: the bodies take their arguments from `call` and check them.
    match catch_unwind(AssertUnwindSafe(|| unsafe { body(&call) })) {
        Ok(value) => value.unwrap_or(ptr::null_mut()),
        Err(_) => {
            value::throw_type(env, "litekeel: internal error (panic) in the native module");
            ptr::null_mut()
        }
    }
}

macro_rules! native_exports {
    ($($name:literal => $body:path),+ $(,)?) => {
        /// Adds this module's functions to the addon's exports.
        ///
        /// # Safety
        /// Called with the environment and exports object of the addon being loaded.
        pub(crate) unsafe fn register(env: sys::napi_env, exports: sys::napi_value) {
            $({
                unsafe extern "C" fn shell(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
                    // SAFETY: called by N-API with a live environment.
                    unsafe { $crate::extension::enter(env, info, $body) }
                }
                let mut function = std::ptr::null_mut();
                // SAFETY: names are static; handles belong to the running initialisation.
                unsafe {
                    sys::napi_create_function(
                        env, $name.as_ptr(), $name.count_bytes() as isize, Some(shell), std::ptr::null_mut(), &mut function,
                    );
                    sys::napi_set_named_property(env, exports, $name.as_ptr(), function);
                }
            })+
        }
    };
}

pub(crate) use native_exports;

native_exports! {
    c"defineFunction" => define_function,
    c"defineAggregate" => define_aggregate,
    c"defineTable" => define_table,
    c"loadExtension" => load_extension,
    c"serialize" => image::serialize,
    c"deserialize" => image::deserialize,
    c"backupStart" => backup::start,
    c"backupStep" => backup::step,
    c"backupFinish" => backup::finish,
}

fn flags(deterministic: bool, direct_only: bool) -> c_int {
    (if deterministic { sqlite::SQLITE_DETERMINISTIC } else { 0 })
        | (if direct_only { sqlite::SQLITE_DIRECTONLY } else { 0 })
}

/// `(token, name, arity, safeIntegers, deterministic, directOnly, fn)`
unsafe fn define_function(call: &Call) -> Option<sys::napi_value> {
    let db = call.connection()?;
    let definition = function::Definition {
        name: call.text(1)?,
        arity: call.int(2),
        safe_integers: call.flag(3),
        flags: flags(call.flag(4), call.flag(5)),
        step: call.function(6)?,
        aggregate: None,
    };
    // SAFETY: the token says that `db` is open.
    unsafe { Some(call.outcome(function::register(call.env, db, &definition), db)) }
}

/// `(token, name, arity, safeIntegers, flags, step, inverse | null, value, drop)`
unsafe fn define_aggregate(call: &Call) -> Option<sys::napi_value> {
    let db = call.connection()?;
    let flag_bits = call.int(4);
    let definition = function::Definition {
        name: call.text(1)?,
        arity: call.int(2),
        safe_integers: call.flag(3),
        flags: flags(flag_bits & 1 != 0, flag_bits & 2 != 0),
        step: call.function(5)?,
        aggregate: Some((call.function(6), call.function(7)?, call.function(8)?)),
    };
    // SAFETY: the token says that `db` is open.
    unsafe { Some(call.outcome(function::register(call.env, db, &definition), db)) }
}

/// `(token, name, eponymous, factory)`
unsafe fn define_table(call: &Call) -> Option<sys::napi_value> {
    let db = call.connection()?;
    let (name, factory) = (call.text(1)?, call.function(3)?);
    // SAFETY: the token says that `db` is open.
    unsafe { Some(call.outcome(table::register(call.env, db, &name, factory, call.flag(2)), db)) }
}

/// `(token, path, entryPoint | undefined)`
unsafe fn load_extension(call: &Call) -> Option<sys::napi_value> {
    let db = call.connection()?;
    let path = call.text(1)?;
    let entry = value::c_string(call.env, call.args[2]);
    let mut message = ptr::null_mut();
    // SAFETY: `db` is open; the message is SQLite's memory, copied and then freed. The C-level switch alone is
    // turned on, so that SQL cannot load extensions.
    unsafe {
        sqlite::sqlite3_db_config(
            db,
            sqlite::SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION,
            1 as c_int,
            ptr::null_mut::<c_int>(),
        );
        let rc = sqlite::sqlite3_load_extension(
            db,
            path.as_ptr(),
            entry.as_ref().map_or(ptr::null(), |entry| entry.as_ptr()),
            &mut message,
        );
        let outcome = if rc == sqlite::SQLITE_OK {
            ptr::null_mut()
        } else if message.is_null() {
            call.failure(rc, CStr::from_ptr(sqlite::sqlite3_errstr(rc)))
        } else {
            call.failure(rc, CStr::from_ptr(message))
        };
        sqlite::sqlite3_free(message.cast());
        Some(outcome)
    }
}
