//! A script → its statements. SQLite would find their ends by compiling them, which takes the schema.

use litekeel_core::skip_space;

/// What the last tokens of a statement were: a trigger ends with `; END`, other statements with any `;`.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    Semicolon,
    /// `END` after a semicolon.
    End,
    Other,
}

/// Where the string, name, comment or other token that begins at `at` ends.
fn token_end(sql: &[u8], at: usize) -> usize {
    let until = |from: usize, mark: &[u8]| {
        let found = sql[from..].windows(mark.len()).position(|piece| piece == mark);
        found.map_or(sql.len(), |place| from + place + mark.len())
    };
    match sql[at] {
        // A doubled quote is the end of one and the begin of the next.
        quote @ (b'\'' | b'"' | b'`') => until(at + 1, &[quote]),
        b'[' => until(at + 1, b"]"),
        b'-' if sql[at..].starts_with(b"--") => until(at, b"\n"),
        b'/' if sql[at..].starts_with(b"/*") => until(at + 2, b"*/"),
        byte if is_word(byte) => {
            sql[at..].iter().position(|byte| !is_word(*byte)).map_or(sql.len(), |length| at + length)
        }
        _ => at + 1,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// The statements of a script, each with its semicolon; empty ones are left out.
pub(crate) fn statements(script: &str) -> Vec<&str> {
    let sql = script.as_bytes();
    let (mut found, mut start, mut at) = (Vec::new(), 0, 0);
    // The first words, until it is known whether they create a trigger.
    let (mut words, mut last, mut trigger): (usize, Last, Option<bool>) = (0, Last::Other, None);
    while at < sql.len() {
        let end = token_end(sql, at);
        let token = &sql[at..end];
        let is_comment = token.starts_with(b"--") || token.starts_with(b"/*");
        at = end;
        if token[0].is_ascii_whitespace() || is_comment {
            continue;
        }
        if token == b";" && (trigger != Some(true) || last == Last::End) {
            found.push(&script[start..at]);
            (start, words, last, trigger) = (at, 0, Last::Other, None);
            continue;
        }
        let is = |word: &str| token.eq_ignore_ascii_case(word.as_bytes());
        if trigger.is_none() {
            trigger = match words {
                0 if is("EXPLAIN") || is("CREATE") => None,
                0 => Some(false),
                // EXPLAIN QUERY PLAN CREATE TEMP TRIGGER
                _ if ["QUERY", "PLAN", "CREATE", "TEMP", "TEMPORARY"].iter().any(|word| is(word)) => None,
                _ => Some(is("TRIGGER")),
            };
            words += 1;
        }
        last = match token {
            b";" => Last::Semicolon,
            _ if is("END") && last == Last::Semicolon => Last::End,
            _ => Last::Other,
        };
    }
    found.push(&script[start..]);
    let is_empty = |statement: &&str| matches!(skip_space(statement.as_bytes()), b"" | b";");
    found.retain(|statement| !is_empty(statement));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_ends_where_its_statements_do() {
        let trigger =
            "CREATE /* ; */ TEMP TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE WHEN 1 THEN 2 END; SELECT 2; END;";
        for (script, expected) in [
            ("", vec![]),
            ("; ;-- x;\n /* ; */", vec![]),
            ("SELECT 1", vec!["SELECT 1"]),
            (
                "SELECT ';', \"a;\"\"b\", [;], `;`; -- x;\nSELECT 2;",
                vec!["SELECT ';', \"a;\"\"b\", [;], `;`;", " -- x;\nSELECT 2;"],
            ),
            ("BEGIN; SELECT 'it''s;'; END; SELECT 3", vec!["BEGIN;", " SELECT 'it''s;';", " END;", " SELECT 3"]),
            (&format!("{trigger}SELECT 1"), vec![trigger, "SELECT 1"]),
            ("CREATE TABLE trigger_(a);SELECT 1", vec!["CREATE TABLE trigger_(a);", "SELECT 1"]),
            ("SELECT 'open; ", vec!["SELECT 'open; "]),
            ("SELECT é;SELECT ü /* open;", vec!["SELECT é;", "SELECT ü /* open;"]),
        ] {
            assert_eq!(statements(script), expected, "{script}");
        }
    }
}
