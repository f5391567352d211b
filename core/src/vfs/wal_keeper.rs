//! Who looks after a WAL beside SQLite's own checkpoints, as the file layer sees it: it tells of commits, and knows no more.

use std::sync::Arc;

use crate::vfs::wal_index::WalIndex;

/// What a connection wants for its WAL.
#[derive(Clone, Debug)]
pub(crate) struct CheckpointPolicy {
    /// Checkpoints are left to the background thread.
    pub background: bool,
    /// Checkpoint and empty the WAL after a while without commits.
    pub idle: bool,
    /// `wal_autocheckpoint`, in pages.
    pub pages: i64,
    /// The cap in bytes; 0: none.
    pub wal_max: i64,
    /// At four times the cap, write transactions are refused.
    pub refuse: bool,
}

impl CheckpointPolicy {
    /// Whether SQLite's own checkpoint at a commit is left to the background thread: always, when that is asked for;
    /// else only a backlog that a reader has let grow, which one commit would have to move all of.
    pub(crate) fn leaves(&self, index: &WalIndex) -> bool {
        let backlog = i64::from(index.frames) - i64::from(index.backfilled);
        self.pages > 0 && if self.background { i64::from(index.frames) >= self.pages } else { backlog > 2 * self.pages }
    }
}

/// Looks after the WAL of one file. `User` is what a connection that uses it is known by.
pub(crate) trait WalKeeper<User>: Send + Sync {
    /// A connection has committed, and holds no lock any more.
    fn committed(&self, policy: &CheckpointPolicy, index: &WalIndex);
    /// Look at the file as soon as possible.
    fn hurry(&self);
    /// A connection's use of the file ends.
    fn leave(self: Arc<Self>, user: &User);
}

/// What is done for the WAL of one connection. Known when open is done.
pub(crate) struct WalCare<User> {
    pub policy: CheckpointPolicy,
    pub keeper: Arc<dyn WalKeeper<User>>,
}
