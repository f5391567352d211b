//! Where a copy goes: what is there already, and a new file that gets its name only when it is complete.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{fs, ptr};

use super::errors;
use crate::error::{Error, Result};
use crate::explain::{FailedCall, explain};
use crate::locks::processes;
use crate::open::target;
use crate::platform;
use crate::platform::allowed_roots::{self, Roots};
use crate::platform::file_id::FileId;
use crate::platform::file_id::file_id;
use crate::platform::new_file;
use crate::platform::path_facts::{can_access, litestream_directory, sidecar};
use crate::preflight::orphan_wal;
use crate::settings::Access;
use crate::settings::Resolved;
use crate::settings::words;
use crate::sqlite;
use crate::vfs::open_files;

/// What SQLite keeps beside a database.
const SIDE_FILES: [&str; 3] = ["-wal", "-shm", "-journal"];
/// What SQLite gives a database that it creates.
const DEFAULT_MODE: u32 = 0o644;

/// A backup that has not written for so long is taken for dead, when it holds no lock either.
const DEAD_AFTER: Duration = Duration::from_secs(3600);

/// Where the copy goes, once every directory on the way is there.
pub(super) struct Place {
    /// The path without links and `..`, but for the last component of one that does not exist.
    pub real: PathBuf,
    pub exists: bool,
}

impl Place {
    /// # Errors
    /// What stands in the way, explained. Anything but "there is no such file" counts as existing.
    pub(super) fn find(path: &Path, access: Access) -> Result<Place> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(errors::a_directory(path));
        };
        let cannot_open = || explain(&FailedCall::of(ptr::null_mut(), Some(path), access), sqlite::SQLITE_CANTOPEN);
        let parent = fs::canonicalize(parent).map_err(|_| cannot_open())?;
        let real = parent.join(name);
        match fs::symlink_metadata(&real) {
            // What a link leads to is what gets replaced.
            Ok(meta) if meta.is_symlink() => match fs::canonicalize(&real) {
                Ok(real) => Ok(Place { real, exists: true }),
                Err(_) => Err(cannot_open()),
            },
            Ok(_) => Ok(Place { real, exists: true }),
            Err(error) if error.kind() == io::ErrorKind::NotFound && access == Access::Create => {
                Ok(Place { real, exists: false })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(cannot_open()),
            Err(error) => Err(errors::cannot_be_looked_at(&real, &error)),
        }
    }

    /// Refuses the source itself, under whatever name, and what SQLite keeps beside it or beside another database.
    pub(super) fn refuse_files_of(&self, source: Option<&Path>) -> Result<()> {
        if let Some(source) = source {
            let same = |suffix: &str| {
                let file = sidecar(source, suffix);
                let by_identity = file_id(&self.real).is_some_and(|id| file_id(&file) == Some(id));
                let real = fs::canonicalize(source).map(|real| sidecar(&real, suffix));
                by_identity || real.is_ok_and(|real| real == self.real)
            };
            if same("") {
                return Err(errors::the_source(&self.real));
            }
            if let Some(suffix) = SIDE_FILES.into_iter().find(|suffix| same(suffix)) {
                return Err(errors::a_side_file_of_the_source(&self.real, suffix));
            }
        }
        let bytes = self.real.as_os_str().as_bytes();
        for suffix in SIDE_FILES {
            let Some(database) = bytes.strip_suffix(suffix.as_bytes()) else { continue };
            let database = Path::new(std::ffi::OsStr::from_bytes(database));
            if fs::symlink_metadata(database).is_ok_and(|meta| !meta.is_dir()) {
                return Err(errors::a_side_file(&self.real, suffix, database));
            }
        }
        Ok(())
    }

    /// SQLite would take what an earlier database of that name left for the copy's own, and change the copy by it.
    pub(super) fn refuse_leftovers(&self, resolved: &Resolved) -> Result<()> {
        orphan_wal::check(&self.real, resolved.settings.on_orphan_wal().unwrap_or(words::OnOrphanWal::Refuse))?;
        let journal = sidecar(&self.real, "-journal");
        if fs::metadata(&journal).is_ok_and(|meta| meta.len() > 0) {
            return Err(errors::a_journal_is_left(&self.real, &journal));
        }
        Ok(())
    }

    /// Replacing all of a replicated database would need a checkpoint's worth of care on a connection that has none.
    pub(super) fn refuse_replicated(&self) -> Result<()> {
        let Some(directory) = litestream_directory(&self.real) else { return Ok(()) };
        Err(errors::replicated(&self.real, &directory))
    }

    pub(super) fn exists_already(&self) -> Error {
        errors::exists_already(&self.real)
    }
}

/// A file that is being written beside its place. Dropped before it is placed, it is gone.
pub(super) struct NewFile {
    pub path: PathBuf,
    file: FileId,
    directory: Directory,
}

/// The directory of a file, for what litekeel itself does in it. Where a connection is confined to some, it is held open:
/// its name may lead elsewhere by then.
struct Directory(Option<OwnedFd>);

impl Directory {
    fn of(real: &Path, roots: Option<&Roots>) -> Result<Directory> {
        let Some(roots) = roots else { return Ok(Directory(None)) };
        let held = roots.split(real).and_then(|(root, way)| allowed_roots::directory(root, way).ok());
        let held = held.ok_or_else(|| platform::errors::outside_the_roots(real))?;
        // Without /proc there is only the name.
        let by_number = fs::metadata(Directory::number(&held)).is_ok();
        Ok(Directory(Some(held).filter(|_| by_number)))
    }

    fn number(held: &OwnedFd) -> PathBuf {
        format!("/proc/self/fd/{}", held.as_raw_fd()).into()
    }

    /// A path by which a file in the directory is reached.
    fn reach(&self, path: &Path) -> PathBuf {
        match &self.0 {
            Some(held) => Directory::number(held).join(path.file_name().unwrap_or_default()),
            None => path.to_owned(),
        }
    }

    fn path(&self, real: &Path) -> PathBuf {
        self.0.as_ref().map_or_else(|| real.to_owned(), Directory::number)
    }
}

impl NewFile {
    /// Creates it empty and for its owner alone; without a descriptor, as every file that SQLite opens.
    pub(super) fn create(place: &Place, mode: Option<u32>, roots: Option<&Roots>) -> Result<NewFile> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = place.real.file_name().unwrap_or_default().to_string_lossy();
        // A name may have 255 bytes, and SQLite adds to it.
        let prefix: String = format!(".{}.litekeel-", name.chars().take(40).collect::<String>());
        let directory = place.real.parent().unwrap_or(Path::new("/"));
        let held = Directory::of(directory, roots)?;
        remove_dead(&held.path(directory), &prefix);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = directory.join(format!("{prefix}{}-{number}", std::process::id()));
            let mode = if mode.is_some() { 0o600 } else { DEFAULT_MODE };
            let Err(error) = new_file::create(&held.reach(&path), mode) else {
                let file = file_id(&held.reach(&path));
                let file = file.ok_or_else(|| {
                    errors::destination_failed(&place.real, "is gone", &io::ErrorKind::NotFound.into())
                })?;
                return Ok(NewFile { path, file, directory: held });
            };
            if error.kind() == io::ErrorKind::AlreadyExists {
                continue;
            }
            if !can_access(directory, libc::W_OK | libc::X_OK) {
                let subject = FailedCall::of(ptr::null_mut(), Some(&place.real), Access::Create);
                return Err(explain(&subject, sqlite::SQLITE_CANTOPEN));
            }
            return Err(errors::destination_failed(&place.real, "cannot be created", &error));
        }
    }

    /// Makes sure that it is this file which SQLite has opened by its path, where somebody may have led that elsewhere.
    pub(super) fn check_opened(&self, place: &Place) -> Result<()> {
        if self.directory.0.is_some() && open_files::with_file(self.file, |_| ()).is_none() {
            return Err(errors::another_directory(&place.real));
        }
        Ok(())
    }

    /// Gives it its permissions, whatever the umask is, and makes sure that it has them.
    pub(super) fn set_mode(&self, mode: Option<u32>) -> Result<()> {
        let Some(mode) = mode else { return Ok(()) };
        target::set_mode(&self.path, self.file, mode)
    }

    /// Gives it its name, and replaces nothing by that.
    pub(super) fn place(&self, place: &Place) -> Result<()> {
        new_file::rename_new(&self.directory.reach(&self.path), &self.directory.reach(&place.real)).map_err(
            |error| match error.kind() {
                io::ErrorKind::AlreadyExists => place.exists_already(),
                _ => errors::destination_failed(&place.real, "cannot be given its name", &error),
            },
        )?;
        // The name is to survive a power loss as the content does. A directory carries no locks of SQLite's.
        if let Ok(directory) = fs::File::open(self.directory.path(place.real.parent().unwrap_or(Path::new("/")))) {
            let _ = directory.sync_all();
        }
        Ok(())
    }
}

/// Removes what earlier backups to the same name left when they were killed: with each one the disk would fill up. A
/// backup that goes on writes, and has locks.
fn remove_dead(directory: &Path, prefix: &str) {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let numbers = name.strip_prefix(prefix).and_then(|rest| rest.split_once('-'));
        let Some((pid, number)) = numbers else { continue };
        let Ok(meta) = entry.metadata() else { continue };
        let age = meta.modified().ok().and_then(|written| written.elapsed().ok());
        let dead = is_number(pid)
            && is_number(number.strip_suffix("-journal").unwrap_or(number))
            && meta.is_file()
            && age.is_some_and(|age| age > DEAD_AFTER)
            && processes::in_use(&entry.path()) == Some(false);
        if dead {
            let _ = fs::remove_file(entry.path());
        }
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // After it was placed there is no such name.
        let path = self.directory.reach(&self.path);
        if file_id(&path) == Some(self.file) {
            let _ = fs::remove_file(&path);
            let _ = fs::remove_file(sidecar(&path, "-journal"));
        }
    }
}

pub(super) fn is_root() -> bool {
    // SAFETY: no arguments, cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Gives what root has created to the owner of the directory in which it was created; a sentence where that fails.
pub(super) fn adopt(file: &NewFile, directories: &[PathBuf]) -> Option<String> {
    let first = directories.first().map_or(file.path.as_path(), PathBuf::as_path);
    let owner = fs::metadata(first.parent()?).ok()?;
    let (uid, gid) = (owner.uid(), owner.gid());
    // SAFETY: SQLite's own descriptor, which is not closed meanwhile.
    let given = open_files::with_file(file.file, |fd| unsafe { libc::fchown(fd, uid, gid) } == 0);
    let mut all = given == Some(true);
    for directory in directories {
        all &= std::os::unix::fs::lchown(directory, Some(uid), Some(gid)).is_ok();
    }
    (!all).then(|| format!("what was created could not be given to the directory's owner (uid {uid}): chown it"))
}
