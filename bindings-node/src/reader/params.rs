//! Parameters of a statement: copied on JavaScript's thread, put in order and bound on another.

use std::ffi::{CStr, c_int, c_void};
use std::ptr;

#[cfg(feature = "remote")]
use litekeel_core::Cell;
use napi::sys;
use rusqlite::ffi as sqlite;

use super::answer::Refusal;
use crate::js::bytes;
use crate::js::value;

pub(crate) enum Value {
    Null,
    Real(f64),
    Int(i64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

pub(crate) struct Params {
    pub(crate) positional: Vec<Value>,
    pub(crate) named: Option<Vec<(Vec<u8>, Value)>>,
}

impl Params {
    /// The values of an array, of which the last ones belong to the keys in the array `names`, if that is one. Throws what
    /// better-sqlite3 throws for a value that SQLite has no type for.
    pub(crate) fn from_js(env: sys::napi_env, values: sys::napi_value, names: sys::napi_value) -> Option<Params> {
        let mut all = Vec::new();
        for item in items(env, values) {
            all.push(copy(env, item)?);
        }
        let mut is_array = false;
        // SAFETY: reads a handle of the running call.
        unsafe { sys::napi_is_array(env, names, &mut is_array) };
        if !is_array {
            return Some(Params { positional: all, named: None });
        }
        let keys: Vec<_> = items(env, names).into_iter().filter_map(|key| value::utf8(env, key)).collect();
        let tail = all.split_off(all.len().saturating_sub(keys.len()));
        Some(Params { positional: all, named: Some(keys.into_iter().zip(tail).collect()) })
    }

    /// The values in the order of the statement's parameters, whose names these are, without their prefix characters.
    pub(crate) fn ordered<'a>(
        &self,
        parameters: impl Iterator<Item = Option<&'a [u8]>>,
    ) -> Result<Vec<&Value>, Refusal> {
        let mut positional = self.positional.iter();
        let (mut has_names, mut missing, mut values) = (false, false, Vec::new());
        for name in parameters {
            let value = match name {
                None => positional.next(),
                Some(name) => {
                    has_names = true;
                    let found = self.named.iter().flatten().find(|(key, _)| key == name).map(|(_, value)| value);
                    if found.is_none() && self.named.is_some() {
                        let name = String::from_utf8_lossy(name);
                        return Err(Refusal::range(format!("Missing named parameter \"{name}\"")));
                    }
                    found
                }
            };
            missing |= value.is_none();
            values.extend(value);
        }
        if positional.next().is_some() {
            return Err(Refusal::range("Too many parameter values were provided"));
        }
        match (missing, has_names && self.named.is_none()) {
            (true, true) => Err(Refusal::of_type("Missing named parameters")),
            (true, false) => Err(Refusal::range("Too few parameter values were provided")),
            _ => Ok(values),
        }
    }

    /// # Safety
    /// `statement` is live and used by this thread alone; `self` outlives its use.
    pub(super) unsafe fn bind(&self, statement: *mut sqlite::sqlite3_stmt) -> Result<(), Refusal> {
        // SAFETY: the statement is live (caller); its names live as long.
        let name = |at| unsafe {
            let name = sqlite::sqlite3_bind_parameter_name(statement, at);
            // Without its prefix character.
            (!name.is_null()).then(|| CStr::from_ptr(name.add(1)).to_bytes())
        };
        // SAFETY: the statement is live (caller).
        let count = unsafe { sqlite::sqlite3_bind_parameter_count(statement) };
        for (at, value) in self.ordered((1..=count).map(name))?.into_iter().enumerate() {
            // SAFETY: texts and blobs outlive the statement's use (caller), so that nothing is copied.
            return Err(match unsafe { value.bind(statement, at as c_int + 1) } {
                sqlite::SQLITE_OK => continue,
                sqlite::SQLITE_TOOBIG => Refusal::range("The bound string, buffer, or bigint is too big"),
                _ => Refusal::of_type("An unexpected error occured while trying to bind parameters"),
            });
        }
        Ok(())
    }
}

pub(crate) fn items(env: sys::napi_env, list: sys::napi_value) -> Vec<sys::napi_value> {
    let mut count = 0;
    // SAFETY: `lib/` passes an array; anything else leaves the count at 0.
    unsafe {
        sys::napi_get_array_length(env, list, &mut count);
        (0..count)
            .map(|index| {
                let mut item = ptr::null_mut();
                sys::napi_get_element(env, list, index, &mut item);
                item
            })
            .collect()
    }
}

fn copy(env: sys::napi_env, given: sys::napi_value) -> Option<Value> {
    let mut kind = 0;
    // SAFETY: reads handles of the running call; bytes are copied before JavaScript runs again.
    unsafe {
        sys::napi_typeof(env, given, &mut kind);
        Some(match kind {
            sys::ValueType::napi_undefined | sys::ValueType::napi_null => Value::Null,
            sys::ValueType::napi_number => {
                let mut number = 0.0;
                sys::napi_get_value_double(env, given, &mut number);
                Value::Real(number)
            }
            sys::ValueType::napi_bigint => {
                let (mut number, mut lossless) = (0, false);
                sys::napi_get_value_bigint_int64(env, given, &mut number, &mut lossless);
                if !lossless {
                    value::throw_range(env, "The bound string, buffer, or bigint is too big");
                    return None;
                }
                Value::Int(number)
            }
            sys::ValueType::napi_string => Value::Text(value::utf8(env, given)?),
            _ => match bytes::bytes(env, given) {
                Some(blob) => Value::Blob(blob.to_vec()),
                None => {
                    value::throw_type(env, "SQLite3 can only bind numbers, strings, bigints, buffers, and null");
                    return None;
                }
            },
        })
    }
}

impl Value {
    /// The same for a packed table.
    #[cfg(feature = "remote")]
    pub(crate) fn cell(&self) -> Cell<'_> {
        match self {
            // As SQLite takes it.
            Value::Real(number) if number.is_nan() => Cell::Null,
            Value::Real(number) => Cell::Float(*number),
            Value::Null => Cell::Null,
            Value::Int(number) => Cell::Int(*number),
            Value::Text(text) => Cell::Text(text),
            Value::Blob(blob) => Cell::Blob(blob),
        }
    }

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
