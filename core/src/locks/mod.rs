//! Who holds which lock, and which processes have the file open.
//!
//! Must not know: connections, waiting, the wording of errors beyond one sentence for each holder.

pub(crate) mod holders;
mod probe;
pub(crate) mod processes;

use std::path::Path;
use std::time::Duration;

use crate::platform::file_id::{FileId, file_id};
use crate::platform::path_facts::sidecar;
use crate::platform::procfs::{self, PosixLock};

/// Longer than a process keeps a read lock that it does not use: who still has it then, reads.
pub(crate) const KEPT_BY_OTHERS: Duration = Duration::from_millis(1);

/// The two files of a database that SQLite locks: itself, and its `-shm` where there is one. `None` without a database.
pub(crate) fn locked_files(path: &Path) -> Option<Vec<FileId>> {
    Some([Some(file_id(path)?), file_id(&sidecar(path, "-shm"))].into_iter().flatten().collect())
}

/// The locks on these files that the system tells of; `None` where it tells of none. On Linux that is every lock of the
/// processes in this PID namespace, and, while this process has the file open, that somebody outside of it holds one
/// (pid 0). Elsewhere it is those of other processes, one of several that share a byte, and only while this process has
/// the file open.
pub(crate) fn seen(files: &[FileId]) -> Option<Vec<PosixLock>> {
    if !cfg!(target_os = "linux") {
        return probe::locks_of_others(files);
    }
    let Some(mut locks) = procfs::posix_locks(files) else { return probe::locks_of_others(files) };
    // The table leaves out who has no number here; asked for one byte, the kernel still says that it is locked.
    if procfs::in_pid_namespace() {
        let outside = probe::locks_of_others(files).unwrap_or_default();
        locks.extend(outside.into_iter().filter(|lock| lock.pid == 0));
    }
    Some(locks)
}
