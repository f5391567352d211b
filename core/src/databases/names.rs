//! What a database may be called, and which file that is.

use super::errors;
use crate::error::Result;

/// The longest name, in bytes: with an extension and `-journal` behind it, it fits into a file name of 255.
const LONGEST: usize = 200;

pub(super) struct Names {
    extension: String,
}

impl Names {
    /// # Errors
    /// `KEEL_ARGUMENT` for an extension that is not like `.db`.
    pub(super) fn new(extension: &str) -> Result<Names> {
        let is_part = |part: &str| {
            (1..=20).contains(&part.len())
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        let is_extension = extension.strip_prefix('.').is_some_and(|parts| parts.split('.').all(is_part));
        if !is_extension || extension.len() > 42 {
            return Err(errors::extension(extension));
        }
        Ok(Names { extension: extension.to_owned() })
    }

    /// The name of the file: nothing that leads elsewhere, hides, or is another name for the same on some file system.
    ///
    /// # Errors
    /// `KEEL_ARGUMENT`.
    pub(super) fn file_of(&self, name: &str) -> Result<String> {
        let is_first = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let allowed = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        let file = format!("{name}{}", self.extension);
        // `a.db` and `a.db-wal` are not two databases.
        let is_side_file = ["-wal", "-shm", "-journal"].iter().any(|suffix| file.ends_with(suffix));
        if name.len() > LONGEST || !name.as_bytes().first().is_some_and(is_first) || !allowed || is_side_file {
            let shown: String = name.chars().take(LONGEST).collect();
            return Err(errors::name(&shown));
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        let names = Names::new(".db").unwrap();
        for good in ["a", "A-1", "_x", "0", "a.b", "a..b", &"n".repeat(200)] {
            assert_eq!(names.file_of(good).unwrap(), format!("{good}.db"));
        }
        for bad in ["", ".", "..", ".a", "-a", "a/b", "../a", "a b", "a\0", "ä", "a\\b", "a:b", "a?b", &"n".repeat(201)]
        {
            assert_eq!(names.file_of(bad).unwrap_err().name(), "KEEL_ARGUMENT", "{bad:?}");
        }
        assert!(Names::new(".db-wal").unwrap().file_of("a").is_err());
    }

    #[test]
    fn an_extension_is_one() {
        for good in [".db", ".sqlite3", ".tenant.db", ".a_b-c"] {
            assert!(Names::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "db", "..", ".a.", "./b", ".d b", ".123456789012345678901"] {
            assert!(Names::new(bad).is_err(), "{bad}");
        }
    }
}
