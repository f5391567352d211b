//! From a `DATABASE_URL` to a tuned, verified SQLite connection, and back to a clean close.
//!
//! SQLite's defaults suit a phone, not a server. [`Connection::open`] takes a URL, applies a profile of settings, reads
//! every one of them back, and explains each failure: what happened, to which file, why, and what to do.
//!
//! ```
//! use litekeel_core::{Cell, Connection, Encoder, Options};
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
//! | open, close, share | [`Connection`], [`Options`], [`OpenReport`], [`CloseReport`] |
//! | know what a URL comes to, without opening it | [`resolve`], [`Settings`], [`SETTINGS`], [`parse_url`] |
//! | run SQL | [`Connection::exec`], [`Connection::query`], [`Connection::stream`], [`Encoder`], [`Table`] |
//! | use SQLite's own calls | [`Connection::lock`], [`Guard`], [`sqlite`] |
//! | read an error | [`Error`], [`codes`], [`Busy`] |
//! | find out who is in the way | [`Connection::holders`], [`Connection::pins`], [`holders()`], [`users`] |
//! | see how the database is | [`Connection::health`], [`Connection::wal_status`], [`hazards`], [`subscribe_to_events`] |
//! | have one file for each tenant | [`Databases`], [`PooledConnection`] |
//! | copy it | [`Connection::backup`] |
//! | know that it is at the replica | [`Connection::replicated`], [`replica_status`] |
//! | bring it back from the replica | [`restore_if_missing`] |
//! | end a call in time | [`limit_calls`], [`Connection::set_timeout`] |
//! | end well | [`Connection::close`], [`shutdown_on`], [`open_handles`], [`assert_no_leaks`] |
//!
//! A URL passes through `url` → `settings` → `preflight` → `open` → `connection`, and a room of this crate knows only the
//! rooms below it. The rooms are private; what they show to others is listed here, each name once.
// `println!` and `eprintln!` panic where nobody reads any more: `core/src/platform/standard_error.rs` does not.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

mod backup;
mod connection;
mod databases;
mod error;
mod events;
mod explain;
mod lifecycle;
mod locks;
mod open;
mod packed;
mod platform;
mod preflight;
mod query;
mod raw;
mod registry;
mod replication;
mod report;
mod settings;
mod url;
mod vfs;
mod waiting;
mod wal;

// Opening, closing, sharing.
pub use connection::Connection;
pub use connection::guard::Guard;
pub use connection::hold::TeardownLock;
pub use connection::kept_keys::KeptKeys;
pub use connection::transaction::Begin;
pub use open::Assistant;
pub use open::by_descriptor::{
    open as open_descriptor, refuse as refuse_descriptor, take_fault as take_descriptor_fault,
};
pub use open::rehearsal::rehearse;
pub use registry::activity::Execution;
pub use report::{Attached, CloseReport, ClosingCheckpoint, OpenReport, ReportRow};

// The settings: the table, and what a URL, the environment, a profile and options come to.
pub use settings::{
    Options, Origin, Override, PROFILES, Profile, Resolved, Setting, SettingId, SettingKind, SettingStep, SettingUnit,
    SettingValue, Settings, Skipped, TABLE as SETTINGS, Target, UrlSource, keeps_read_locks_by_default, milliseconds,
    reference_page, resolve, words,
};
pub use url::{
    Location, Url, encode as encode_path, parse as parse_url, parse_in as parse_url_in, redact as redact_url,
};

// Running SQL: parameters in, rows out, a stream of rows; SQLite's own interface.
pub use packed::{Cell, Encoder, Packed, Table};
pub use query::stream::Stream;
pub use raw::handle::sqlite_error;
pub use raw::prepared::Prepared;
pub use raw::sql_text::skip_space;
/// SQLite's own C interface, on the one copy of SQLite that litekeel carries, as [`rusqlite::ffi`] has it.
///
/// ```
/// use litekeel_core::{Connection, Options, sqlite};
///
/// # fn main() -> litekeel_core::Result<()> {
/// let db = Connection::open(Some("file::memory:"), &Options::new())?;
/// let guard = db.lock()?;
/// // SAFETY: the handle is open, and the guard keeps every other thread away from it.
/// let in_autocommit = unsafe { sqlite::sqlite3_get_autocommit(guard.raw()) };
/// assert_eq!(in_autocommit, 1);
/// # Ok(())
/// # }
/// ```
pub use rusqlite::ffi as sqlite;

// Errors.
#[doc(hidden)]
pub use error::codes_js;
pub use error::printable::{is_command, printable};
pub use error::{Busy, BusyKind, Error, Holder, HolderRole, HolderState, Result, codes, sqlite_name};

// Deadlines and progress.
pub use waiting::deadline::{CallLimit, end_waits_when, limit as limit_calls, passed as deadline_has_passed};
pub use waiting::progress_handler::ProgressFn;

// Who is in the way, and how the database is.
pub use connection::health::{Health, HealthCheck, Verdict, strayed};
pub use events::{
    Event, EventName, EventValue, Subscriber, subscribe as subscribe_to_events, unsubscribe as unsubscribe_from_events,
};
pub use locks::holders::{holders, in_pid_namespace, shown_command};
pub use locks::processes::{User, of_another_file as users_of_another_file, openers, unlinked_wals, users};
pub use platform::file_id::FileId;
pub use preflight::path_hazards::{Hazard, HazardLevel, hazards, hazards_knowing, litestream_is_beside, size_text};
pub use wal::readers::{Pin, Pins, WalStatus};

// Copies: backups, one file for each tenant, Litestream's replica.
pub use backup::{BackupOptions, BackupReport, DESTINATION_SETTINGS};
pub use connection::replicated::ReplicaWait;
pub use databases::{DEFAULT_MAX as DEFAULT_MAX_DATABASES, Databases, PooledConnection};
pub use platform::litestream::{
    LitestreamTask, copy_is_whole as litestream_copy_is_whole, copy_position as litestream_copy_position,
    task as litestream_task,
};
pub use replication::barrier::Token;
pub use replication::errors::no_backup as no_backup_error;
pub use replication::restore::{RestoreEnded, RestoreOutcome, RestoreSource, if_missing as restore_if_missing};
pub use replication::status::{Replica, look as replica_status, wait as wait_for_replica};

// The process: its open connections, SQLite's error log, forks, signals.
pub use lifecycle::fork_handlers::{hold_over_forks, hold_over_forks_inside_sqlite};
pub use lifecycle::initialize::{LogFn, guard_raw_users, initialise, subscribe_log};
pub use lifecycle::shutdown::{GRACE as SHUTDOWN_GRACE, shutdown_on, unwatch as unwatch_signal, watch as watch_signal};
pub use platform::fork::{ForkMutex, Forkable};
#[doc(hidden)]
pub use platform::standard_error::line as standard_error_line;
pub use registry::announced::Announced;
pub use registry::{OpenHandle, assert_no_leaks, assert_no_leaks_since, latest as latest_handle, open_handles};
#[doc(hidden)]
pub use vfs::switches::{keep_read_locks_carelessly, turn_firm_locks_off, turn_wal_guard_off};
pub use vfs::untuned::keep_read_lock;
