//! Who holds a lock on a database: the bytes that SQLite locks, read from the kernel's table.
//!
//! The files are only looked at with `stat`: opening and closing them would drop this process's own locks.

use std::path::Path;
use std::time::Duration;

use crate::error::{Holder, HolderRole, HolderState};
use crate::platform::file_id::file_id;
use crate::platform::litestream::task;
use crate::platform::path_facts::litestream_directory;
use crate::platform::procfs;
use crate::raw::lock_bytes::{self, PENDING, RESERVED, SHARED};
use crate::{locks, registry};

pub use crate::platform::procfs::in_pid_namespace;

fn shm_role(byte: u64) -> Option<HolderRole> {
    match byte {
        lock_bytes::WRITE => Some(HolderRole::Writer),
        lock_bytes::CHECKPOINT => Some(HolderRole::Checkpointer),
        lock_bytes::RECOVER => Some(HolderRole::Recoverer),
        lock_bytes::READ..=lock_bytes::READ_LAST => Some(HolderRole::Reader),
        _ => None,
    }
}

fn ranks(lock: &procfs::PosixLock, database: u64) -> Vec<HolderRole> {
    let covers = |byte: u64| lock.start <= byte && byte <= lock.end;
    if lock.ino != database {
        // That of every user of the WAL stands in nobody's way.
        let bytes = lock_bytes::WRITE..=lock_bytes::READ_LAST;
        let mut roles: Vec<_> = bytes.filter(|&byte| covers(byte)).filter_map(shm_role).collect();
        roles.dedup();
        return roles;
    }
    if lock.exclusive && covers(SHARED) {
        vec![HolderRole::Exclusive]
    } else if lock.exclusive && covers(RESERVED) {
        vec![HolderRole::Reserved]
    } else if lock.exclusive && covers(PENDING) {
        vec![HolderRole::Pending]
    } else if covers(SHARED) || covers(PENDING) {
        // On the way to sharing the file, a reader shares PENDING for a moment.
        vec![HolderRole::Shared]
    } else {
        Vec::new()
    }
}

/// Everyone who holds a lock on the database at `path`, writers first; `None` where the system does not tell.
///
/// In WAL mode every connection keeps a SHARED lock on the database file; it is left out while the `-shm` exists,
/// because it stands in nobody's way, unless somebody waits for exactly that with a PENDING lock. `except` is the id of
/// the connection that asks.
pub fn holders(path: &Path, except: Option<u64>) -> Option<Vec<Holder>> {
    let mut found = holders_in(path, except, false)?;
    leave_out_who_only_keeps_a_lock(path, &mut found);
    Some(found)
}

/// Leaves out other processes' readers that are not there any more when a lock that is only kept has gone back, and who only
/// asked for the write lock: that takes a reader's first.
fn leave_out_who_only_keeps_a_lock(path: &Path, found: &mut Vec<Holder>) {
    let me = std::process::id();
    let reads = |holder: &Holder| holder.role.reads() && holder.pid != me;
    if !found.iter().any(reads) {
        return;
    }
    std::thread::sleep(locks::KEPT_BY_OTHERS);
    let Some(files) = locks::locked_files(path) else { return };
    let Some(still) = locks::seen(&files) else { return };
    let is_there = |holder: &Holder| {
        still.iter().any(|lock| lock.pid == holder.pid && ranks(lock, files[0].ino).contains(&holder.role))
    };
    found.retain(|holder| !reads(holder) || is_there(holder));
}

/// How often a lock of this process is looked for that none of its connections has any more.
const LOOKS: u32 = 3;

/// The same; with `idle` every SHARED lock counts: they stand in the way of who wants the whole file for itself.
fn holders_in(path: &Path, except: Option<u64>, idle: bool) -> Option<Vec<Holder>> {
    let (mut found, mut unknown) = look(path, except, idle)?;
    // The table is read before the connections are asked, and one of them may have given its lock back in between.
    for _ in 1..LOOKS {
        if unknown.is_some() {
            (found, unknown) = look(path, except, idle)?;
        }
    }
    if let Some(role) = unknown {
        // The kernel says that this process holds it, and no connection of ours does: a raw handle.
        found.push(Holder::new(std::process::id(), role, THIS_PROCESS.to_owned(), HolderState::Running));
    }
    found.sort_by_key(|holder| holder.role.reads());
    Some(found)
}

/// The holders at one moment, and what this process holds beside by no connection of ours.
fn look(path: &Path, except: Option<u64>, idle: bool) -> Option<(Vec<Holder>, Option<HolderRole>)> {
    let files = locks::locked_files(path)?;
    let (database, has_shm) = (files[0].ino, files.len() > 1);
    let me = std::process::id();
    let mut found: Vec<Holder> = Vec::new();
    let mut mine: Vec<HolderRole> = Vec::new();
    let locks = locks::seen(&files)?;
    let waits = |lock: &procfs::PosixLock| ranks(lock, database).contains(&HolderRole::Pending);
    let idle = idle || !has_shm || locks.iter().any(waits);
    for lock in locks {
        for role in ranks(&lock, database) {
            let known = found.iter().any(|holder| holder.pid == lock.pid && holder.role == role);
            if known || (role == HolderRole::Shared && !idle) {
                continue;
            }
            if lock.pid == me {
                mine.push(role);
                continue;
            }
            let mut holder = of_process(lock.pid, role);
            if lock.pid == 0 && litestream_directory(path).is_some() {
                holder.command = format!("{OUTSIDE}, perhaps Litestream: its directory is beside the database");
            }
            found.push(holder);
        }
    }
    let own = own(path, except);
    let is_known = own.iter().any(|(holder, asks, certain)| !holder.role.reads() && (*certain || !asks));
    let unknown = mine.into_iter().find(|role| !role.reads()).filter(|_| !is_known);
    found.extend(own.into_iter().filter(|(_, asks, _)| !asks).map(|(holder, ..)| holder));
    Some((found, unknown))
}

/// Whether this very process, on whichever connection, holds the write lock of the database at `path`.
pub(crate) fn write_locked_here(path: &Path) -> Option<bool> {
    let files = locks::locked_files(path)?;
    let database = files[0].ino;
    let me = std::process::id();
    let locks = procfs::posix_locks(&files)?;
    Some(locks.iter().any(|lock| lock.pid == me && ranks(lock, database).into_iter().any(HolderRole::writes)))
}

pub(crate) const THIS_PROCESS: &str = "this process";
/// Has no number here: as a container sees the host's processes and other containers'.
const OUTSIDE: &str = "outside this PID namespace";

/// Those of the holders that are in a writer's way: readers are not while there is a writer.
pub(crate) fn blocking(path: &Path, except: Option<u64>) -> Option<Vec<Holder>> {
    let mut found = holders_in(path, except, false)?;
    if found.iter().any(|holder| !holder.role.reads()) {
        found.retain(|holder| !holder.role.reads());
    } else {
        leave_out_who_only_keeps_a_lock(path, &mut found);
    }
    Some(found)
}

/// Those that are in the way of who wants the whole file for itself, to change its journal mode.
pub(crate) fn sharing(path: &Path, except: Option<u64>) -> Option<Vec<Holder>> {
    holders_in(path, except, true)
}

/// Whether a connection in WAL mode is closing as the last one: it has locked the whole database file, without first
/// reserving it as a rollback journal's commit does, while it still has its WAL-index.
pub(crate) fn is_closing(path: &Path) -> bool {
    let Some([database, shm]) = locks::locked_files(path).and_then(|files| <[_; 2]>::try_from(files).ok()) else {
        return false;
    };
    let locks = procfs::posix_locks(&[database, shm]).unwrap_or_default();
    let (database, shm) = (database.ino, shm.ino);
    let holds = |pid: u32, ino: u64, byte: u64, exclusive: bool| {
        let mut own = locks.iter().filter(|lock| lock.pid == pid && lock.ino == ino);
        own.any(|lock| lock.start <= byte && byte <= lock.end && (lock.exclusive || !exclusive))
    };
    locks.iter().any(|lock| {
        holds(lock.pid, database, SHARED, true)
            && !holds(lock.pid, database, RESERVED, true)
            && holds(lock.pid, shm, lock_bytes::USER, false)
    })
}

/// A process as a holder: its command and its state.
pub(crate) fn of_process(pid: u32, role: HolderRole) -> Holder {
    let (command, state) = command_and_state(pid);
    // Since when it is in that state the kernel does not say: its record of when a thread last ran is in the clock of one
    // processor, which differs from the others' by hundreds of milliseconds, and more from day to day.
    Holder::new(pid, role, command, state)
}

/// What a process is, and what it is doing.
pub(super) fn command_and_state(pid: u32) -> (String, HolderState) {
    match pid {
        0 => (OUTSIDE.to_owned(), HolderState::Unknown),
        pid => (procfs::command(pid), procfs::state(pid)),
    }
}

/// This process's connections that hold a lock, whether it is the one that asks, and whether it certainly holds it. The
/// kernel's table has one row for all of them, so each is asked for what it has heard of its locks and noted.
fn own(path: &Path, except: Option<u64>) -> Vec<(Holder, bool, bool)> {
    let Some(file) = file_id(path) else { return Vec::new() };
    let looks = registry::on_file(file).into_iter().filter_map(|(handle, activity, watch)| {
        let look = activity.snapshot(watch.map(|watch| watch.held()))?;
        let holder = Holder {
            pid: std::process::id(),
            role: look.role,
            command: THIS_PROCESS.to_owned(),
            state: look.state,
            since: look.since,
            sql: look.sql,
            opened_at: (!handle.opened_at.is_empty()).then_some(handle.opened_at),
            by_this_thread: look.by_this_thread,
        };
        Some((holder, Some(handle.id) == except, look.certain))
    });
    looks.collect()
}

/// What a message says of another process. Its whole command line is in the holder itself.
pub fn shown_command(pid: u32, command: &str) -> String {
    // Where the system tells no number, this is not a command line but a sentence.
    if pid == 0 { command.to_owned() } else { procfs::program(command) }
}

/// One sentence about a holder, for messages.
pub(crate) fn describe(holder: &Holder) -> String {
    let what = match holder.role {
        role if role.reads() => "read lock held".to_owned(),
        role if role.writes() => "write lock held".to_owned(),
        role => format!("{}: held", role.as_str()),
    };
    let time = holder.since.map_or_else(String::new, |since| format!(" for {}", age(since)));
    if holder.pid != std::process::id() {
        let state = match holder.state {
            HolderState::Stopped => ", stopped by a signal".to_owned(),
            HolderState::Zombie => ", a zombie".to_owned(),
            _ => String::new(),
        };
        if holder.pid == 0 {
            return format!("{what} by somebody {}", holder.command);
        }
        if task(&holder.command).is_some() {
            return format!("{what} by Litestream, pid {}{state}", holder.pid);
        }
        return format!("{what} by pid {} ({}){state}", holder.pid, shown_command(holder.pid, &holder.command));
    }
    let whose = if holder.by_this_thread { "of this very thread" } else { "of this process" };
    let at = holder.opened_at.as_ref().map_or(String::new(), |at| format!(" opened at {at}"));
    let doing = match (&holder.sql, holder.state) {
        (Some(sql), HolderState::Running) => format!(", running: {sql}"),
        (Some(sql), _) => format!(", in a transaction whose latest statement was: {sql}"),
        (None, HolderState::Running) => String::new(),
        (None, _) => ", in an open transaction".to_owned(),
    };
    format!("{what}{time} by another connection {whose}{at}{doing}")
}

fn age(age: Duration) -> String {
    if age < Duration::from_secs(10) { format!("{:.1} s", age.as_secs_f64()) } else { format!("{} s", age.as_secs()) }
}
