//! What is known of a database file that SQLite alone writes to.

use crate::vfs::beginning::Written;
use crate::vfs::known_pages::KnownPages;
use crate::vfs::wal_index::WalIndex;

/// The file as it was while no checkpoint moved anything into it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub index: WalIndex,
    pub written: Written,
    pub header: Vec<u8>,
    pub pages: KnownPages,
}
