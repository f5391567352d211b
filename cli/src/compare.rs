//! Two databases, table by table and row by row.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result, Rows};
use serde::Serialize;

/// How a table of the one compares with that of the other.
#[derive(Debug, PartialEq, Serialize)]
pub struct Table {
    pub name: String,
    /// In the first database, up to the first difference.
    pub rows: u64,
    /// What is different; `null` for nothing.
    pub difference: Option<String>,
}

impl Table {
    pub fn is_same(&self) -> bool {
        self.difference.is_none()
    }

    pub fn says(&self) -> &str {
        self.difference.as_deref().unwrap_or("the same")
    }
}

/// What exists, by type and name, with its SQL; without what Litestream changes for itself.
const SCHEMA: &str = "SELECT type, name, coalesce(sql, '') FROM sqlite_schema \
    WHERE name NOT LIKE '\\_litestream\\_%' ESCAPE '\\' AND tbl_name NOT LIKE '\\_litestream\\_%' ESCAPE '\\' ORDER BY 1, 2, 3";

/// Every table; that of the schema first. Virtual tables are compared by the tables behind them.
pub fn tables(one: &Connection, other: &Connection, stop: &dyn Fn() -> bool) -> Result<Vec<Table>> {
    let mut compared = vec![compare("the schema", SCHEMA, SCHEMA, one, other, stop)?];
    if !compared[0].is_same() {
        return Ok(compared);
    }
    let mut list = one.prepare(
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') \
         AND name <> 'sqlite_schema' AND name NOT LIKE '\\_litestream\\_%' ESCAPE '\\' ORDER BY 1",
    )?;
    let names = list.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<Vec<(String, bool)>>>()?;
    for (name, without_rowid) in names {
        let quoted = name.replace('"', "\"\"");
        let rowid = if without_rowid { "" } else { "rowid, " };
        // In the order of the table itself: an index could have another one, and be what is damaged.
        let query = format!("SELECT {rowid}* FROM main.\"{quoted}\" NOT INDEXED");
        compared.push(compare(&name, &query, &query, one, other, stop)?);
    }
    Ok(compared)
}

fn compare(
    name: &str,
    query: &str,
    other_query: &str,
    one: &Connection,
    other: &Connection,
    stop: &dyn Fn() -> bool,
) -> Result<Table> {
    let (mut first, mut second) = (one.prepare(query)?, other.prepare(other_query)?);
    let columns = first.column_count();
    let (mut first, mut second) = (first.query([])?, second.query([])?);
    let mut table = Table { name: name.to_owned(), rows: 0, difference: None };
    while !stop() {
        let same = match (first.next()?, second.next()?) {
            (None, None) => return Ok(table),
            (Some(left), Some(right)) => {
                let mut same = true;
                for column in 0..columns {
                    same &= is_same(left.get_ref(column)?, right.get_ref(column)?);
                }
                same.then_some(()).ok_or_else(|| format!("row {} is another one in the copy", table.rows + 1))
            }
            (Some(_), None) => {
                Err(format!("the copy has {} row(s), and {} missing", table.rows, 1 + rest(&mut first)?))
            }
            (None, Some(_)) => Err(format!("the copy has {} row(s) too many", 1 + rest(&mut second)?)),
        };
        if let Err(difference) = same {
            table.difference = Some(difference);
            return Ok(table);
        }
        table.rows += 1;
    }
    Ok(table)
}

fn rest(rows: &mut Rows<'_>) -> Result<u64> {
    let mut count = 0;
    while rows.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// To the bit: 1 and 1.0 are two values, as are two NaN that SQLite could have.
fn is_same(left: ValueRef<'_>, right: ValueRef<'_>) -> bool {
    match (left, right) {
        (ValueRef::Real(left), ValueRef::Real(right)) => left.to_bits() == right.to_bits(),
        (left, right) => left == right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differences(other: &str) -> Vec<(String, String)> {
        let made = "CREATE TABLE t(id INTEGER PRIMARY KEY, a); CREATE INDEX i ON t(a); INSERT INTO t VALUES(1, 'x'), (2, NULL), (3, x'00');
            CREATE TABLE \"w\"\"\"(k PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO \"w\"\"\" VALUES('b', 1), ('a', 1.5);
            CREATE TABLE _litestream_seq(id); CREATE VIRTUAL TABLE f USING fts5(text); INSERT INTO f VALUES('one two');";
        let (left, right) = (Connection::open_in_memory().unwrap(), Connection::open_in_memory().unwrap());
        left.execute_batch(made).unwrap();
        right.execute_batch(made).unwrap();
        right.execute_batch(other).unwrap();
        let tables = tables(&left, &right, &|| false).unwrap();
        tables
            .into_iter()
            .filter(|table| !table.is_same())
            .map(|table| (table.name, table.difference.unwrap()))
            .collect()
    }

    #[test]
    fn every_difference_is_found_and_nothing_else() {
        assert_eq!(differences(""), []);
        assert_eq!(differences("INSERT INTO _litestream_seq VALUES(5)"), []);
        for (other, name, says) in [
            ("DELETE FROM t WHERE id = 3", "t", "1 missing"),
            ("DELETE FROM t", "t", "3 missing"),
            ("INSERT INTO t VALUES(4, 1)", "t", "1 row(s) too many"),
            ("UPDATE t SET a = '' WHERE id = 2", "t", "row 2"),
            ("UPDATE t SET id = 30 WHERE id = 3", "t", "row 3"),
            ("UPDATE \"w\"\"\" SET v = 1.0 WHERE k = 'b'", "w\"", "row 2"),
            ("CREATE TABLE more(a)", "the schema", "row"),
            ("DROP INDEX i", "the schema", "row"),
        ] {
            let found = differences(other);
            assert!(found.len() == 1 && found[0].0 == name && found[0].1.contains(says), "{other}: {found:?}");
        }
        assert!(!differences("INSERT INTO f VALUES('three')").is_empty(), "a virtual table, by what is behind it");
    }
}
