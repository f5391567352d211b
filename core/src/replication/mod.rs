//! Litestream, as this process meets it: the signs that it replicates a database, its tables, its control socket.
//!
//! Must not know: connections, settings, opening.

pub(crate) mod barrier;
mod control;
pub(crate) mod errors;
pub(crate) mod protected;
pub(crate) mod restore;
pub(crate) mod signs;
pub(crate) mod status;
