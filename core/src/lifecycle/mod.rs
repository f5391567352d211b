//! Once per process: configuring SQLite, closing at exit and on a signal.
//!
//! Must not know: opening, and SQL.

pub(crate) mod at_exit;
mod configured;
pub(crate) mod error_log;
mod errors;
pub(crate) mod fork_handlers;
pub(crate) mod initialize;
pub(crate) mod shutdown;
pub(crate) mod shutdown_state;
