//! What a host passes beside the URL.

use super::errors;
use super::table::{SettingId, TABLE};
use super::{SettingValue, dialects};
use crate::error::Result;
use crate::url::shown_value;
use std::path::PathBuf;

/// The same keys as the URL's query, and what only a call can say.
///
/// ```
/// use litekeel_core::{Connection, Options};
///
/// let mut options = Options::new();
/// options.set("busy_timeout", "2s")?;
/// options.opened_at = Some("worker.rs:12".to_owned());
/// let db = Connection::open(Some(":memory:"), &options)?;
/// assert_eq!(db.report().row("busy_timeout").map(|row| row.value.as_str()), Some("2000"));
/// # Ok::<(), litekeel_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    pub(crate) values: Vec<(SettingId, SettingValue)>,
    /// Relative paths start here; the working directory when unset.
    pub base_dir: Option<PathBuf>,
    /// Do not look at the environment's `DATABASE_URL` and `LITEKEEL_READ_LOCK`.
    pub ignore_env: bool,
    /// The file must lie under one of these directories; so must what ATTACH, VACUUM INTO and a backup open.
    pub allowed_roots: Vec<PathBuf>,
    /// Follow no symbolic link.
    pub nofollow: bool,
    /// Look only: read-only, and nothing is created, written or removed, not even the `-wal` and `-shm`.
    pub inspect: bool,
    /// Permission bits of a database that is created; its `-wal` and `-shm` inherit them.
    pub file_mode: Option<u32>,
    /// Where in the program the connection is opened, for leak reports.
    pub opened_at: Option<String>,
}

pub(super) const CALL_ONLY: &[(&str, &str)] = &[
    ("base_dir", "the directory that relative paths start from; default: the working directory"),
    ("env", "ignore: do not look at the environment's DATABASE_URL and LITEKEEL_READ_LOCK"),
    (
        "allowed_roots",
        "directories, separated by the system's path separator, under which the file must lie, and what is attached and backed up to",
    ),
    ("allowed_root", "one more of these; its name may have the separator in it"),
    ("nofollow", "1: follow no symbolic link"),
    ("inspect", "1: look only; nothing is created, written or removed, not even the -wal and -shm"),
    ("file_mode", "permission bits, octal, of a database that is created: 0600"),
    ("opened_at", "where in the program the connection is opened, for leak reports"),
];

impl Options {
    /// No options.
    pub fn new() -> Options {
        Options::default()
    }

    /// Sets one option by name.
    ///
    /// # Errors
    /// `KEEL_UNKNOWN_PARAM`, `KEEL_INVALID_VALUE`, `KEEL_NOT_YET`.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        // What is longer is a mistake, and is not copied into messages.
        if key.len().max(value.len()) > 1 << 16 {
            return Err(errors::option_too_long(key, value));
        }
        let invalid = |takes: &str| errors::invalid_value(key, shown_value(value), takes);
        match key {
            "base_dir" => self.base_dir = Some(PathBuf::from(value)),
            "env" if value == "ignore" => self.ignore_env = true,
            "env" => return Err(invalid("ignore")),
            "allowed_roots" => self.allowed_roots = std::env::split_paths(value).collect(),
            "allowed_root" => self.allowed_roots.push(PathBuf::from(value)),
            "nofollow" if matches!(value, "0" | "1") => self.nofollow = value == "1",
            "inspect" if matches!(value, "0" | "1") => self.inspect = value == "1",
            "nofollow" | "inspect" => return Err(invalid("0 or 1")),
            "file_mode" => match u32::from_str_radix(value, 8) {
                Ok(mode) if mode <= 0o777 => self.file_mode = Some(mode),
                _ => return Err(invalid("permission bits in octal: 0600")),
            },
            "opened_at" => self.opened_at = Some(value.to_owned()),
            _ => {
                let id = SettingId::from_key(key).ok_or_else(|| dialects::unknown(key, value))?;
                let value = id.setting().parse(value)?;
                self.values.retain(|(other, _)| *other != id);
                self.values.push((id, value));
            }
        }
        Ok(())
    }

    /// What was set of a setting of the table.
    pub(crate) fn get(&self, id: SettingId) -> Option<&SettingValue> {
        self.values.iter().find(|(other, _)| *other == id).map(|(_, value)| value)
    }

    /// Every option's name and one line of help, the URL's keys first.
    pub fn keys() -> impl Iterator<Item = (&'static str, &'static str)> {
        TABLE.iter().map(|row| (row.key, row.help)).chain(CALL_ONLY.iter().copied())
    }
}
