//! The foreign keys that the tables of a database have.

use std::ffi::c_int;

use crate::raw::handle::text_rows;
use crate::raw::quoted;
use rusqlite::ffi as sqlite;

/// A key of one table that refers to another one, or to itself.
pub(crate) struct ForeignKey {
    pub schema: String,
    pub child: String,
    pub parent: String,
    /// As SQLite spells it: `NO ACTION`, `RESTRICT`, `CASCADE`, `SET NULL`, `SET DEFAULT`.
    pub on_delete: String,
    pub from: Vec<String>,
    pub to: Vec<String>,
}

/// Those of the tables of one database, as far as they can be read, and what SQLite answered at the end.
///
/// # Safety
/// As for [`text_rows`].
pub(crate) unsafe fn foreign_keys(db: *mut sqlite::sqlite3, schema: &str) -> (Vec<ForeignKey>, c_int) {
    // Without a column the parent's primary key is meant.
    let sql = format!(
        "SELECT t.name, f.id, f.\"table\", f.on_delete, f.\"from\", coalesce(f.\"to\", (SELECT name FROM \
         pragma_table_info(f.\"table\", {0}) WHERE pk = f.seq + 1)) FROM {1}.sqlite_schema AS t, \
         pragma_foreign_key_list(t.name, {0}) AS f WHERE t.type = 'table' ORDER BY t.rowid, f.id, f.seq",
        quoted::text(schema),
        quoted::name(schema)
    );
    // SAFETY: the caller's promise.
    let (rows, rc) = unsafe { text_rows(db, &sql) };
    let mut keys: Vec<(String, ForeignKey)> = Vec::new();
    for row in rows {
        let Ok([child, id, parent, on_delete, from, to]) = <[String; 6]>::try_from(row) else { continue };
        match keys.last_mut() {
            Some((last, key)) if *last == id && key.child == child => {
                key.from.push(from);
                key.to.push(to);
            }
            _ => {
                let schema = schema.to_owned();
                keys.push((id, ForeignKey { schema, child, parent, on_delete, from: vec![from], to: vec![to] }));
            }
        }
    }
    (keys.into_iter().map(|(_, key)| key).collect(), rc)
}
