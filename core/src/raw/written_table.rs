//! The table that a statement writes to, by its first words. Not a parser: what it does not understand is nothing.

use crate::raw::sql_text::skip_space;

/// What an INSERT, UPDATE, DELETE or REPLACE writes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub schema: Option<String>,
    pub table: String,
    /// It may add a row, or change one's columns.
    pub adds: bool,
    /// It may take a row away, or change one's key.
    pub removes: bool,
}

impl Written {
    /// `None` for a statement that does not write to rows.
    pub(crate) fn by(sql: &[u8]) -> Option<Written> {
        let mut tokens = Tokens { rest: sql, depth: 0 };
        let mut first = tokens.next()?;
        if first.is("WITH") {
            // Its queries stand in parentheses.
            first = tokens.find(|token| ["INSERT", "REPLACE", "UPDATE", "DELETE"].iter().any(|word| token.is(word)))?;
        }
        let (adds, removes) = match () {
            () if first.is("INSERT") => (true, false),
            () if first.is("DELETE") => (false, true),
            () if first.is("UPDATE") || first.is("REPLACE") => (true, true),
            () => return None,
        };
        let mut token = tokens.next()?;
        let mut replaces = false;
        if token.is("OR") {
            replaces = tokens.next()?.is("REPLACE");
            token = tokens.next()?;
        }
        if !first.is("UPDATE") {
            // INTO, FROM
            token = tokens.next()?;
        }
        let name = token.name()?;
        let before = tokens.rest;
        let (schema, table) = match skip_space(before).strip_prefix(b".") {
            Some(rest) => (Some(name), Tokens { rest, depth: 0 }.next()?.name()?),
            None => (None, name),
        };
        Some(Written { schema, table, adds, removes: removes || replaces })
    }
}

/// Whether the statement ends a transaction, or a savepoint that is one.
pub(crate) fn ends_transaction(sql: &[u8]) -> bool {
    let first = Tokens { rest: sql, depth: 0 }.next();
    first.is_some_and(|word| ["COMMIT", "END", "RELEASE"].iter().any(|end| word.is(end)))
}

enum Token<'a> {
    Word(&'a [u8]),
    /// With what ends it.
    Quoted(&'a [u8], u8),
    Other,
}

impl Token<'_> {
    fn is(&self, word: &str) -> bool {
        matches!(self, Token::Word(text) if text.eq_ignore_ascii_case(word.as_bytes()))
    }

    fn name(&self) -> Option<String> {
        match self {
            Token::Word(text) => Some(String::from_utf8_lossy(text).into_owned()),
            Token::Quoted(text, end) => {
                let end = char::from(*end);
                Some(String::from_utf8_lossy(text).replace(&format!("{end}{end}"), &end.to_string()))
            }
            Token::Other => None,
        }
    }
}

/// What stands outside of parentheses.
struct Tokens<'a> {
    rest: &'a [u8],
    depth: usize,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            self.rest = skip_space(self.rest);
            let token = self.one()?;
            if self.depth == 0 {
                return Some(token);
            }
        }
    }
}

impl<'a> Tokens<'a> {
    fn one(&mut self) -> Option<Token<'a>> {
        let of_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..);
        match *self.rest.first()? {
            open @ (b'"' | b'`' | b'\'' | b'[') => {
                let end = if open == b'[' { b']' } else { open };
                let mut at = 1;
                loop {
                    at += self.rest[at..].iter().position(|byte| *byte == end)?;
                    // Twice stands for itself, but in brackets.
                    if end == b']' || self.rest.get(at + 1) != Some(&end) {
                        break;
                    }
                    at += 2;
                }
                let text = &self.rest[1..at];
                self.rest = &self.rest[at + 1..];
                Some(Token::Quoted(text, end))
            }
            byte if of_word(&byte) => {
                let length = self.rest.iter().position(|byte| !of_word(byte)).unwrap_or(self.rest.len());
                let (word, rest) = self.rest.split_at(length);
                self.rest = rest;
                Some(Token::Word(word))
            }
            byte => {
                self.rest = &self.rest[1..];
                match byte {
                    b'(' => self.depth += 1,
                    b')' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                Some(Token::Other)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Written, ends_transaction};

    fn written(sql: &str) -> Option<(String, bool, bool)> {
        Written::by(sql.as_bytes()).map(|written| {
            let schema = written.schema.map_or(String::new(), |schema| schema + ".");
            (schema + &written.table, written.adds, written.removes)
        })
    }

    #[test]
    fn the_table_is_found_in_every_spelling() {
        for (sql, table, adds, removes) in [
            ("INSERT INTO t VALUES(1)", "t", true, false),
            ("insert or ignore into main . \"a \"\" b\"(x) values (1)", "main.a \" b", true, false),
            ("INSERT OR REPLACE INTO [my table] SELECT 1", "my table", true, true),
            ("/* x */ REPLACE INTO `t` VALUES (1)", "t", true, true),
            ("UPDATE OR FAIL aux.t SET a=1", "aux.t", true, true),
            ("UPDATE 't' SET a=1", "t", true, true),
            ("DELETE FROM größe WHERE a IN (SELECT ')' )", "größe", false, true),
            (
                "WITH a AS (SELECT 'x)' FROM b WHERE (c)), d(e) AS (DELETE) INSERT INTO t SELECT * FROM a",
                "t",
                true,
                false,
            ),
            ("WITH RECURSIVE n(i) AS (VALUES(1)) DELETE FROM t", "t", false, true),
        ] {
            assert_eq!(written(sql), Some((table.to_owned(), adds, removes)), "{sql}");
        }
        for sql in
            ["", "SELECT 1", "WITH a AS (SELECT 1) SELECT * FROM a", "INSERT", "UPDATE", "DELETE FROM \"t", "COMMIT"]
        {
            assert_eq!(written(sql), None, "{sql}");
        }
    }

    #[test]
    fn only_an_end_is_one() {
        for sql in ["COMMIT", " end transaction", "RELEASE a", "--x\nCommit"] {
            assert!(ends_transaction(sql.as_bytes()), "{sql}");
        }
        for sql in ["INSERT INTO t VALUES(1)", "BEGIN", "", "ROLLBACK"] {
            assert!(!ends_transaction(sql.as_bytes()), "{sql}");
        }
    }
}
