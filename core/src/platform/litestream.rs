//! Litestream's processes, told from others by the name of their program.

use std::path::Path;

/// What a process of Litestream's does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// `litestream replicate`: copies what is committed, and holds a read lock meanwhile.
    Replicates,
    /// `litestream restore -f`: writes what was committed elsewhere into a copy.
    Follows,
    /// Another of its commands.
    Other,
}

impl Task {
    /// The word in the command's JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Task::Replicates => "replicates",
            Task::Follows => "follows",
            Task::Other => "other",
        }
    }
}

/// What the process with this command line does, if its program is called `litestream`, or `litestream-` with a version.
///
/// ```
/// use litekeel_core::litestream::{Task, task};
/// assert_eq!(task("/usr/bin/litestream replicate -config /etc/litestream.yml"), Some(Task::Replicates));
/// assert_eq!(task("vi litestream.yml"), None);
/// ```
pub fn task(command: &str) -> Option<Task> {
    let mut words = command.split(' ');
    let name = Path::new(words.next()?).file_name()?.to_str()?;
    let version = name.strip_prefix("litestream")?;
    let is_version = |text: &str| text.starts_with(|c: char| c == 'v' || c.is_ascii_digit());
    if !version.is_empty() && !version.strip_prefix(['-', '_']).is_some_and(is_version) {
        return None;
    }
    Some(match words.next() {
        Some("replicate") => Task::Replicates,
        Some("restore") if words.any(|word| matches!(word, "-f" | "--f" | "-f=true" | "--f=true")) => Task::Follows,
        _ => Task::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::{Task, task};

    #[test]
    fn only_its_own_program_is_litestream() {
        assert_eq!(task("litestream replicate"), Some(Task::Replicates));
        assert_eq!(task("/opt/litestream-0.5.17 replicate -config a.yml"), Some(Task::Replicates));
        assert_eq!(task("litestream_v0.5.17 restore -f -o copy.db file:///replica"), Some(Task::Follows));
        assert_eq!(task("litestream restore -o copy.db file:///replica/-f"), Some(Task::Other));
        assert_eq!(task("litestream"), Some(Task::Other));
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
