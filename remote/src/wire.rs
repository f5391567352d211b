//! Hrana's JSON: requests out of packed parameters, packed rows out of replies.

use std::fmt::Write;

use litekeel_core::{Cell, Encoder, Packed, Table};
use litekeel_core::{Error, Result, codes, sqlite};
use serde_json::Value;

use crate::base64;

/// The server refuses a longer text or blob.
pub(crate) const LONGEST_VALUE: usize = 5_000_000;

fn push_string(text: &str, out: &mut String) {
    out.push_str(&Value::from(text).to_string());
}

fn push_value(cell: Cell<'_>, out: &mut String) -> Result<()> {
    let fits = |bytes: &[u8]| {
        if bytes.len() <= LONGEST_VALUE {
            return Ok(());
        }
        Err(Error::new(
            sqlite::SQLITE_TOOBIG,
            format!("a parameter is {} bytes long; the server takes at most {LONGEST_VALUE}", bytes.len()),
        )
        .with_hint("store it in pieces; nothing was sent"))
    };
    match cell {
        Cell::Null => out.push_str(r#"{"type":"null"}"#),
        // Digits alone: an escape inside this string is refused.
        Cell::Int(value) => {
            let _ = write!(out, r#"{{"type":"integer","value":"{value}"}}"#);
        }
        Cell::Float(value) if !value.is_finite() => {
            let text = format!("{value} cannot be sent to a libSQL server: JSON has no such number");
            return Err(Error::new(sqlite::SQLITE_MISMATCH, text).with_hint("store NULL or a text; nothing was sent"));
        }
        // The shortest digits that read back as the same number.
        Cell::Float(value) => {
            let _ = write!(out, r#"{{"type":"float","value":{value:?}}}"#);
        }
        Cell::Text(bytes) => {
            fits(bytes)?;
            let text = std::str::from_utf8(bytes)
                .map_err(|_| Error::new(codes::INVALID_UTF8, "a text parameter is not UTF-8; nothing was sent"))?;
            out.push_str(r#"{"type":"text","value":"#);
            push_string(text, out);
            out.push('}');
        }
        Cell::Blob(bytes) => {
            fits(bytes)?;
            out.push_str(r#"{"type":"blob","base64":""#);
            base64::encode(bytes, out);
            out.push_str("\"}");
        }
    }
    Ok(())
}

/// One statement with one row of parameters.
pub(crate) fn push_statement(
    sql: &str,
    parameters: Option<(Table<'_>, usize)>,
    index: Option<u64>,
    out: &mut String,
) -> Result<()> {
    let text = sql_and_index(sql, index);
    out.push_str(&text[..text.len() - 1]);
    if let Some((table, row)) = parameters.filter(|(table, _)| table.columns() > 0) {
        out.push_str(if table.is_named() { r#","named_args":["# } else { r#","args":["# });
        for column in 0..table.columns() {
            if column > 0 {
                out.push(',');
            }
            if table.is_named() {
                let name = std::str::from_utf8(table.name(column))
                    .map_err(|_| Error::new(codes::PACKED, "a parameter's name is not UTF-8"))?;
                out.push_str(r#"{"name":"#);
                push_string(name, out);
                out.push_str(r#","value":"#);
            }
            push_value(table.cell(row, column), out)?;
            if table.is_named() {
                out.push('}');
            }
        }
        out.push(']');
    }
    out.push('}');
    Ok(())
}

/// The state of the database that a batch wants to see, behind its steps: those of its statements do not count.
pub(crate) fn push_batch_index(index: Option<u64>, out: &mut String) {
    if let Some(index) = index {
        let _ = write!(out, r#","replication_index":"{index}""#);
    }
}

/// A statement's text, and the state of the database that it wants to see, as an object.
pub(crate) fn sql_and_index(sql: &str, index: Option<u64>) -> String {
    let mut out = String::from(r#"{"sql":"#);
    push_string(sql, &mut out);
    if let Some(index) = index {
        let _ = write!(out, r#","replication_index":"{index}""#);
    }
    out.push('}');
    out
}

/// An integer that is a string in one place and a number in another.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// As [`integer`], for a number of the server's log.
pub(crate) fn index(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// The error for an answer that is not one.
pub(crate) fn not_an_answer(what: &str) -> Error {
    Error::new(codes::REMOTE, format!("the server's answer cannot be read: {what}"))
        .with_hint("is this a libSQL server that speaks Hrana 3?")
}

/// A statement's result as packed rows.
pub(crate) fn rows(result: &Value) -> Result<Packed> {
    let (Some(columns), Some(list)) = (result["cols"].as_array(), result["rows"].as_array()) else {
        return Err(not_an_answer("a result without columns and rows"));
    };
    let names: Vec<&str> = columns.iter().map(|column| column["name"].as_str().unwrap_or("")).collect();
    let mut out = Encoder::new(names.iter().map(|name| name.as_bytes()));
    for (number, row) in list.iter().enumerate() {
        push_row(row, &names, number, &mut out)?;
    }
    out.changes = integer(&result["affected_row_count"]).unwrap_or(0);
    out.last_rowid = integer(&result["last_insert_rowid"]).unwrap_or(0);
    Ok(out.finish())
}

/// Appends one row.
pub(crate) fn push_row<T: AsRef<str>>(row: &Value, names: &[T], number: usize, out: &mut Encoder) -> Result<()> {
    let row = row.as_array().filter(|row| row.len() == names.len());
    let row = row.ok_or_else(|| not_an_answer("a row has another number of values than there are columns"))?;
    row.iter().zip(names).try_for_each(|(value, name)| push_cell(value, name.as_ref(), number, out))
}

fn push_cell(value: &Value, column: &str, row: usize, out: &mut Encoder) -> Result<()> {
    let bad = || not_an_answer(&format!("the value of column {column} in row {row}"));
    match value["type"].as_str() {
        Some("null") => out.push(Cell::Null),
        Some("integer") => out.push(Cell::Int(integer(&value["value"]).ok_or_else(bad)?)),
        // The server writes both infinities so. Taking it for NULL would change the value unseen.
        Some("float") if value["value"].is_null() => {
            return Err(Error::new(
                sqlite::SQLITE_MISMATCH,
                format!("column {column} of row {row} is an infinity, and the server does not say of which sign"),
            )
            .with_hint("select it as text: CAST(… AS TEXT)"));
        }
        Some("float") => out.push(Cell::Float(value["value"].as_f64().ok_or_else(bad)?)),
        Some("text") => out.push(Cell::Text(value["value"].as_str().ok_or_else(bad)?.as_bytes())),
        Some("blob") => {
            let bytes = value["base64"].as_str().and_then(base64::decode).ok_or_else(bad)?;
            out.push(Cell::Blob(&bytes));
        }
        _ => return Err(bad()),
    }
    Ok(())
}

/// A statement's error as SQLite would report it: the extended code is in the text alone.
pub(crate) fn statement_error(error: &Value) -> Error {
    let text = error["message"].as_str().unwrap_or("the server gave an error without a text");
    let text = text.strip_prefix("SQLite error: ").unwrap_or(text);
    let constraint = [
        ("UNIQUE constraint failed", sqlite::SQLITE_CONSTRAINT_UNIQUE),
        ("NOT NULL constraint failed", sqlite::SQLITE_CONSTRAINT_NOTNULL),
        ("CHECK constraint failed", sqlite::SQLITE_CONSTRAINT_CHECK),
        ("FOREIGN KEY constraint failed", sqlite::SQLITE_CONSTRAINT_FOREIGNKEY),
        ("cannot store ", sqlite::SQLITE_CONSTRAINT_DATATYPE),
    ];
    let code = match error["code"].as_str().unwrap_or_default() {
        "SQLITE_CONSTRAINT" => constraint
            .iter()
            .find(|(start, _)| text.starts_with(start))
            .map_or(sqlite::SQLITE_CONSTRAINT, |(_, code)| *code),
        "SQLITE_FULL" => {
            return Error::new(sqlite::SQLITE_FULL, text)
                .with_hint("the server's disk has no room: make some there, and run it again; nothing of it was kept");
        }
        "SQLITE_IOERR" => {
            return Error::new(sqlite::SQLITE_IOERR, text).with_hint("see the server's log, and to its disk");
        }
        "SQLITE_PERM" => sqlite::SQLITE_PERM,
        "SQLITE_ABORT" => sqlite::SQLITE_ABORT,
        "SQLITE_BUSY" => sqlite::SQLITE_BUSY,
        "SQLITE_LOCKED" => sqlite::SQLITE_LOCKED,
        "SQLITE_NOMEM" => sqlite::SQLITE_NOMEM,
        "SQLITE_READONLY" => sqlite::SQLITE_READONLY,
        "SQLITE_INTERRUPT" => sqlite::SQLITE_INTERRUPT,
        "SQLITE_CORRUPT" => sqlite::SQLITE_CORRUPT,
        "SQLITE_CANTOPEN" => sqlite::SQLITE_CANTOPEN,
        "SQLITE_SCHEMA" => sqlite::SQLITE_SCHEMA,
        "SQLITE_MISMATCH" => sqlite::SQLITE_MISMATCH,
        "SQLITE_TOOBIG" => sqlite::SQLITE_TOOBIG,
        "SQLITE_AUTH" => sqlite::SQLITE_AUTH,
        "SQLITE_NOTADB" => sqlite::SQLITE_NOTADB,
        "ARGS_INVALID" => codes::PACKED,
        "SQL_NO_STATEMENT" | "SQL_MANY_STATEMENTS" => codes::ARGUMENT,
        "TRANSACTION_TIMEOUT" | "STREAM_EXPIRED" => codes::TRANSACTION_EXPIRED,
        "RESPONSE_TOO_LARGE" => {
            let text = format!("the statement was run, and its rows are more than the server sends: {text}");
            return Error::new(codes::COMMIT_UNKNOWN, text);
        }
        _ => sqlite::SQLITE_ERROR,
    };
    Error::new(code, text)
}
