//! The keywords of a statement: which ones begin or end a transaction, which are about rows alone, which one is a PRAGMA.
//! Not a parser. SQLite tells a writer from a reader, but not a COMMIT from either.

/// Whether the statement is a BEGIN.
pub(crate) fn is_begin(sql: &[u8]) -> bool {
    begins_with(sql, b"BEGIN")
}

/// Whether the statement is an ATTACH.
pub(crate) fn is_attach(sql: &[u8]) -> bool {
    begins_with(sql, b"ATTACH")
}

/// The name of the database that a VACUUM is of, as it is written but for its quotes; `None` for any other statement.
pub(crate) fn vacuumed(sql: &[u8]) -> Option<String> {
    let mut words = Words(sql);
    if !words.next()?.eq_ignore_ascii_case(b"VACUUM") {
        return None;
    }
    let rest = skip_space(words.0);
    let quoted = |end: u8| rest[1..].split(|byte| *byte == end).next();
    let name = match rest.first() {
        Some(b'[') => quoted(b']')?,
        Some(quote @ (b'"' | b'`' | b'\'')) => quoted(*quote)?,
        _ => match words.next() {
            Some(word) if !word.is_empty() && !word.eq_ignore_ascii_case(b"INTO") => word,
            _ => b"main",
        },
    };
    Some(String::from_utf8_lossy(name).into_owned())
}

fn begins_with(sql: &[u8], keyword: &[u8]) -> bool {
    Words(sql).next().is_some_and(|word| word.eq_ignore_ascii_case(keyword))
}

/// The parts of a PRAGMA statement.
pub(crate) struct PragmaText<'a> {
    pub name: &'a [u8],
    /// What is assigned, without blanks around it.
    pub value: Option<&'a [u8]>,
}

impl<'a> PragmaText<'a> {
    /// Takes `PRAGMA [schema.]name [= value | (value)]` apart; `None` for any other statement.
    pub(crate) fn parse(sql: &'a [u8]) -> Option<PragmaText<'a>> {
        let mut words = Words(sql);
        if !words.next()?.eq_ignore_ascii_case(b"PRAGMA") {
            return None;
        }
        let (mut name, mut rest) = bare_name(skip_space(words.0))?;
        if let [b'.', of_schema @ ..] = skip_space(rest) {
            (name, rest) = bare_name(skip_space(of_schema))?;
        }
        let value = match skip_space(rest) {
            [] => None,
            [b'=', value @ ..] => Some(value_of(value)),
            [b'(', value @ ..] => Some(value_of(value).strip_suffix(b")").unwrap_or(value_of(value)).trim_ascii()),
            // Another statement follows, or what SQLite takes for none.
            _ => return None,
        };
        Some(PragmaText { name, value })
    }

    pub(crate) fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The name that the text begins with, without its quotes, and what follows it. None of those that are meant has a quote in it.
fn bare_name(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let close = match text.first()? {
        b'[' => b']',
        quote @ (b'"' | b'`' | b'\'') => *quote,
        _ => {
            let end = text.iter().position(|byte| !is_of_name(byte)).unwrap_or(text.len());
            return (end > 0).then(|| text.split_at(end));
        }
    };
    let end = 1 + text[1..].iter().position(|byte| *byte == close)?;
    Some((&text[1..end], &text[end + 1..]))
}

fn is_of_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}

/// What is assigned, up to a comment, which no name and no number contains.
fn value_of(text: &[u8]) -> &[u8] {
    let text = skip_space(text);
    let comment = text.windows(2).position(|pair| pair == b"--" || pair == b"/*").unwrap_or(text.len());
    let text = text[..comment].trim_ascii_end();
    text.strip_suffix(b";").unwrap_or(text).trim_ascii()
}

/// The table of a DROP TABLE, by the name in the text.
pub(crate) struct DroppedTable {
    /// Where the text names one.
    pub schema: Option<String>,
    pub name: String,
}

impl DroppedTable {
    /// Takes `DROP TABLE [IF EXISTS] [schema.]name` apart; `None` for any other statement.
    pub(crate) fn parse(sql: &[u8]) -> Option<DroppedTable> {
        let mut words = Words(sql);
        let is = |word: Option<&[u8]>, other: &[u8]| word.is_some_and(|word| word.eq_ignore_ascii_case(other));
        if !is(words.next(), b"DROP") || !is(words.next(), b"TABLE") {
            return None;
        }
        let mut rest = skip_space(words.0);
        let mut condition = Words(rest);
        if is(condition.next(), b"IF") && is(condition.next(), b"EXISTS") {
            rest = skip_space(condition.0);
        }
        let (name, rest) = identifier(rest)?;
        match skip_space(rest) {
            [b'.', rest @ ..] => Some(DroppedTable { schema: Some(name), name: identifier(skip_space(rest))?.0 }),
            _ => Some(DroppedTable { schema: None, name }),
        }
    }
}

/// The name that the text begins with, without its quotes, and what follows it.
fn identifier(text: &[u8]) -> Option<(String, &[u8])> {
    let close = match text.first()? {
        b'[' => b']',
        quote @ (b'"' | b'`' | b'\'') => *quote,
        _ => {
            let end = text.iter().position(|byte| !is_of_name(byte)).unwrap_or(text.len());
            let name = String::from_utf8_lossy(&text[..end]).into_owned();
            return (end > 0).then_some((name, &text[end..]));
        }
    };
    let mut name = Vec::new();
    let mut at = 1;
    loop {
        match (text.get(at)?, text.get(at + 1)) {
            // Twice, it is part of the name.
            (byte, Some(next)) if *byte == close && *next == close && close != b']' => at += 1,
            (byte, _) if *byte == close => break,
            _ => {}
        }
        name.push(text[at]);
        at += 1;
    }
    Some((String::from_utf8_lossy(&name).into_owned(), &text[at + 1..]))
}

/// Whether the statement is COMMIT, END or ROLLBACK (but not ROLLBACK TO a savepoint).
pub(crate) fn is_ended_by(sql: &[u8]) -> bool {
    let mut words = Words(sql);
    match words.next() {
        Some(word) if word.eq_ignore_ascii_case(b"COMMIT") || word.eq_ignore_ascii_case(b"END") => true,
        Some(word) if word.eq_ignore_ascii_case(b"ROLLBACK") => {
            let next = words.find(|word| !word.eq_ignore_ascii_case(b"TRANSACTION"));
            !next.is_some_and(|word| word.eq_ignore_ascii_case(b"TO"))
        }
        _ => false,
    }
}

/// Whether the statement reads or changes rows, and nothing else. The others are rarely run twice, and some of them
/// (PRAGMA) act when they are compiled.
pub(crate) fn is_data(sql: &[u8]) -> bool {
    let word = Words(sql).next().unwrap_or(b"");
    [b"SELECT".as_slice(), b"INSERT", b"UPDATE", b"DELETE", b"REPLACE", b"WITH", b"VALUES"]
        .iter()
        .any(|data| word.eq_ignore_ascii_case(data))
}

/// The keywords at the start of a statement, up to the first thing that is none.
struct Words<'a>(&'a [u8]);

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.0 = skip_space(self.0);
        let end = self.0.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }
}

/// Without what SQLite's tokenizer takes for space at its start: blanks, comments, byte-order marks; and empty statements.
pub fn skip_space(mut sql: &[u8]) -> &[u8] {
    loop {
        sql = match sql {
            [b' ' | b'\t' | b'\n' | b'\x0c' | b'\r' | b';', rest @ ..] | [0xEF, 0xBB, 0xBF, rest @ ..] => rest,
            [b'-', b'-', rest @ ..] => &rest[rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())..],
            [b'/', b'*', rest @ ..] => {
                &rest[rest.windows(2).position(|pair| pair == b"*/").map_or(rest.len(), |at| at + 2)..]
            }
            _ => return sql,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{is_data, is_ended_by};

    #[test]
    fn only_the_end_of_a_transaction_is_one() {
        for sql in [
            "COMMIT",
            "commit;",
            "End Transaction",
            "ROLLBACK",
            "ROLLBACK TRANSACTION;",
            "-- why\n/* and */ ;\u{feff}COMMIT",
            "/**/ROLLBACK/*;*/",
        ] {
            assert!(is_ended_by(sql.as_bytes()), "{sql}");
        }
        for sql in [
            "",
            "-- COMMIT",
            "/* COMMIT",
            "ROLLBACK TO a",
            "ROLLBACK TRANSACTION /**/ TO SAVEPOINT a",
            "EXPLAIN COMMIT",
            "SELECT 'COMMIT'",
            "ENDING",
            "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END",
            "RELEASE a",
        ] {
            assert!(!is_ended_by(sql.as_bytes()), "{sql}");
        }
    }
    #[test]
    fn only_statements_about_rows_are_kept() {
        for sql in ["SELECT 1", " -- x\nwith a as (select 1) select * from a", "VALUES(1)", "Insert into t values(1)"] {
            assert!(is_data(sql.as_bytes()), "{sql}");
        }
        for sql in ["PRAGMA x", "EXPLAIN SELECT 1", "BEGIN", "ATTACH 'a' AS b", "CREATE TABLE t(a)", "", "SELECTED"] {
            assert!(!is_data(sql.as_bytes()), "{sql}");
        }
    }
}
