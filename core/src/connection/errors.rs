//! The sentences of what a connection refuses.

use std::ffi::c_int;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{Error, FailedStep, codes};
use crate::replication::barrier::Token;
use crate::sqlite;
use crate::waiting::deadline;

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

/// The call has not begun: another owner's went on for too long.
pub(super) fn gave_up_waiting() -> Error {
    let text = match deadline::earliest() {
        Some((until, limit, _)) if Instant::now() >= until => {
            format!(
                "the call was ended after its timeout of {} ms, in which another owner's call on the connection went on",
                limit.as_millis()
            )
        }
        _ => "the call was ended with its thread, while another owner's call on the connection went on".to_owned(),
    };
    Error::new(sqlite::SQLITE_INTERRUPT, text)
        .with_hint("allow more time, or use a connection of your own: one runs one call at a time")
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

// A copy that follows a replica.

/// `has`: the position that the copy has.
pub(super) fn not_reached(path: &Path, step: FailedStep, has: Option<Token>, wanted: Token, why: &str) -> Error {
    let has = has.map_or_else(|| "no position".to_owned(), |has| has.to_string());
    let text = format!("the copy has {has}, and {wanted} was waited for: {why}");
    Error::new(codes::BEHIND, text).with_path(path).with_step(step)
}

pub(super) fn closed_copy() -> Error {
    Error::new(codes::CLOSED, "the connection is closed")
}

pub(super) fn not_a_follower() -> Error {
    Error::new(codes::CONFLICT, "the database was not opened as a copy that follows a replica")
        .with_hint("add role=follower to the URL of a file that litestream restore -f keeps")
}

/// That the file is not a copy that Litestream keeps.
pub(crate) fn without_note(path: &Path) -> Error {
    let text =
        format!("{0} is not a copy that Litestream keeps up to date: there is no {0}-txid beside it", path.display());
    Error::new(codes::BEHIND, text)
        .with_path(path)
        .with_step(FailedStep::NoPosition)
        .with_hint("litestream restore -f -o FILE REPLICA makes one and goes on; wait until it has restored")
}

// What a look at the files, or Litestream, makes of SQLite's failure `rc`.

/// A pragma, a checkpoint, a change that Litestream does not bear; `text` says which.
pub(super) fn refused_for_litestream(place: &Path, text: String, rc: c_int) -> Error {
    Error::new(codes::REPLICATED, text).with_path(place).with_sqlite_code(rc)
}

/// A wait that has ended for the reason `ended`; `busy` says who was in the way.
pub(super) fn wait_ended(ended: &str, busy: &Error, rc: c_int) -> Error {
    let text = format!("{ended}; {}", busy.message());
    let told = Error::new(sqlite::SQLITE_INTERRUPT, text).with_hint(busy.hint()).with_sqlite_code(rc);
    match busy.path() {
        Some(path) => told.with_path(path),
        None => told,
    }
}

/// SQLite's own words for the failure `rc` of a question that is asked for a call.
pub(super) fn not_answered(rc: c_int, message: &str) -> Error {
    Error::new(rc, message)
}

/// `child` refers to the table by these columns, with this action where a row goes.
pub(super) fn drop_takes_rows_along(table: &str, child: &str, columns: &[&str], action: &str) -> Error {
    let text = format!(
        "DROP TABLE {table} is refused: PRAGMA foreign_keys=OFF does nothing inside a transaction, so SQLite would first delete the rows \
         of {table}, and {} in {child} refers to them with ON DELETE {action}",
        columns.join(" and ")
    );
    Error::new(sqlite::SQLITE_CONSTRAINT_FOREIGNKEY, text).with_hint(
        "run PRAGMA foreign_keys=OFF before the transaction begins, and ON behind it; if those rows are to go, delete them first, \
         or drop their table first",
    )
}
