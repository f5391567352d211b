//! What a backup is asked for, and what it tells.

use std::path::Path;

use crate::error::{FailedStep, Result};
use crate::settings::SettingId;

/// The step that its errors name.
pub(super) const STEP: FailedStep = FailedStep::Backup;

/// What of a URL has a meaning for a destination; the rest describes a connection.
pub const DESTINATION_SETTINGS: &[SettingId] = &[
    SettingId::Mode,
    SettingId::BusyTimeout,
    SettingId::Busy,
    SettingId::Vfs,
    SettingId::Mkdir,
    SettingId::NetworkFs,
    SettingId::HardLinks,
    SettingId::ForeignSqlite,
    SettingId::OnOrphanWal,
    SettingId::Unsafe,
    SettingId::Nolock,
    SettingId::Psow,
    SettingId::Modeof,
];

/// How a backup is made.
#[derive(Default)]
pub struct BackupOptions<'a> {
    /// Pages to copy in each step; the locks are free in between. 0: litekeel chooses; negative: all at once.
    pub pages: i32,
    /// Replace the content of a destination that exists, in one transaction; else it is refused.
    pub overwrite: bool,
    /// A file or directory that root creates gets the owner of the directory it is created in: for a database that is
    /// to be used, not for a copy to keep, which nobody may read who may not read the original.
    pub owner_of_directory: bool,
    /// Looks at the complete copy: a new one before it has its name, else after its content was replaced. Its failure
    /// is the backup's, and a new copy is gone then.
    pub check: Option<&'a mut CheckFn<'a>>,
}

/// Looks at the file of a complete copy.
pub type CheckFn<'a> = dyn FnMut(&Path) -> Result<()> + 'a;

/// What a backup did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// Pages of the copy.
    pub pages: i64,
    /// How often another connection's write made it begin anew.
    pub restarts: u32,
    /// What could not be done as it should, though the copy is complete: its owner; or that it is, with `unsafe=1`, of what
    /// this connection alone still sees.
    pub warnings: Vec<String>,
}
