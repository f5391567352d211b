//! From a `DATABASE_URL` to a tuned, verified SQLite connection, and back to a clean close.
//!
//! A URL passes through the rooms in this order: [`url`] → [`settings`] → `open` → [`Connection`] → its close.

mod backup;
mod connection;
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
pub use connection::hold::Hold;
pub use connection::transaction::Begin;
pub use error::{Error, Result, codes};
pub use events::Event;
pub use lifecycle::fork_handlers::{hold_over_forks, hold_over_forks_inside_sqlite};
pub use lifecycle::{initialize as process, shutdown};
pub use locks::{holders, processes as users};
pub use open::by_descriptor as descriptor;
pub use platform::file_id::FileId;
pub use platform::fork;
pub use preflight::path_hazards as hazards;
pub use query::stream::Stream;
pub use report::{CloseReport, OpenReport};
pub use settings::{Options, Settings};
pub use sqlite::sql_text::skip_space;
#[doc(hidden)]
pub use vfs::wal_guard::{turn_firm_locks_off, turn_off as turn_wal_guard_off};
pub use waiting::deadline;
pub use waiting::progress_handler::ProgressFn;
pub use wal::readers::{Pin, Pins, WalStatus};
