//! Who holds which lock, and which processes have the file open.
//!
//! Must not know: connections, waiting, the wording of errors beyond one sentence for each holder.

pub mod holders;
mod probe;
pub mod processes;

use crate::platform::procfs::{self, PosixLock};

/// The locks on these inodes that the system tells of; `None` where it tells of none. On Linux that is every lock. Elsewhere
/// it is those of other processes, one of several that share a byte, and only while this process has the file open.
pub(crate) fn seen(inodes: &[u64]) -> Option<Vec<PosixLock>> {
    if cfg!(target_os = "linux") { procfs::posix_locks(inodes) } else { probe::locks_of_others(inodes) }
}
