//! The ways to open: plain as better-sqlite3 does, tuned, by descriptor, shared with FFI hosts.
//!
//! Must not know: statements.

pub(crate) mod close;
pub(crate) mod descriptor;
pub(crate) mod plain;
pub(crate) mod sharing;
pub(crate) mod tuned;

/// V8's longest string, the limit better-sqlite3 sets for values and SQL: 2^29 − 24.
const MAX_LENGTH: std::ffi::c_int = (1 << 29) - 24;
