//! A setting's text → its value. SQLite takes rubbish silently, so it never sees the text.

use std::fmt;

use super::errors;
use super::table::{Setting, SettingId, SettingKind, SettingUnit};
use crate::error::Result;
use crate::url::{HIDDEN, is_token, shown_value};

/// A setting's value: sizes in bytes, durations in milliseconds, `cache_size` in SQLite's own unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingValue {
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// One of the table's words.
    Word(&'static str),
    /// Free text.
    Text(String),
}

impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingValue::Bool(value) => write!(f, "{}", i32::from(*value)),
            SettingValue::Int(value) => write!(f, "{value}"),
            SettingValue::Word(word) => f.write_str(word),
            SettingValue::Text(text) => f.write_str(text),
        }
    }
}

impl Setting {
    /// Reads the setting's text.
    ///
    /// # Errors
    /// `KEEL_INVALID_VALUE` naming the parameter, the value and what is allowed; `KEEL_NOT_YET` for a value that
    /// this build does not carry.
    pub fn parse(&self, text: &str) -> Result<SettingValue> {
        let value = self.value(text).ok_or_else(|| {
            // Where a number belongs, a word may be anybody's.
            let number = !matches!(self.kind, SettingKind::Int { .. } | SettingKind::CacheSize)
                || text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
            errors::invalid_value(self.key, if number { shown_value(text) } else { HIDDEN }, &self.allowed())
        })?;
        let shown = value.to_string();
        if self.not_yet.iter().any(|word| *word == "*" || *word == shown) {
            return Err(errors::not_yet(self.key, text));
        }
        Ok(value)
    }

    fn value(&self, text: &str) -> Option<SettingValue> {
        match self.kind {
            SettingKind::Bool => boolean(text).map(SettingValue::Bool),
            SettingKind::Word(words) => {
                let text = match (self.id, text) {
                    (SettingId::Synchronous, digit @ ("0" | "1" | "2" | "3")) => words[digit.parse::<usize>().ok()?],
                    (SettingId::SecureDelete, other) if other != "fast" => match boolean(other)? {
                        true => "on",
                        false => "off",
                    },
                    _ => text,
                };
                words.iter().find(|word| **word == text).map(|word| SettingValue::Word(word))
            }
            // No VFS has such a name; a secret has.
            SettingKind::Text if self.id == SettingId::Vfs && is_token(text) => None,
            SettingKind::Text => (!text.is_empty()).then(|| SettingValue::Text(text.to_owned())),
            SettingKind::Int { min, max, unit } => {
                let value = integer(text, unit)?;
                let fits = (min..=max).contains(&value) && (self.id != SettingId::PageSize || value.count_ones() == 1);
                fits.then_some(SettingValue::Int(value))
            }
            SettingKind::CacheSize => {
                let bytes = text.ends_with("iB");
                let value = integer(text, SettingUnit::Bytes)?;
                let value = if bytes { -(value / 1024) } else { value };
                (value != 0 && i32::try_from(value).is_ok() && !(bytes && value > 0))
                    .then_some(SettingValue::Int(value))
            }
        }
    }

    /// What the setting takes, for error messages and the reference page.
    pub fn allowed(&self) -> String {
        match self.kind {
            SettingKind::Bool => "one of 1 0 true false on off yes no".to_owned(),
            SettingKind::Word(words) => format!("one of {}", words.join(" ")),
            SettingKind::Text => "a text".to_owned(),
            SettingKind::CacheSize => {
                "a number other than 0: pages, KiB below 0 (-64000), or bytes with KiB, MiB, GiB".to_owned()
            }
            SettingKind::Int { min, max, unit } => {
                let suffix = match unit {
                    SettingUnit::None => "",
                    SettingUnit::Millis => " ms; ms and s may follow",
                    SettingUnit::Bytes => " bytes; KiB, MiB, GiB may follow",
                    SettingUnit::Pages => " pages",
                };
                format!("a whole number from {min} to {max}{suffix}")
            }
        }
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "true" | "on" | "yes" => Some(true),
        "0" | "false" | "off" | "no" => Some(false),
        _ => None,
    }
}

/// A time as every setting takes it: whole milliseconds, or a whole number with `ms` or `s` behind it.
pub fn milliseconds(text: &str) -> Option<u64> {
    integer(text, SettingUnit::Millis)?.try_into().ok()
}

fn integer(text: &str, unit: SettingUnit) -> Option<i64> {
    let units: &[(&str, i64)] = match unit {
        SettingUnit::Bytes => &[("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)],
        SettingUnit::Millis => &[("ms", 1), ("s", 1000)],
        SettingUnit::None | SettingUnit::Pages => &[],
    };
    let (number, factor) =
        units.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor))).unwrap_or((text, 1));
    let digits = number.strip_prefix('-').unwrap_or(number);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    number.parse::<i64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::codes;

    fn parsed(key: &str, text: &str) -> Option<String> {
        SettingId::from_key(key).unwrap().setting().parse(text).ok().map(|value| value.to_string())
    }

    #[test]
    fn texts_become_values_in_the_unit_of_the_table_or_are_refused() {
        for (key, text, value) in [
            ("busy_timeout", "5s", Some("5000")),
            ("busy_timeout", "250ms", Some("250")),
            ("busy_timeout", "5 s", None),
            ("busy_timeout", "-1", None),
            ("busy_timeout", "1e3", None),
            ("busy_timeout", "9223372036854775807s", None),
            ("mmap_size", "256MiB", Some("268435456")),
            ("mmap_size", "256MB", None),
            ("cache_size", "64MiB", Some("-65536")),
            ("cache_size", "-64000", Some("-64000")),
            ("cache_size", "2000", Some("2000")),
            ("cache_size", "0", None),
            ("cache_size", "-1MiB", None),
            ("page_size", "4096", Some("4096")),
            ("page_size", "4095", None),
            ("foreign_keys", "yes", Some("1")),
            ("foreign_keys", "ON", None),
            ("foreign_keys", "", None),
            ("synchronous", "2", Some("full")),
            ("synchronous", "4", None),
            ("secure_delete", "true", Some("on")),
            ("secure_delete", "fast", Some("fast")),
            ("journal_mode", "WAL", None),
        ] {
            assert_eq!(parsed(key, text).as_deref(), value, "{key}={text}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_allowed() {
        let error = SettingId::from_key("txlock").unwrap().setting().parse("now").unwrap_err();
        assert_eq!(error.code(), codes::INVALID_VALUE);
        assert_eq!(error.hint(), "txlock takes one of deferred immediate exclusive");
    }
}
