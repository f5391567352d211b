//! Who holds which lock, and which processes have the file open.
//!
//! Must not know: connections, waiting, the wording of errors beyond one sentence for each holder.

pub mod holders;
pub mod processes;
