//! What a connection wants of databases that are attached to it.

use std::path::Path;
use std::sync::Arc;

use super::{pragma_value, target};
use crate::connection::followers::Followers;
use crate::settings::{Resolved, SettingId, words};
use crate::vfs::attached::Policy;
use crate::vfs::file_monitor::FileMonitor;
use crate::wal::checkpointer::Wish;

/// Kept by SQLite for each database. Some it carries over by itself; they are read back like the others.
const FOLLOWING: [SettingId; 5] = [
    SettingId::Synchronous,
    SettingId::CacheSize,
    SettingId::JournalSizeLimit,
    SettingId::MmapSize,
    SettingId::SecureDelete,
];

/// The looks at their paths that its own had, the settings that SQLite keeps for each database, and the same care for the WAL.
pub(super) fn followers(resolved: &Resolved, watch: Option<&Arc<FileMonitor>>, wish: Option<Wish>) -> Followers {
    let settings = resolved.settings.clone();
    let durable = matches!(settings.synchronous(), Some(words::Synchronous::Full | words::Synchronous::Extra));
    let pragmas = FOLLOWING.into_iter().filter_map(|id| Some((id, pragma_value(id, settings.get(id)?)))).collect();
    let persist_wal = settings.bool(SettingId::PersistWal);
    let subscribers = watch.map(|watch| watch.subscribers().clone()).unwrap_or_default();
    let looks = settings.replication() != Some(words::Replication::None);
    let replication = looks.then(|| settings.int(SettingId::WalAlarm).unwrap_or(0));
    let may_be_linked = settings.bool(SettingId::HardLinks);
    let check = move |path: &Path, purpose| target::check_attached(path, purpose, &settings);
    let policy = Policy::new(subscribers, durable, replication, may_be_linked, check);
    Followers { policy: Arc::new(policy), pragmas, wish, persist_wal }
}
