//! Who holds which lock, and which processes have the file open.
//!
//! Must not know: connections, waiting, the wording of errors beyond one sentence for each holder.

pub mod holders;
mod probe;
pub mod processes;

use crate::platform::procfs::{self, PosixLock};

/// The locks on these inodes that the system tells of; `None` where it tells of none. On Linux that is every lock of the
/// processes in this PID namespace, and, while this process has the file open, that somebody outside of it holds one
/// (pid 0). Elsewhere it is those of other processes, one of several that share a byte, and only while this process has
/// the file open.
pub(crate) fn seen(inodes: &[u64]) -> Option<Vec<PosixLock>> {
    if !cfg!(target_os = "linux") {
        return probe::locks_of_others(inodes);
    }
    let Some(mut locks) = procfs::posix_locks(inodes) else { return probe::locks_of_others(inodes) };
    // The table leaves out who has no number here; asked for one byte, the kernel still says that it is locked.
    if procfs::in_pid_namespace() {
        let outside = probe::locks_of_others(inodes).unwrap_or_default();
        locks.extend(outside.into_iter().filter(|lock| lock.pid == 0));
    }
    Some(locks)
}
