//! What about a database's path is dangerous, found with `stat`, `access` and `statfs` alone: the file is not opened.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::printable::printable;
use crate::explain::on_disk;
use crate::locks::processes;
use crate::platform::file_id::file_id;
use crate::platform::filesystem;
use crate::platform::filesystem::Reach;
use crate::platform::path_facts::{
    Obstacle, can_access, kind_if_not_file, litestream_directory, owner_and_mode, path_obstacle, sidecar,
};
use crate::preflight::orphan_wal;
use crate::settings::words;
use crate::settings::{Access, SettingId, Settings};

/// How bad a hazard is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HazardLevel {
    /// As it should be.
    Fine,
    /// Worth knowing.
    Note,
    /// Works, and may hurt later.
    Warning,
    /// Does not work, or loses data.
    Problem,
}

impl HazardLevel {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            HazardLevel::Fine => "fine",
            HazardLevel::Note => "note",
            HazardLevel::Warning => "warning",
            HazardLevel::Problem => "problem",
        }
    }
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hazard {
    /// The check: `file`, `directory`, `file_system`, `space`, `links`, `wal`, `journal`, `owners`, `replication`.
    pub check: &'static str,
    /// How bad it is.
    pub level: HazardLevel,
    /// What was found, with the path or number.
    pub found: String,
    /// What to do; empty when nothing is to be done.
    pub remedy: String,
}

impl Hazard {
    /// A hazard. What a terminal would obey in its texts is written out.
    pub fn new(check: &'static str, level: HazardLevel, found: impl Into<String>, remedy: impl Into<String>) -> Hazard {
        let shown = |text: String| printable(&text).into_owned();
        Hazard { check, level, found: shown(found.into()), remedy: shown(remedy.into()) }
    }
}

/// Below this many bytes free a checkpoint or a commit can fail.
const SCARCE: u64 = 64 << 20;
/// A WAL above this slows every reader down, whatever the settings.
const LARGE_WAL: u64 = 256 << 20;

/// Every check of the path, in the order in which a person would look. A path without a file ends the list early.
pub fn hazards(path: &Path, settings: &Settings) -> Vec<Hazard> {
    hazards_knowing(path, settings, processes::in_use(path))
}

/// The same for who knows better than the table of locks whether a process uses the database.
pub fn hazards_knowing(path: &Path, settings: &Settings, in_use: Option<bool>) -> Vec<Hazard> {
    let mut found = vec![file(path, settings)];
    if found[0].level == HazardLevel::Problem {
        found.extend(orphaned(path));
        return found;
    }
    found.push(directory(path, settings));
    found.push(file_system(path, settings));
    found.push(space(path));
    found.extend(links(path));
    found.push(owners(path));
    found.extend(journals(path, settings, in_use));
    found.extend(litestream(path, settings));
    found
}

/// A size for people: `12.3 MB`, in powers of ten.
pub fn size_text(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

fn file(path: &Path, settings: &Settings) -> Hazard {
    let check = "file";
    let place = path.display();
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let why = match path.parent().and_then(path_obstacle) {
                Some(Obstacle::Missing(first)) => {
                    format!("{place} does not exist; the first missing directory is {}", first.display())
                }
                Some(Obstacle::NotADirectory(file)) => {
                    format!("{place} does not exist: {} is not a directory", file.display())
                }
                _ => format!("{place} does not exist"),
            };
            let remedy = "check the path and the directory it is relative to; opening with mode=rwc creates it";
            return Hazard::new(check, HazardLevel::Problem, why, remedy);
        }
        Err(error) => {
            let at = match path.parent().and_then(path_obstacle) {
                Some(Obstacle::NotSearchable(dir)) => format!(": {} ({})", dir.display(), owner_and_mode(&dir)),
                _ => String::new(),
            };
            let remedy = "give this user access to every directory on the way (chmod +x)";
            return Hazard::new(
                check,
                HazardLevel::Problem,
                format!("{place} cannot be looked at: {error}{at}"),
                remedy,
            );
        }
    };
    if let Some(kind) = kind_if_not_file(&meta) {
        return Hazard::new(check, HazardLevel::Problem, format!("{place} is {kind}"), "name the database file itself");
    }
    if !can_access(path, libc::R_OK) {
        let remedy = "give this user permission to read it, or run as its owner";
        return Hazard::new(
            check,
            HazardLevel::Problem,
            format!("{place} may not be read ({})", owner_and_mode(path)),
            remedy,
        );
    }
    let reads = settings.mode() == Some(words::Mode::Ro);
    if let Some(finding) = (!reads && !can_access(path, libc::W_OK)).then(|| on_disk(path)).flatten() {
        return Hazard::new(check, HazardLevel::Warning, format!("{place}: {}", finding.why), finding.hint);
    }
    if meta.len() == 0 {
        let remedy = "nothing, if it is to be a new database; else restore a backup";
        return Hazard::new(check, HazardLevel::Note, format!("{place} is empty"), remedy);
    }
    if meta.mode() & 0o002 != 0 {
        let text = format!("{place} may be written by every user (mode {:04o})", meta.mode() & 0o7777);
        return Hazard::new(check, HazardLevel::Warning, text, format!("chmod o-w {place}"));
    }
    Hazard::new(check, HazardLevel::Fine, format!("{}, mode {:04o}", size_text(meta.len()), meta.mode() & 0o7777), "")
}

fn directory(path: &Path, settings: &Settings) -> Hazard {
    let dir = path.parent().unwrap_or(Path::new("/"));
    if can_access(dir, libc::W_OK | libc::X_OK) {
        return Hazard::new("directory", HazardLevel::Fine, format!("{} may be written", dir.display()), "");
    }
    if settings.access() == Access::Read {
        let text = format!("{} may not be written ({})", dir.display(), owner_and_mode(dir));
        let remedy = match settings.bool(SettingId::Immutable) {
            true => "",
            false => {
                "in WAL mode a reader needs the -shm of a process that has it open, or immutable=1 if nobody writes the file"
            }
        };
        return Hazard::new("directory", HazardLevel::Note, text, remedy);
    }
    Hazard::new(
        "directory",
        HazardLevel::Warning,
        format!(
            "{} may not be written ({}): SQLite cannot create the -wal and -shm",
            dir.display(),
            owner_and_mode(dir)
        ),
        "give this user write permission on the directory, or open with mode=ro while another process has it open",
    )
}

fn file_system(path: &Path, settings: &Settings) -> Hazard {
    let check = "file_system";
    if filesystem::read_only(path) {
        let remedy = "remount it writable, or open with immutable=1 if nothing ever changes it";
        return Hazard::new(check, HazardLevel::Warning, "mounted read-only", remedy);
    }
    let Some((name, reach)) = filesystem::of(path) else {
        return Hazard::new(check, HazardLevel::Note, "unknown to this system", "");
    };
    match (reach, name.as_str()) {
        (Reach::Network, _) => {
            let level = if settings.network_fs() == Some(words::NetworkFs::Allow) {
                HazardLevel::Warning
            } else {
                HazardLevel::Problem
            };
            let text = format!("{name}: other machines see the file but not the shared memory that WAL needs");
            Hazard::new(check, level, text, "move the database to a local disk")
        }
        (Reach::Doubtful, _) => {
            let remedy = "use a local disk, or make sure that everybody opens it by this mount, on one machine";
            let text =
                format!("{name}: whoever opens it by another path, below the mount too, may not see these locks");
            Hazard::new(check, HazardLevel::Warning, text, remedy)
        }
        (_, "tmpfs") => {
            let remedy = "move it to a disk unless it may be lost";
            Hazard::new(check, HazardLevel::Warning, "tmpfs: the database is gone when the machine restarts", remedy)
        }
        (_, "overlayfs") => {
            let remedy = "in a container put it on a volume: the layer goes with the container";
            Hazard::new(check, HazardLevel::Note, "overlayfs, a container's own layer", remedy)
        }
        _ => Hazard::new(check, HazardLevel::Fine, name, ""),
    }
}

fn space(path: &Path) -> Hazard {
    let size = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.len());
    let needed = size(path) + size(&sidecar(path, "-wal"));
    match filesystem::free_bytes(path) {
        None => Hazard::new("space", HazardLevel::Note, "free space unknown", ""),
        Some(free) if free < SCARCE => Hazard::new(
            "space",
            HazardLevel::Problem,
            format!("{} free: commits and checkpoints will fail", size_text(free)),
            "free some space on the disk",
        ),
        Some(free) if free < needed => Hazard::new(
            "space",
            HazardLevel::Warning,
            format!("{} free: less than the database's {}", size_text(free), size_text(needed)),
            "VACUUM and a backup beside it need as much again",
        ),
        Some(free) => Hazard::new("space", HazardLevel::Fine, format!("{} free", size_text(free)), ""),
    }
}

fn links(path: &Path) -> Option<Hazard> {
    let names = fs::metadata(path).ok()?.nlink();
    if names > 1 {
        return Some(Hazard::new(
            "links",
            HazardLevel::Problem,
            format!("the file has {names} names (hard links): each gets a -wal of its own, and they diverge"),
            format!("find the others with find -xdev -inum {} and remove them", fs::metadata(path).ok()?.ino()),
        ));
    }
    if filesystem::is_mounted_alone(path) {
        return Some(Hazard::new(
            "links",
            HazardLevel::Problem,
            "the file is mounted alone: whoever opens it by its other path gets another -wal, and they diverge",
            "mount its directory instead (-v /srv/data:/data)",
        ));
    }
    if let Some(other) =
        file_id(path).and_then(|file| filesystem::mounted_elsewhere(&fs::canonicalize(path).ok()?, file))
    {
        let text = format!("the file is mounted as {} too: whoever opens that gets another -wal", other.display());
        return Some(Hazard::new(
            "links",
            HazardLevel::Problem,
            text,
            "mount its directory instead (-v /srv/data:/data)",
        ));
    }
    let real = fs::canonicalize(path).ok()?;
    let direct = fs::symlink_metadata(path).is_ok_and(|meta| !meta.is_symlink());
    (!direct).then(|| {
        let text = format!("a symbolic link to {}; the -wal is there", real.display());
        Hazard::new("links", HazardLevel::Note, text, "")
    })
}

/// The three files have to belong to users who may write all of them.
fn owners(path: &Path) -> Hazard {
    let Ok(main) = fs::metadata(path) else { return Hazard::new("owners", HazardLevel::Note, "unknown", "") };
    for suffix in ["-wal", "-shm", "-journal"] {
        let other = sidecar(path, suffix);
        let Ok(meta) = fs::metadata(&other) else { continue };
        if (meta.uid(), meta.gid(), meta.mode() & 0o666) != (main.uid(), main.gid(), main.mode() & 0o666) {
            return Hazard::new(
                "owners",
                HazardLevel::Warning,
                format!("{} and the database differ in owner or mode ({})", other.display(), owner_and_mode(&other)),
                format!("chown --reference={0} {1} && chmod --reference={0} {1}", path.display(), other.display()),
            );
        }
    }
    Hazard::new("owners", HazardLevel::Fine, owner_and_mode(path), "")
}

fn orphaned(path: &Path) -> Option<Hazard> {
    let error = orphan_wal::check(path, words::OnOrphanWal::Refuse).err()?;
    Some(Hazard::new("wal", HazardLevel::Problem, error.message(), error.hint()))
}

fn journals(path: &Path, settings: &Settings, in_use: Option<bool>) -> Vec<Hazard> {
    if let Some(orphaned) = orphaned(path) {
        return vec![orphaned];
    }
    let kept = |suffix: &str| fs::symlink_metadata(sidecar(path, suffix)).ok();
    let mut found: Vec<_> = [("wal", "-wal"), ("wal", "-shm"), ("journal", "-journal")]
        .into_iter()
        .filter_map(|(check, suffix)| {
            let text =
                format!("{} is {}, not a file", sidecar(path, suffix).display(), kind_if_not_file(&kept(suffix)?)?);
            let remedy = "SQLite keeps a file of its own under that name: move it away";
            Some(Hazard::new(check, HazardLevel::Problem, text, remedy))
        })
        .collect();
    if !found.is_empty() {
        return found;
    }
    let size = |suffix: &str| kept(suffix).map(|meta| meta.len());
    let limit = settings
        .int(SettingId::JournalSizeLimit)
        .filter(|limit| *limit > 0)
        .map_or(LARGE_WAL, |limit| 4 * limit as u64);
    match size("-wal") {
        None => found.push(Hazard::new("wal", HazardLevel::Fine, "no -wal: the last process closed", "")),
        // Nobody else may move it.
        Some(size) if litestream_directory(path).is_some() && settings.replication() != Some(words::Replication::None) => {
            let alarm = settings.int(SettingId::WalAlarm).filter(|alarm| *alarm > 0).map_or(u64::MAX, |alarm| alarm as u64);
            let text = format!("the -wal has {}", size_text(size));
            found.push(if size > alarm {
                let text = format!("{text}, more than wal_alarm: Litestream does not checkpoint, and every read searches it");
                Hazard::new("wal", HazardLevel::Warning, text, "start Litestream, or see what it says in its log; what a reader pins (litekeel who) stays until that one ends")
            } else {
                Hazard::new("wal", HazardLevel::Fine, format!("{text}; Litestream checkpoints it"), "")
            });
        }
        Some(size) if size > limit => found.push(Hazard::new(
            "wal",
            HazardLevel::Warning,
            format!("the -wal has {}: every read searches it", size_text(size)),
            "litekeel checkpoint moves it into the database; what a reader pins (litekeel who) stays until that one ends",
        )),
        Some(size) if size > 0 && in_use == Some(false) => found.push(Hazard::new(
            "wal",
            HazardLevel::Note,
            format!("a -wal of {} and no process that uses it: the last one did not close", size_text(size)),
            "nothing is lost: the next open recovers it",
        )),
        Some(size) => found.push(Hazard::new("wal", HazardLevel::Fine, format!("{} in the -wal", size_text(size)), "")),
    }
    if size("-journal").is_some_and(|size| size > 0) && in_use == Some(false) {
        found.push(Hazard::new(
            "journal",
            HazardLevel::Note,
            "a rollback journal and no process that uses it: a transaction was cut off",
            "never delete it: the next open may need it to roll back",
        ));
    }
    found
}

/// Whether Litestream keeps its state in a directory beside the database: it replicates it, or did once.
pub fn litestream_is_beside(path: &Path) -> bool {
    litestream_directory(path).is_some()
}

/// Litestream keeps its state in a directory beside the database, and wants to checkpoint alone.
fn litestream(path: &Path, settings: &Settings) -> Option<Hazard> {
    let directory = litestream_directory(path)?;
    let name = directory.file_name()?.to_string_lossy().into_owned();
    Some(match settings.replication() {
        Some(words::Replication::None) => Hazard::new(
            "replication",
            HazardLevel::Warning,
            format!(
                "replication=none, and {name} is there: with these settings checkpoints go on behind Litestream's back"
            ),
            "leave replication=none out while Litestream runs; remove the directory once it is not used any more",
        ),
        _ => Hazard::new(
            "replication",
            HazardLevel::Note,
            format!("Litestream replicates this database ({name} is there): every checkpoint is left to it"),
            "nothing, while Litestream runs; if it is not used any more, remove the directory or add replication=none",
        ),
    })
}
