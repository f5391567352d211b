//! litekeel's C ABI: what SQLite lacks, and nothing more. Rows, statements and functions are SQLite's own API on the
//! connection that [`keel_sqlite3`] hands out.
#![allow(non_camel_case_types)]

mod boundary;
mod care;
mod connection;
mod error;
mod handles;
pub mod lending;
mod options;
mod rows;
mod shutdown;
mod sqlite;
mod text;
mod upkeep;
mod version;

#[cfg(feature = "panic-injection")]
pub use boundary::injected;
pub use care::*;
pub use connection::*;
pub use error::*;
pub use options::*;
pub use rows::*;
pub use shutdown::*;
pub use sqlite::*;
pub use text::KEEL_NUL;
pub use upkeep::*;
pub use version::*;
