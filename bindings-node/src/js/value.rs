//! SQLite values to JavaScript and back, for callbacks that SQLite makes into JavaScript.

use std::cell::RefCell;
use std::ffi::{CString, c_int};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use napi::sys;
use rusqlite::ffi as sqlite;

/// How a failed callback names its origin: `prefix` + "an invalid value".
pub(crate) struct Origin<'a>(pub(crate) &'a str);

/// An open handle scope: SQLite may call back a million times inside one native call, whose own scope would
/// otherwise keep every value alive until it ends.
pub(crate) struct Scope {
    env: sys::napi_env,
    scope: sys::napi_handle_scope,
}

impl Scope {
    /// `None` when the environment can no longer run JavaScript, or not in this thread.
    pub(crate) fn open(env: sys::napi_env) -> Option<Scope> {
        if !is_here(env) {
            return None;
        }
        let mut scope = ptr::null_mut();
        // SAFETY: `env` is the environment of the JavaScript thread that runs the statement.
        let status = unsafe { sys::napi_open_handle_scope(env, &mut scope) };
        (status == sys::Status::napi_ok).then_some(Scope { env, scope })
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        // SAFETY: opened by `open` in the same environment, closed in reverse order by Rust's own scoping.
        unsafe { sys::napi_close_handle_scope(self.env, self.scope) };
    }
}

thread_local! {
    /// The environments of this thread.
    static HERE: RefCell<Vec<Home>> = const { RefCell::new(Vec::new()) };
}
static LAST: AtomicU64 = AtomicU64::new(0);

/// Makes this thread the one that runs the environment's JavaScript.
pub(crate) fn settle_here(env: sys::napi_env) {
    let home = Home { env, number: LAST.fetch_add(1, Ordering::Relaxed) };
    HERE.with_borrow_mut(|here| here.push(home));
}

/// The environment has ended.
pub(crate) fn leave(env: sys::napi_env) {
    let _ = HERE.try_with(|here| here.borrow_mut().retain(|other| other.env != env));
}

/// The environment that a callback belongs to, which it may outlive on a shared connection: another environment can be
/// at the same address by then, and another thread have the same number.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Home {
    env: sys::napi_env,
    number: u64,
}

impl Home {
    /// Of an environment of this thread.
    pub(crate) fn of(env: sys::napi_env) -> Home {
        let found = HERE.try_with(|here| here.borrow().iter().find(|home| home.env == env).copied());
        found.ok().flatten().unwrap_or(Home { env: ptr::null_mut(), number: 0 })
    }

    /// The environment, or null when this thread does not run its JavaScript: then nothing may be asked of it, and the
    /// functions of this module do not.
    #[inline]
    pub(crate) fn env(&self) -> sys::napi_env {
        let here = HERE.try_with(|here| here.borrow().contains(self)).unwrap_or(false);
        if here { self.env } else { ptr::null_mut() }
    }
}

/// Whether this thread runs the environment's JavaScript: another host of the process may use a connection, on a thread
/// of its own, that has functions of JavaScript's.
fn is_here(env: sys::napi_env) -> bool {
    // At exit, thread-locals are gone before the last connections are.
    HERE.try_with(|here| here.borrow().iter().any(|home| home.env == env)).unwrap_or(false)
}

/// Whether `test` holds for an environment of this thread, all of which end together. It must not begin or end one.
pub(crate) fn any_here(test: impl Fn(sys::napi_env) -> bool) -> bool {
    HERE.try_with(|here| here.borrow().iter().any(|home| test(home.env))).unwrap_or(false)
}

/// Whether a JavaScript exception waits: no JavaScript may be called until it has been delivered.
pub(crate) fn exception_pending(env: sys::napi_env) -> bool {
    if !is_here(env) {
        return true;
    }
    let mut pending = false;
    // SAFETY: plain query on a live environment.
    let status = unsafe { sys::napi_is_exception_pending(env, &mut pending) };
    status != sys::Status::napi_ok || pending
}

/// JavaScript's `undefined`.
pub(crate) fn undefined(env: sys::napi_env) -> sys::napi_value {
    let mut value = ptr::null_mut();
    // SAFETY: writes a handle of the open scope.
    unsafe { sys::napi_get_undefined(env, &mut value) };
    value
}

/// A JavaScript string from UTF-8; invalid bytes become U+FFFD.
pub(crate) fn string(env: sys::napi_env, text: &[u8]) -> sys::napi_value {
    let mut value = ptr::null_mut();
    // SAFETY: pointer and length come from one slice.
    unsafe { sys::napi_create_string_utf8(env, text.as_ptr().cast(), text.len() as isize, &mut value) };
    value
}

/// A JavaScript number.
pub(crate) fn number(env: sys::napi_env, number: f64) -> sys::napi_value {
    let mut value = ptr::null_mut();
    // SAFETY: writes a handle of the open scope.
    unsafe { sys::napi_create_double(env, number, &mut value) };
    value
}

/// The JavaScript form of a protected SQLite value; null pointer if JavaScript refuses (out of memory, terminating).
///
/// # Safety
/// `value` is an argument of the callback that is running.
pub(crate) unsafe fn to_js(
    env: sys::napi_env,
    value: *mut sqlite::sqlite3_value,
    safe_integers: bool,
) -> sys::napi_value {
    let mut out = ptr::null_mut();
    // SAFETY: the accessors are called on a protected value (caller); text and blob pointers stay valid until the
    // next conversion of that value, and their lengths are asked after the pointer, as SQLite requires.
    unsafe {
        match sqlite::sqlite3_value_type(value) {
            sqlite::SQLITE_INTEGER if safe_integers => {
                sys::napi_create_bigint_int64(env, sqlite::sqlite3_value_int64(value), &mut out);
            }
            sqlite::SQLITE_INTEGER | sqlite::SQLITE_FLOAT => {
                sys::napi_create_double(env, sqlite::sqlite3_value_double(value), &mut out);
            }
            sqlite::SQLITE_TEXT => {
                let text = sqlite::sqlite3_value_text(value);
                let length = sqlite::sqlite3_value_bytes(value);
                sys::napi_create_string_utf8(env, text.cast(), length as isize, &mut out);
            }
            sqlite::SQLITE_BLOB => {
                let blob = sqlite::sqlite3_value_blob(value);
                let length = sqlite::sqlite3_value_bytes(value) as usize;
                sys::napi_create_buffer_copy(env, length, blob, ptr::null_mut(), &mut out);
            }
            _ => {
                sys::napi_get_null(env, &mut out);
            }
        }
    }
    out
}

/// All arguments of a callback after `leading` ones; `None` if one could not be made.
///
/// # Safety
/// `argv` holds `argc` arguments of the callback that is running.
pub(crate) unsafe fn arguments(
    env: sys::napi_env,
    leading: Option<sys::napi_value>,
    argc: c_int,
    argv: *mut *mut sqlite::sqlite3_value,
    safe_integers: bool,
) -> Option<Vec<sys::napi_value>> {
    let mut args = Vec::with_capacity(argc as usize + 1);
    args.extend(leading);
    for at in 0..argc as usize {
        // SAFETY: `at` < `argc`.
        let value = unsafe { to_js(env, *argv.add(at), safe_integers) };
        if value.is_null() {
            return None;
        }
        args.push(value);
    }
    Some(args)
}

/// A function of JavaScript's that SQLite calls. It is held weakly, and its anchor strongly: `lib/` keeps the function
/// for as long as both the anchor and the connection are there. Held strongly it would keep for ever what it refers to,
/// which as a rule is its connection.
pub(crate) struct Function {
    anchor: sys::napi_ref,
    function: sys::napi_ref,
}

impl Function {
    /// Of `[anchor, function]`.
    pub(crate) fn of(env: sys::napi_env, pair: sys::napi_value) -> Option<Function> {
        let (mut anchor, mut function) = (ptr::null_mut(), ptr::null_mut());
        let (mut kind, mut is_list, mut weak) = (0, false, ptr::null_mut());
        // SAFETY: handles of the running call; anything but such a list is refused by one of the questions, the first of
        // which throws nothing.
        unsafe {
            if sys::napi_is_array(env, pair, &mut is_list) != sys::Status::napi_ok
                || !is_list
                || sys::napi_get_element(env, pair, 0, &mut anchor) != sys::Status::napi_ok
                || sys::napi_get_element(env, pair, 1, &mut function) != sys::Status::napi_ok
                || sys::napi_typeof(env, function, &mut kind) != sys::Status::napi_ok
                || kind != sys::ValueType::napi_function
            {
                return None;
            }
            let anchor = reference(env, anchor)?;
            if sys::napi_create_reference(env, function, 0, &mut weak) != sys::Status::napi_ok {
                release(env, anchor);
                return None;
            }
            Some(Function { anchor, function: weak })
        }
    }

    /// Calls it with `this` undefined. `None`: it threw, the environment is going, or the connection that it was
    /// registered on has been collected.
    pub(crate) fn call(&self, env: sys::napi_env, args: &[sys::napi_value]) -> Option<sys::napi_value> {
        let function = self.get(env)?;
        let mut result = ptr::null_mut();
        // SAFETY: `args` are handles of the open scope.
        unsafe {
            let status = sys::napi_call_function(env, undefined(env), function, args.len(), args.as_ptr(), &mut result);
            (status == sys::Status::napi_ok && !exception_pending(env)).then_some(result)
        }
    }

    /// The function, unless it has been collected with its connection.
    fn get(&self, env: sys::napi_env) -> Option<sys::napi_value> {
        let mut function = ptr::null_mut();
        // SAFETY: the reference lives as long as its registration.
        let status = unsafe { sys::napi_get_reference_value(env, self.function, &mut function) };
        (status == sys::Status::napi_ok && !function.is_null()).then_some(function)
    }

    /// Whether it has been collected with its connection.
    pub(crate) fn is_gone(&self, env: sys::napi_env) -> bool {
        self.get(env).is_none()
    }

    /// Gives the references back.
    pub(crate) fn release(&self, env: sys::napi_env) {
        release(env, self.function);
        release(env, self.anchor);
    }
}

/// A strong reference to an object.
pub(crate) fn reference(env: sys::napi_env, value: sys::napi_value) -> Option<sys::napi_ref> {
    let mut reference = ptr::null_mut();
    // SAFETY: `value` is a handle of the running call.
    let status = unsafe { sys::napi_create_reference(env, value, 1, &mut reference) };
    (status == sys::Status::napi_ok).then_some(reference)
}

/// Gives a reference back.
pub(crate) fn release(env: sys::napi_env, reference: sys::napi_ref) {
    // In another thread, that of the last owner who closed, it is left to the end of its environment.
    if !reference.is_null() && !crate::js::exiting::exiting() && is_here(env) {
        // SAFETY: made in the same environment, released once by its owner's `Drop`. During teardown
        // the call merely reports a status.
        unsafe { sys::napi_delete_reference(env, reference) };
    }
}

/// The failure that those see who run on another thread; on its own the pending exception goes first.
pub(crate) const ELSEWHERE: &std::ffi::CStr = c"a function of JavaScript's runs in its own thread only";

/// Marks the statement as failed; the JavaScript exception that is pending is what the caller will see.
///
/// # Safety
/// `context` belongs to the callback that is running.
pub(crate) unsafe fn fail(context: *mut sqlite::sqlite3_context) {
    // SAFETY: SQLite copies the text.
    unsafe { sqlite::sqlite3_result_error(context, ELSEWHERE.as_ptr(), -1) }
}

/// Makes `value` the result of the callback. False: an exception naming `origin` is pending.
///
/// # Safety
/// `context` belongs to the callback that is running.
pub(crate) unsafe fn set_result(
    env: sys::napi_env,
    context: *mut sqlite::sqlite3_context,
    value: sys::napi_value,
    origin: &Origin<'_>,
) -> bool {
    let mut kind = 0;
    // SAFETY: every call reads a handle of the open scope into a local; SQLite copies text and blobs (TRANSIENT).
    unsafe {
        if sys::napi_typeof(env, value, &mut kind) != sys::Status::napi_ok {
            return false;
        }
        match kind {
            sys::ValueType::napi_undefined | sys::ValueType::napi_null => sqlite::sqlite3_result_null(context),
            sys::ValueType::napi_number => {
                let mut number = 0.0;
                sys::napi_get_value_double(env, value, &mut number);
                sqlite::sqlite3_result_double(context, number);
            }
            sys::ValueType::napi_bigint => {
                let (mut number, mut lossless) = (0, false);
                sys::napi_get_value_bigint_int64(env, value, &mut number, &mut lossless);
                if !lossless {
                    throw_range(env, &format!("{} a bigint that was too big", origin.0));
                    return false;
                }
                sqlite::sqlite3_result_int64(context, number);
            }
            sys::ValueType::napi_string => {
                let Some(text) = utf8(env, value) else { return false };
                sqlite::sqlite3_result_text64(
                    context,
                    text.as_ptr().cast(),
                    text.len() as u64,
                    sqlite::SQLITE_TRANSIENT(),
                    sqlite::SQLITE_UTF8 as u8,
                );
            }
            _ => match bytes(env, value) {
                Some(blob) => {
                    let data = blob.as_ptr().cast();
                    sqlite::sqlite3_result_blob64(context, data, blob.len() as u64, sqlite::SQLITE_TRANSIENT());
                }
                None => {
                    throw_type(env, &format!("{} an invalid value", origin.0));
                    return false;
                }
            },
        }
    }
    true
}

/// The UTF-8 of a JavaScript string (lone surrogates become U+FFFD).
pub(crate) fn utf8(env: sys::napi_env, value: sys::napi_value) -> Option<Vec<u8>> {
    let mut length = 0;
    // SAFETY: asks for the length only; anything but a string is an error status.
    if unsafe { sys::napi_get_value_string_utf8(env, value, ptr::null_mut(), 0, &mut length) } != sys::Status::napi_ok {
        return None;
    }
    let mut text = vec![0u8; length + 1];
    // SAFETY: the buffer has room for the text and the terminating NUL that N-API writes.
    let status =
        unsafe { sys::napi_get_value_string_utf8(env, value, text.as_mut_ptr().cast(), text.len(), &mut length) };
    text.truncate(length);
    (status == sys::Status::napi_ok).then_some(text)
}

/// A JavaScript string for SQLite's NUL-terminated parameters; none with a NUL in it, which would name something else.
pub(crate) fn c_string(env: sys::napi_env, value: sys::napi_value) -> Option<CString> {
    CString::new(utf8(env, value)?).ok()
}

/// The bytes of a typed array (a Buffer is one). Valid until JavaScript runs again.
pub(crate) struct Bytes {
    data: *const u8,
    length: usize,
    /// Another thread may be changing them: whoever reads them twice has to copy them first.
    pub(crate) shared: bool,
}

impl Bytes {
    /// Never null; for an empty array, of nothing.
    pub(crate) fn as_ptr(&self) -> *const u8 {
        if self.length == 0 { c"".as_ptr().cast() } else { self.data }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// A copy.
    ///
    /// # Safety
    /// JavaScript has not run since `bytes`.
    pub(crate) unsafe fn to_vec(&self) -> Vec<u8> {
        let mut copy = Vec::with_capacity(self.length);
        // SAFETY: readable for the length, and there is room for it. Whatever another thread writes meanwhile, what is
        // copied are bytes.
        unsafe {
            ptr::copy_nonoverlapping(self.as_ptr(), copy.as_mut_ptr(), self.length);
            copy.set_len(self.length);
        }
        copy
    }
}

/// The bytes of a typed array of any kind; none for anything else.
pub(crate) fn bytes(env: sys::napi_env, value: sys::napi_value) -> Option<Bytes> {
    let mut is_array = false;
    let (mut kind, mut elements, mut data, mut buffer) = (UNNAMED, 0, ptr::null_mut(), ptr::null_mut());
    // SAFETY: locals receive the answers; a value that is no typed array is refused by the first question.
    unsafe {
        if sys::napi_is_typedarray(env, value, &mut is_array) != sys::Status::napi_ok || !is_array {
            return None;
        }
        let status = sys::napi_get_typedarray_info(
            env,
            value,
            &mut kind,
            &mut elements,
            &mut data,
            &mut buffer,
            ptr::null_mut(),
        );
        if status != sys::Status::napi_ok {
            return None;
        }
        let length = elements.checked_mul(width(kind)?)?;
        let mut is_gone = false;
        if length == 0
            && sys::napi_is_detached_arraybuffer(env, buffer, &mut is_gone) == sys::Status::napi_ok
            && is_gone
        {
            return None;
        }
        let mut is_own = false;
        sys::napi_is_arraybuffer(env, buffer, &mut is_own);
        Some(Bytes { data: data.cast_const().cast(), length: if data.is_null() { 0 } else { length }, shared: !is_own })
    }
}

/// What is left where N-API has no number for the kind of an array that it otherwise describes.
const UNNAMED: sys::napi_typedarray_type = -1;

/// The bytes of one element; none of a kind that is not known, of which a part alone would be stored.
fn width(kind: sys::napi_typedarray_type) -> Option<usize> {
    /// `Float16Array` where N-API names it. Node 24 has the array and no name, for this one alone.
    const FLOAT16: sys::napi_typedarray_type = 11;
    use sys::TypedarrayType as Kind;
    match kind {
        Kind::int8_array | Kind::uint8_array | Kind::uint8_clamped_array => Some(1),
        Kind::int16_array | Kind::uint16_array | FLOAT16 | UNNAMED => Some(2),
        Kind::int32_array | Kind::uint32_array | Kind::float32_array => Some(4),
        Kind::float64_array | Kind::bigint64_array | Kind::biguint64_array => Some(8),
        _ => None,
    }
}

/// Throws a TypeError.
pub(crate) fn throw_type(env: sys::napi_env, message: &str) {
    let message = CString::new(message.replace('\0', "")).unwrap_or_default();
    // SAFETY: N-API copies the text.
    unsafe { sys::napi_throw_type_error(env, ptr::null(), message.as_ptr()) };
}

/// Throws a RangeError.
pub(crate) fn throw_range(env: sys::napi_env, message: &str) {
    let message = CString::new(message.replace('\0', "")).unwrap_or_default();
    // SAFETY: N-API copies the text.
    unsafe { sys::napi_throw_range_error(env, ptr::null(), message.as_ptr()) };
}
