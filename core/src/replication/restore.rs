//! A database that does not exist is brought back from Litestream's replica: once, whole or not at all.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::errors;
use crate::error::Result;
use crate::platform::child::{self, Child};
use crate::platform::new_file;
use crate::platform::path_facts::sidecar;

/// Where the replica is, and by which program it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreSource {
    /// Litestream's program: a path, or a name that `PATH` leads to.
    pub program: PathBuf,
    /// The replica's URL; it comes before the configuration.
    pub replica: Option<String>,
    /// Litestream's configuration file; without it `/etc/litestream.yml`.
    pub config: Option<PathBuf>,
}

/// What has become of a database that may have been missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreOutcome {
    /// It was there.
    There,
    /// It is there now, complete.
    Restored,
    /// The replica has nothing of it.
    NoBackup,
}

/// How a run of `litestream restore` ended.
#[derive(Clone, Debug)]
pub struct RestoreEnded {
    /// It says that it restored, or that it was told to be content with nothing.
    pub success: bool,
    /// Its exit status, and what it said, for people.
    pub said: String,
}

/// How often it is looked whether a process has finished.
const LOOK: Duration = Duration::from_millis(20);

impl RestoreSource {
    /// Runs `litestream restore` for `database` with these further arguments and waits for its end; `None` when `asked` said
    /// that nobody waits any more, and it was ended.
    ///
    /// # Errors
    /// When the program cannot be run. What it made of it is in what it said.
    pub fn run(&self, database: &Path, arguments: &[&OsStr], asked: &dyn Fn() -> bool) -> Result<Option<RestoreEnded>> {
        let cannot = |error: io::Error| errors::program_not_run(database, &self.program, &error);
        let said = child::unnamed_file();
        let said =
            said.map_err(|error| errors::restore_failed(database, "has no place for what Litestream says", &error))?;
        let mut restore = Command::new(&self.program);
        restore.arg("restore").args(arguments);
        match (&self.replica, &self.config) {
            (Some(replica), _) => restore.arg(replica),
            (None, Some(config)) => restore.arg("-config").arg(config).arg(database),
            (None, None) => restore.arg(database),
        };
        let mut child = Child::start(&mut restore, &said).map_err(cannot)?;
        let status = loop {
            match child.ended().map_err(cannot)? {
                Some(status) => break status,
                None if asked() => {
                    child.kill();
                    return Ok(None);
                }
                None => std::thread::sleep(LOOK),
            }
        };
        let text = text_of(&said);
        Ok(Some(match status {
            Some(status) => RestoreEnded { success: status.success(), said: format!("({status}): {text}") },
            None => {
                RestoreEnded { success: false, said: format!("(its exit status is not known, {STATUS_TAKEN}): {text}") }
            }
        }))
    }
}

/// Why an exit status can be unknown.
const STATUS_TAKEN: &str = "since this program takes that of every child process";

fn text_of(file: &File) -> String {
    use std::os::unix::fs::FileExt;
    let mut bytes = vec![0; 4096];
    // The end of it says why.
    let from = file.metadata().map_or(0, |meta| meta.len().saturating_sub(bytes.len() as u64));
    let length = file.read_at(&mut bytes, from).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..length]).trim().to_owned()
}

/// Restores the database at `path` if it does not exist; `None` when `asked` said that nobody waits for it any more.
///
/// Of several processes and threads that ask at once, one restores, and the others wait for it. The database gets its name when
/// it is complete and on the disk, and takes no other file's place. `mode`: its permission bits.
///
/// # Errors
/// `KEEL_NOT_RESTORED`, with what Litestream said; `KEEL_ORPHAN_WAL` where a `-wal` or `-journal` lies without its database.
pub fn if_missing(
    path: &Path,
    source: &RestoreSource,
    mode: Option<u32>,
    asked: &dyn Fn() -> bool,
) -> Result<Option<RestoreOutcome>> {
    if look(path)? == Found::Content {
        return Ok(Some(RestoreOutcome::There));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(_lock) = Lock::take(&sidecar(path, ".restore-lock"), asked)? else { return Ok(None) };
    let mut looks = 0;
    let found = loop {
        // Another process may have restored it while this one waited, or created it where there is no backup.
        let found = look(path)?;
        if found == Found::Content {
            return Ok(Some(RestoreOutcome::There));
        }
        let Some(left) = left_over(path, found) else { break found };
        looks += 1;
        if looks > 1 {
            return Err(match found {
                Found::Empty => errors::log_beside_empty(path, &left),
                _ => errors::log_beside_nothing(path, &left),
            });
        }
        if asked() {
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    };
    let room = Room::make(parent, path)?;
    let copy = room.0.join("restored.db");
    let options = ["-if-replica-exists", "-integrity-check", "quick", "-o"].map(OsStr::new);
    let Some(ended) = source.run(path, &[&options[..], &[copy.as_os_str()]].concat(), asked)? else { return Ok(None) };
    if !ended.success {
        return Err(errors::program_failed(path, &source.program, &ended.said));
    }
    if asked() {
        return Ok(None);
    }
    if !copy.exists() {
        return Ok(Some(RestoreOutcome::NoBackup));
    }
    if found == Found::Empty {
        return if look(path)? == Found::Content {
            Ok(Some(RestoreOutcome::There))
        } else {
            Err(errors::empty_despite_backup(path))
        };
    }
    publish(&copy, path, mode).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => errors::created_meanwhile(path),
        _ => errors::restore_failed(path, "cannot get its name", &error),
    })?;
    Ok(Some(RestoreOutcome::Restored))
}

/// What has the database's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    /// A file without content: one that a program is creating, has opened and not yet written to, or that means nothing.
    Empty,
    Content,
}

/// # Errors
/// When that cannot be seen.
fn look(path: &Path) -> Result<Found> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() == 0 => Ok(Found::Empty),
        Ok(_) => Ok(Found::Content),
        // A link that leads nowhere would be replaced by nothing that was meant.
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
            Ok(Found::Nothing)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::read_link(path).is_ok() => {
            Err(errors::link_to_nothing(path, &fs::read_link(path).unwrap_or_default()))
        }
        Err(error) => Err(errors::restore_failed(path, "cannot be looked at", &error)),
    }
}

/// A log or a journal that lies beside nothing. An empty file has no log; but a journal, while its first content is written.
fn left_over(path: &Path, found: Found) -> Option<PathBuf> {
    let (wal, journal) = (sidecar(path, "-wal"), sidecar(path, "-journal"));
    match found {
        Found::Empty => fs::metadata(&wal).is_ok_and(|meta| meta.len() > 0).then_some(wal),
        _ => [wal, journal].into_iter().find(|file| file.exists()),
    }
}

/// The content is on the disk before it has the name, and nothing that is there is replaced.
fn publish(copy: &Path, path: &Path, mode: Option<u32>) -> io::Result<()> {
    if let Some(mode) = mode {
        fs::set_permissions(copy, fs::Permissions::from_mode(mode))?;
    }
    File::open(copy)?.sync_all()?;
    new_file::rename_new(copy, path)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// Held by the one that restores; the system gives it back when its process is killed.
struct Lock(#[allow(dead_code)] File);

impl Lock {
    /// `None` when nobody waits any more.
    fn take(path: &Path, asked: &dyn Fn() -> bool) -> Result<Option<Lock>> {
        let mut open = OpenOptions::new();
        open.read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
        let file = open.open(path).map_err(|error| errors::restore_failed(path, "cannot be opened", &error))?;
        // SAFETY: the descriptor is the file's.
        while unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
            let error = io::Error::last_os_error();
            if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
                return Err(errors::restore_failed(path, "cannot be locked", &error));
            }
            if asked() {
                return Ok(None);
            }
            std::thread::sleep(LOOK);
        }
        Ok(Some(Lock(file)))
    }
}

/// A directory beside the database that goes away. Its name is a new one: Litestream may still run for one who was killed.
struct Room(PathBuf);

impl Room {
    /// Removes what others have left, who do not hold the lock any more.
    fn make(parent: &Path, path: &Path) -> Result<Room> {
        let start = sidecar(path, ".restoring-");
        let left =
            fs::read_dir(parent).map_err(|error| errors::restore_failed(parent, "cannot be read", &error))?.flatten();
        let name = start.file_name().unwrap_or_default().as_bytes();
        for entry in left.filter(|entry| is_mkdtemp_of(name, entry.file_name().as_bytes())) {
            remove_room(&entry.path());
        }
        let mut template = start.as_os_str().as_bytes().to_vec();
        template.extend(b"XXXXXX\0");
        // SAFETY: a writable, NUL-terminated text that ends with six X.
        if unsafe { libc::mkdtemp(template.as_mut_ptr().cast()) }.is_null() {
            return Err(errors::restore_failed(parent, "takes no directory", &io::Error::last_os_error()));
        }
        template.pop();
        Ok(Room(PathBuf::from(OsStr::from_bytes(&template))))
    }
}

/// Whether `mkdtemp` gives such a name.
fn is_mkdtemp_of(start: &[u8], name: &[u8]) -> bool {
    name.strip_prefix(start).is_some_and(|rest| rest.len() == 6 && rest.iter().all(u8::is_ascii_alphanumeric))
}

/// Removes a directory that has nothing but what a restore makes. Everything else stays, whosever it is; so does one that
/// cannot be removed, and is in nobody's way.
fn remove_room(room: &Path) {
    let Ok(entries) = fs::read_dir(room) else { return };
    let files: io::Result<Vec<_>> = entries
        .map(|entry| entry.and_then(|entry| Ok((entry.file_type()?.is_file(), entry.file_name(), entry.path()))))
        .collect();
    let is_directory = fs::symlink_metadata(room).is_ok_and(|meta| meta.is_dir());
    let Ok(files) = files else { return };
    if is_directory && files.iter().all(|(is_file, name, _)| *is_file && name.as_bytes().starts_with(b"restored.db")) {
        files.iter().for_each(|(_, _, file)| drop(fs::remove_file(file)));
        let _ = fs::remove_dir(room);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What stays is removed by the next one that holds the lock.
        let _ = fs::remove_dir_all(&self.0);
    }
}
