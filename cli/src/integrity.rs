//! SQLite's check of every page, also of a file that only the program that wrote it knows in full.
//!
//! A database may use collations, functions and modules that its own program registers. Where one that a check needs is missing, SQLite does
//! not begin it, for any table. So the tables are then checked one by one: each as asked where that is possible, else its pages and rows,
//! with a stand-in for a collation; what was left out is said.

use std::collections::BTreeMap;

use rusqlite::{Connection, Result, ffi};

/// Which of SQLite's two checks.
#[derive(Clone, Copy, PartialEq)]
pub enum Check {
    /// `PRAGMA quick_check`: the pages and the form of every row.
    Quick,
    /// `PRAGMA integrity_check`: also that the indexes hold what the tables do, in order.
    Full,
}

impl Check {
    pub fn pragma(self) -> &'static str {
        match self {
            Check::Quick => "quick_check",
            Check::Full => "integrity_check",
        }
    }
}

pub struct Checked {
    /// What is wrong; empty for nothing.
    pub complaints: Vec<String>,
    /// What was left out and why: "not checked, since …: the indexes of notes (no such collation sequence: unicase)".
    pub left_out: Option<String>,
}

/// Reads every page; at most `limit` complaints.
///
/// A connection that this was asked of is for reading only: collations may be stood in for.
///
/// # Errors
/// Those of SQLite for a file that cannot be read at all.
pub fn check(db: &Connection, asked: Check, limit: usize) -> Result<Checked> {
    let (mut complaints, left_out) = match complaints(db, &format!("PRAGMA {}({limit})", asked.pragma())) {
        Err(error) if lacks_something(&error) => in_parts(db, asked, limit, error)?,
        made => (made?, LeftOut::default()),
    };
    complaints.truncate(limit);
    Ok(Checked { complaints, left_out: left_out.text() })
}

/// Lets statements of this connection that only read be compiled, though they name collations that it does not have.
///
/// # Errors
/// Those of SQLite, out of memory.
pub fn stand_in_for_collations(db: &Connection) -> Result<()> {
    db.collation_needed(|db, name| db.create_collation(name, |one, other| one.cmp(other)))
}

/// By the reason that SQLite gives: which parts.
#[derive(Default)]
struct LeftOut(BTreeMap<(String, &'static str), Vec<String>>);

impl LeftOut {
    fn add(&mut self, what: &'static str, table: &str, why: &rusqlite::Error) {
        self.0.entry((words(why), what)).or_default().push(table.to_owned());
    }

    fn text(&self) -> Option<String> {
        const SHOWN: usize = 5;
        let part = |((why, what), tables): (&(String, &str), &Vec<String>)| {
            let more = tables.len().saturating_sub(SHOWN);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            format!("{what} of {}{more} ({why})", tables[..tables.len().min(SHOWN)].join(", "))
        };
        let parts: Vec<String> = self.0.iter().map(part).collect();
        (!parts.is_empty()).then(|| {
            format!("not checked, since only the program that wrote the file has what it takes: {}", parts.join("; "))
        })
    }
}

/// What is wrong and what was left out of a database of which SQLite cannot check the whole (`failed`).
fn in_parts(db: &Connection, asked: Check, limit: usize, failed: rusqlite::Error) -> Result<(Vec<String>, LeftOut)> {
    let (mut wrong, mut left_out) = (Vec::new(), LeftOut::default());
    let add = |wrong: &mut Vec<String>, said: Vec<String>| {
        said.into_iter().for_each(|line| {
            if !wrong.contains(&line) {
                wrong.push(line)
            }
        })
    };
    let tables = tables(db)?;
    let mut in_full = Vec::new();
    // Before anything is stood in for: in the order of a stand-in an index that is right looks wrong.
    for table in tables.iter().filter(|_| asked == Check::Full) {
        match complaints(db, &of_table(asked, table)) {
            Ok(said) => {
                in_full.push(table);
                add(&mut wrong, said);
            }
            Err(error) if lacks_something(&error) => left_out.add("the indexes", table, &error),
            Err(error) => return Err(error),
        }
    }
    // The quick check compares no keys, and of functions it only calls those of CHECK constraints.
    stand_in_for_collations(db)?;
    let whole = format!("PRAGMA {}({limit})", Check::Quick.pragma());
    let mut made = complaints(db, &whole);
    if let Err(error) = &made
        && lacks_something(error)
    {
        db.pragma_update(None, "ignore_check_constraints", true)?;
        let without = complaints(db, &whole);
        if without.is_ok() {
            left_out.add("CHECK constraints", "all tables", error);
        }
        made = without;
    }
    match made {
        Ok(said) => add(&mut wrong, said),
        Err(error) if lacks_something(&error) => {
            for table in tables.iter().filter(|table| !in_full.contains(table)) {
                match complaints(db, &of_table(Check::Quick, table)) {
                    Ok(said) => add(&mut wrong, said),
                    Err(error) if lacks_something(&error) => left_out.add("all", table, &error),
                    Err(error) => return Err(error),
                }
            }
            left_out.add("CHECK constraints and the free pages", "all tables", &failed);
        }
        Err(error) => return Err(error),
    }
    Ok((wrong, left_out))
}

/// What SQLite says where a collation, a function, a module or a tokenizer is not registered: it has no better code for it.
fn lacks_something(error: &rusqlite::Error) -> bool {
    let cause = match error {
        rusqlite::Error::SqliteFailure(cause, _) | rusqlite::Error::SqlInputError { error: cause, .. } => cause,
        _ => return false,
    };
    cause.extended_code & 0xff == ffi::SQLITE_ERROR
}

/// SQLite's words alone.
fn words(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } | rusqlite::Error::SqliteFailure(_, Some(msg)) => msg.clone(),
        other => other.to_string(),
    }
}

fn complaints(db: &Connection, pragma: &str) -> Result<Vec<String>> {
    let mut statement = db.prepare(pragma)?;
    let lines = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>>>()?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

fn of_table(check: Check, table: &str) -> String {
    format!("PRAGMA {}(\"{}\")", check.pragma(), table.replace('"', "\"\""))
}

fn tables(db: &Connection) -> Result<Vec<String>> {
    let mut list = db.prepare(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow', 'virtual') ORDER BY 1",
    )?;
    list.query_map([], |row| row.get(0))?.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::functions::FunctionFlags;

    /// A file that its own program wrote, and a connection of a stranger.
    fn written(schema: &str) -> (tempfile::TempDir, Connection) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.db");
        let own = Connection::open(&file).unwrap();
        own.create_collation("backwards", |one, other| other.cmp(one)).unwrap();
        own.create_scalar_function("f", 1, FunctionFlags::SQLITE_DETERMINISTIC, |of| of.get::<i64>(0)).unwrap();
        own.execute_batch(schema).unwrap();
        drop(own);
        let stranger = Connection::open(&file).unwrap();
        (dir, stranger)
    }

    const ROWS: &str = "INSERT INTO t VALUES('a', 1), ('b', 2), ('c', 3)";

    #[test]
    fn a_file_that_needs_its_program_is_checked_as_far_as_can_be() {
        for (schema, says, quick_says) in [
            ("CREATE TABLE t(a PRIMARY KEY, b)", "", ""),
            (
                "CREATE TABLE t(a COLLATE backwards PRIMARY KEY, b)",
                "the indexes of t (no such collation sequence: backwards)",
                "",
            ),
            ("CREATE TABLE t(a COLLATE backwards PRIMARY KEY, b) WITHOUT ROWID", "the indexes of t (no such coll", ""),
            ("CREATE TABLE t(a, b CHECK (f(b) > 0))", "unknown function: f()", "CHECK constraints of all tables"),
            ("CREATE TABLE t(a, b); CREATE INDEX i ON t(f(b))", "the indexes of t (unknown function: f()", ""),
            ("CREATE TABLE t(a, b); CREATE INDEX i ON t(a) WHERE f(b) > 1", "the indexes of t", ""),
            (
                "CREATE TABLE t(a COLLATE backwards UNIQUE, b CHECK (f(b)))",
                "unknown function: f()",
                "unknown function: f()",
            ),
            (
                "CREATE TABLE t(a, b); CREATE TABLE g(a, b TEXT NOT NULL AS (f(a)))",
                "all of g (unknown function: f()",
                "all of g",
            ),
        ] {
            for (asked, says) in [(Check::Full, says), (Check::Quick, quick_says)] {
                let (_dir, stranger) = written(&format!("{schema}; {ROWS}"));
                let found = check(&stranger, asked, 5).unwrap();
                assert_eq!(found.complaints, [""; 0], "{schema}");
                let left_out = found.left_out.unwrap_or_default();
                assert!(left_out.contains(says) && left_out.is_empty() == says.is_empty(), "{schema}: {left_out}");
            }
        }
    }

    /// An index of a table that needs nothing is checked in full, whatever the table beside it needs.
    #[test]
    fn an_index_that_points_elsewhere_is_found_beside_a_table_that_needs_its_program() {
        for other in ["a COLLATE backwards PRIMARY KEY", "a CHECK (f(a))", "a, b TEXT AS (f(a))"] {
            let (_dir, stranger) = written(&format!(
                "CREATE TABLE o({other}); CREATE TABLE t(a, b); CREATE INDEX ia ON t(a); CREATE INDEX ib ON t(b); {ROWS}; \
                 PRAGMA writable_schema = on; CREATE TABLE roots AS SELECT name, rootpage FROM sqlite_schema; \
                 UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM roots WHERE name = iif(sqlite_schema.name = 'ia', 'ib', 'ia')) \
                 WHERE name IN ('ia', 'ib')"
            ));
            let found = check(&stranger, Check::Full, 5).unwrap();
            assert!(
                found.complaints.iter().any(|line| line.contains("missing from index")),
                "{other}: {:?}",
                found.complaints
            );
        }
    }

    #[test]
    fn a_virtual_table_that_cannot_be_asked_hides_nothing_of_the_others() {
        for (made, row, changed, is_asked) in [
            ("fts5(body)", "'a word'", "fts5(body)", true),
            ("fts5(body)", "'a word'", "fts5(body, tokenize = nobodys)", false),
            ("rtree(id, low, high)", "1, 2, 3", "nobodys(id, low, high)", true),
        ] {
            for damage in ["", "UPDATE sqlite_schema SET sql = 'CREATE TABLE t(a NOT NULL, b)' WHERE name = 't'"] {
                let (_dir, stranger) = written(&format!(
                    "CREATE TABLE t(a, b); INSERT INTO t VALUES(NULL, 1); CREATE VIRTUAL TABLE v USING {made}; INSERT INTO v VALUES({row}); \
                     PRAGMA writable_schema = on; UPDATE sqlite_schema SET sql = replace(sql, '{made}', '{changed}'); {damage}"
                ));
                let found = check(&stranger, Check::Full, 5).unwrap();
                let wrong = if damage.is_empty() { vec![] } else { vec!["NULL value in t.a"] };
                assert_eq!(
                    (found.complaints, found.left_out.is_none()),
                    (wrong.iter().map(ToString::to_string).collect(), is_asked),
                    "{changed}"
                );
                assert!(is_asked || found.left_out.unwrap().contains("all of v"), "{changed}");
            }
        }
    }

    #[test]
    fn what_is_damaged_is_found_with_and_without_its_program() {
        for schema in [
            "CREATE TABLE t(a, b); CREATE TABLE u(a COLLATE backwards PRIMARY KEY) WITHOUT ROWID; INSERT INTO u VALUES('x'), ('y')",
            "CREATE TABLE t(a, b); CREATE TABLE u(a CHECK (f(a)))",
            "CREATE TABLE t(a, b)",
        ] {
            for asked in [Check::Quick, Check::Full] {
                // The stranger sees a NOT NULL that the rows do not keep.
                let (_dir, stranger) = written(&format!(
                    "{schema}; INSERT INTO t VALUES(NULL, 1); PRAGMA writable_schema = on; \
                     UPDATE sqlite_schema SET sql = 'CREATE TABLE t(a NOT NULL, b)' WHERE name = 't'"
                ));
                let found = check(&stranger, asked, 5).unwrap();
                assert_eq!(found.complaints, ["NULL value in t.a"], "{schema}");
            }
        }
    }

    #[test]
    fn an_order_that_is_known_is_checked() {
        let (_dir, stranger) = written(&format!(
            "CREATE TABLE t(a COLLATE backwards PRIMARY KEY, b) WITHOUT ROWID; {ROWS}; PRAGMA writable_schema = on; \
             UPDATE sqlite_schema SET sql = replace(sql, 'COLLATE backwards', '') WHERE name = 't'"
        ));
        let found = check(&stranger, Check::Full, 5).unwrap();
        assert!(
            found.complaints.iter().any(|line| line.starts_with("row not in PRIMARY KEY order")),
            "{:?}",
            found.complaints
        );
    }
}
