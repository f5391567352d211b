//! Settings that exclude each other. Only what was asked for conflicts; a profile's value gives way.

use super::errors;
use super::table::SettingId;
use super::words;
use super::{Origin, SettingValue, Settings, replicated};
use crate::error::Result;

/// SQLite's VFSes that take no locks, or locks that the default one does not see, and the one that keeps nothing.
const LOCKS_APART: &[&str] = &[
    "unix-none",
    "unix-dotfile",
    "unix-flock",
    "unix-namedsem",
    "unix-afp",
    "unix-nfs",
    "unix-proxy",
    "win32-none",
    "memdb",
];

/// What makes a connection read-only: `immutable` implies the mode.
fn read_only_by(settings: &Settings) -> SettingId {
    if settings.bool(SettingId::Immutable) { SettingId::Immutable } else { SettingId::Mode }
}

/// Refuses what was asked for and cannot be, and skips what a profile brought and does not apply.
pub(super) fn settle(settings: &mut Settings, memory: bool) -> Result<()> {
    follower(settings, memory)?;
    let read_only = settings.mode() == Some(words::Mode::Ro) || settings.bool(SettingId::Immutable);
    let asked = |s: &Settings, id: SettingId| s.is_explicit(id) && s.get(id).is_some();
    let drop = |s: &mut Settings, id: SettingId, why: &'static str| {
        if !s.is_explicit(id) {
            s.skip(id, why);
        }
    };

    if read_only && !memory {
        let by = read_only_by(settings);
        for id in [
            SettingId::JournalMode,
            SettingId::PageSize,
            SettingId::AutoVacuum,
            SettingId::WalAutocheckpoint,
            SettingId::ApplicationId,
        ] {
            if asked(settings, id) {
                return Err(settings.conflict(by, id, "a database opened read-only cannot be changed"));
            }
        }
        if asked(settings, SettingId::Mkdir) && settings.bool(SettingId::Mkdir) {
            return Err(settings.conflict(by, SettingId::Mkdir, "nothing is created for a reader"));
        }
        for id in [SettingId::JournalMode, SettingId::WalAutocheckpoint, SettingId::JournalSizeLimit] {
            drop(settings, id, "opened read-only");
        }
    }
    if memory {
        let wal = settings.journal_mode() == Some(words::JournalMode::Wal);
        if wal && asked(settings, SettingId::JournalMode) {
            return Err(settings.conflict(SettingId::Mode, SettingId::JournalMode, "a database in memory has no WAL"));
        }
        for id in [
            SettingId::MmapSize,
            SettingId::Checkpoint,
            SettingId::WalMax,
            SettingId::CloseCheckpoint,
            SettingId::Immutable,
            SettingId::WalAutocheckpoint,
        ] {
            if asked(settings, id) {
                return Err(settings.conflict(SettingId::Mode, id, "a database in memory has no file"));
            }
        }
        for id in [
            SettingId::JournalMode,
            SettingId::MmapSize,
            SettingId::WalAutocheckpoint,
            SettingId::JournalSizeLimit,
            SettingId::Checkpoint,
        ] {
            drop(settings, id, "a database in memory has no file");
        }
        drop(settings, SettingId::CloseCheckpoint, "a database in memory has no file");
    } else if settings.cache() == Some(words::Cache::Shared) {
        return Err(errors::shared_cache_on_a_file());
    }
    if settings.bool(SettingId::Nolock) && settings.journal_mode() == Some(words::JournalMode::Wal) {
        if asked(settings, SettingId::JournalMode) {
            return Err(settings.conflict(SettingId::Nolock, SettingId::JournalMode, "WAL needs locks"));
        }
        drop(settings, SettingId::JournalMode, "nolock: WAL needs locks");
    }
    if settings.bool(SettingId::Defensive) && settings.journal_mode() == Some(words::JournalMode::Off) {
        return Err(settings.conflict(
            SettingId::Defensive,
            SettingId::JournalMode,
            "DEFENSIVE keeps SQLite from turning the journal off",
        ));
    }
    checkpoints(settings, read_only, memory)?;
    replicated::settle(settings, memory)?;
    restored(settings, memory)?;
    if !settings.bool(SettingId::Unsafe) {
        let journal =
            matches!(settings.journal_mode(), Some(words::JournalMode::Memory | words::JournalMode::Off)) && !memory;
        let apart = settings.text(SettingId::Vfs).is_some_and(|name| LOCKS_APART.contains(&name)) && !memory;
        let id = match () {
            () if journal => Some(SettingId::JournalMode),
            () if apart => Some(SettingId::Vfs),
            () => [SettingId::Nolock, SettingId::Psow, SettingId::Modeof]
                .into_iter()
                .find(|id| settings.get(*id).is_some()),
        };
        if let Some(id) = id {
            let value = settings.get(id).map(SettingValue::to_string).unwrap_or_default();
            return Err(errors::needs_unsafe(id, &value));
        }
    }
    Ok(())
}

/// A copy that Litestream keeps is only read, and has to be read in one way.
fn follower(settings: &mut Settings, memory: bool) -> Result<()> {
    if settings.role() != Some(words::Role::Follower) {
        return Ok(());
    }
    if memory {
        return Err(settings.conflict(SettingId::Mode, SettingId::Role, "a database in memory follows nobody"));
    }
    const EXCLUDED: &[(SettingId, &[&str], &str)] = &[
        (SettingId::Mode, &["ro"], "Litestream alone writes the copy"),
        (SettingId::Replication, &["auto", "none"], "a copy is not replicated itself"),
        (SettingId::Durability, &["local"], "nothing is committed to a copy"),
        (SettingId::Restore, &["never"], "litestream restore -f makes the copy, and goes on"),
        (SettingId::Immutable, &["0"], "Litestream writes the copy"),
        (SettingId::Nolock, &["0"], "a reader would see half of a change"),
        (SettingId::LockingMode, &["normal"], "Litestream would wait for the lock for ever"),
        (SettingId::ReadLock, &["released"], "Litestream waits while somebody reads"),
        (SettingId::MmapSize, &["0"], "the copy is read in a way that needs each page to be asked for"),
    ];
    for (id, fine, why) in EXCLUDED {
        let value = settings.get(*id).map(SettingValue::to_string);
        if settings.is_explicit(*id) && value.is_some_and(|value| !fine.contains(&value.as_str())) {
            return Err(settings.conflict(SettingId::Role, *id, why));
        }
    }
    if let Some(vfs) = settings.text(SettingId::Vfs).filter(|name| *name != "unix") {
        return Err(errors::follower_on_another_vfs(vfs));
    }
    settings.set(SettingId::Mode, SettingValue::Word("ro"), Origin::Replication);
    settings.set(SettingId::Replication, SettingValue::Word("none"), Origin::Replication);
    for id in [SettingId::MmapSize, SettingId::LockingMode, SettingId::ReadLock] {
        if !settings.is_explicit(id) {
            settings.skip(id, "a copy that Litestream keeps");
        }
    }
    Ok(())
}

/// What is to be restored, and from where.
fn restored(settings: &Settings, memory: bool) -> Result<()> {
    let from = settings.text(SettingId::RestoreFrom).unwrap_or_default();
    if settings.restore() == Some(words::Restore::Never) {
        if from.is_empty() {
            return Ok(());
        }
        return Err(errors::restored_never());
    }
    if memory {
        return Err(settings.conflict(SettingId::Mode, SettingId::Restore, "a database in memory has no replica"));
    }
    // A report shows every setting.
    let user =
        from.split_once("://").and_then(|(_, rest)| rest.split('/').next()?.rsplit_once('@')).map(|(user, _)| user);
    if user.is_some_and(|user| user.contains(':')) {
        return Err(errors::password_in_restore_from());
    }
    if from.starts_with('-') {
        return Err(errors::restore_from_an_option());
    }
    Ok(())
}

/// Who moves the WAL, and whether the other settings let him.
fn checkpoints(settings: &mut Settings, read_only: bool, memory: bool) -> Result<()> {
    let asked = |s: &Settings, id: SettingId| s.is_explicit(id) && s.get(id).is_some();
    use words::Checkpoint::{Auto, AutoIdle, Background, External, Manual};
    let who = settings.checkpoint();
    let at_commit = matches!(who, Some(Auto | AutoIdle | Background));
    let none = matches!(who, Some(External | Manual));
    if asked(settings, SettingId::WalMaxAction) && settings.int(SettingId::WalMax).unwrap_or(0) == 0 {
        return Err(errors::action_without_limit());
    }
    if memory {
        return Ok(());
    }
    if read_only {
        for id in [SettingId::Checkpoint, SettingId::WalMax] {
            if asked(settings, id) && !(id == SettingId::Checkpoint && none) {
                return Err(settings.conflict(read_only_by(settings), id, "a reader does not checkpoint"));
            }
            if settings.get(id).is_some() && !asked(settings, id) {
                settings.skip(id, "opened read-only");
            }
        }
        return Ok(());
    }
    let capped = settings.int(SettingId::WalMax).unwrap_or(0) > 0;
    if capped && who == Some(External) {
        return Err(settings.conflict(
            SettingId::WalMax,
            SettingId::Checkpoint,
            "the WAL is another program's to checkpoint",
        ));
    }
    let needs_wal = if capped {
        Some(SettingId::WalMax)
    } else if asked(settings, SettingId::Checkpoint) && !none && who != Some(Auto) {
        Some(SettingId::Checkpoint)
    } else {
        None
    };
    if let Some(id) = needs_wal {
        if settings.journal_mode().is_some_and(|journal| journal != words::JournalMode::Wal) {
            return Err(settings.conflict(id, SettingId::JournalMode, "only a WAL is checkpointed"));
        }
        if settings.locking_mode() == Some(words::LockingMode::Exclusive) {
            return Err(settings.conflict(
                id,
                SettingId::LockingMode,
                "no second connection can checkpoint an exclusive one's WAL",
            ));
        }
    }
    match settings.int(SettingId::WalAutocheckpoint) {
        Some(0) if at_commit && asked(settings, SettingId::Checkpoint) => Err(settings.conflict(
            SettingId::WalAutocheckpoint,
            SettingId::Checkpoint,
            "0 pages mean no checkpoint at commits",
        )),
        // Whoever asks for no checkpoints at commits gets none from a profile either.
        Some(0) if at_commit => {
            settings.set(
                SettingId::Checkpoint,
                SettingValue::Word("manual"),
                settings.origin(SettingId::WalAutocheckpoint),
            );
            Ok(())
        }
        Some(pages) if pages > 0 && !at_commit && who.is_some() => {
            if asked(settings, SettingId::WalAutocheckpoint) && asked(settings, SettingId::Checkpoint) {
                return Err(settings.conflict(
                    SettingId::Checkpoint,
                    SettingId::WalAutocheckpoint,
                    "that is SQLite's checkpoint at commits",
                ));
            }
            if asked(settings, SettingId::WalAutocheckpoint) {
                settings.set(
                    SettingId::Checkpoint,
                    SettingValue::Word("auto"),
                    settings.origin(SettingId::WalAutocheckpoint),
                );
            } else {
                settings.set(
                    SettingId::WalAutocheckpoint,
                    SettingValue::Int(0),
                    settings.origin(SettingId::Checkpoint),
                );
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::{Options, SettingId, resolve};

    /// What becomes of `checkpoint` and `wal_autocheckpoint`, or the code of the refusal.
    fn settled(query: &str) -> Result<(String, Option<i64>), &'static str> {
        let resolved = resolve(Some(&format!("file:/srv/a.db?{query}")), &Options::new());
        let settings = resolved.map_err(|error| error.name())?.settings;
        let checkpoint = settings.get(SettingId::Checkpoint).map(ToString::to_string).unwrap_or_default();
        Ok((checkpoint, settings.int(SettingId::WalAutocheckpoint)))
    }

    #[test]
    fn who_checkpoints_and_when_agree_or_are_refused() {
        for (query, checkpoint, pages) in [
            ("", "auto+idle", Some(1000)),
            ("checkpoint=auto", "auto", Some(1000)),
            ("checkpoint=manual", "manual", Some(0)),
            ("checkpoint=external", "external", Some(0)),
            ("checkpoint=idle", "idle", Some(0)),
            ("wal_autocheckpoint=0", "manual", Some(0)),
            ("wal_autocheckpoint=50", "auto+idle", Some(50)),
            ("profile=litestream", "external", Some(0)),
            ("profile=litestream&mode=ro", "", Some(0)),
            ("replication=litestream", "external", Some(0)),
            ("replication=litestream&checkpoint=manual", "manual", Some(0)),
            ("profile=litestream&replication=none&wal_autocheckpoint=50", "auto", Some(50)),
            ("wal_max=64MiB&checkpoint=background", "background", Some(1000)),
            ("mode=ro", "", None),
            ("mode=ro&checkpoint=manual", "manual", None),
        ] {
            assert_eq!(settled(query), Ok((checkpoint.to_owned(), pages)), "{query}");
        }
        for query in [
            "checkpoint=auto&wal_autocheckpoint=0",
            "checkpoint=manual&wal_autocheckpoint=10",
            "wal_max=64MiB&checkpoint=external",
            "wal_max=64MiB&journal_mode=delete",
            "wal_max=64MiB&locking_mode=exclusive",
            "checkpoint=background&journal_mode=delete",
            "wal_max_action=error",
            "mode=ro&wal_max=64MiB",
            "mode=ro&checkpoint=idle",
            "profile=litestream&wal_autocheckpoint=50",
            "replication=litestream&checkpoint=auto",
            "replication=litestream&wal_max=64MiB",
            "replication=litestream&close_checkpoint=truncate",
            "replication=litestream&persist_wal=0",
            "replication=litestream&journal_mode=delete",
            "replication=litestream&locking_mode=exclusive",
            "replication=litestream&busy_timeout=1s",
            "mode=memory&replication=litestream",
        ] {
            assert_eq!(settled(query), Err("KEEL_CONFLICT"), "{query}");
        }
    }
}
