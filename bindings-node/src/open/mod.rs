//! The ways to open: plain as better-sqlite3 does, tuned, by descriptor, shared with FFI hosts.
//!
//! Must not know: statements.

pub(crate) mod descriptor;
pub(crate) mod plain;
pub(crate) mod sharing;
pub(crate) mod tuned;
