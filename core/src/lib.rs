//! From a `DATABASE_URL` to a tuned, verified SQLite connection, and back to a clean close.
//!
//! A URL passes through the modules in this order: `source` → [`url`] → [`settings`] → `open` → [`connection`] → `close`.

mod close;
pub mod codes;
#[cfg(test)]
mod codes_table;
pub mod connection;
pub mod error;
mod exit;
mod explain;
mod foreign;
pub mod holders;
mod open;
mod orphan;
mod ownership;
pub mod packed;
mod proc;
pub mod process;
pub mod query;
mod raw;
pub mod registry;
pub mod report;
pub mod settings;
mod transaction;
pub mod url;
mod verify;
pub mod wait;

pub use connection::{Connection, Guard};
pub use error::{Error, Result};
pub use report::{CloseReport, OpenReport};
pub use settings::{Options, Settings};

/// SQLite's own C interface, on the one copy that litekeel carries.
pub use rusqlite::ffi as sqlite;
