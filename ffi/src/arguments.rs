//! Text from C: pointer and length, or NUL-terminated.

use std::ffi::{CStr, c_char, c_void};

use litekeel_core::{Error, codes};

/// As a length: the text is NUL-terminated.
pub const KEEL_NUL: usize = usize::MAX;

/// The text's bytes as UTF-8.
///
/// # Safety
/// `text` is NULL, or points to `length` readable bytes (to a NUL-terminated text for [`KEEL_NUL`]) that live for `'a`.
pub(crate) unsafe fn utf8<'a>(text: *const c_char, length: usize, what: &str) -> Result<&'a str, Error> {
    if text.is_null() {
        return Err(null(what));
    }
    let bytes = if length == KEEL_NUL {
        // SAFETY: NUL-terminated by the caller's promise.
        unsafe { CStr::from_ptr(text) }.to_bytes()
    } else {
        // SAFETY: readable by the caller's promise.
        unsafe { bytes(text.cast(), length, what)? }
    };
    std::str::from_utf8(bytes).map_err(|error| {
        Error::new(codes::INVALID_UTF8, format!("{what} is not UTF-8 at byte {}", error.valid_up_to()))
            .with_offset(i32::try_from(error.valid_up_to()).unwrap_or(-1))
    })
}

/// A block of bytes.
///
/// # Safety
/// `data` is NULL or points to `length` readable bytes that live for `'a`.
pub(crate) unsafe fn bytes<'a>(data: *const c_void, length: usize, what: &str) -> Result<&'a [u8], Error> {
    if data.is_null() {
        return Err(null(what));
    }
    if length > isize::MAX as usize {
        // -1 as a floating-point number, made unsigned, is 2^63 on some machines: LuaJIT's interpreter does that.
        return Err(Error::new(codes::ARGUMENT, format!("{what} cannot be {length} bytes long")).with_hint(
            "pass its length in bytes, or KEEL_NUL, which is (size_t)-1: in LuaJIT ffi.cast('size_t', -1)",
        ));
    }
    // SAFETY: the caller's promise, and the length fits Rust's limit.
    Ok(unsafe { std::slice::from_raw_parts(data.cast(), length) })
}

/// The error for a NULL where a pointer is needed.
pub(crate) fn null(what: &str) -> Error {
    Error::new(codes::ARGUMENT, format!("{what} is NULL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As LuaJIT's interpreter passes -1: a floating-point number made unsigned.
    #[test]
    fn a_length_that_was_to_be_keel_nul_is_answered_with_how_to_write_it() {
        for length in [1usize << 63, isize::MAX as usize + 2] {
            // SAFETY: refused before it is read.
            let error = unsafe { utf8(c"x".as_ptr(), length, "sql") }.unwrap_err();
            assert_eq!(error.code(), codes::ARGUMENT);
            assert!(error.hint().contains("KEEL_NUL") && error.hint().contains("LuaJIT"), "{error}");
        }
        // SAFETY: NUL-terminated.
        assert_eq!(unsafe { utf8(c"x".as_ptr(), KEEL_NUL, "sql") }.unwrap(), "x");
    }
}
