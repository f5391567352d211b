//! Who holds a lock on a database: the bytes that SQLite locks, read from the kernel's table.
//!
//! The files are only looked at with `stat`: opening and closing them would drop this process's own locks.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::connection::Connection;
use crate::error::Holder;
use crate::explain::beside;
use crate::open::target::file_id;
use crate::{proc, raw, registry, sqlite};

/// The first lock byte of the database file; RESERVED is the next one, then 510 SHARED bytes.
const PENDING: u64 = 0x4000_0000;

fn shm_role(byte: u64) -> Option<&'static str> {
    match byte {
        120 => Some("writer"),
        121 => Some("checkpointer"),
        122 => Some("recoverer"),
        123..=127 => Some("reader"),
        _ => None,
    }
}

fn ranks(lock: &proc::PosixLock, database: u64) -> Vec<&'static str> {
    let covers = |byte: u64| lock.start <= byte && byte <= lock.end;
    if lock.ino != database {
        // Byte 128 is held by every user of the WAL and stands in nobody's way.
        let mut roles: Vec<_> = (120..=127).filter(|&byte| covers(byte)).filter_map(shm_role).collect();
        roles.dedup();
        return roles;
    }
    if lock.exclusive && covers(PENDING + 2) {
        vec!["exclusive"]
    } else if lock.exclusive && covers(PENDING + 1) {
        vec!["reserved"]
    } else if covers(PENDING) {
        vec!["pending"]
    } else if covers(PENDING + 2) {
        vec!["shared"]
    } else {
        Vec::new()
    }
}

/// Everyone who holds a lock on the database at `path`, writers first; `None` where the system does not tell.
///
/// In WAL mode every connection keeps a SHARED lock on the database file; it is left out while the `-shm` exists,
/// because it stands in nobody's way. `except` is the id of the connection that asks.
pub fn holders(path: &Path, except: Option<u64>) -> Option<Vec<Holder>> {
    let database = file_id(path)?.ino;
    let shm = std::fs::metadata(beside(path, "-shm")).ok().map(|meta| meta.ino());
    let inodes: Vec<u64> = [Some(database), shm].into_iter().flatten().collect();
    let me = std::process::id();
    let mut found: Vec<Holder> = Vec::new();
    for lock in proc::posix_locks(&inodes)? {
        for role in ranks(&lock, database) {
            let known = found.iter().any(|holder| holder.pid == lock.pid && holder.role == role);
            if known || lock.pid == me || (role == "shared" && shm.is_some()) {
                continue;
            }
            found.push(of_process(lock.pid, role));
        }
    }
    found.extend(own(path, except));
    found.sort_by_key(|holder| holder.role == "reader" || holder.role == "shared");
    Some(found)
}

/// Whether this very process, on whichever connection, holds the write lock of the database at `path`.
pub(crate) fn write_locked_here(path: &Path) -> Option<bool> {
    let database = file_id(path)?.ino;
    let shm = std::fs::metadata(beside(path, "-shm")).ok().map(|meta| meta.ino());
    let inodes: Vec<u64> = [Some(database), shm].into_iter().flatten().collect();
    let me = std::process::id();
    let writes = |role: &&str| matches!(*role, "writer" | "reserved" | "pending" | "exclusive");
    let locks = proc::posix_locks(&inodes)?;
    Some(locks.iter().any(|lock| lock.pid == me && ranks(lock, database).iter().any(writes)))
}

/// A process as a holder: its command and its state.
pub(crate) fn of_process(pid: u32, role: &'static str) -> Holder {
    let (command, state) = match pid {
        0 => ("in another PID namespace".to_owned(), ""),
        pid => (proc::command(pid), proc::state(pid)),
    };
    Holder { pid, role, command, state, ..Holder::default() }
}

/// This process's connections with a transaction open. The kernel's table has one row for all of them, so they are
/// asked one by one; one that is in the middle of a call is named without its SQL.
fn own(path: &Path, except: Option<u64>) -> Vec<Holder> {
    let Some(file) = file_id(path) else { return Vec::new() };
    let same =
        registry::live().into_iter().filter(|(handle, ..)| handle.file == Some(file) && Some(handle.id) != except);
    same.filter_map(|(handle, _, connection)| {
        let connection = connection.upgrade()?;
        let (role, sql) = own_role(&connection)?;
        Some(Holder {
            pid: std::process::id(),
            role,
            command: "this process".to_owned(),
            state: "running",
            since: None,
            sql,
            opened_at: (!handle.opened_at.is_empty()).then_some(handle.opened_at),
        })
    })
    .collect()
}

fn own_role(connection: &Connection) -> Option<(&'static str, Option<String>)> {
    let Ok(state) = connection.state.try_lock() else {
        return Some(("in a call", None));
    };
    if state.closed.is_some() {
        return None;
    }
    let db = state.raw.0;
    // SAFETY: the connection is not closed, and its lock is held; the statements' texts are SQLite's while it is.
    unsafe {
        let role = match sqlite::sqlite3_txn_state(db, std::ptr::null()) {
            sqlite::SQLITE_TXN_WRITE => "writer",
            sqlite::SQLITE_TXN_READ => "reader",
            _ => return None,
        };
        let mut statement = sqlite::sqlite3_next_stmt(db, std::ptr::null_mut());
        while !statement.is_null() {
            if sqlite::sqlite3_stmt_busy(statement) != 0 {
                return Some((role, raw::owned(sqlite::sqlite3_sql(statement))));
            }
            statement = sqlite::sqlite3_next_stmt(db, statement);
        }
        Some((role, None))
    }
}

/// One sentence about a holder, for messages.
pub(crate) fn describe(holder: &Holder) -> String {
    let what = match holder.role {
        "reader" | "shared" => "read lock held".to_owned(),
        "writer" | "reserved" | "exclusive" | "pending" => "write lock held".to_owned(),
        role => format!("{role}: held"),
    };
    if holder.pid == std::process::id() {
        let at = holder.opened_at.as_ref().map_or(String::new(), |at| format!(" opened at {at}"));
        let sql = holder.sql.as_ref().map_or(" with an open transaction".to_owned(), |sql| format!(" running: {sql}"));
        return format!("{what} by another connection of this process{at}{sql}");
    }
    let state = if holder.state == "stopped" { ", stopped by a signal" } else { "" };
    let zombie = if holder.state == "zombie" { ", a zombie" } else { "" };
    format!("{what} by pid {} ({}){state}{zombie}", holder.pid, holder.command)
}
