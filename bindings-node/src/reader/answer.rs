//! What a read answers, and how JavaScript is told.

use std::ptr;

use litekeel_core::Error;
use litekeel_core::{Cell, Packed};
use napi::sys;

use crate::js::object::{self, Elements};
use crate::js::scope;
use crate::js::value;

/// What integers become in JavaScript.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Integers {
    Number,
    BigInt,
}

impl Integers {
    /// As `safeIntegers` asks for them.
    pub(crate) fn safe(on: bool) -> Integers {
        if on { Integers::BigInt } else { Integers::Number }
    }
}

/// How a read ended.
pub(super) enum Answer {
    Rows(Packed, Integers),
    /// The core's or SQLite's error.
    Failed(Error),
    /// The caller's mistake, with better-sqlite3's class and words.
    Refused(Refusal),
    /// The deadline has passed.
    TimedOut,
    /// The connection was closed meanwhile.
    Closed,
}

/// A mistake of the caller.
pub(crate) struct Refusal {
    kind: ErrorClass,
    message: String,
}

/// JavaScript's class of an error.
enum ErrorClass {
    Range,
    Type,
}

impl Refusal {
    /// A RangeError.
    pub(crate) fn range(message: impl Into<String>) -> Refusal {
        Refusal { kind: ErrorClass::Range, message: message.into() }
    }

    /// A TypeError.
    pub(crate) fn of_type(message: impl Into<String>) -> Refusal {
        Refusal { kind: ErrorClass::Type, message: message.into() }
    }

    /// The dispatcher's kind of message, and its content.
    pub(crate) fn to_js(&self, env: sys::napi_env) -> (&'static [u8], sys::napi_value) {
        let kind: &[u8] = match self.kind {
            ErrorClass::Range => b"range",
            ErrorClass::Type => b"type",
        };
        (kind, value::string(env, self.message.as_bytes()))
    }

    /// Throws it.
    #[cfg(feature = "remote")]
    pub(crate) fn throw(&self, env: sys::napi_env) {
        match self.kind {
            ErrorClass::Range => value::throw_range(env, &self.message),
            ErrorClass::Type => value::throw_type(env, &self.message),
        }
    }
}

impl Answer {
    /// The dispatcher's kind of message, and its content.
    pub(super) fn to_js(&self, env: sys::napi_env) -> (&'static [u8], sys::napi_value) {
        match self {
            Answer::Rows(packed, integers) => (b"rows", rows(env, packed, *integers)),
            Answer::Failed(error) => (b"failed", object::failure(env, error)),
            Answer::Refused(refusal) => refusal.to_js(env),
            Answer::TimedOut => (b"timeout", value::undefined(env)),
            Answer::Closed => (b"type", value::string(env, b"The database connection is not open")),
        }
    }
}

/// `[names, row, row, …]`, each row an array
pub(crate) fn rows(env: sys::napi_env, packed: &Packed, integers: Integers) -> sys::napi_value {
    let table = packed.table();
    let mut out = ptr::null_mut();
    // SAFETY: handles of the open scope; each row has a scope of its own, or a large result would fill this one.
    unsafe {
        sys::napi_create_array_with_length(env, table.rows() + 1, &mut out);
        let names: Vec<_> = (0..table.columns()).map(|column| value::string(env, table.name(column))).collect();
        let elements = Elements::new(env, table.columns().max(1));
        elements.set(env, out, 0, elements.list(env, &names));
        for row in 0..table.rows() {
            let Some(_scope) = scope::Scope::open(env) else { return out };
            let cells: Vec<_> =
                (0..table.columns()).map(|column| cell(env, table.cell(row, column), integers)).collect();
            elements.set(env, out, row + 1, elements.list(env, &cells));
        }
    }
    out
}

fn cell(env: sys::napi_env, cell: Cell<'_>, integers: Integers) -> sys::napi_value {
    let mut out = ptr::null_mut();
    // SAFETY: writes a handle of the open scope; the bytes are copied.
    unsafe {
        match cell {
            Cell::Null => return object::null(env),
            Cell::Int(number) if integers == Integers::BigInt => {
                sys::napi_create_bigint_int64(env, number, &mut out);
            }
            Cell::Int(number) => return value::number(env, number as f64),
            Cell::Float(number) => return value::number(env, number),
            Cell::Text(text) => return value::string(env, text),
            Cell::Blob(blob) => {
                sys::napi_create_buffer_copy(env, blob.len(), blob.as_ptr().cast(), ptr::null_mut(), &mut out);
            }
        }
    }
    out
}
