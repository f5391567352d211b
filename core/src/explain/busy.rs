//! `SQLITE_BUSY`: which of the situations it is.

use super::Finding;
use crate::error::BusyKind;
use crate::sqlite;

/// The situation behind a BUSY code, as far as the code tells.
pub(crate) fn kind(rc: i32) -> BusyKind {
    match rc {
        sqlite::SQLITE_BUSY_SNAPSHOT => BusyKind::Upgrade,
        sqlite::SQLITE_BUSY_RECOVERY => BusyKind::Recovery,
        _ => BusyKind::Timeout,
    }
}

pub(super) fn find(rc: i32) -> Finding {
    match rc {
        sqlite::SQLITE_BUSY_SNAPSHOT => Finding::new(
            "another connection has written since this transaction began to read",
            "start transactions that write with BEGIN IMMEDIATE; roll this one back and try again",
        ),
        sqlite::SQLITE_BUSY_RECOVERY => Finding::new(
            "another process is recovering the WAL after a crash",
            "try again; if it stays so, find the process that recovers",
        ),
        sqlite::SQLITE_PROTOCOL => Finding::new(
            "the race for the WAL's locks was lost too often",
            "try again; if it stays so, find the process that hangs",
        ),
        _ => {
            Finding::new("another connection holds the lock", "shorten the other's transaction, or raise busy_timeout")
        }
    }
}
