//! What the operating system tells: by `stat`, `statfs`, `/proc` and signals. No file is opened but as SQLite asks for it.
//!
//! Must not know: SQLite's interface, settings, or anything of a database but its path.

pub(crate) mod allowed_roots;
pub(crate) mod child;
pub(crate) mod clock;
pub(crate) mod durable;
pub(crate) mod errno;
pub(crate) mod errors;
pub(crate) mod file_id;
pub(crate) mod filesystem;
pub(crate) mod fork;
#[cfg(target_vendor = "apple")]
mod libproc;
pub(crate) mod litestream;
pub(crate) mod new_file;
pub(crate) mod path_facts;
pub(crate) mod procfs;
pub(crate) mod signals;
pub(crate) mod standard_error;
pub(crate) mod threads;
