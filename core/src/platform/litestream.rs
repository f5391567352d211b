//! Litestream's processes, told from others by the name of their program.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::platform::path_facts::sidecar;

/// What a process of Litestream's does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LitestreamTask {
    /// `litestream replicate`: copies what is committed, and holds a read lock meanwhile.
    Replicates,
    /// `litestream restore -f`: writes what was committed elsewhere into a copy.
    Follows,
    /// Another of its commands.
    Other,
}

impl LitestreamTask {
    /// The word in the command's JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            LitestreamTask::Replicates => "replicates",
            LitestreamTask::Follows => "follows",
            LitestreamTask::Other => "other",
        }
    }
}

/// What the process with this command line does, if its program is called `litestream`, or `litestream-` with a version.
///
/// ```
/// use litekeel_core::{LitestreamTask, litestream_task};
/// let daemon = "/usr/bin/litestream replicate -config /etc/litestream.yml";
/// assert_eq!(litestream_task(daemon), Some(LitestreamTask::Replicates));
/// assert_eq!(litestream_task("vi litestream.yml"), None);
/// ```
pub fn task(command: &str) -> Option<LitestreamTask> {
    let mut words = command.split(' ');
    let name = Path::new(words.next()?).file_name()?.to_str()?;
    let version = name.strip_prefix("litestream")?;
    let is_version = |text: &str| text.starts_with(|c: char| c == 'v' || c.is_ascii_digit());
    if !version.is_empty() && !version.strip_prefix(['-', '_']).is_some_and(is_version) {
        return None;
    }
    Some(match words.next() {
        Some("replicate") => LitestreamTask::Replicates,
        Some("restore") if words.any(|word| matches!(word, "-f" | "--f" | "-f=true" | "--f=true")) => {
            LitestreamTask::Follows
        }
        _ => LitestreamTask::Other,
    })
}

/// When a copy that `litestream restore -f` keeps was written, and when Litestream noted what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CopyStamp {
    /// The file's time of change.
    pub(crate) written: (i64, i64),
    /// That of the note, and its inode: each note is a new file.
    pub(crate) noted: (i64, i64, u64),
}

impl CopyStamp {
    /// Whether it was written so lately that what is written next may have the same time: it is that of a tick of the kernel's.
    pub(crate) fn is_recent(self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        // A clock that was set back since tells nothing.
        now.saturating_sub(self.written.0) < 2
    }

    /// Litestream notes what it has after it has written it; younger than its note, the file may have half of a change.
    pub(crate) fn is_whole(self) -> bool {
        self.written <= (self.noted.0, self.noted.1)
    }
}

/// Whether the copy at `path`, by Litestream's note, is one state of the database now; `None` for a file without such a note.
pub fn copy_is_whole(path: &Path) -> Option<bool> {
    copy_stamp(path).map(CopyStamp::is_whole)
}

/// `None` for a file without such a note.
pub(crate) fn copy_stamp(path: &Path) -> Option<CopyStamp> {
    let (file, note) = (fs::metadata(path).ok()?, fs::metadata(sidecar(path, "-txid")).ok()?);
    let written = (file.mtime(), file.mtime_nsec());
    Some(CopyStamp { written, noted: (note.mtime(), note.mtime_nsec(), note.ino()) })
}

/// The position that the copy at `path` has, by Litestream's note; `None` where there is none that can be read.
pub fn copy_position(path: &Path) -> Option<u64> {
    let text = fs::read_to_string(sidecar(path, "-txid")).ok()?;
    let digits = text.strip_suffix('\n').filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::{LitestreamTask, task};

    #[test]
    fn only_its_own_program_is_litestream() {
        assert_eq!(task("litestream replicate"), Some(LitestreamTask::Replicates));
        assert_eq!(task("/opt/litestream-0.5.17 replicate -config a.yml"), Some(LitestreamTask::Replicates));
        assert_eq!(task("litestream_v0.5.17 restore -f -o copy.db file:///replica"), Some(LitestreamTask::Follows));
        assert_eq!(task("litestream restore -o copy.db file:///replica/-f"), Some(LitestreamTask::Other));
        assert_eq!(task("litestream"), Some(LitestreamTask::Other));
        for other in [
            "",
            "vi litestream.yml",
            "litestreamer replicate",
            "litestream-ui replicate",
            "python3 litestream replicate",
        ] {
            assert_eq!(task(other), None, "{other}");
        }
    }
}
