//! What of a connection's settings an attached database follows.

use std::sync::Arc;

use crate::settings::SettingId;
use crate::vfs::attached::Policy;
use crate::wal::checkpointer::Wish;

/// What follows ATTACH.
pub(crate) struct Followers {
    pub policy: Arc<Policy>,
    /// The settings that SQLite keeps for each database, as the pragma takes them and reads them back.
    pub pragmas: Vec<(SettingId, String)>,
    /// What is done for a WAL beside SQLite's own checkpoints.
    pub wish: Option<Wish>,
    /// The `-wal` stays after the last close.
    pub persist_wal: bool,
}
