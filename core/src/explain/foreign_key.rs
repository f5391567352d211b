//! `SQLITE_CONSTRAINT_FOREIGNKEY`, of which SQLite tells neither table nor key: which of them it can be, and, where the rows
//! are there to be looked at, which rows.
//!
//! A statement that fails is undone, and its rows are gone: what it writes to and the schema say which keys come into question.
//! A transaction that a deferred key keeps from its commit stays open, with its rows.

use std::time::{Duration, Instant};

use super::failed_call::FailedCall;
use crate::raw::foreign_keys::{ForeignKey, foreign_keys};
use crate::raw::written_table::{Written, ends_transaction};
use crate::raw::{handle, quoted};
use crate::sqlite;

/// Rows of a table that are looked at, the newest ones: some 10 ms.
const ROWS: u32 = 20_000;
/// After this no further key is looked at.
const PATIENCE: Duration = Duration::from_millis(200);
/// So many keys, or rows, are told of.
const TOLD: usize = 3;

/// What to do, with the names; `None` where nothing can be found out.
pub(super) fn hint(subject: &FailedCall<'_>) -> Option<String> {
    if subject.raw.is_null() {
        return None;
    }
    // SAFETY: the subject's handle is open, and the caller holds its lock.
    let inside = unsafe { sqlite::sqlite3_get_autocommit(subject.raw) } == 0;
    let ends = subject.sql.is_none_or(ends_transaction);
    if inside && ends {
        return missing_rows(subject);
    }
    candidates(subject, &Written::by(subject.sql?)?)
}

/// The rows of an open transaction that keep it from its commit.
fn missing_rows(subject: &FailedCall<'_>) -> Option<String> {
    let began = Instant::now();
    let mut told = Vec::new();
    for key in keys(subject, "") {
        if began.elapsed() > PATIENCE || told.len() == TOLD {
            break;
        }
        let row = query(subject, &missing(&key)).into_iter().next();
        if let Some(rowid) = row.and_then(|row| row.into_iter().next()) {
            let (key, parent) = (shown(&key), parent_shown(&key));
            told.push(format!("the row of {key} with rowid {rowid} refers to a row of {parent} that is not there"));
        }
    }
    let rows = told.join("; ");
    (!told.is_empty()).then(|| {
        format!("{rows}; insert what is missing, or change or delete the row, then commit again; PRAGMA foreign_key_check names all")
    })
}

/// A query for the rowid of one row among the newest whose key refers to nothing.
fn missing(key: &ForeignKey) -> String {
    let (schema, child, parent) = (quoted::name(&key.schema), quoted::name(&key.child), quoted::name(&key.parent));
    let from: Vec<_> = key.from.iter().map(|column| quoted::name(column)).collect();
    // The parent's column first: its collation and affinity count.
    let pairs = key.to.iter().zip(&from).map(|(to, from)| format!("p.{} = c.{from}", quoted::name(to)));
    let pairs = pairs.collect::<Vec<_>>().join(" AND ");
    let given = from.iter().map(|from| format!("c.{from} IS NOT NULL")).collect::<Vec<_>>().join(" AND ");
    format!(
        "SELECT c.rowid FROM (SELECT rowid, {} FROM {schema}.{child} ORDER BY rowid DESC LIMIT {ROWS}) AS c \
         WHERE {given} AND NOT EXISTS (SELECT 1 FROM {schema}.{parent} AS p WHERE {pairs}) LIMIT 1",
        from.join(", ")
    )
}

/// The keys that a statement that writes to this table can have failed at.
fn candidates(subject: &FailedCall<'_>, write: &Written) -> Option<String> {
    let is = |name: &str| name.eq_ignore_ascii_case(&write.table);
    let keys = keys(subject, write.schema.as_deref().unwrap_or(""));
    let list = |told: Vec<String>| {
        let more = told.len().saturating_sub(TOLD);
        let first = told.into_iter().take(TOLD).collect::<Vec<_>>().join(", ");
        if more > 0 { format!("{first} (and {more} more)") } else { first }
    };
    let named = |of: fn(&ForeignKey) -> &str| {
        let found = keys.iter().filter(|key| is(of(key)));
        found.map(|key| format!("{} to {}", shown(key), parent_shown(key))).collect::<Vec<_>>()
    };
    let (up, down) = (named(|key| &key.child), named(|key| &key.parent));
    let refers = (write.adds && !up.is_empty()).then(|| {
        format!("a new row of {} refers ({}) to a row that is not there: insert that first", write.table, list(up))
    });
    let referred = (write.removes && !down.is_empty()).then(|| {
        let text = format!("rows still refer ({}) to a row of {} that would go", list(down), write.table);
        format!("{text}: delete or change those first")
    });
    let found: Vec<_> = refers.into_iter().chain(referred).collect();
    (!found.is_empty()).then(|| found.join("; or "))
}

fn shown(key: &ForeignKey) -> String {
    format!("{}.{}", key.child, key.from.join("+"))
}

fn parent_shown(key: &ForeignKey) -> String {
    format!("{}({})", key.parent, key.to.join(", "))
}

/// The foreign keys of a database, or of all.
fn keys(subject: &FailedCall<'_>, schema: &str) -> Vec<ForeignKey> {
    let all = query(subject, "SELECT name FROM pragma_database_list WHERE name <> 'temp'");
    let schemas = all.into_iter().flatten().filter(|name| schema.is_empty() || name.eq_ignore_ascii_case(schema));
    // SAFETY: the subject's handle is open, and the caller holds its lock.
    schemas.flat_map(|schema| unsafe { foreign_keys(subject.raw, &schema) }.0).collect()
}

/// Every row as texts; those that can be had.
fn query(subject: &FailedCall<'_>, sql: &str) -> Vec<Vec<String>> {
    // SAFETY: the subject's handle is open, and the caller holds its lock.
    unsafe { handle::text_rows(subject.raw, sql) }.0
}
