//! SQLite's busy handler, the queue of this process's writers, deadlines and the progress handler.
//!
//! Must not know: connections, how errors are worded, settings.

pub(crate) mod busy_handler;
pub(crate) mod deadline;
mod pause;
mod place;
pub(crate) mod progress_handler;
pub(crate) mod turns;
pub(crate) mod writer_queue;
