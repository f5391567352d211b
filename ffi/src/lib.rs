//! litekeel's C ABI: what SQLite lacks, and nothing more. Rows, statements and functions are SQLite's own API on the
//! connection that [`keel_sqlite3`] hands out.
// `println!` and `eprintln!` panic where nobody reads any more: `core/src/platform/standard_error.rs` does not.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]
#![allow(non_camel_case_types)]

mod arguments;
mod boundary;
mod connection;
mod databases;
mod error;
mod handles;
mod maintenance;
mod monitoring;
mod objects;
mod options;
mod reports;
mod rows;
mod rows_text;
mod shutdown;
mod sqlite;
mod subscriptions;
pub mod token_exchange;
mod types;
mod version;

pub use arguments::KEEL_NUL;
#[cfg(feature = "panic-injection")]
pub use boundary::injected;
pub use connection::*;
pub use databases::*;
pub use error::*;
pub use maintenance::*;
pub use monitoring::*;
pub use options::*;
pub use rows::*;
pub use shutdown::*;
pub use sqlite::*;
pub use types::*;
pub use version::*;

/// What the shared object runs when it is loaded.
#[doc(hidden)]
pub extern "C" fn guard_raw_users() {
    // Nothing may unwind into the loader; without it only hosts that never call litekeel are as they were.
    let _ = std::panic::catch_unwind(litekeel_core::guard_raw_users);
}
