//! SQLite's file layer from below: the descriptors it opened, the locks it takes, commits, the WAL-index, databases that are
//! opened by descriptor.
//!
//! Must not know: connections, the registry, checkpoints, settings.

mod alone;
mod aside;
pub(crate) mod attached;
mod beginning;
pub(crate) mod closed_attached;
mod committed_frames;
pub(crate) mod confinement;
pub(crate) mod content;
pub(crate) mod copies;
pub(crate) mod databases;
pub(crate) mod descriptor;
pub(crate) mod errors;
pub(crate) mod failed_open;
pub(crate) mod file_checks;
pub(crate) mod file_monitor;
pub(crate) mod file_state;
mod firm_locks;
mod firm_reads;
pub(crate) mod hooks;
pub(crate) mod kept_read_lock;
mod known_content;
mod known_pages;
mod latest;
pub(crate) mod lock_change;
pub(crate) mod lock_state;
pub(crate) mod names;
pub(crate) mod old_log;
pub(crate) mod open_files;
pub(crate) mod read_lock_keeper;
pub(crate) mod replica_copy;
pub(crate) mod replicated;
mod replication_state;
mod set_aside;
pub(crate) mod shared_memory;
pub(crate) mod shim;
pub(crate) mod switches;
mod system_calls;
pub(crate) mod untuned;
mod vfs_copy;
mod wal_file;
pub(crate) mod wal_guard;
mod wal_in_use;
pub(crate) mod wal_index;
pub(crate) mod wal_keeper;
mod write_transaction;
