//! litekeel's own open for JavaScript: the core opens and closes, `direct` runs the statements in between.

use std::ptr;
use std::sync::Arc;

use litekeel_core::{Connection, Error, Options, Result};
use litekeel_core::{Target, resolve};
use napi::sys;
use rusqlite::ffi as sqlite;

use crate::connection::call::{Call, native_exports};
use crate::connection::token_value::connection_token;
use crate::js::scope;
use crate::js::value;
use crate::open::MAX_LENGTH;

native_exports! {
    c"openTuned" => open,
    c"locateTuned" => locate,
}

/// `(url | null, [key, value, key, value, …])` → `[token, readonly, report, shared]`, or an error as `failure` lists it
unsafe fn open(call: &Call) -> Option<sys::napi_value> {
    let (url, texts) = arguments(call)?;
    let (connection, db) = match connect(url.as_deref(), &texts) {
        Ok(opened) => opened,
        Err(error) => return Some(failure(call, &error)),
    };
    let report = report(call, &connection);
    let shared = connection.is_shared();
    // SAFETY: open; nobody but the token has it, and the token closes it through the core.
    unsafe {
        let readonly = value::number(call.env, f64::from(sqlite::sqlite3_db_readonly(db, c"main".as_ptr())));
        let token = connection_token(&call.environment(), db, Some(connection), None)?;
        let shared = value::number(call.env, f64::from(u8::from(shared)));
        Some(call.list(&[token, readonly, report, shared]))
    }
}

/// `(url | null, [key, value, …])` → `[path]` of what `open` would open, empty for memory; or an error as `failure` lists
/// it. Touches nothing.
unsafe fn locate(call: &Call) -> Option<sys::napi_value> {
    let (url, texts) = arguments(call)?;
    let found = options(&texts).and_then(|options| resolve(url.as_deref(), &options));
    Some(match found {
        Ok(found) => match found.target {
            Target::File(path) => strings(call, &[path.to_string_lossy()]),
            Target::Memory => strings(call, &[""]),
        },
        Err(error) => failure(call, &error),
    })
}

/// The URL, if there is one, and the options' keys and values.
fn arguments(call: &Call) -> Option<(Option<String>, Vec<String>)> {
    let url = match text(call, call.args[0]) {
        None if scope::exception_pending(call.env) => return None,
        url => url,
    };
    let mut texts = Vec::new();
    let mut count = 0;
    // SAFETY: writes locals; `lib/` passes an array of strings, and anything else leaves the handles null.
    unsafe {
        sys::napi_get_array_length(call.env, call.args[1], &mut count);
        for at in 0..count {
            let mut item = ptr::null_mut();
            sys::napi_get_element(call.env, call.args[1], at, &mut item);
            texts.push(text(call, item)?);
        }
    }
    Some((url, texts))
}

fn options(texts: &[String]) -> Result<Options> {
    let mut options = Options::new();
    for pair in texts.chunks_exact(2) {
        options.set(&pair[0], &pair[1])?;
    }
    Ok(options)
}

fn connect(url: Option<&str>, texts: &[String]) -> Result<(Arc<Connection>, *mut sqlite::sqlite3)> {
    let connection = Connection::open(url, &options(texts)?)?;
    let db = {
        let guard = connection.lock()?;
        let db = guard.raw();
        // What other owners store is not ours to limit.
        if !connection.is_shared() {
            // SAFETY: open, and held. V8 has no longer strings; a lower limit that was asked for stays.
            unsafe {
                for limit in [sqlite::SQLITE_LIMIT_LENGTH, sqlite::SQLITE_LIMIT_SQL_LENGTH] {
                    if sqlite::sqlite3_limit(db, limit, -1) > MAX_LENGTH {
                        sqlite::sqlite3_limit(db, limit, MAX_LENGTH);
                    }
                }
            }
        }
        db
    };
    Ok((connection, db))
}

/// The string, or none for anything else.
fn text(call: &Call, given: sys::napi_value) -> Option<String> {
    let mut kind = 0;
    // SAFETY: reads a handle of the running call.
    unsafe { sys::napi_typeof(call.env, given, &mut kind) };
    if kind != sys::ValueType::napi_string {
        return None;
    }
    Some(String::from_utf8_lossy(&value::utf8(call.env, given)?).into_owned())
}

pub(super) fn failure(call: &Call, error: &Error) -> sys::napi_value {
    crate::js::object::failure(call.env, error)
}

pub(super) fn strings<T: AsRef<str>>(call: &Call, texts: &[T]) -> sys::napi_value {
    let items: Vec<_> = texts.iter().map(|text| value::string(call.env, text.as_ref().as_bytes())).collect();
    call.list(&items)
}

/// `[path, url, url source, warnings, [[name, value, wanted, source, note], …]]`
pub(crate) fn report(call: &Call, connection: &Connection) -> sys::napi_value {
    let report = connection.report();
    let string = |text: &str| value::string(call.env, text.as_bytes());
    let path = report.path.as_ref().map(|path| path.to_string_lossy()).unwrap_or_default();
    let rows: Vec<_> = report
        .rows
        .iter()
        .map(|row| strings(call, &[row.name, &row.value, &row.wanted, row.source, &row.note]))
        .collect();
    call.list(&[
        string(&path),
        string(&report.url),
        string(report.url_source),
        strings(call, &report.warnings),
        call.list(&rows),
    ])
}
