//! Values into parameters.

use std::ffi::c_int;
use std::ptr;

use napi::sys;
use rusqlite::ffi as sqlite;

use super::running_call::Statement;
use crate::buffer::environment::Memory;
use crate::buffer::layout::{self, field, flag, tag};
use crate::buffer::utf8;
use crate::js::bytes;
use crate::js::value;

/// How many values a call takes as arguments of their own; the next argument is a list of all others.
const OWN_ARGUMENTS: usize = 8;

/// Values that are bound until the call ends. Small, since it is moved in every call.
pub(super) struct Bound<'a> {
    statement: &'a Statement<'a>,
    memory: Option<Box<Memory>>,
    /// Whether SQLite has pointers into the memory, or into JavaScript's.
    borrowed: bool,
}

impl Bound<'_> {
    /// Takes the pointers back from SQLite; the statement must be reset.
    #[inline(always)]
    pub(super) fn release(&mut self) {
        if self.borrowed {
            self.borrowed = false;
            // SAFETY: the statement is live during the call.
            unsafe { sqlite::sqlite3_clear_bindings(self.statement.handle) };
        }
    }
}

impl Drop for Bound<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.borrowed {
            // Only after a panic. SAFETY: as in `release`.
            unsafe { sqlite::sqlite3_reset(self.statement.handle) };
            self.release();
        }
        if let Some(memory) = self.memory.take() {
            self.statement.environment.return_memory(memory);
        }
    }
}

/// For how long values are needed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Needed {
    /// In this call. SQLite borrows them, and `release` must be called before it ends.
    Now,
    /// Until the statement is reset, which happens before anything else is bound. SQLite borrows what is in the buffer.
    ForRows,
    /// For longer than that.
    Later,
}

/// Binds the parameters in the buffer, unless `flag::BOUND` says that it was done.
///
/// The error is SQLite's code, or −1 for a value of a type that SQLite does not have.
///
/// # Safety
/// The statement is live and reset.
#[inline(always)]
pub(super) unsafe fn bind<'a>(statement: &'a Statement<'a>, needed: Needed) -> Result<Bound<'a>, c_int> {
    let buffer = statement.environment.buffer;
    let mut bound = Bound { statement, memory: None, borrowed: false };
    if buffer.get(field::PARAMETERS) != 0 && buffer.get(field::FLAGS) & flag::BOUND == 0 {
        // SAFETY: the caller's promise.
        let rc = unsafe { bind_values(&mut bound, needed) };
        if rc != sqlite::SQLITE_OK {
            return Err(rc);
        }
    }
    Ok(bound)
}

unsafe fn bind_values(bound: &mut Bound<'_>, needed: Needed) -> c_int {
    let statement = bound.statement;
    let buffer = statement.environment.buffer;
    let count = (buffer.get(field::PARAMETERS) as usize).min(layout::PARAMETERS);
    // JavaScript that runs in mid-statement may use the buffer and the scratch memory again.
    let may_call_js = statement.token.may_call_js.get();
    let copy = needed != Needed::Now || may_call_js;
    let copy_short = needed == Needed::Later || may_call_js;
    let mut arguments = Arguments::default();
    if buffer.get(field::ARGUMENTS) > 0 {
        // SAFETY: the info of the running call.
        unsafe { arguments.fetch(statement) };
        let mut memory = statement.environment.take_memory();
        memory.scratch.reserve(buffer.get(field::SCRATCH).max(0) as usize);
        bound.memory = Some(memory);
    }
    let handle = statement.handle;
    let first = buffer.get(field::FIRST) + 1;
    let mut text = 0;
    for at in 0..count {
        let cell = buffer.parameter(at);
        let (high, low) = ((cell >> 32) as u32, cell as u32);
        let index = first + at as c_int;
        // SAFETY: live; pointers are as long-lived as `destructor` says: to the end of the call, or copied at once.
        let rc = unsafe {
            if high & tag::MASK != tag::BASE {
                sqlite::sqlite3_bind_double(handle, index, f64::from_bits(cell))
            } else {
                match high {
                    tag::LATIN => {
                        let length = (low as usize).min(layout::TEXT_BYTES - text);
                        let start = buffer.text().add(text);
                        text += length;
                        // Stays readable while the environment lives, and is bound anew before the next execution.
                        bind_text(handle, index, start, length, copy_short)
                    }
                    tag::INT => sqlite::sqlite3_bind_int64(handle, index, i64::from(low as i32)),
                    tag::EXTRA => bind_argument(bound, arguments.next(), index, low as usize, copy),
                    tag::NARROW => bind_latin1(bound, arguments.next(), index, low as usize, copy),
                    tag::WIDE => bind_utf16(bound, arguments.next(), index, low as usize, copy),
                    _ => sqlite::sqlite3_bind_null(handle, index),
                }
            }
        };
        if rc != sqlite::SQLITE_OK {
            bound.borrowed = false;
            // SAFETY: live.
            unsafe { sqlite::sqlite3_clear_bindings(handle) };
            return rc;
        }
    }
    sqlite::SQLITE_OK
}

#[inline(always)]
unsafe fn bind_text(
    handle: *mut sqlite::sqlite3_stmt,
    index: c_int,
    text: *const u8,
    length: usize,
    copy: bool,
) -> c_int {
    let destructor = if copy { sqlite::SQLITE_TRANSIENT() } else { sqlite::SQLITE_STATIC() };
    // SAFETY: readable for `length`, for as long as the destructor says (callers).
    unsafe {
        sqlite::sqlite3_bind_text64(handle, index, text.cast(), length as u64, destructor, sqlite::SQLITE_UTF8 as u8)
    }
}

/// Binds a string of `length` Latin-1 characters: JavaScript copies those, and ASCII is UTF-8 already.
unsafe fn bind_latin1(bound: &mut Bound<'_>, text: sys::napi_value, index: c_int, length: usize, copy: bool) -> c_int {
    let statement = bound.statement;
    let Some(memory) = &mut bound.memory else { return sqlite::SQLITE_NOMEM };
    let used = memory.scratch.len();
    if memory.scratch.capacity() - used <= 2 * length {
        return sqlite::SQLITE_NOMEM;
    }
    let mut fetched = 0;
    bound.borrowed |= !copy;
    // SAFETY: the scratch has twice the length, and one byte for the NUL that N-API adds; it stays until the call ends.
    // The characters are put behind the room for as many bytes, so that encoding them never overtakes itself.
    unsafe {
        let start = memory.scratch.as_mut_ptr().add(used);
        let narrow = start.add(length);
        let env = statement.environment.env;
        sys::napi_get_value_string_latin1(env, text, narrow.cast(), length + 1, &mut fetched);
        let fetched = fetched.min(length);
        memory.scratch.set_len(used + length + fetched);
        if std::slice::from_raw_parts(narrow, fetched).is_ascii() {
            return bind_text(statement.handle, index, narrow, fetched, copy);
        }
        let bytes = utf8::encode_latin1(narrow, fetched, start);
        bind_text(statement.handle, index, start, bytes, copy)
    }
}

/// Binds a string of `length` UTF-16 units: JavaScript copies those, and encoding them here is faster than V8's own.
unsafe fn bind_utf16(bound: &mut Bound<'_>, text: sys::napi_value, index: c_int, length: usize, copy: bool) -> c_int {
    let environment = bound.statement.environment;
    let mut units = environment.take_units();
    units.clear();
    let mut fetched = 0;
    // SAFETY: there is room for the units and the NUL that N-API adds.
    unsafe {
        if units.try_reserve(length + 1).is_err() {
            return sqlite::SQLITE_NOMEM;
        }
        sys::napi_get_value_string_utf16(environment.env, text, units.as_mut_ptr(), length + 1, &mut fetched);
        units.set_len(fetched.min(length));
    }
    let handle = bound.statement.handle;
    let most = utf8::room(units.len());
    bound.borrowed |= !copy;
    let Some(memory) = &mut bound.memory else { return sqlite::SQLITE_NOMEM };
    if memory.scratch.capacity() - memory.scratch.len() < most {
        return sqlite::SQLITE_NOMEM;
    }
    // SAFETY: there is room in the scratch, which stays until the call ends.
    let rc = unsafe {
        let start = memory.scratch.as_mut_ptr().add(memory.scratch.len());
        let bytes = utf8::encode(&units, start);
        memory.scratch.set_len(memory.scratch.len() + bytes);
        bind_text(handle, index, start, bytes, copy)
    };
    environment.return_units(units);
    rc
}

/// Binds a value that came as an argument: a string, a BigInt or bytes. `room`: the most bytes of a string's UTF-8; 0
/// when it is to be measured.
unsafe fn bind_argument(
    bound: &mut Bound<'_>,
    argument: sys::napi_value,
    index: c_int,
    room: usize,
    copy: bool,
) -> c_int {
    let env = bound.statement.environment.env;
    let handle = bound.statement.handle;
    let Some(memory) = &mut bound.memory else { return sqlite::SQLITE_NOMEM };
    let mut kind = 0;
    // SAFETY: a handle of the running call; see `bind` for the pointers. JavaScript cannot run before the call ends, or
    // `copy` is set, so that it can neither move nor detach the bytes.
    unsafe {
        sys::napi_typeof(env, argument, &mut kind);
        match kind {
            sys::ValueType::napi_string if room > 0 && memory.scratch.len() + room <= memory.scratch.capacity() => {
                let used = memory.scratch.len();
                let start = memory.scratch.as_mut_ptr().add(used);
                let mut length = 0;
                // The room includes the NUL that N-API adds.
                sys::napi_get_value_string_utf8(env, argument, start.cast(), room, &mut length);
                memory.scratch.set_len(used + length);
                bound.borrowed |= !copy;
                bind_text(handle, index, start, length, copy)
            }
            sys::ValueType::napi_string => {
                let Some(text) = value::utf8(env, argument) else { return sqlite::SQLITE_NOMEM };
                bound.borrowed |= !copy;
                let rc = bind_text(handle, index, text.as_ptr(), text.len(), copy);
                if !copy {
                    memory.large.push(text);
                }
                rc
            }
            sys::ValueType::napi_bigint => {
                let (mut number, mut lossless) = (0, false);
                sys::napi_get_value_bigint_int64(env, argument, &mut number, &mut lossless);
                if lossless { sqlite::sqlite3_bind_int64(handle, index, number) } else { sqlite::SQLITE_TOOBIG }
            }
            _ => match bytes::bytes(env, argument) {
                Some(blob) => {
                    // SQLite reads a value more than once, for the table and for each index.
                    let copy = copy || blob.shared;
                    let data = blob.as_ptr().cast();
                    let destructor = if copy { sqlite::SQLITE_TRANSIENT() } else { sqlite::SQLITE_STATIC() };
                    bound.borrowed |= !copy;
                    sqlite::sqlite3_bind_blob64(handle, index, data, blob.len() as u64, destructor)
                }
                None => -1,
            },
        }
    }
}

/// The values that came as arguments, in order.
struct Arguments {
    env: sys::napi_env,
    values: [sys::napi_value; OWN_ARGUMENTS + 1],
    used: usize,
}

impl Default for Arguments {
    #[inline]
    fn default() -> Arguments {
        Arguments { env: ptr::null_mut(), values: [ptr::null_mut(); OWN_ARGUMENTS + 1], used: 0 }
    }
}

impl Arguments {
    unsafe fn fetch(&mut self, statement: &Statement<'_>) {
        self.env = statement.environment.env;
        let mut count = self.values.len();
        // SAFETY: the info of the running call; missing arguments become undefined.
        unsafe {
            sys::napi_get_cb_info(
                self.env,
                statement.info,
                &mut count,
                self.values.as_mut_ptr(),
                ptr::null_mut(),
                ptr::null_mut(),
            );
        }
    }

    fn next(&mut self) -> sys::napi_value {
        let at = self.used;
        self.used += 1;
        if at < OWN_ARGUMENTS {
            return self.values[at];
        }
        let mut value = ptr::null_mut();
        // SAFETY: anything but a list leaves the handle null, which `napi_typeof` refuses.
        unsafe {
            sys::napi_get_element(self.env, self.values[OWN_ARGUMENTS], (at - OWN_ARGUMENTS) as u32, &mut value);
        }
        value
    }
}
