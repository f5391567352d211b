//! `PRAGMA foreign_keys=OFF` inside a transaction, which SQLite ignores without a word.
//!
//! Who builds a table anew turns foreign keys off for that: with them on, `DROP TABLE` deletes the table's rows first, and with
//! them goes what refers to them by ON DELETE CASCADE, or loses its reference by SET NULL and SET DEFAULT. Migrations run in
//! transactions. So after such a pragma the transaction may drop no table whose rows others refer to in that way; what SQLite
//! refuses or allows by itself stays as it is.

use std::ffi::CString;
use std::sync::atomic::{AtomicBool, Ordering};

use super::errors;
use crate::error::Result;
use crate::raw::handle;
use crate::raw::prepared::Prepared;
use crate::raw::sql_text::{DroppedTable, PragmaText, skip_space};
use crate::sqlite;

/// Whether the open transaction of a connection has asked in vain for foreign keys to be off.
#[derive(Default)]
pub struct KeptKeys(AtomicBool);

impl KeptKeys {
    /// No transaction is open. Before each statement that is compiled it is asked anyhow; for who keeps a compiled BEGIN.
    pub fn transaction_ended(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Looks at a statement, or a script that begins with it, before SQLite compiles it.
    ///
    /// # Errors
    /// `SQLITE_CONSTRAINT_FOREIGNKEY` for a DROP TABLE that would delete or change rows of another table, in a transaction that
    /// has asked for foreign keys to be off.
    ///
    /// # Safety
    /// `db` is open, and used by this thread alone.
    pub unsafe fn before_compiling(&self, db: *mut sqlite::sqlite3, sql: &[u8]) -> Result<()> {
        let asked = self.0.load(Ordering::Relaxed);
        let first = skip_space(sql).first().map(u8::to_ascii_lowercase);
        if !asked && first != Some(b'p') {
            return Ok(());
        }
        // SAFETY: the caller's promise.
        if unsafe { sqlite::sqlite3_get_autocommit(db) } != 0 {
            self.transaction_ended();
            return Ok(());
        }
        if let Some(pragma) = PragmaText::parse(sql).filter(|pragma| pragma.is(b"foreign_keys")) {
            if let Some(value) = pragma.value {
                // SAFETY: the caller's promise.
                self.0.store(!turns_on(value) && unsafe { are_on(db) }, Ordering::Relaxed);
            }
        } else if asked && let Some(table) = DroppedTable::parse(sql) {
            // SAFETY: the caller's promise.
            return unsafe { refuse_loss(db, &table) };
        }
        Ok(())
    }
}

/// Whether SQLite takes a value for true; the rest of a script may follow it.
fn turns_on(value: &[u8]) -> bool {
    let end = value.iter().position(|byte| matches!(byte, b';' | b')')).unwrap_or(value.len());
    let quote = |byte: &u8| matches!(byte, b'\'' | b'"' | b'+' | b'-') || byte.is_ascii_whitespace();
    let word: Vec<u8> = value[..end].iter().copied().skip_while(quote).take_while(|byte| !quote(byte)).collect();
    if word.first().is_some_and(u8::is_ascii_digit) {
        return word.iter().take_while(|byte| byte.is_ascii_digit()).any(|digit| *digit != b'0');
    }
    [&b"on"[..], b"yes", b"true", b"full", b"extra"].into_iter().any(|on| word.eq_ignore_ascii_case(on))
}

unsafe fn are_on(db: *mut sqlite::sqlite3) -> bool {
    let mut on = 0;
    // SAFETY: the caller's connection; a switch of −1 is only asked for.
    unsafe { sqlite::sqlite3_db_config(db, sqlite::SQLITE_DBCONFIG_ENABLE_FKEY, -1, &raw mut on) };
    on != 0
}

/// One column of a foreign key that would act on rows of its table.
struct Reference {
    key: String,
    child: String,
    action: String,
    from: String,
    to: String,
}

unsafe fn refuse_loss(db: *mut sqlite::sqlite3, table: &DroppedTable) -> Result<()> {
    let mut found = None;
    // SAFETY: the caller's promise.
    unsafe {
        let Some(schema) = schema_of(db, table)? else { return Ok(()) };
        for columns in references(db, &schema, &table.name)? {
            if found.is_none() && has_rows(db, &schema, &table.name, &columns)? {
                found = Some(columns);
            }
        }
    }
    let Some(columns) = found else { return Ok(()) };
    let Reference { child, action, .. } = &columns[0];
    let columns: Vec<&str> = columns.iter().map(|column| column.from.as_str()).collect();
    Err(errors::drop_takes_rows_along(&table.name, child, &columns, action))
}

/// The database that SQLite finds the table in.
unsafe fn schema_of(db: *mut sqlite::sqlite3, table: &DroppedTable) -> Result<Option<String>> {
    // SAFETY: the caller's promise.
    let all = unsafe { query(db, "SELECT name FROM pragma_database_list ORDER BY name <> 'temp', seq")? };
    for schema in all.into_iter().flatten() {
        if table.schema.as_ref().is_some_and(|asked| !asked.eq_ignore_ascii_case(&schema)) {
            continue;
        }
        let sql = format!(
            "SELECT 1 FROM {}.sqlite_schema WHERE type = 'table' AND name = {} COLLATE NOCASE",
            quoted(&schema),
            literal(&table.name)
        );
        // SAFETY: the caller's promise.
        if !unsafe { query(db, &sql)? }.is_empty() {
            return Ok(Some(schema));
        }
    }
    Ok(None)
}

/// The foreign keys of other tables that delete or change rows when one of the table is deleted; each with its columns.
unsafe fn references(db: *mut sqlite::sqlite3, schema: &str, table: &str) -> Result<Vec<Vec<Reference>>> {
    // Without a column the parent's primary key is meant.
    let sql = format!(
        "SELECT t.name || ' ' || f.id, t.name, f.on_delete, f.\"from\", coalesce(f.\"to\", (SELECT name FROM \
         pragma_table_info({1}, {2}) WHERE pk = f.seq + 1)) FROM {0}.sqlite_schema AS t, pragma_foreign_key_list(t.name, {2}) AS f \
         WHERE t.type = 'table' AND t.name <> {1} COLLATE NOCASE AND f.\"table\" = {1} COLLATE NOCASE \
         AND f.on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT') ORDER BY t.rowid, f.id, f.seq",
        quoted(schema),
        literal(table),
        literal(schema)
    );
    let mut keys: Vec<Vec<Reference>> = Vec::new();
    // SAFETY: the caller's promise.
    for row in unsafe { query(db, &sql)? } {
        let Ok([key, child, action, from, to]) = <[String; 5]>::try_from(row) else { continue };
        let column = Reference { key, child, action, from, to };
        match keys.last_mut() {
            Some(last) if last[0].key == column.key => last.push(column),
            _ => keys.push(vec![column]),
        }
    }
    Ok(keys)
}

/// Whether a row of the child refers to one of the table.
unsafe fn has_rows(db: *mut sqlite::sqlite3, schema: &str, table: &str, columns: &[Reference]) -> Result<bool> {
    let schema = quoted(schema);
    let equal: Vec<String> =
        columns.iter().map(|column| format!("p.{} = c.{}", quoted(&column.to), quoted(&column.from))).collect();
    let sql = format!(
        "SELECT 1 FROM {schema}.{} AS c WHERE EXISTS (SELECT 1 FROM {schema}.{} AS p WHERE {}) LIMIT 1",
        quoted(&columns[0].child),
        quoted(table),
        equal.join(" AND ")
    );
    // SAFETY: the caller's promise.
    Ok(!unsafe { query(db, &sql)? }.is_empty())
}

/// Every row as texts. None of a text that does not compile: a key whose columns are not there, which SQLite refuses by itself.
///
/// # Errors
/// Where it cannot be known: an interrupt, a shortage.
unsafe fn query(db: *mut sqlite::sqlite3, sql: &str) -> Result<Vec<Vec<String>>> {
    let Ok(sql) = CString::new(sql) else { return Ok(Vec::new()) };
    let mut rows = Vec::new();
    // SAFETY: the caller's promise; the statement ends with this call.
    unsafe {
        let mut raw = std::ptr::null_mut();
        let mut rc = sqlite::sqlite3_prepare_v2(db, sql.as_ptr(), -1, &mut raw, std::ptr::null_mut());
        if let Some(statement) = Prepared::new(raw) {
            loop {
                rc = sqlite::sqlite3_step(statement.raw());
                if rc != sqlite::SQLITE_ROW {
                    break;
                }
                let columns = sqlite::sqlite3_column_count(statement.raw());
                let cell = |column| handle::copy_text(sqlite::sqlite3_column_text(statement.raw(), column).cast());
                rows.push((0..columns).filter_map(cell).collect());
            }
        }
        match rc & 0xff {
            sqlite::SQLITE_OK | sqlite::SQLITE_DONE | sqlite::SQLITE_ERROR => Ok(rows),
            _ => Err(errors::not_answered(rc, &handle::last_failure(db, rc).0)),
        }
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
