//! Which file it is, and whether it has been written since.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A change that is younger may have the time stamp of the one before it: the kernel's clock for files ticks.
const TICK: Duration = Duration::from_millis(20);

/// The identity of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId {
    /// The device (`st_dev`).
    pub dev: u64,
    /// The inode (`st_ino`).
    pub ino: u64,
}

impl FileId {
    /// The identity of the file that was looked at.
    pub(crate) fn of(meta: &fs::Metadata) -> FileId {
        FileId { dev: meta.dev(), ino: meta.ino() }
    }
}

/// The identity of the file a path names.
pub(crate) fn file_id(path: &Path) -> Option<FileId> {
    fs::metadata(path).ok().as_ref().map(FileId::of)
}

/// What changes in the database file when somebody writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileStamp {
    path: PathBuf,
    size: u64,
    inode: u64,
    modified: SystemTime,
    /// The last change is old enough for the next one to show.
    pub(crate) old: bool,
}

impl FileStamp {
    pub(crate) fn at(path: &Path) -> Option<FileStamp> {
        let meta = std::fs::metadata(path).ok()?;
        let modified = meta.modified().ok()?;
        // A time in the future is no younger than the next one either.
        let old = SystemTime::now().duration_since(modified).map_or(true, |age| age > TICK);
        Some(FileStamp { path: path.to_owned(), size: meta.len(), inode: meta.ino(), modified, old })
    }

    /// Nobody has written the file since.
    pub(crate) fn is_unchanged(&self) -> bool {
        let now = FileStamp::at(&self.path);
        self.old && now.is_some_and(|now| (now.size, now.inode, now.modified) == (self.size, self.inode, self.modified))
    }
}
