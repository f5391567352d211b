//! Step 0: the path, before SQLite touches it. Only `stat`, `access`, `statfs` and `mkdir`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::errors::{self, not_a_file, not_writable};
use crate::error::Result;
use crate::explain::on_disk;
use crate::platform;
use crate::platform::allowed_roots;
use crate::platform::file_id::{FileId, file_id};
use crate::platform::filesystem::{self, Reach};
use crate::platform::new_file;
use crate::platform::path_facts::{Obstacle, can_access, kind_if_not_file, owner_and_mode, path_obstacle, sidecar};
use crate::preflight::{orphan_wal, second_sqlite};
use crate::report::OpenReport;
use crate::settings::Access;
use crate::settings::words;
use crate::settings::words::NetworkFs;
use crate::settings::{Options, Resolved, SettingId, Settings, Target};
use crate::vfs::attached::{Admitted, Purpose};
use crate::vfs::open_files;

/// What the look at the path found out.
pub(crate) struct Prepared {
    /// Why the file must not be read through a memory mapping, where it must not.
    pub no_mmap: Option<&'static str>,
    /// The file was created here, and gets these permissions once SQLite has it open.
    pub mode: Option<(FileId, u32)>,
}

pub(super) fn prepare(
    resolved: &Resolved,
    options: &Options,
    access: Access,
    report: &mut OpenReport,
) -> Result<Prepared> {
    let Target::File(path) = &resolved.target else { return Ok(Prepared { no_mmap: None, mode: None }) };
    let settings = &resolved.settings;
    make_directories_for(resolved, access, report)?;
    let side_files = side_files(path)?;
    let reach = check_file_system(path, settings, report)?;
    let no_mmap = no_mmap(reach, report.file_system.as_deref(), access);
    let orphan = on_orphan_wal(settings, access);
    if let Some(name) = orphan_wal::check(path, orphan)? {
        report.warnings.push(format!("a -wal without its database was set aside as {}", name.display()));
    }
    let mut created = None;
    match fs::metadata(path) {
        Ok(meta) => check_existing(path, &meta, &side_files, settings, access, report)?,
        Err(_) if access == Access::Create => {
            if let Some(mode) = options.file_mode {
                created = create_private(path, resolved)?.map(|file| (file, mode));
            }
        }
        Err(_) => {}
    }
    Ok(Prepared { no_mmap, mode: created })
}

/// Why the file must not be mapped.
fn no_mmap(reach: Reach, file_system: Option<&str>, access: Access) -> Option<&'static str> {
    match (reach, file_system) {
        (Reach::Network | Reach::Doubtful, _) => Some("the file system gives no coherent memory mapping"),
        // Until somebody writes it, it is the image's; a mapping stays with that one.
        (_, Some("overlayfs")) if access == Access::Read => {
            Some("on overlayfs a reader's mapping does not see what others write")
        }
        _ => None,
    }
}

impl Prepared {
    /// Gives a file that was created here its permissions, now that SQLite has it open.
    pub(super) fn finish(&self, path: Option<&Path>) -> Result<()> {
        match (self.mode, path) {
            (Some((file, mode)), Some(path)) => set_mode(path, file, mode),
            _ => Ok(()),
        }
    }
}

/// What is done with a `-wal` without its database: who only reads renames nothing.
fn on_orphan_wal(settings: &Settings, access: Access) -> words::OnOrphanWal {
    settings.on_orphan_wal().filter(|_| access != Access::Read).unwrap_or(words::OnOrphanWal::Refuse)
}

/// The looks that a database has before it is opened, for one that SQLite has opened by ATTACH and not read yet.
///
/// # Errors
/// As for one that is opened: `KEEL_ORPHAN_WAL`, `KEEL_HARD_LINKS`, `KEEL_NETWORK_FS`, `KEEL_NOT_A_FILE`, `KEEL_SECOND_SQLITE`
/// and the like.
pub(super) fn check_attached(path: &Path, purpose: Purpose, settings: &Settings) -> Result<Admitted> {
    // One that may only be read is attached as such, in silence.
    let access = if can_access(path, libc::W_OK) { settings.access() } else { Access::Read };
    let mut report = OpenReport::default();
    report.warnings.extend(second_sqlite::check_attached(path, purpose, settings.foreign_sqlite())?);
    let side_files = side_files(path)?;
    let reach = check_file_system(path, settings, &mut report)?;
    let orphan = on_orphan_wal(settings, access);
    if let Some(name) = orphan_wal::check(path, orphan)? {
        report.warnings.push(format!("a -wal without its database was set aside as {}", name.display()));
    }
    if let Ok(meta) = fs::metadata(path) {
        check_existing(path, &meta, &side_files, settings, access, &mut report)?;
    }
    let no_mmap = no_mmap(reach, report.file_system.as_deref(), access).is_some();
    Ok(Admitted { warnings: report.warnings, no_mmap })
}

/// Creates the directories on the way to the file, where the settings say so; the report tells which.
///
/// # Errors
/// `KEEL_IO` when one cannot be created.
pub(crate) fn make_directories_for(resolved: &Resolved, access: Access, report: &mut OpenReport) -> Result<()> {
    let Target::File(path) = &resolved.target else { return Ok(()) };
    match path.parent() {
        Some(parent) if makes_directories(resolved, access) => make_directories(parent, resolved, report),
        _ => Ok(()),
    }
}

pub(super) fn makes_directories(resolved: &Resolved, access: Access) -> bool {
    match resolved.settings.get(SettingId::Mkdir) {
        Some(_) => resolved.settings.bool(SettingId::Mkdir),
        None => access == Access::Create,
    }
}

fn make_directories(parent: &Path, resolved: &Resolved, report: &mut OpenReport) -> Result<()> {
    if resolved.nofollow
        && let Some(link) = parent.ancestors().find(|part| part.is_symlink())
    {
        return Err(errors::link_on_the_way(link, parent));
    }
    if parent.is_dir() {
        return Ok(());
    }
    let Some(Obstacle::Missing(first)) = path_obstacle(parent) else { return Ok(()) };
    // What is there now is real; what is made from there on is no link.
    let from = first.parent().unwrap_or(Path::new("/"));
    let (real, way) = (fs::canonicalize(from), parent.strip_prefix(from).unwrap_or(Path::new("")));
    let made = match (&resolved.roots, real) {
        (Some(roots), Ok(real)) => {
            let real = real.join(way);
            let Some((root, way)) = roots.split(&real) else { return Err(platform::errors::outside_the_roots(parent)) };
            allowed_roots::create_directories(root, way)
        }
        (None, Ok(real)) if resolved.nofollow => allowed_roots::create_directories(Path::new("/"), &real.join(way)),
        _ => fs::create_dir_all(parent),
    };
    made.map_err(|error| {
        let errno = error.raw_os_error().unwrap_or(0);
        if resolved.roots.is_some() && matches!(errno, libc::ELOOP | libc::ENOTDIR) {
            return platform::errors::outside_the_roots(parent);
        }
        errors::no_directory(parent, &first, errno, resolved.triple_slash)
    })?;
    let created = parent.ancestors().take_while(|dir| dir.starts_with(&first));
    report.created_directories = created.map(Path::to_owned).collect();
    report.created_directories.reverse();
    Ok(())
}

pub(super) fn check_file_system(path: &Path, settings: &Settings, report: &mut OpenReport) -> Result<Reach> {
    let found = filesystem::of(path).or_else(|| filesystem::of(path.parent()?));
    let Some((name, reach)) = found else { return Ok(Reach::Local) };
    let verdict = settings.network_fs().unwrap_or(match reach {
        Reach::Network => NetworkFs::Refuse,
        Reach::Doubtful => NetworkFs::Warn,
        Reach::Local => NetworkFs::Allow,
    });
    if reach != Reach::Local {
        let text = reach_text(path, &name, reach);
        match verdict {
            NetworkFs::Refuse => return Err(errors::network_file_system(path, text)),
            NetworkFs::Warn => report.warnings.push(text),
            NetworkFs::Allow => {}
        }
    }
    report.file_system = Some(name);
    Ok(reach)
}

fn reach_text(path: &Path, name: &str, reach: Reach) -> String {
    match reach {
        Reach::Network => format!("{} is on {name}: WAL's shared memory does not work across hosts", path.display()),
        // The same machine is enough for that: what lies below the mount, or in the virtual machine's host.
        _ => format!(
            "{} is on {name}: whoever opens it by another path (the directory below the mount, the host, another \
             machine) may not see these locks, and rows get lost",
            path.display()
        ),
    }
}

/// Those of SQLite's files beside the database that are there. SQLite opens and reads what lies at these names whatever it
/// is: a FIFO keeps it waiting for ever.
pub(super) fn side_files(path: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for suffix in ["-wal", "-shm", "-journal"] {
        let file = sidecar(path, suffix);
        let Ok(meta) = fs::symlink_metadata(&file) else { continue };
        // A link SQLite does not follow.
        if let Some(kind) = kind_if_not_file(&meta).filter(|_| !meta.is_symlink()) {
            return Err(not_a_file(&file, kind, "SQLite keeps a file of its own under that name: move it away"));
        }
        found.push(file);
    }
    Ok(found)
}

pub(super) fn check_existing(
    path: &Path,
    meta: &fs::Metadata,
    side_files: &[PathBuf],
    settings: &Settings,
    access: Access,
    report: &mut OpenReport,
) -> Result<()> {
    if let Some(kind) = kind_if_not_file(meta) {
        let hint = if meta.is_dir() { "name the database file inside the directory" } else { "name a regular file" };
        return Err(not_a_file(path, kind, hint));
    }
    if meta.nlink() > 1 && !settings.bool(SettingId::HardLinks) {
        let text =
            format!("{} has {} names (hard links): each would get a WAL of its own", path.display(), meta.nlink());
        if access == Access::Read {
            report.warnings.push(text);
        } else {
            return Err(errors::several_names(path, text));
        }
    }
    if meta.nlink() == 1 && !settings.bool(SettingId::HardLinks) && filesystem::is_mounted_alone(path) {
        let text = format!(
            "{} is mounted alone, as one file: whoever opens it by its other path gets another -wal, and rows get lost",
            path.display()
        );
        if access == Access::Read {
            report.warnings.push(text);
        } else {
            return Err(errors::mounted_alone(path, text));
        }
    }
    // Before SQLite opens it: read-only it would succeed, and leave a -shm that it then may not remove.
    if access != Access::Read
        && settings.get(SettingId::Vfs).is_none()
        && !(can_access(path, libc::R_OK | libc::W_OK)
            && path.parent().is_some_and(|dir| can_access(dir, libc::W_OK))
            // Those of a reader of another user lock everybody out: the database is opened all the same, and the first
            // write fails.
            && side_files.iter().all(|file| can_access(file, libc::W_OK)))
        && can_access(path, libc::R_OK)
        && let Some(found) = on_disk(path)
    {
        return Err(not_writable(path, &found.why, &found.hint));
    }
    let wal = sidecar(path, "-wal");
    if settings.bool(SettingId::Immutable) && fs::metadata(&wal).is_ok_and(|wal| wal.len() > 0) {
        return Err(errors::immutable_with_log(path, &wal));
    }
    Ok(())
}

/// What a connection that only reads has created and its user owns, so that the database's owner cannot write any more: it
/// may not remove them at its close.
pub(super) fn locks_the_owner_out(path: &Path) -> Option<String> {
    let main = fs::metadata(path).ok()?;
    // SAFETY: no arguments, cannot fail.
    let me = unsafe { libc::geteuid() };
    if me == 0 || main.uid() == me {
        return None;
    }
    let file = ["-shm", "-wal"].iter().map(|suffix| sidecar(path, suffix)).find(|file| {
        fs::metadata(file).is_ok_and(|meta| {
            let by_group = meta.gid() == main.gid() && meta.mode() & 0o020 != 0;
            meta.uid() == me && meta.mode() & 0o002 == 0 && !by_group
        })
    })?;
    Some(format!(
        "{} was created by this connection, which only reads ({}): while it is there, the database's owner (uid {}) cannot \
         write; open it as that user, or with the option inspect, which leaves nothing",
        file.display(),
        owner_and_mode(&file),
        main.uid()
    ))
}

/// Creates the empty file for its owner alone, without a descriptor: closing one could drop the locks of another thread
/// that opened the file in between. `None` when somebody else was first, and has set its mode.
fn create_private(path: &Path, resolved: &Resolved) -> Result<Option<FileId>> {
    let real = match (&resolved.roots, path.parent().map(fs::canonicalize)) {
        (Some(_), Some(Ok(parent))) => parent.join(path.file_name().unwrap_or_default()),
        _ => path.to_owned(),
    };
    let made = match resolved.roots.as_ref().map(|roots| roots.split(&real)) {
        Some(None) => return Err(platform::errors::outside_the_roots(path)),
        Some(Some((root, way))) => allowed_roots::create(root, way, 0o600),
        None => new_file::create(path, 0o600),
    };
    if let Err(error) = made {
        // What else it may be SQLite will fail at and explain.
        if error.kind() == std::io::ErrorKind::AlreadyExists
            || !path.parent().is_some_and(|dir| can_access(dir, libc::W_OK))
        {
            return Ok(None);
        }
        return Err(errors::not_created(path, error.raw_os_error().unwrap_or(0)));
    }
    Ok(file_id(path))
}

/// Sets the permissions of a file that SQLite has open, exactly: the umask has no part in it. Through SQLite's own
/// descriptor, since the name may lead to another file by now.
///
/// # Errors
/// `KEEL_SETTING_NOT_APPLIED` when they read back as something else.
pub(crate) fn set_mode(path: &Path, file: FileId, mode: u32) -> Result<()> {
    let by_descriptor = open_files::with_file(file, |fd| {
        // SAFETY: an open descriptor, which is not closed meanwhile.
        unsafe { libc::fchmod(fd, mode as libc::mode_t) }
    });
    if by_descriptor.is_none() {
        // Another VFS than SQLite's own has it open.
        let _ = fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode));
    }
    let has = fs::metadata(path).map_or(0, |meta| meta.mode() & 0o777);
    if has == mode {
        return Ok(());
    }
    Err(errors::mode_not_applied(path, mode, has))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubtful_file_system_is_one_on_one_machine_too() {
        let text = reach_text(Path::new("/data/a.db"), "FUSE", Reach::Doubtful);
        assert!(text.contains("/data/a.db is on FUSE") && text.contains("the directory below the mount"), "{text}");
    }
}
