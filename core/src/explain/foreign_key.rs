//! `SQLITE_CONSTRAINT_FOREIGNKEY`, of which SQLite tells neither table nor key: which of them it can be, and, where the rows
//! are there to be looked at, which rows.
//!
//! A statement that fails is undone, and its rows are gone: what it writes to and the schema say which keys come into question.
//! A transaction that a deferred key keeps from its commit stays open, with its rows.

use std::ffi::CString;
use std::time::{Duration, Instant};

use super::failed_call::FailedCall;
use crate::raw::handle::copy_text;
use crate::raw::prepared::Prepared;
use crate::raw::written_table::{Written, ends_transaction};
use crate::sqlite;

/// Rows of a table that are looked at, the newest ones: some 10 ms.
const ROWS: u32 = 20_000;
/// After this no further key is looked at.
const PATIENCE: Duration = Duration::from_millis(200);
/// So many keys, or rows, are told of.
const TOLD: usize = 3;

/// A key of one table that refers to another one.
struct Key {
    schema: String,
    child: String,
    parent: String,
    from: Vec<String>,
    to: Vec<String>,
}

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
            let (key, parent) = (key.shown(), key.parent_shown());
            told.push(format!("the row of {key} with rowid {rowid} refers to a row of {parent} that is not there"));
        }
    }
    let rows = told.join("; ");
    (!told.is_empty()).then(|| {
        format!("{rows}; insert what is missing, or change or delete the row, then commit again; PRAGMA foreign_key_check names all")
    })
}

/// A query for the rowid of one row among the newest whose key refers to nothing.
fn missing(key: &Key) -> String {
    let (schema, child, parent) = (quoted(&key.schema), quoted(&key.child), quoted(&key.parent));
    let from: Vec<_> = key.from.iter().map(|column| quoted(column)).collect();
    // The parent's column first: its collation and affinity count.
    let pairs = key.to.iter().zip(&from).map(|(to, from)| format!("p.{} = c.{from}", quoted(to)));
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
        let shown = told.into_iter().take(TOLD).collect::<Vec<_>>().join(", ");
        if more > 0 { format!("{shown} (and {more} more)") } else { shown }
    };
    let named = |of: fn(&Key) -> &str| {
        let found = keys.iter().filter(|key| is(of(key)));
        found.map(|key| format!("{} to {}", key.shown(), key.parent_shown())).collect::<Vec<_>>()
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

impl Key {
    fn shown(&self) -> String {
        format!("{}.{}", self.child, self.from.join("+"))
    }

    fn parent_shown(&self) -> String {
        format!("{}({})", self.parent, self.to.join(", "))
    }
}

/// The foreign keys of a database, or of all.
fn keys(subject: &FailedCall<'_>, schema: &str) -> Vec<Key> {
    let all = query(subject, "SELECT name FROM pragma_database_list WHERE name <> 'temp'");
    let schemas = all.into_iter().flatten().filter(|name| schema.is_empty() || name.eq_ignore_ascii_case(schema));
    schemas.flat_map(|schema| keys_of(subject, &schema)).collect()
}

fn keys_of(subject: &FailedCall<'_>, schema: &str) -> Vec<Key> {
    let text = |text: &str| format!("'{}'", text.replace('\'', "''"));
    // Without a column the parent's primary key is meant.
    let rows = query(
        subject,
        &format!(
            "SELECT t.name, f.id, f.\"table\", f.\"from\", coalesce(f.\"to\", (SELECT name FROM pragma_table_info(f.\"table\", {0}) \
             WHERE pk = f.seq + 1)) FROM {1}.sqlite_schema AS t, pragma_foreign_key_list(t.name, {0}) AS f \
             WHERE t.type = 'table' ORDER BY t.rowid, f.id, f.seq",
            text(schema),
            quoted(schema)
        ),
    );
    let mut keys: Vec<(String, Key)> = Vec::new();
    for row in rows {
        let Ok([child, id, parent, from, to]) = <[String; 5]>::try_from(row) else { continue };
        match keys.last_mut() {
            Some((last, key)) if *last == id && key.child == child => {
                key.from.push(from);
                key.to.push(to);
            }
            _ => keys.push((id, Key { schema: schema.to_owned(), child, parent, from: vec![from], to: vec![to] })),
        }
    }
    keys.into_iter().map(|(_, key)| key).collect()
}

/// Every row as texts; those that can be had.
fn query(subject: &FailedCall<'_>, sql: &str) -> Vec<Vec<String>> {
    let Ok(sql) = CString::new(sql) else { return Vec::new() };
    let mut rows = Vec::new();
    // SAFETY: the subject's handle is open, and the caller holds its lock; the statement ends with this call.
    unsafe {
        let mut raw = std::ptr::null_mut();
        sqlite::sqlite3_prepare_v2(subject.raw, sql.as_ptr(), -1, &mut raw, std::ptr::null_mut());
        let Some(statement) = Prepared::new(raw) else { return rows };
        while sqlite::sqlite3_step(statement.raw()) == sqlite::SQLITE_ROW {
            let columns = sqlite::sqlite3_column_count(statement.raw());
            let cell = |column| copy_text(sqlite::sqlite3_column_text(statement.raw(), column).cast());
            rows.push((0..columns).filter_map(cell).collect());
        }
    }
    rows
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
