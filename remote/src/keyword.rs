//! What a statement does to its transaction, by its first keywords.

use litekeel_core::skip_space;

/// What a statement does to its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Opens one, on a stream that is kept.
    Begins,
    /// Ends one: COMMIT and END.
    Commits,
    /// RELEASE: it ends a transaction that this savepoint has opened, and nothing in any other.
    Releases,
    /// ROLLBACK TO a savepoint: the transaction goes on.
    GoesBack,
    /// Gives one up.
    RollsBack,
    /// Changes nothing, so that it can be sent again.
    Reads,
    /// WITH, and a word in it that may be the one of a write: the server knows.
    Unclear,
    /// Anything else.
    Other,
}

/// The effect of a statement.
pub(crate) fn effect(sql: &str) -> Effect {
    let mut words = Words::of(sql);
    match words.next().as_slice() {
        b"BEGIN" | b"SAVEPOINT" => Effect::Begins,
        b"COMMIT" | b"END" => Effect::Commits,
        b"RELEASE" => Effect::Releases,
        b"ROLLBACK" if words.next_is(b"TO") => Effect::GoesBack,
        b"ROLLBACK" => Effect::RollsBack,
        b"SELECT" | b"VALUES" | b"EXPLAIN" => Effect::Reads,
        b"WITH" if [&b"INSERT"[..], b"UPDATE", b"DELETE", b"REPLACE"].iter().any(|word| has(sql, word)) => {
            Effect::Unclear
        }
        b"WITH" => Effect::Reads,
        _ => Effect::Other,
    }
}

/// Whether these letters stand somewhere in it, as a word or not.
fn has(sql: &str, letters: &[u8]) -> bool {
    sql.as_bytes().windows(letters.len()).any(|piece| piece.eq_ignore_ascii_case(letters))
}

/// Whether a statement may have rows whose columns are named by a table.
pub(crate) fn names_columns(sql: &str) -> bool {
    match effect(sql) {
        Effect::Reads | Effect::Unclear => true,
        Effect::Other => has(sql, b"RETURNING"),
        _ => false,
    }
}

/// The savepoint that SAVEPOINT, RELEASE or ROLLBACK TO names, as SQLite compares names; `None` for what names none.
pub(crate) fn savepoint(sql: &str) -> Option<Vec<u8>> {
    let mut words = Words::of(sql);
    match words.next().as_slice() {
        b"SAVEPOINT" => return words.name(),
        b"RELEASE" => {}
        b"ROLLBACK" if words.next_is(b"TO") => {}
        _ => return None,
    }
    let rest = words.0;
    // The keyword may be left out, and may be the name itself.
    if words.next() == b"SAVEPOINT" && words.name().is_some() {
        return words.name();
    }
    Words(rest).name()
}

/// The words at the beginning of a statement.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn of(sql: &str) -> Words<'_> {
        // An empty statement may stand before it.
        let mut bytes = skip_space(sql.as_bytes());
        while let Some(rest) = bytes.strip_prefix(b";") {
            bytes = skip_space(rest);
        }
        Words(bytes)
    }

    /// The next keyword in capitals, without it.
    fn next(&mut self) -> Vec<u8> {
        let bytes = skip_space(self.0);
        let length = bytes.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        self.0 = &bytes[length..];
        bytes[..length].to_ascii_uppercase()
    }

    /// Whether this keyword follows, TRANSACTION before it left out.
    fn next_is(&mut self, keyword: &[u8]) -> bool {
        let mut word = self.next();
        if word == b"TRANSACTION" {
            word = self.next();
        }
        word == keyword
    }

    /// The name that follows, without its quotes and in one case.
    fn name(&self) -> Option<Vec<u8>> {
        let bytes = skip_space(self.0);
        let (open, rest) = bytes.split_first()?;
        let close = match open {
            b'"' | b'\'' | b'`' => *open,
            b'[' => b']',
            _ => {
                let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(**byte, b'_' | b'$' | 0x80..);
                let length = bytes.iter().take_while(is_word).count();
                return (length > 0).then(|| bytes[..length].to_ascii_lowercase());
            }
        };
        let (mut name, mut at) = (Vec::new(), 0);
        loop {
            match rest.get(at)? {
                // A doubled quote stands for itself.
                byte if *byte == close && close != b']' && rest.get(at + 1) == Some(&close) => {
                    name.push(close);
                    at += 1;
                }
                byte if *byte == close => return Some(name.to_ascii_lowercase()),
                byte => name.push(*byte),
            }
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_surely_reads_is_a_read() {
        assert_eq!(effect("-- a\n /* b */ select 1"), Effect::Reads);
        assert_eq!(effect("with a as (select 1) select * from a"), Effect::Reads);
        for sql in ["", "selects", "PRAGMA user_version = 1"] {
            assert_eq!(effect(sql), Effect::Other, "{sql}");
        }
        for word in ["insert into t", "UPDATE t", "DeLeTe from t", "replace into t", "select replace(1, 2, 3) --"] {
            assert_eq!(effect(&format!("with a as (select 1) {word} select * from a")), Effect::Unclear, "{word}");
        }
        for sql in ["\tBegin immediate", "; /* x */ ;BEGIN", "\u{feff}BEGIN"] {
            assert_eq!(effect(sql), Effect::Begins, "{sql}");
        }
        assert_eq!(effect("END"), Effect::Commits);
        assert_eq!((effect("rollback transaction"), effect("ROLLBACK;")), (Effect::RollsBack, Effect::RollsBack));
        for sql in ["ROLLBACK TO a", "rollback /* x */ transaction to savepoint a"] {
            assert_eq!(effect(sql), Effect::GoesBack, "{sql}");
        }
        assert_eq!(effect("release savepoint a"), Effect::Releases);
    }

    #[test]
    fn rows_with_the_names_of_a_table_come_of_reads_and_of_returning() {
        for sql in ["SELECT 1", "WITH a AS (SELECT 1) DELETE FROM t", "insert into t values(1) Returning *"] {
            assert!(names_columns(sql), "{sql}");
        }
        for sql in [
            "INSERT INTO t SELECT * FROM u",
            "CREATE TABLE t(a)",
            "BEGIN",
            "PRAGMA table_info(t)",
            "RELEASE returning_",
            "",
        ] {
            assert!(!names_columns(sql), "{sql}");
        }
    }

    #[test]
    fn a_savepoint_is_known_by_its_name() {
        for (sql, name) in [
            ("SAVEPOINT Ab_1", Some("ab_1")),
            ("; savepoint/**/\"a \"\"B\";", Some("a \"b")),
            ("RELEASE `\t_bs3.\t`", Some("\t_bs3.\t")),
            ("release savepoint [x]", Some("x")),
            ("RELEASE SAVEPOINT", Some("savepoint")),
            ("RELEASE savepoint;", Some("savepoint")),
            ("ROLLBACK TRANSACTION TO SAVEPOINT 'a'", Some("a")),
            ("rollback to a", Some("a")),
            ("ROLLBACK", None),
            ("SAVEPOINT \"open", None),
            ("SELECT 1", None),
        ] {
            assert_eq!(savepoint(sql).as_deref(), name.map(str::as_bytes), "{sql}");
        }
    }
}
