//! An unknown key: the nearest of ours, and what other libraries' keys become here.

use super::table::TABLE;
use crate::error::Error;
use crate::error::codes;

/// The error for a key that is not in the table.
pub(super) fn unknown(key: &str, value: &str) -> Error {
    let error = Error::new(codes::UNKNOWN_PARAM, format!("{key} is no parameter of a database URL"));
    error.with_hint(foreign(key, value).or_else(|| nearest(key)).unwrap_or_else(|| {
        let keys: Vec<_> = TABLE.iter().map(|row| row.key).collect();
        format!("the parameters are: {}", keys.join(" "))
    }))
}

fn foreign(key: &str, value: &str) -> Option<String> {
    let renamed = |to: &str| Some(format!("write {to}={value}"));
    match key {
        "_pragma" => {
            let (name, argument) = value.trim_end_matches(')').split_once('(')?;
            Some(format!("write {name}={argument}"))
        }
        "_timeout" | "timeout" => renamed("busy_timeout"),
        "_fk" => renamed("foreign_keys"),
        "_sync" => renamed("synchronous"),
        "_loc" | "_auth" => Some("a parameter of Go's sqlite3 driver with no counterpart here, remove it".to_owned()),
        "connection_limit" | "pool_timeout" | "socket_timeout" | "schema" | "sslmode" => {
            Some("a Prisma/PostgreSQL parameter, meaningless for SQLite, remove it".to_owned())
        }
        "uri" | "check_same_thread" => {
            Some("a parameter of Python's sqlite3 or SQLAlchemy, not needed here, remove it".to_owned())
        }
        "readonly" | "readOnly" => Some("write mode=ro".to_owned()),
        _ => {
            let stripped = key.strip_prefix('_')?;
            TABLE.iter().any(|row| row.key == stripped).then(|| format!("write {stripped}={value}"))
        }
    }
}

fn nearest(key: &str) -> Option<String> {
    let fold = |text: &str| text.to_ascii_lowercase().replace('_', "");
    let wanted = fold(key);
    let (distance, row) = TABLE.iter().map(|row| (distance(&wanted, &fold(row.key)), row)).min_by_key(|pair| pair.0)?;
    (distance <= 2).then(|| format!("did you mean {}?", row.key))
}

/// Levenshtein's edit distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let substitution = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = substitution.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
