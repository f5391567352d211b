//! From a `DATABASE_URL` to a tuned, verified SQLite connection, and back to a clean close.
//!
//! SQLite's defaults suit a phone, not a server. [`Connection::open`] takes a URL, applies a profile of settings, reads
//! every one of them back, and explains each failure: what happened, to which file, why, and what to do.
//!
//! ```
//! use litekeel_core::packed::{Cell, Encoder};
//! use litekeel_core::{Connection, Options};
//!
//! # fn main() -> litekeel_core::Result<()> {
//! # let directory = tempfile::tempdir().unwrap();
//! # let url = format!("file:{}/app.db?busy_timeout=10s", directory.path().display());
//! // Relative paths, `sqlite:` URLs and bare paths work as well; `None` takes DATABASE_URL.
//! let db = Connection::open(Some(&url), &Options::new())?;
//! db.exec("CREATE TABLE visit(who TEXT NOT NULL, times INTEGER NOT NULL)")?;
//!
//! // Two rows of parameters: the statement runs once for each, in one savepoint.
//! let mut visits = Encoder::new([&b"who"[..], b"times"]);
//! for (who, times) in [("Ada", 3), ("Grace", 5)] {
//!     visits.push(Cell::Text(who.as_bytes()));
//!     visits.push(Cell::Int(times));
//! }
//! db.query("INSERT INTO visit VALUES(?, ?)", Some(visits.finish().table()))?;
//!
//! let rows = db.query("SELECT who, times FROM visit ORDER BY times DESC", None)?;
//! let table = rows.table();
//! assert_eq!(table.rows(), 2);
//! assert_eq!(table.cell(0, 0), Cell::Text(b"Grace"));
//! assert_eq!(table.cell(0, 1), Cell::Int(5));
//!
//! // What opening found and did, and what closing left.
//! assert_eq!(db.report().row("journal_mode").map(|row| row.value.as_str()), Some("wal"));
//! let closed = db.close()?;
//! assert!(closed.wal_removed);
//! # Ok(())
//! # }
//! ```
//!
//! # Where to find what
//!
//! | to do this | look at |
//! |---|---|
//! | open, close, share | [`Connection`], [`Options`], [`settings`], [`url`], [`OpenReport`], [`CloseReport`] |
//! | run SQL | [`Connection::exec`], [`Connection::query`], [`Connection::stream`], [`packed`] |
//! | use SQLite's own calls | [`Connection::lock`], [`Guard`], [`sqlite`] |
//! | read an error | [`Error`], [`codes`], [`error`] |
//! | find out who is in the way | [`Connection::holders`], [`Connection::pins`], [`holders`], [`users`] |
//! | see how the database is | [`Connection::health`], [`Connection::wal_status`], [`hazards`], [`events`] |
//! | have one file for each tenant | [`Databases`], [`PooledConnection`] |
//! | copy it | [`Connection::backup`] |
//! | know that it is at the replica | [`Connection::replicated`] |
//! | end well | [`Connection::close`], [`shutdown`], [`registry`] |
//!
//! A URL passes through `url` → `settings` → `preflight` → `open` → `connection`, and a room of this crate knows only the
//! rooms below it.
// `println!` and `eprintln!` panic where nobody reads any more: `core/src/platform/standard_error.rs` does not.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

mod backup;
mod connection;
mod databases;
pub mod error;
pub mod events;
mod explain;
mod lifecycle;
mod locks;
mod open;
pub mod packed;
mod platform;
mod preflight;
mod query;
pub mod registry;
mod replication;
pub mod report;
pub mod settings;
pub mod sqlite;
pub mod url;
mod vfs;
mod waiting;
mod wal;

pub use backup::{BackupOptions, BackupReport, DESTINATION_SETTINGS};
pub use connection::Connection;
pub use connection::guard::Guard;
pub use connection::health::{self, Health};
pub use connection::hold::TeardownLock;
pub use connection::replicated::ReplicaWait;
pub use connection::transaction::Begin;
pub use databases::{DEFAULT_MAX as DEFAULT_MAX_DATABASES, Databases, PooledConnection};
pub use error::{Error, Result, codes};
pub use events::{Event, EventName};
pub use lifecycle::fork_handlers::{hold_over_forks, hold_over_forks_inside_sqlite};
pub use lifecycle::{initialize as process, shutdown};
pub use locks::{holders, processes as users};
pub use open::Assistant;
pub use open::by_descriptor as descriptor;
pub use open::rehearsal::rehearse;
pub use platform::file_id::FileId;
pub use platform::fork;
pub use platform::litestream;
#[doc(hidden)]
pub use platform::standard_error;
pub use preflight::path_hazards as hazards;
pub use query::stream::Stream;
pub use replication::barrier::Token;
pub use replication::restore;
pub use replication::status as replica;
pub use report::{CloseReport, OpenReport};
pub use settings::{Options, Settings};
pub use sqlite::sql_text::skip_space;
#[doc(hidden)]
pub use vfs::switches::{keep_read_locks_carelessly, turn_firm_locks_off, turn_wal_guard_off};
pub use vfs::untuned::keep_read_lock;
pub use waiting::deadline;
pub use waiting::progress_handler::ProgressFn;
pub use wal::readers::{Pin, Pins, WalStatus};
