//! What is done with a raw handle of SQLite's: one statement, the keywords of its text, the bytes that are locked.
//!
//! The ground floor: nothing here knows anything of litekeel's, not even its errors.

pub(crate) mod foreign_keys;
pub(crate) mod handle;
pub(crate) mod lock_bytes;
pub(crate) mod prepared;
pub(crate) mod quoted;
pub(crate) mod sql_text;
pub(crate) mod written_table;
