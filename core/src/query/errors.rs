//! The sentences of what a query refuses.

use std::path::Path;

use crate::error::{Error, FailedStep, codes};
use crate::sqlite;
use crate::vfs::replicated;

/// `offset`: the byte at which the second statement begins.
pub(super) fn several_statements(offset: usize) -> Error {
    Error::new(codes::ARGUMENT, "the SQL holds more than one statement")
        .with_hint("run a script with exec")
        .with_offset(offset as i32)
}

pub(super) fn no_statement() -> Error {
    Error::new(codes::ARGUMENT, "the SQL holds no statement")
}

/// `offset`: the byte at which the statement that would end it begins.
pub(super) fn ends_the_transaction(offset: usize) -> Error {
    Error::new(codes::ARGUMENT, "the script would end the transaction that it runs in")
        .with_hint("leave COMMIT, END and ROLLBACK out of it, or run it with exec")
        .with_offset(offset as i32)
}

/// Lengths in bytes.
pub(super) fn too_long(length: usize, limit: i32) -> Error {
    let text = format!("the SQL is {length} bytes long; SQLite takes {limit}");
    Error::new(sqlite::SQLITE_TOOBIG, text).with_hint("pass data as parameters, and a script in parts")
}

pub(super) fn nul_in_sql(offset: usize) -> Error {
    Error::new(codes::ARGUMENT, format!("the SQL has a NUL at byte {offset}"))
        .with_hint("pass binary data as a parameter")
        .with_offset(offset as i32)
}

// Of parameters.

pub(super) fn parameter_not_given(name: &str) -> Error {
    Error::new(codes::PACKED, format!("the parameter {name} of the statement was not given"))
        .with_hint("pass NULL where NULL is meant")
}

pub(super) fn no_such_parameter(given: &str) -> Error {
    Error::new(codes::PACKED, format!("the statement has no parameter named {given}"))
}

#[cold]
pub(super) fn wrong_number(wanted: i32, given: usize) -> Error {
    let was = if given == 1 { "was" } else { "were" };
    let parameters = if wanted == 1 { "parameter" } else { "parameters" };
    let given = if given == 0 { "none".to_owned() } else { given.to_string() };
    Error::new(codes::PACKED, format!("the statement takes {wanted} {parameters}, {given} {was} given"))
}

// Of rows in batches.

pub(super) fn several_rows_in_batches() -> Error {
    Error::new(codes::ARGUMENT, "several rows of parameters give their rows all at once")
        .with_hint("pass batch_bytes 0, or one row of parameters")
}

pub(super) fn connection_of_rows_closed() -> Error {
    Error::new(codes::CLOSED, "the connection of these rows has been closed")
}

// Of calls that SQLite would take differently.

pub(super) fn checkpoint_in_transaction() -> Error {
    Error::new(codes::IN_TRANSACTION, "a checkpoint cannot run inside a transaction")
}

pub(super) fn only_litestream_checkpoints(place: &Path) -> Error {
    let text = format!("{} ({}): only Litestream may checkpoint", replicated::REFUSED, place.display());
    Error::new(codes::REPLICATED, text).with_path(place).with_step(FailedStep::Checkpoint)
}

pub(super) fn invalid_busy_timeout(value: &str) -> Error {
    Error::new(codes::INVALID_VALUE, format!("busy_timeout={value} is not a number of milliseconds"))
        .with_hint("write a whole number from 0 to 2147483647")
}
