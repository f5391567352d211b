//! What can be told of a path and a process before SQLite touches the file.
//!
//! Must not know: connections, and anything that opens a file.

mod errors;
pub(crate) mod loaded_sqlite;
pub(crate) mod orphan_wal;
pub(crate) mod path_hazards;
pub(crate) mod second_library;
pub(crate) mod second_sqlite;
