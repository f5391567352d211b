//! SQLite's check of every page, also of a file that only the program that wrote it knows in full.
//!
//! A database may use collations and functions that its own program registers. `PRAGMA quick_check` does not even begin without the
//! collations of its indexes, nor without the functions of its CHECK constraints; `integrity_check` needs them for their order and content as well. The
//! pages can be checked all the same: a collation that is missing is stood in for, and where that would matter it is left out and said.

use std::cell::RefCell;

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
    /// The one that was made: the quick one, where the full one cannot be.
    pub check: Check,
    /// What is wrong; empty for nothing.
    pub complaints: Vec<String>,
    /// What was left out, with why: "not checked, since …: the order of the collation unicase".
    pub left_out: Option<String>,
}

/// Reads every page; at most `limit` complaints.
///
/// A connection that this was asked of is for reading only: collations may be stood in for.
///
/// # Errors
/// Those of SQLite for a file that cannot be read at all.
pub fn check(db: &Connection, asked: Check, limit: usize) -> Result<Checked> {
    stand_in_for_collations(db)?;
    let (check, without) = can_be_made(db, asked)?;
    let mut left_out: Vec<String> =
        STOOD_IN.take().iter().map(|name| format!("the order of the collation {name}")).collect();
    left_out.extend(without);
    let made = complaints(db, &format!("PRAGMA {}({limit})", check.pragma()));
    let (check, mut complaints) = match made {
        Ok(complaints) => (check, complaints),
        Err(error) => {
            let (complaints, unknown) = table_by_table(db, error)?;
            left_out.extend(unknown);
            (Check::Quick, complaints)
        }
    };
    complaints.truncate(limit);
    let left_out = (!left_out.is_empty()).then(|| {
        format!("not checked, since only the program that wrote the file has what it takes: {}", left_out.join(", "))
    });
    Ok(Checked { check, complaints, left_out })
}

fn complaints(db: &Connection, pragma: &str) -> Result<Vec<String>> {
    let mut statement = db.prepare(pragma)?;
    let lines = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>>>()?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

/// Where a virtual table cannot be asked, as one of FTS5 with a tokenizer of its program, the whole check fails (`failed`) with no word of
/// which. So each table is checked by itself: what is wrong, and what could not be asked.
fn table_by_table(db: &Connection, failed: rusqlite::Error) -> Result<(Vec<String>, Vec<String>)> {
    let cannot_be_asked = |error: &rusqlite::Error| {
        error.sqlite_error().is_some_and(|cause| cause.extended_code & 0xff == ffi::SQLITE_ERROR)
    };
    if !cannot_be_asked(&failed) {
        return Err(failed);
    }
    let mut list = db.prepare(
        "SELECT name, type = 'virtual' FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow', 'virtual')",
    )?;
    let tables = list.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<Vec<(String, bool)>>>()?;
    let (mut wrong, mut unknown) = (Vec::new(), Vec::new());
    for (name, is_virtual) in tables {
        match complaints(db, &format!("PRAGMA quick_check(\"{}\")", name.replace('"', "\"\""))) {
            Ok(said) => wrong.extend(said),
            Err(error) if is_virtual && cannot_be_asked(&error) => unknown.push(format!("the virtual table {name}")),
            Err(error) => return Err(error),
        }
    }
    if unknown.is_empty() { Err(failed) } else { Ok((wrong, unknown)) }
}

thread_local! {
    /// The collations that this thread has stood in for since it began. SQLite asks on the thread that compiles, and has no list of
    /// those that it really has: `pragma_collation_list` names what a schema mentions, too.
    static STOOD_IN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Lets statements of this connection that only read be compiled, though they name collations that it does not have.
///
/// # Errors
/// Those of SQLite, out of memory.
pub fn stand_in_for_collations(db: &Connection) -> Result<()> {
    STOOD_IN.take();
    db.collation_needed(|db, name| {
        STOOD_IN.with_borrow_mut(|names| names.push(name.to_owned()));
        db.create_collation(name, |one, other| one.cmp(other))
    })
}

/// The check that can be made, and what it is made without.
fn can_be_made(db: &Connection, asked: Check) -> Result<(Check, Option<String>)> {
    // Compiling it asks for every collation and function that it is going to call.
    match db.prepare(&format!("PRAGMA {}", asked.pragma())) {
        // The quick one compares no keys: the stand-in's order, which is not the file's, does not matter to it.
        Ok(_) if asked == Check::Full && STOOD_IN.with_borrow(|names| !names.is_empty()) => Ok((Check::Quick, None)),
        Ok(_) => Ok((asked, None)),
        Err(error) => {
            let Some(function) = missing_function(&error) else { return Err(error) };
            if asked == Check::Full {
                let (check, without) = can_be_made(db, Check::Quick)?;
                return Ok((check, without.or(Some(format!("what calls the function {function}")))));
            }
            db.pragma_update(None, "ignore_check_constraints", true)?;
            Ok((Check::Quick, Some(format!("CHECK constraints, one of which calls the function {function}"))))
        }
    }
}

/// SQLite has no code of its own for it: "unknown function: f()" of a schema, "no such function: f" of a statement.
fn missing_function(error: &rusqlite::Error) -> Option<String> {
    let text = error.to_string();
    let name = text.split_once("unknown function: ").or_else(|| text.split_once("no such function: "))?.1;
    Some(name.split_whitespace().next()?.trim_end_matches("()").to_owned())
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
            ("CREATE TABLE t(a COLLATE backwards PRIMARY KEY, b)", "backwards", "backwards"),
            ("CREATE TABLE t(a COLLATE backwards PRIMARY KEY, b) WITHOUT ROWID", "backwards", "backwards"),
            ("CREATE TABLE t(a, b CHECK (f(b) > 0))", "function f", "function f"),
            ("CREATE TABLE t(a, b); CREATE INDEX i ON t(f(b))", "function f", ""),
            ("CREATE TABLE t(a, b); CREATE INDEX i ON t(a) WHERE f(b) > 1", "function f", ""),
            ("CREATE TABLE t(a COLLATE backwards UNIQUE, b CHECK (f(b)))", "backwards", "backwards"),
        ] {
            for (asked, says) in [(Check::Full, says), (Check::Quick, quick_says)] {
                let (_dir, stranger) = written(&format!("{schema}; {ROWS}"));
                let found = check(&stranger, asked, 5).unwrap();
                assert_eq!(found.complaints, [""; 0], "{schema}");
                let left_out = found.left_out.unwrap_or_default();
                assert!(left_out.contains(says) && left_out.is_empty() == says.is_empty(), "{schema}: {left_out}");
                assert!(says.is_empty() || found.check == Check::Quick, "{schema}");
            }
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
                assert!(is_asked || found.left_out.unwrap().contains("virtual table v"), "{changed}");
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
