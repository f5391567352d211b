//! Connections and statements, one SQLite call at a time: what `lib/` builds Database and Statement on.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::rc::Rc;

use napi::sys;
use rusqlite::ffi as sqlite;

use crate::extension::value::{self, Scope};
use crate::extension::{Call, Token, connection_token, native_exports};

/// Marks externals as statements.
const STATEMENT: sys::napi_type_tag = sys::napi_type_tag { lower: 0x6c69_7465_6b65_656c, upper: 0x7374_6174_656d_0001 };

/// V8's longest string, the limit better-sqlite3 sets for values and SQL: 2^29 − 24.
pub(crate) const MAX_LENGTH: c_int = (1 << 29) - 24;

native_exports! {
    c"openDatabase" => open,
    c"closeDatabase" => close,
    c"setDefensive" => set_defensive,
    c"inTransaction" => in_transaction,
    c"errorOf" => error_of,
    c"prepareStatement" => prepare,
    c"bindParameter" => bind,
    c"clearBindings" => clear,
    c"stepRow" => step,
    c"resetStatement" => reset,
    c"changesOf" => changes,
    c"columnsOf" => columns,
    c"expandedSql" => expanded,
    c"interrupt" => interrupt,
}

/// A statement as JavaScript holds it: null once finalised.
struct Statement {
    connection: Rc<Token>,
    handle: Rc<Cell<*mut sqlite::sqlite3_stmt>>,
}

impl Drop for Statement {
    fn drop(&mut self) {
        let handle = self.handle.replace(ptr::null_mut());
        if !handle.is_null() {
            self.connection.statements.borrow_mut().remove(&(handle as usize));
            // SAFETY: live until here; its connection, kept by `connection`, is open, or it would have finalised it.
            unsafe { sqlite::sqlite3_finalize(handle) };
        }
    }
}

unsafe extern "C" fn free_statement(_env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    // SAFETY: the box of `prepare`; finalised once.
    drop(unsafe { Box::from_raw(data.cast::<Statement>()) });
}

/// Counts a call that may run JavaScript, for as long as it lives.
struct Stepping(Rc<Token>);

impl Stepping {
    fn enter(token: Rc<Token>) -> Stepping {
        token.stepping.set(token.stepping.get() + 1);
        Stepping(token)
    }
}

impl Drop for Stepping {
    fn drop(&mut self) {
        self.0.stepping.set(self.0.stepping.get() - 1);
    }
}

/// The live statement in the first argument; throws a TypeError otherwise.
fn statement(call: &Call) -> Option<*mut sqlite::sqlite3_stmt> {
    let handle = call.external(0, &STATEMENT).map_or(ptr::null_mut(), |data| {
        // SAFETY: the tag says what the pointer is; the external keeps the box alive during the call.
        unsafe { (*data.cast::<Statement>()).handle.get() }
    });
    if handle.is_null() {
        value::throw_type(call.env, "The database connection is not open");
        return None;
    }
    Some(handle)
}

/// `(path, readonly, mustExist, timeoutMs)` → token, or `[code, message]`
unsafe fn open(call: &Call) -> Option<sys::napi_value> {
    let path = call.text(0)?;
    let flags = match (call.flag(1), call.flag(2)) {
        (true, _) => sqlite::SQLITE_OPEN_READONLY,
        (false, true) => sqlite::SQLITE_OPEN_READWRITE,
        (false, false) => sqlite::SQLITE_OPEN_READWRITE | sqlite::SQLITE_OPEN_CREATE,
    };
    // A database belongs to one JavaScript thread: SQLite's own mutex would only cost. As in better-sqlite3, URIs
    // are names of files unless the environment asks for them.
    let uri = if std::env::var_os("SQLITE_USE_URI").is_some_and(|on| on == "1") { sqlite::SQLITE_OPEN_URI } else { 0 };
    let mut db = ptr::null_mut();
    // SAFETY: `db` is closed on failure and handed to the token otherwise.
    unsafe {
        let rc =
            sqlite::sqlite3_open_v2(path.as_ptr(), &mut db, flags | uri | sqlite::SQLITE_OPEN_NOMUTEX, ptr::null());
        if rc != sqlite::SQLITE_OK {
            let failure = if db.is_null() {
                call.failure(rc, CStr::from_ptr(sqlite::sqlite3_errstr(rc)))
            } else {
                call.outcome(rc, db)
            };
            sqlite::sqlite3_close(db);
            return Some(failure);
        }
        sqlite::sqlite3_extended_result_codes(db, 1);
        sqlite::sqlite3_busy_timeout(db, call.int(3));
        sqlite::sqlite3_limit(db, sqlite::SQLITE_LIMIT_LENGTH, MAX_LENGTH);
        sqlite::sqlite3_limit(db, sqlite::SQLITE_LIMIT_SQL_LENGTH, MAX_LENGTH);
        defensive(db, true);
        connection_token(call.env, db, None)
    }
}

/// # Safety
/// `db` is open.
unsafe fn defensive(db: *mut sqlite::sqlite3, on: bool) {
    let no_answer = ptr::null_mut::<c_int>();
    // SAFETY: the variadic arguments of this switch are an int and a pointer that may be null.
    unsafe { sqlite::sqlite3_db_config(db, sqlite::SQLITE_DBCONFIG_DEFENSIVE, c_int::from(on), no_answer) };
}

/// `(token)` → for a tuned connection, what `tuned::closed` lists
unsafe fn close(call: &Call) -> Option<sys::napi_value> {
    call.token()?.close().map(|outcome| crate::tuned::closed(call, &outcome))
}

/// `(token, on)`
unsafe fn set_defensive(call: &Call) -> Option<sys::napi_value> {
    // SAFETY: the token says that the connection is open.
    unsafe { defensive(call.connection()?, call.flag(1)) };
    None
}

/// `(token)` → boolean; false when closed
unsafe fn in_transaction(call: &Call) -> Option<sys::napi_value> {
    let db = call.token()?.db();
    let mut out = ptr::null_mut();
    // SAFETY: not null means open.
    unsafe { sys::napi_get_boolean(call.env, !db.is_null() && sqlite::sqlite3_get_autocommit(db) == 0, &mut out) };
    Some(out)
}

/// `(token)` → `[code, message]` of the latest failure
unsafe fn error_of(call: &Call) -> Option<sys::napi_value> {
    let db = call.connection()?;
    // SAFETY: open; the message is copied.
    unsafe { Some(call.failure(sqlite::sqlite3_extended_errcode(db), CStr::from_ptr(sqlite::sqlite3_errmsg(db)))) }
}

/// `(token)`: makes the running statement fail.
unsafe fn interrupt(call: &Call) -> Option<sys::napi_value> {
    // SAFETY: open.
    unsafe { sqlite::sqlite3_interrupt(call.connection()?) };
    None
}

/// `(token, sql, from, persistent)` → `[statement | null, next, columns, readonly, parameters, names]`, or
/// `[code, message]`. `from` and `next` count bytes of the UTF-8 text; `next` is −1 if only blanks and comments follow.
unsafe fn prepare(call: &Call) -> Option<sys::napi_value> {
    let db = call.connection()?;
    let token = call.token()?;
    let sql = call.text(1)?;
    let bytes = sql.as_bytes_with_nul();
    let mut from = (call.int(2).max(0) as usize).min(bytes.len() - 1);
    // Between the statements of a script; a single statement keeps the source it was given.
    while call.int(2) > 0 && matches!(bytes[from], b' ' | b'\t' | b'\n' | b'\r' | 0x0c | b';') {
        from += 1;
    }
    let flags = if call.flag(3) { sqlite::SQLITE_PREPARE_PERSISTENT } else { 0 };
    let mut handle = ptr::null_mut();
    let mut tail: *const c_char = ptr::null();
    // SAFETY: the text is NUL-terminated and outlives the call; the statement is finalised by its box.
    unsafe {
        // Preparing may call a virtual table's factory.
        let _stepping = Stepping::enter(token.clone());
        let start = bytes.as_ptr().cast::<c_char>();
        let rc = sqlite::sqlite3_prepare_v3(
            db,
            start.add(from),
            (bytes.len() - from) as c_int,
            flags,
            &mut handle,
            &mut tail,
        );
        if rc != sqlite::SQLITE_OK || value::exception_pending(call.env) {
            sqlite::sqlite3_finalize(handle);
            return Some(call.outcome(rc, db));
        }
        let consumed = tail.offset_from(start) as usize;
        let next = if blank(&bytes[consumed..bytes.len() - 1]) { -1.0 } else { consumed as f64 };
        let mut external = ptr::null_mut();
        if handle.is_null() {
            sys::napi_get_null(call.env, &mut external);
            return Some(call.list(&[external, value::number(call.env, next)]));
        }
        let cell = Rc::new(Cell::new(handle));
        token.statements.borrow_mut().insert(handle as usize, cell.clone());
        let boxed = Box::into_raw(Box::new(Statement { connection: token, handle: cell }));
        if sys::napi_create_external(call.env, boxed.cast(), Some(free_statement), ptr::null_mut(), &mut external)
            != sys::Status::napi_ok
        {
            drop(Box::from_raw(boxed));
            return None;
        }
        sys::napi_type_tag_object(call.env, external, &STATEMENT);
        let parameters = sqlite::sqlite3_bind_parameter_count(handle);
        let names: Vec<_> = (1..=parameters)
            .map(|at| {
                let name = sqlite::sqlite3_bind_parameter_name(handle, at);
                // Without its prefix character.
                optional_text(call, if name.is_null() { name } else { name.add(1) })
            })
            .collect();
        let mut readonly = ptr::null_mut();
        sys::napi_get_boolean(call.env, sqlite::sqlite3_stmt_readonly(handle) != 0, &mut readonly);
        let columns = f64::from(sqlite::sqlite3_column_count(handle));
        Some(call.list(&[
            external,
            value::number(call.env, next),
            value::number(call.env, columns),
            readonly,
            value::number(call.env, f64::from(parameters)),
            call.list(&names),
        ]))
    }
}

/// Whether only white space, semicolons and comments are left.
fn blank(mut rest: &[u8]) -> bool {
    loop {
        rest = match rest {
            [] => return true,
            [b' ' | b'\t' | b'\n' | b'\r' | 0x0c | b';', tail @ ..] => tail,
            [b'-', b'-', tail @ ..] => &tail[tail.iter().position(|b| *b == b'\n').unwrap_or(tail.len())..],
            [b'/', b'*', tail @ ..] => {
                &tail[tail.windows(2).position(|w| w == b"*/").map_or(tail.len(), |at| at + 2)..]
            }
            _ => return false,
        };
    }
}

/// # Safety
/// `text` is null or NUL-terminated.
unsafe fn optional_text(call: &Call, text: *const c_char) -> sys::napi_value {
    if text.is_null() {
        let mut null = ptr::null_mut();
        // SAFETY: writes a handle of the running call.
        unsafe { sys::napi_get_null(call.env, &mut null) };
        return null;
    }
    // SAFETY: NUL-terminated (caller).
    value::string(call.env, unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// `(statement, index, value)` → result code; −1: no type SQLite knows
unsafe fn bind(call: &Call) -> Option<sys::napi_value> {
    let handle = statement(call)?;
    let (at, given) = (call.int(1), call.args[2]);
    let mut kind = 0;
    // SAFETY: the statement is live; SQLite copies text and blobs (TRANSIENT).
    let rc = unsafe {
        sys::napi_typeof(call.env, given, &mut kind);
        match kind {
            sys::ValueType::napi_undefined | sys::ValueType::napi_null => sqlite::sqlite3_bind_null(handle, at),
            sys::ValueType::napi_number => {
                let mut number = 0.0;
                sys::napi_get_value_double(call.env, given, &mut number);
                sqlite::sqlite3_bind_double(handle, at, number)
            }
            sys::ValueType::napi_bigint => {
                let (mut number, mut lossless) = (0, false);
                sys::napi_get_value_bigint_int64(call.env, given, &mut number, &mut lossless);
                if lossless { sqlite::sqlite3_bind_int64(handle, at, number) } else { sqlite::SQLITE_TOOBIG }
            }
            sys::ValueType::napi_string => {
                let text = value::utf8(call.env, given)?;
                sqlite::sqlite3_bind_text64(
                    handle,
                    at,
                    text.as_ptr().cast(),
                    text.len() as u64,
                    sqlite::SQLITE_TRANSIENT(),
                    sqlite::SQLITE_UTF8 as u8,
                )
            }
            _ => match value::bytes(call.env, given) {
                Some(blob) => {
                    let data = if blob.is_empty() { c"".as_ptr().cast::<c_void>() } else { blob.as_ptr().cast() };
                    sqlite::sqlite3_bind_blob64(handle, at, data, blob.len() as u64, sqlite::SQLITE_TRANSIENT())
                }
                None => -1,
            },
        }
    };
    Some(value::number(call.env, f64::from(rc)))
}

/// `(statement)`
unsafe fn clear(call: &Call) -> Option<sys::napi_value> {
    // SAFETY: live.
    unsafe { sqlite::sqlite3_clear_bindings(statement(call)?) };
    None
}

/// `(statement)`
unsafe fn reset(call: &Call) -> Option<sys::napi_value> {
    // SAFETY: live. The code repeats that of the latest step, which has been reported.
    unsafe { sqlite::sqlite3_reset(statement(call)?) };
    None
}

/// `(statement, safeIntegers, limit)` → `[values of row 1, values of row 2, …]` flat rows; fewer than `limit` rows
/// and then `null` at the end of the results; a number, the result code, as last element on failure.
unsafe fn step(call: &Call) -> Option<sys::napi_value> {
    let handle = statement(call)?;
    let data = call.external(0, &STATEMENT)?.cast::<Statement>();
    // SAFETY: the tag says what the pointer is.
    let _stepping = Stepping::enter(unsafe { (*data).connection.clone() });
    let (safe, limit) = (call.flag(1), call.int(2).max(1) as u32);
    let mut rows = ptr::null_mut();
    // SAFETY: the statement is live: whoever could finalise it is refused while a callback runs.
    unsafe {
        sys::napi_create_array(call.env, &mut rows);
        let mut count = 0;
        while count < limit {
            let rc = sqlite::sqlite3_step(handle);
            if value::exception_pending(call.env) {
                return None;
            }
            let _scope = Scope::open(call.env)?;
            if rc != sqlite::SQLITE_ROW {
                let last = if rc == sqlite::SQLITE_DONE {
                    optional_text(call, ptr::null())
                } else {
                    value::number(call.env, f64::from(rc))
                };
                sys::napi_set_element(call.env, rows, count, last);
                break;
            }
            let columns = sqlite::sqlite3_column_count(handle);
            let mut row = ptr::null_mut();
            sys::napi_create_array_with_length(call.env, columns as usize, &mut row);
            for at in 0..columns {
                let cell = value::to_js(call.env, sqlite::sqlite3_column_value(handle, at), safe);
                if cell.is_null() {
                    return None;
                }
                sys::napi_set_element(call.env, row, at as u32, cell);
            }
            sys::napi_set_element(call.env, rows, count, row);
            count += 1;
        }
    }
    Some(rows)
}

/// `(token, safeIntegers)` → `[total changes, changes, last rowid]`
unsafe fn changes(call: &Call) -> Option<sys::napi_value> {
    let db = call.connection()?;
    // SAFETY: open.
    unsafe {
        let rowid = sqlite::sqlite3_last_insert_rowid(db);
        let mut id = ptr::null_mut();
        if call.flag(1) {
            sys::napi_create_bigint_int64(call.env, rowid, &mut id);
        } else {
            sys::napi_create_double(call.env, rowid as f64, &mut id);
        }
        let total = value::number(call.env, f64::from(sqlite::sqlite3_total_changes(db)));
        let last = value::number(call.env, f64::from(sqlite::sqlite3_changes(db)));
        Some(call.list(&[total, last, id]))
    }
}

/// `(statement, full)` → names, or `[name, column, table, database, type]` of each column
unsafe fn columns(call: &Call) -> Option<sys::napi_value> {
    let handle = statement(call)?;
    let full = call.flag(1);
    // SAFETY: live; the texts are copied before the statement is touched again.
    unsafe {
        let list: Vec<_> = (0..sqlite::sqlite3_column_count(handle))
            .map(|at| {
                let name = optional_text(call, sqlite::sqlite3_column_name(handle, at));
                if !full {
                    return name;
                }
                call.list(&[
                    name,
                    optional_text(call, sqlite::sqlite3_column_origin_name(handle, at)),
                    optional_text(call, sqlite::sqlite3_column_table_name(handle, at)),
                    optional_text(call, sqlite::sqlite3_column_database_name(handle, at)),
                    optional_text(call, sqlite::sqlite3_column_decltype(handle, at)),
                ])
            })
            .collect();
        Some(call.list(&list))
    }
}

/// `(statement)` → its SQL with the bound values
unsafe fn expanded(call: &Call) -> Option<sys::napi_value> {
    let handle = statement(call)?;
    // SAFETY: live; the expanded text is SQLite's memory, copied and then freed.
    unsafe {
        let text = sqlite::sqlite3_expanded_sql(handle);
        let out = optional_text(call, if text.is_null() { sqlite::sqlite3_sql(handle) } else { text });
        sqlite::sqlite3_free(text.cast());
        Some(out)
    }
}
