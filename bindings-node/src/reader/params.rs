//! Parameters of a read: copied on JavaScript's thread, bound on the reader's.

use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use napi::sys;
use rusqlite::ffi as sqlite;

use super::Refusal;
use crate::connection::call::Call;
use crate::js::bytes;
use crate::js::value;

enum Value {
    Null,
    Real(f64),
    Int(i64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

pub(super) struct Params {
    positional: Vec<Value>,
    named: Option<Vec<(Vec<u8>, Value)>>,
}

impl Params {
    /// Values in the array at `values`, of which the last ones belong to the keys in the array at `names`. Throws what
    /// better-sqlite3 throws for a value that SQLite has no type for.
    pub(super) fn from_js(call: &Call, values: usize, names: usize) -> Option<Params> {
        let mut all = Vec::new();
        for item in items(call, values) {
            all.push(copy(call, item)?);
        }
        let mut is_array = false;
        // SAFETY: reads a handle of the running call.
        unsafe { sys::napi_is_array(call.env, call.args[names], &mut is_array) };
        if !is_array {
            return Some(Params { positional: all, named: None });
        }
        let keys: Vec<_> = items(call, names).into_iter().filter_map(|key| value::utf8(call.env, key)).collect();
        let tail = all.split_off(all.len().saturating_sub(keys.len()));
        Some(Params { positional: all, named: Some(keys.into_iter().zip(tail).collect()) })
    }

    /// # Safety
    /// `statement` is live and used by this thread alone; `self` outlives its use.
    pub(super) unsafe fn bind(&self, statement: *mut sqlite::sqlite3_stmt) -> Result<(), Refusal> {
        let refuse = |range, message: &str| Err(Refusal { range, message: message.to_owned() });
        let mut positional = self.positional.iter();
        let (mut has_names, mut missing) = (false, false);
        // SAFETY: the statement is live (caller); texts and blobs outlive it (caller), so that nothing is copied.
        unsafe {
            for at in 1..=sqlite::sqlite3_bind_parameter_count(statement) {
                let name = sqlite::sqlite3_bind_parameter_name(statement, at);
                let value = if name.is_null() {
                    positional.next()
                } else {
                    has_names = true;
                    // Without its prefix character.
                    let name = CStr::from_ptr(name.add(1)).to_bytes();
                    let found = self.named.iter().flatten().find(|(key, _)| key == name).map(|(_, value)| value);
                    if found.is_none() && self.named.is_some() {
                        let name = String::from_utf8_lossy(name);
                        return refuse(true, &format!("Missing named parameter \"{name}\""));
                    }
                    found
                };
                match value {
                    Some(value) => match value.bind(statement, at) {
                        sqlite::SQLITE_OK => {}
                        sqlite::SQLITE_TOOBIG => {
                            return refuse(true, "The bound string, buffer, or bigint is too big");
                        }
                        _ => return refuse(false, "An unexpected error occured while trying to bind parameters"),
                    },
                    None => missing = true,
                }
            }
        }
        if positional.next().is_some() {
            return refuse(true, "Too many parameter values were provided");
        }
        match (missing, has_names && self.named.is_none()) {
            (true, true) => refuse(false, "Missing named parameters"),
            (true, false) => refuse(true, "Too few parameter values were provided"),
            _ => Ok(()),
        }
    }
}

fn items(call: &Call, at: usize) -> Vec<sys::napi_value> {
    let mut count = 0;
    // SAFETY: `lib/` passes an array; anything else leaves the count at 0.
    unsafe {
        sys::napi_get_array_length(call.env, call.args[at], &mut count);
        (0..count)
            .map(|index| {
                let mut item = ptr::null_mut();
                sys::napi_get_element(call.env, call.args[at], index, &mut item);
                item
            })
            .collect()
    }
}

fn copy(call: &Call, given: sys::napi_value) -> Option<Value> {
    let mut kind = 0;
    // SAFETY: reads handles of the running call; bytes are copied before JavaScript runs again.
    unsafe {
        sys::napi_typeof(call.env, given, &mut kind);
        Some(match kind {
            sys::ValueType::napi_undefined | sys::ValueType::napi_null => Value::Null,
            sys::ValueType::napi_number => {
                let mut number = 0.0;
                sys::napi_get_value_double(call.env, given, &mut number);
                Value::Real(number)
            }
            sys::ValueType::napi_bigint => {
                let (mut number, mut lossless) = (0, false);
                sys::napi_get_value_bigint_int64(call.env, given, &mut number, &mut lossless);
                if !lossless {
                    value::throw_range(call.env, "The bound string, buffer, or bigint is too big");
                    return None;
                }
                Value::Int(number)
            }
            sys::ValueType::napi_string => Value::Text(value::utf8(call.env, given)?),
            _ => match bytes::bytes(call.env, given) {
                Some(blob) => Value::Blob(blob.to_vec()),
                None => {
                    value::throw_type(call.env, "SQLite3 can only bind numbers, strings, bigints, buffers, and null");
                    return None;
                }
            },
        })
    }
}

impl Value {
    /// # Safety
    /// As for [`Params::bind`].
    unsafe fn bind(&self, statement: *mut sqlite::sqlite3_stmt, at: c_int) -> c_int {
        let fixed = sqlite::SQLITE_STATIC();
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Value::Null => sqlite::sqlite3_bind_null(statement, at),
                Value::Real(number) => sqlite::sqlite3_bind_double(statement, at, *number),
                Value::Int(number) => sqlite::sqlite3_bind_int64(statement, at, *number),
                Value::Text(text) => sqlite::sqlite3_bind_text64(
                    statement,
                    at,
                    text.as_ptr().cast(),
                    text.len() as u64,
                    fixed,
                    sqlite::SQLITE_UTF8 as u8,
                ),
                Value::Blob(blob) => {
                    let data: *const c_void = if blob.is_empty() { c"".as_ptr().cast() } else { blob.as_ptr().cast() };
                    sqlite::sqlite3_bind_blob64(statement, at, data, blob.len() as u64, fixed)
                }
            }
        }
    }
}
