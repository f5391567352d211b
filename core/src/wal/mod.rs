//! The write-ahead log: readers that pin its frames, and checkpoints by the background thread.
//!
//! Must not know: connections (its own checkpoint connection apart) and settings.

pub(crate) mod checkpoint_connection;
pub(crate) mod checkpointer;
mod file_checkpointer;
pub(crate) mod readers;
