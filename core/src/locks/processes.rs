//! Which processes have a database open, whether or not they are doing anything.

use std::path::Path;

use crate::error::HolderState;
use crate::locks::{self, holders};
use crate::platform::file_id::file_id;
use crate::platform::path_facts::sidecar;
use crate::platform::procfs;

/// A process that has a database open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    /// The process id; 0 for one outside this PID namespace.
    pub pid: u32,
    /// The command line, empty when it may not be read.
    pub command: String,
    /// What it is doing.
    pub state: HolderState,
}

/// The other processes that have a WAL database at `path` open, by the lock that each user of the `-shm` keeps; `None`
/// where the system does not tell. Outside WAL a process that does nothing holds no lock and is not seen.
pub fn users(path: &Path) -> Option<Vec<User>> {
    let mut pids: Vec<u32> = locks::seen(&locks::locked_files(path)?)?.iter().map(|lock| lock.pid).collect();
    pids.sort_unstable();
    pids.dedup();
    pids.retain(|&pid| pid != std::process::id());
    Some(pids.into_iter().map(as_user).collect())
}

/// The other processes that have a database at `path` open with a `-wal` that was deleted, and the bytes in it: what they commit
/// there nobody else sees. Of the processes that may be looked into (`/proc`): one's own, or all as root.
pub fn unlinked_wals(path: &Path) -> Vec<(User, u64)> {
    let (Some(file), Some(name)) = (file_id(path), path.file_name()) else { return Vec::new() };
    let wal = sidecar(Path::new(name), "-wal");
    let own = std::process::id();
    let pids = procfs::pids().into_iter().filter(|pid| *pid != own);
    pids.filter_map(|pid| procfs::deleted(pid, &wal, file).map(|bytes| (as_user(pid), bytes))).collect()
}

/// The other processes that work with another file than the one that `path` names now: with one of that name that was deleted, or
/// was renamed, as by `mv restored.db app.db` or `rm`. What they write is not in the database. Of the processes that may be looked into.
pub fn of_another_file(path: &Path) -> Vec<User> {
    let in_place = || Some(std::fs::canonicalize(path.parent()?).ok()?.join(path.file_name()?));
    let Some(path) = std::fs::canonicalize(path).ok().or_else(in_place) else { return Vec::new() };
    let file = file_id(&path);
    let side = ["-wal", "-shm"].map(|suffix| file_id(&sidecar(&path, suffix)));
    let own = std::process::id();
    let pids = procfs::pids().into_iter().filter(|pid| *pid != own);
    pids.filter(|pid| procfs::has_another(*pid, &path, file, side)).map(as_user).collect()
}

/// The other processes that have the database at `path` open, whether or not they hold a lock, as who follows a replica mostly holds
/// none. Of the processes that may be looked into (`/proc`): one's own, or all as root.
pub fn openers(path: &Path) -> Vec<User> {
    let Some(file) = file_id(path) else { return Vec::new() };
    let own = std::process::id();
    let pids = procfs::pids().into_iter().filter(|pid| *pid != own);
    pids.filter(|pid| procfs::has_open(*pid, file)).map(as_user).collect()
}

fn as_user(pid: u32) -> User {
    let (command, state) = holders::command_and_state(pid);
    User { pid, command, state }
}

/// Whether any process, this one included, has a lock on the database or its `-shm`.
pub(crate) fn in_use(path: &Path) -> Option<bool> {
    Some(!locks::seen(&locks::locked_files(path)?)?.is_empty())
}
