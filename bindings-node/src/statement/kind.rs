//! What a statement is, by its first word: whether it may be kept for reuse, and what running it does to others.

use litekeel_core::skip_space;

/// Numbered as `lib/` reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Kind {
    /// A query or a change of rows: may be kept and handed out again.
    Rows = 0,
    /// May not be kept, and leaves others as they are.
    Single = 1,
    /// May not be kept; others that are kept may mean something else afterwards, or nothing.
    Schema = 2,
}

/// The kind of the statement that begins at the start of `sql`.
pub(crate) fn of(sql: &[u8]) -> Kind {
    let sql = skip_space(sql);
    let word = &sql[..sql.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(sql.len())];
    let is = |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
    if is(&["SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "REPLACE", "VALUES"]) {
        Kind::Rows
    } else if is(&["BEGIN", "COMMIT", "END", "SAVEPOINT", "RELEASE", "EXPLAIN"])
        // Without a value a pragma only asks.
        || (is(&["PRAGMA"]) && !sql.iter().any(|byte| matches!(byte, b'=' | b'(')))
    {
        Kind::Single
    } else {
        Kind::Schema
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, of};

    #[test]
    fn only_queries_and_changes_of_rows_are_kept() {
        for sql in ["SELECT 1", " /* x */ insert into t values(1)", "-- x\nWITH a AS (SELECT 1) SELECT 2", "values(1)"]
        {
            assert_eq!(of(sql.as_bytes()), Kind::Rows, "{sql}");
        }
        for sql in ["BEGIN", "commit;", "RELEASE a", "EXPLAIN SELECT 1", "PRAGMA user_version"] {
            assert_eq!(of(sql.as_bytes()), Kind::Single, "{sql}");
        }
        for sql in [
            "CREATE TABLE t(a)",
            "ROLLBACK",
            "ATTACH 'a' AS b",
            "ANALYZE",
            "PRAGMA foreign_keys = 1",
            "PRAGMA x(1)",
            "x",
        ] {
            assert_eq!(of(sql.as_bytes()), Kind::Schema, "{sql}");
        }
    }
}
