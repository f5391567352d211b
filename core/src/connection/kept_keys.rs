//! `PRAGMA foreign_keys=OFF` inside a transaction, which SQLite ignores without a word.
//!
//! Who builds a table anew turns foreign keys off for that: with them on, `DROP TABLE` deletes the table's rows first, and with
//! them goes what refers to them by ON DELETE CASCADE, or loses its reference by SET NULL and SET DEFAULT. Migrations run in
//! transactions. So after such a pragma the transaction may drop no table whose rows others refer to in that way; what SQLite
//! refuses or allows by itself stays as it is.

use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, Ordering};

use super::errors;
use crate::error::Result;
use crate::raw::foreign_keys::{ForeignKey, foreign_keys};
use crate::raw::sql_text::{DroppedTable, PragmaText, skip_space};
use crate::raw::{handle, quoted};
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
    // SAFETY: the caller's promise.
    unsafe { handle::is_switched_on(db, sqlite::SQLITE_DBCONFIG_ENABLE_FKEY) == Some(true) }
}

unsafe fn refuse_loss(db: *mut sqlite::sqlite3, table: &DroppedTable) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let Some(schema) = schema_of(db, table)? else { return Ok(()) };
        let (keys, rc) = foreign_keys(db, &schema);
        answered(db, rc)?;
        for key in keys.iter().filter(|key| acts_on_others(key, &table.name)) {
            if has_rows(db, key)? {
                let columns: Vec<&str> = key.from.iter().map(String::as_str).collect();
                return Err(errors::drop_takes_rows_along(&table.name, &key.child, &columns, &key.on_delete));
            }
        }
    }
    Ok(())
}

/// Whether the key deletes or changes rows of another table when one of this table is deleted.
fn acts_on_others(key: &ForeignKey, table: &str) -> bool {
    key.parent.eq_ignore_ascii_case(table)
        && !key.child.eq_ignore_ascii_case(table)
        && matches!(key.on_delete.as_str(), "CASCADE" | "SET NULL" | "SET DEFAULT")
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
            quoted::name(&schema),
            quoted::text(&table.name)
        );
        // SAFETY: the caller's promise.
        if !unsafe { query(db, &sql)? }.is_empty() {
            return Ok(Some(schema));
        }
    }
    Ok(None)
}

/// Whether a row of the child refers to one of the parent.
unsafe fn has_rows(db: *mut sqlite::sqlite3, key: &ForeignKey) -> Result<bool> {
    let pairs = key.to.iter().zip(&key.from);
    let equal: Vec<String> =
        pairs.map(|(to, from)| format!("p.{} = c.{}", quoted::name(to), quoted::name(from))).collect();
    let sql = format!(
        "SELECT 1 FROM {0}.{1} AS c WHERE EXISTS (SELECT 1 FROM {0}.{2} AS p WHERE {3}) LIMIT 1",
        quoted::name(&key.schema),
        quoted::name(&key.child),
        quoted::name(&key.parent),
        equal.join(" AND ")
    );
    // SAFETY: the caller's promise.
    Ok(!unsafe { query(db, &sql)? }.is_empty())
}

/// Every row as texts.
unsafe fn query(db: *mut sqlite::sqlite3, sql: &str) -> Result<Vec<Vec<String>>> {
    // SAFETY: the caller's promise.
    let (rows, rc) = unsafe { handle::text_rows(db, sql) };
    // SAFETY: as above.
    unsafe { answered(db, rc)? };
    Ok(rows)
}

/// A text that does not compile has no rows: a key whose columns are not there, which SQLite refuses by itself.
///
/// # Errors
/// Where it cannot be known: an interrupt, a shortage.
unsafe fn answered(db: *mut sqlite::sqlite3, rc: c_int) -> Result<()> {
    match rc & 0xff {
        sqlite::SQLITE_OK | sqlite::SQLITE_DONE | sqlite::SQLITE_ERROR => Ok(()),
        // SAFETY: the caller's promise.
        _ => Err(errors::not_answered(rc, &unsafe { handle::last_failure(db, rc) }.0)),
    }
}
