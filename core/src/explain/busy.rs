//! `SQLITE_BUSY`: which of the situations it is, and who is in the way.

use std::time::Duration;

use super::{Finding, Subject};
use crate::error::{Busy, BusyKind};
use crate::{holders, sqlite};

/// The situation behind a BUSY code.
pub(crate) fn kind(subject: &Subject<'_>, rc: i32) -> BusyKind {
    match rc {
        sqlite::SQLITE_BUSY_SNAPSHOT => BusyKind::Upgrade,
        sqlite::SQLITE_BUSY_RECOVERY => BusyKind::Recovery,
        // SQLite does not call the busy handler for a connection that already reads: waiting could be a deadlock.
        // SAFETY: the subject's handle is null or open, and the caller holds its lock.
        _ if !subject.raw.is_null()
            && unsafe { sqlite::sqlite3_txn_state(subject.raw, std::ptr::null()) } == sqlite::SQLITE_TXN_READ =>
        {
            BusyKind::Upgrade
        }
        _ => BusyKind::Timeout,
    }
}

/// Kind and holders, as data.
pub(crate) fn data(subject: &Subject<'_>, rc: i32, except: Option<u64>) -> Busy {
    let mut busy = Busy::new(kind(subject, rc), Duration::ZERO);
    busy.holders = subject.path.and_then(|path| holders::holders(path, except)).unwrap_or_default();
    // Readers are in nobody's way while there is a writer.
    let plain = |role: &str| role == "reader" || role == "shared";
    if busy.holders.iter().any(|holder| !plain(holder.role)) {
        busy.holders.retain(|holder| !plain(holder.role));
    }
    busy
}

/// The reason and the remedy.
pub(super) fn find(subject: &Subject<'_>, rc: i32, busy: Option<&Busy>) -> Finding {
    let who = match busy.map(|busy| busy.holders.as_slice()) {
        Some(holders) if !holders.is_empty() => {
            holders.iter().take(4).map(holders::describe).collect::<Vec<_>>().join("; ")
        }
        _ => "no holder found: already gone, or in another PID namespace".to_owned(),
    };
    if rc == sqlite::SQLITE_PROTOCOL {
        return Finding::new(
            "the race for the WAL's locks was lost too often",
            "try again; if it stays so, find the process that hangs",
        );
    }
    match kind(subject, rc) {
        BusyKind::Upgrade if rc == sqlite::SQLITE_BUSY_SNAPSHOT => Finding::new(
            "another connection has written since this transaction began to read",
            "start transactions that write with BEGIN IMMEDIATE; roll this one back and try again",
        ),
        BusyKind::Upgrade => Finding::new(
            format!("a transaction that reads wants to write, and SQLite refuses without waiting; {who}"),
            "start transactions that write with BEGIN IMMEDIATE; roll this one back and try again",
        ),
        BusyKind::Recovery => Finding::new(
            format!("another process is recovering the WAL after a crash; {who}"),
            "try again; if it stays so, find the process that recovers",
        ),
        _ if who.contains("stopped by a signal") => Finding::new(who, "resume or kill the stopped process"),
        _ => Finding::new(who, "shorten the other's transaction, or raise busy_timeout"),
    }
}
