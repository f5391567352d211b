//! An unknown key: the nearest of ours, and what other libraries' keys become here.

use super::errors;
use super::table::{Setting, SettingId, SettingKind, TABLE};
use crate::error::Error;

/// The error for a key that is not in the table. The value is somebody else's, perhaps a password or a token: it is shown
/// only where a setting of ours takes it.
pub(super) fn unknown(key: &str, value: &str) -> Error {
    let hint = foreign(key, value).or_else(|| nearest(key)).unwrap_or_else(|| {
        let keys: Vec<_> = TABLE.iter().map(|row| row.key).collect();
        format!("the settings are: {}", keys.join(" "))
    });
    errors::unknown(key, hint)
}

fn foreign(key: &str, value: &str) -> Option<String> {
    match key {
        "_pragma" => Some(match value.trim_end_matches(')').split_once('(') {
            Some((name, argument)) if SettingId::from_key(name).is_some() => renamed(name, argument),
            _ => "write the pragma as a setting: busy_timeout=5000".to_owned(),
        }),
        "_timeout" | "timeout" => Some(renamed("busy_timeout", value)),
        "_fk" => Some(renamed("foreign_keys", value)),
        "_sync" => Some(renamed("synchronous", value)),
        "_loc" | "_auth" => Some("a parameter of Go's sqlite3 driver with no counterpart here: remove it".to_owned()),
        "connection_limit" | "pool_timeout" | "socket_timeout" | "schema" | "sslmode" => {
            Some("a Prisma/PostgreSQL parameter, meaningless for SQLite: remove it".to_owned())
        }
        "uri" | "check_same_thread" => {
            Some("a parameter of Python's sqlite3 or SQLAlchemy, not needed here: remove it".to_owned())
        }
        "authToken" | "auth_token" | "password" | "key" | "hexkey" | "cipher" => {
            Some("litekeel opens local files that are not encrypted: remove it".to_owned())
        }
        "readonly" | "readOnly" => Some("write mode=ro".to_owned()),
        _ => {
            let stripped = key.strip_prefix('_')?;
            SettingId::from_key(stripped).is_some().then(|| renamed(stripped, value))
        }
    }
}

/// What to write instead: the value too, where the setting takes it and it is no free text.
fn renamed(to: &str, value: &str) -> String {
    let takes = |row: &&Setting| !matches!(row.kind, SettingKind::Text) && row.parse(value).is_ok();
    match SettingId::from_key(to).map(SettingId::setting).filter(takes) {
        Some(_) => format!("write {to}={value}"),
        None => format!("write {to}=…"),
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
