//! Another name of a database that is open: a hard link, or the file mounted once more. It harms nothing yet, and nothing is
//! refused; but who opens the file by it gets another `-wal`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::platform::file_id::FileId;
use crate::platform::filesystem;

/// The other name of `database`, which is open as `path`, as a sentence that calls it `place`; `None`: there is none, as far as
/// can be seen from here.
pub(crate) fn other(path: &Path, place: &Path, database: FileId) -> Option<String> {
    linked(path, place, database).or_else(|| {
        let at = filesystem::mounted_elsewhere(path, database)?;
        Some(sentence(&format!("{} is mounted a second time, alone, as {}", place.display(), at.display())))
    })
}

/// By one system call.
pub(crate) fn linked(path: &Path, place: &Path, database: FileId) -> Option<String> {
    let meta = fs::metadata(path).ok().filter(|meta| FileId::of(meta) == database && meta.nlink() > 1)?;
    let (place, ino) = (place.display(), meta.ino());
    Some(sentence(&format!(
        "{place} has {} names by now (hard links; find -xdev -inum {ino} tells which)",
        meta.nlink()
    )))
}

fn sentence(other: &str) -> String {
    format!("{other}: whoever opens it by another name gets another -wal, and rows get lost")
}
