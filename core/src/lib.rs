//! From a `DATABASE_URL` to a tuned, verified SQLite connection, and back to a clean close.
//!
//! A URL passes through the modules in this order: `source` → [`url`] → [`settings`] → `open` → [`connection`] → `close`.

pub mod activity;
pub mod backup;
pub mod busy_timeout;
mod checkpointer;
mod close;
pub mod codes;
mod compile_options;
pub mod connection;
mod copies;
pub mod deadline;
pub mod descriptor;
pub mod error;
pub mod events;
mod exit;
mod explain;
mod foreign;
pub mod fork;
mod guard;
pub mod hazards;
pub mod health;
mod hold;
pub mod holders;
mod left;
mod line;
mod open;
mod orphan;
mod owners;
mod ownership;
pub mod packed;
mod proc;
pub mod process;
pub mod query;
mod raw;
pub mod registry;
pub mod report;
pub mod settings;
mod shim;
pub mod shutdown;
mod statement;
mod stream;
mod transaction;
pub mod url;
pub mod users;
mod verify;
pub mod wait;
pub mod wal;
mod wal_index;
mod wal_log;
mod watch;

pub use connection::Connection;
pub use deadline::ProgressFn;
pub use error::{Error, Result};
pub use events::Event;
pub use guard::Guard;
pub use health::Health;
pub use hold::Hold;
pub use report::{CloseReport, OpenReport};
pub use settings::{Options, Settings};
pub use stream::Stream;
pub use transaction::{Begin, skip_space};
pub use wal::{Pins, WalStatus};

/// SQLite's own C interface, on the one copy that litekeel carries.
pub use rusqlite::ffi as sqlite;
