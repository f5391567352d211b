//! Which library this is.

use std::ffi::{CStr, CString, c_char};
use std::sync::OnceLock;

use litekeel_core::sqlite;

use crate::boundary::value;

/// The ABI that this header describes: major << 16 | minor, so 1 is 0.1. Within a major version functions are only
/// added.
pub const KEEL_ABI: u32 = 1;

/// The ABI of the loaded library; compare it with KEEL_ABI.
#[unsafe(no_mangle)]
pub extern "C" fn keel_abi() -> u32 {
    KEEL_ABI
}

/// "0.1.0 sqlite/3.54.1 <source id>". Static.
#[unsafe(no_mangle)]
pub extern "C" fn keel_version() -> *const c_char {
    value(c"".as_ptr(), || text().as_ptr())
}

fn text() -> &'static CString {
    static TEXT: OnceLock<CString> = OnceLock::new();
    TEXT.get_or_init(|| {
        // SAFETY: both return static texts.
        let (version, id) =
            unsafe { (CStr::from_ptr(sqlite::sqlite3_libversion()), CStr::from_ptr(sqlite::sqlite3_sourceid())) };
        let text =
            format!("{} sqlite/{} {}", env!("CARGO_PKG_VERSION"), version.to_string_lossy(), id.to_string_lossy());
        CString::new(text).unwrap_or_default()
    })
}
