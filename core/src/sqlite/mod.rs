//! SQLite's own C interface, on the one copy that litekeel carries, and what is done with a raw handle.
//!
//! The ground floor: nothing here knows anything of litekeel's, not even its errors.

pub(crate) mod handle;
pub(crate) mod lock_bytes;
pub(crate) mod prepared;
pub mod sql_text;
pub(crate) mod written_table;

pub use handle::told;
pub use prepared::Prepared;
pub use rusqlite::ffi::*;
