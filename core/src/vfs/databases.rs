//! The database files that this copy of SQLite has open, and whose `-wal` is whose.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use crate::platform::fork::ForkMutex;
use crate::vfs::file_monitor::FileMonitor;

/// By the address of the name that SQLite gave the VFS: what is known of each.
pub(crate) static DATABASES: ForkMutex<Vec<(usize, Arc<FileMonitor>)>> = ForkMutex::new(Vec::new());

/// Adds a file that was opened by the name at this address.
pub(super) fn opened(name: usize, watch: Arc<FileMonitor>) {
    DATABASES.lock().push((name, watch));
}

/// Forgets a file that is being closed.
pub(super) fn closed(watch: &Arc<FileMonitor>) {
    DATABASES.lock().retain(|(_, other)| !Arc::ptr_eq(other, watch));
}

/// The database whose `-wal` SQLite opens by this name. The name stands in the same block of memory as the database's, behind
/// it: of several connections to one file that tells the right one.
pub(super) fn of_wal(wal: &Path, address: usize) -> Option<Arc<FileMonitor>> {
    let databases = DATABASES.lock();
    let same = databases.iter().filter(|(at, watch)| *at < address && is_wal_of(wal, &watch.path));
    same.max_by_key(|(at, _)| *at).map(|(_, watch)| watch.clone())
}

fn is_wal_of(wal: &Path, database: &Path) -> bool {
    wal.as_os_str().as_bytes().strip_suffix(b"-wal") == Some(database.as_os_str().as_bytes())
}

/// Every open database file that this `-wal` belongs to by its name.
pub(super) fn owners_of_wal(wal: &Path) -> Vec<Arc<FileMonitor>> {
    let databases = DATABASES.lock();
    databases.iter().filter(|(_, watch)| is_wal_of(wal, &watch.path)).map(|(_, watch)| watch.clone()).collect()
}
