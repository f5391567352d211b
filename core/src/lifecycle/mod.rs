//! Once per process: configuring SQLite, closing at exit and on a signal.
//!
//! Must not know: opening, and SQL.

pub(crate) mod at_exit;
pub mod fork_handlers;
pub mod initialize;
pub mod shutdown;
