//! `SQLITE_BUSY`: which of the situations it is, and who is in the way.

use std::path::Path;
use std::time::Duration;

use super::failed_call::{Explanation, FailedCall};
use crate::error::{Busy, BusyKind, HolderRole, HolderState};
use crate::locks::holders;
use crate::platform::file_id::file_id;
use crate::platform::litestream::{LitestreamTask, copy_stamp, task};
use crate::platform::path_facts::sidecar;
use crate::raw::sql_text::PragmaText;
use crate::{registry, sqlite};

const BEGIN_IMMEDIATE: &str = "start transactions that write with BEGIN IMMEDIATE; roll this one back and try again";

/// The situation behind a BUSY code.
fn kind(subject: &FailedCall<'_>, rc: i32) -> BusyKind {
    let statement = subject.activity.and_then(|activity| activity.running());
    let reads = !subject.raw.is_null()
        // SAFETY: the subject's handle is open, and the caller holds its lock.
        && unsafe { sqlite::sqlite3_txn_state(subject.raw, std::ptr::null()) } == sqlite::SQLITE_TXN_READ;
    if subject.conversion.is_some()
        || statement
            .is_some_and(|sql| PragmaText::parse(sql.as_bytes()).is_some_and(|pragma| pragma.is(b"journal_mode")))
    {
        BusyKind::WalConversion
    } else if rc == sqlite::SQLITE_BUSY_SNAPSHOT || (reads && rc == sqlite::SQLITE_BUSY) {
        // SQLite does not call the busy handler for a connection that already reads: waiting could be a deadlock.
        BusyKind::Upgrade
    } else if rc == sqlite::SQLITE_BUSY_RECOVERY {
        BusyKind::Recovery
    } else {
        BusyKind::Timeout
    }
}

/// Kind, waiting time and holders, as data.
pub(super) fn data(subject: &FailedCall<'_>, rc: i32) -> Busy {
    let mut busy = Busy::new(kind(subject, rc), Duration::ZERO);
    let find = if busy.kind == BusyKind::WalConversion { holders::sharing } else { holders::blocking };
    busy.holders = subject.path.and_then(|path| find(path, subject.id)).unwrap_or_default();
    busy.waited = match (subject.conversion, busy.kind, subject.activity) {
        (Some(waited), ..) => waited,
        (None, BusyKind::Upgrade, _) | (.., None) => Duration::ZERO,
        (.., Some(activity)) => activity.waited(),
    };
    if busy.kind == BusyKind::Timeout {
        let file = subject.path.and_then(file_id);
        let own = |id| file.is_some_and(|file| registry::is_blocked_by_this_thread(file, id));
        if subject.id.is_some_and(own) {
            busy.kind = BusyKind::OwnAsyncTransaction;
        } else if busy.holders.iter().any(|holder| holder.role == HolderRole::Recoverer) {
            busy.kind = BusyKind::Recovery;
        } else if subject.path.is_some_and(holders::is_closing) {
            busy.kind = BusyKind::CloseInProgress;
        }
    }
    busy
}

/// For the message: how long it was waited.
pub(super) fn waited(busy: &Busy) -> String {
    match busy.waited.as_millis() {
        0 => String::new(),
        waited => format!(", waited {waited} ms"),
    }
}

/// The reason and the remedy.
pub(super) fn find(subject: &FailedCall<'_>, rc: i32, busy: Option<&Busy>) -> Explanation {
    let Some(busy) = busy else {
        return Explanation::new(
            "the race for the WAL's locks was lost too often",
            "try again; if it stays so, find the process that hangs",
        );
    };
    let who = if busy.holders.is_empty() {
        "no holder found: already gone, or outside this PID namespace".to_owned()
    } else {
        busy.holders.iter().take(4).map(holders::describe).collect::<Vec<_>>().join("; ")
    };
    if let Some(finding) = subject.path.filter(|_| busy.kind == BusyKind::Timeout).and_then(|path| copy(path, busy)) {
        return finding;
    }
    let stopped = busy.holders.iter().any(|holder| holder.state == HolderState::Stopped);
    let mut finding = match busy.kind {
        BusyKind::Upgrade if rc == sqlite::SQLITE_BUSY_SNAPSHOT => {
            Explanation::new("another connection has written since this transaction began to read", BEGIN_IMMEDIATE)
        }
        BusyKind::Upgrade => Explanation::new(
            format!("a transaction that reads wants to write, and SQLite refuses without waiting; {who}"),
            BEGIN_IMMEDIATE,
        ),
        BusyKind::Recovery => Explanation::new(
            format!("another process is recovering the WAL after a crash; {who}"),
            "try again; if it stays so, find the process that recovers",
        ),
        BusyKind::WalConversion => Explanation::new(
            format!("the journal mode can only be changed while nobody else uses the database; {who}"),
            "try again when the others are idle, or raise busy_timeout",
        ),
        BusyKind::CloseInProgress => Explanation::new(
            format!("the last connection is closing and moves the WAL into the database; {who}"),
            "try again; if it stays so, find the process that closes",
        ),
        BusyKind::OwnAsyncTransaction => Explanation::new(
            format!("this thread has a transaction open, which it cannot end while it waits; {who}"),
            "finish that transaction first, or write through its own connection",
        ),
        BusyKind::Timeout if busy.holders.iter().any(|holder| holder.by_this_thread) => {
            Explanation::new(who, "end that transaction first: this thread cannot do so while it waits")
        }
        BusyKind::Timeout => Explanation::new(who, "shorten the other's transaction, or raise busy_timeout"),
    };
    if let Some(hint) = litestream(busy) {
        finding.hint = hint;
    } else if stopped && !matches!(busy.kind, BusyKind::Upgrade | BusyKind::OwnAsyncTransaction) {
        finding.hint = "resume or kill the stopped process".to_owned();
    }
    finding
}

/// What to do where nobody but Litestream is in the way: its locks are how it works, and end by themselves.
fn litestream(busy: &Busy) -> Option<String> {
    let mut tasks = busy.holders.iter().map(|holder| task(&holder.command));
    let first = tasks.next().flatten()?;
    if matches!(busy.kind, BusyKind::Upgrade | BusyKind::OwnAsyncTransaction) || !tasks.all(|next| next == Some(first))
    {
        return None;
    }
    if let Some(holder) = busy.holders.iter().find(|holder| holder.state == HolderState::Stopped) {
        return Some(format!("resume Litestream (kill -CONT {}) instead of ending it", holder.pid));
    }
    let hint = match (first, busy.kind) {
        (LitestreamTask::Follows, _) => {
            "do not end Litestream: it writes what was committed elsewhere into this copy, and gives the lock back when the \
             readers have let it; open the copy with role=follower, and raise busy_timeout"
        }
        (_, BusyKind::WalConversion) => {
            "leave the journal mode as it is: Litestream needs WAL, and has the database in use as long as it replicates; to give \
             Litestream up, end it in its own way first (litestream stop)"
        }
        _ => "do not end Litestream: it has the lock for moments, and gives it back; raise busy_timeout to 5s or more",
    };
    Some(hint.to_owned())
}

/// A copy that Litestream keeps, which cannot be read as one state of the database now.
fn copy(path: &Path, busy: &Busy) -> Option<Explanation> {
    let stamp = copy_stamp(path)?;
    let wal = sidecar(path, "-wal");
    if wal.exists() {
        let who = busy.holders.iter().take(4).map(holders::describe).collect::<Vec<_>>().join("; ");
        let why = format!("another program has opened the copy in WAL mode ({} is there); {who}", wal.display());
        let hint = "Litestream waits for as long as that is open: end it, and open the copy with role=follower; if nobody has it \
                    open, remove that -wal and the -shm";
        return Some(Explanation::new(why, hint));
    }
    if stamp.is_whole() || busy.holders.iter().any(|holder| task(&holder.command).is_some()) {
        return None;
    }
    let why = "Litestream has not finished what it writes into this copy: it was ended in the middle, or the clock was set back";
    let hint = "start litestream restore -f again, which finishes it (if it says that it cannot resume, remove the copy and its -txid \
                first); if it runs, the next commit at the primary does";
    Some(Explanation::new(why, hint))
}
