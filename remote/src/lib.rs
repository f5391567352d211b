//! A libSQL server by its URL: Hrana 3 over HTTP, with a blocking client.
//!
//! ```no_run
//! use litekeel_remote::Remote;
//!
//! # fn main() -> litekeel_core::Result<()> {
//! let db = Remote::open("libsql://localhost:8080?tls=0")?;
//! db.query("INSERT INTO visit VALUES('Ada', 3)", None)?;
//! let rows = db.query("SELECT who FROM visit", None)?;
//! # assert!(rows.table().rows() > 0);
//! # Ok(())
//! # }
//! ```
//!
//! From the ground: `base64`, `connector`, `keyword`, `script` ← `savepoints`, `token`, `wire` ← `url` ← `transport` ← `streams` ← `answer` ← `connection` ← `greeting`.
// `println!` and `eprintln!` panic where nobody reads any more: `core/src/platform/standard_error.rs` does not.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

mod answer;
mod base64;
mod connection;
mod connector;
mod greeting;
mod keyword;
mod savepoints;
mod script;
mod streams;
mod token;
mod transport;
mod url;
mod wire;

pub use connection::{Cursor, Description, Remote, Statement};
pub use greeting::Greeting;
pub use token::Token;
pub use url::Endpoint;
