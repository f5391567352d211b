//! The sentences of what a connection refuses.

use std::ffi::c_int;
use std::path::Path;
use std::time::Duration;

use crate::error::{Error, codes};
use crate::sqlite;

/// A call panicked, and left the connection in a state that nobody has looked at.
pub(super) fn panicked() -> Error {
    Error::new(codes::PANIC, "an earlier call on this connection panicked")
}

pub(super) fn closed(path: Option<&Path>) -> Error {
    let place = path.unwrap_or(Path::new(":memory:")).display();
    Error::new(codes::CLOSED, format!("the connection to {place} is closed"))
}

pub(super) fn forked() -> Error {
    Error::new(codes::FORKED, "this connection was opened by the process that forked this one")
}

pub(super) fn in_own_call() -> Error {
    Error::new(sqlite::SQLITE_MISUSE, "this connection is busy with a call of this very thread")
        .with_hint("a callback may not use the connection that called it: open another one")
}

/// The deadline of the call, which was `limit` away when it began, has passed; SQLite says `rc` to that.
pub(super) fn past_deadline(limit: Duration, rc: c_int) -> Error {
    Error::new(sqlite::SQLITE_INTERRUPT, format!("the call was ended after its timeout of {} ms", limit.as_millis()))
        .with_hint("allow more time, or make it do less at once; a write in a transaction has been rolled back with it")
        .with_sqlite_code(rc)
}

// With several owners.

pub(super) fn another_owner_in_transaction() -> Error {
    Error::new(codes::IN_TRANSACTION, "a connection in a transaction cannot get another owner")
}

pub(super) fn another_owner_beside_streams() -> Error {
    let text = "a connection whose rows are being read in batches cannot get another owner";
    Error::new(codes::IN_TRANSACTION, text).with_hint("read them to the end or free them first")
}

pub(super) fn needs_one_owner(doing: &str) -> Error {
    Error::new(codes::SHARED, format!("{doing} needs a connection with one owner"))
}

pub(super) fn transaction_left_open() -> Error {
    let text = "the call would leave a transaction open on a shared connection; it has been rolled back";
    Error::new(codes::SHARED, text)
        .with_hint("do it in one call: exec_atomic (keel_exec_atomic in C), or in Node exec('BEGIN; …; COMMIT') or transactionAsync; or open a connection of your own, without share")
}

pub(super) fn setting_is_shared(key: &str) -> Error {
    Error::new(codes::SHARED, format!("{key} of a shared connection stays as it was opened"))
        .with_hint("set it on a connection of your own (a sibling)")
}

// Waiting for the replica.

pub(super) fn not_committed() -> Error {
    let text = "a transaction is open: what it has written is not committed, so it is not at the replica";
    Error::new(sqlite::SQLITE_MISUSE, text).with_hint("commit first, then wait for the replica")
}

pub(super) fn memory_has_no_replica() -> Error {
    Error::new(codes::CONFLICT, "a database in memory has no replica").with_hint("open a database in a file")
}

pub(super) fn replication_is_off(path: &Path) -> Error {
    Error::new(codes::CONFLICT, "the database was opened with replication=none")
        .with_hint("remove replication=none, so that checkpoints are left to Litestream")
        .with_path(path)
}
