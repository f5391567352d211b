//! SQLite's file layer from below: the descriptors it opened, the locks it takes, commits, the WAL-index, databases that are
//! opened by descriptor.
//!
//! Must not know: connections, the registry, checkpoints, settings.

pub(crate) mod confinement;
pub mod descriptor;
pub(crate) mod file_monitor;
pub(crate) mod open_files;
pub(crate) mod shim;
pub(crate) mod wal_index;
