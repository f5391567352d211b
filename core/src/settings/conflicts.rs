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

fn is_read_only(settings: &Settings) -> bool {
    settings.mode() == Some(words::Mode::Ro) || settings.bool(SettingId::Immutable)
}

fn is_asked(settings: &Settings, id: SettingId) -> bool {
    settings.is_explicit(id) && settings.get(id).is_some()
}

/// Refuses those that were asked for: `by` excludes them.
fn refuse(settings: &Settings, by: SettingId, ids: &[SettingId], why: &str) -> Result<()> {
    match ids.iter().find(|id| is_asked(settings, **id)) {
        Some(id) => Err(settings.conflict(by, *id, why)),
        None => Ok(()),
    }
}

/// Skips those that nobody has asked for.
fn skip(settings: &mut Settings, ids: &[SettingId], why: &'static str) {
    for id in ids {
        if !settings.is_explicit(*id) {
            settings.skip(*id, why);
        }
    }
}

/// Refuses what was asked for and cannot be, and skips what a profile brought and does not apply.
pub(super) fn settle(settings: &mut Settings, memory: bool) -> Result<()> {
    follower(settings, memory)?;
    if memory {
        in_memory(settings)?;
    } else {
        in_a_file(settings)?;
    }
    journals(settings)?;
    checkpoints(settings, memory)?;
    replicated::settle(settings, memory)?;
    restored(settings, memory)?;
    needs_unsafe(settings, memory)
}

fn in_memory(settings: &mut Settings) -> Result<()> {
    use SettingId::{
        Checkpoint, CloseCheckpoint, Immutable, JournalMode, JournalSizeLimit, MmapSize, Mode, WalAutocheckpoint,
        WalMax,
    };
    const NO_FILE: &str = "a database in memory has no file";
    if settings.journal_mode() == Some(words::JournalMode::Wal) {
        refuse(settings, Mode, &[JournalMode], "a database in memory has no WAL")?;
    }
    let of_a_file = [MmapSize, Checkpoint, WalMax, CloseCheckpoint, Immutable, WalAutocheckpoint];
    refuse(settings, Mode, &of_a_file, NO_FILE)?;
    let gone = [JournalMode, MmapSize, WalAutocheckpoint, JournalSizeLimit, Checkpoint, CloseCheckpoint];
    skip(settings, &gone, NO_FILE);
    Ok(())
}

fn in_a_file(settings: &mut Settings) -> Result<()> {
    use SettingId::{ApplicationId, AutoVacuum, JournalMode, JournalSizeLimit, Mkdir, PageSize, WalAutocheckpoint};
    if is_read_only(settings) {
        let by = read_only_by(settings);
        let changing = [JournalMode, PageSize, AutoVacuum, WalAutocheckpoint, ApplicationId];
        refuse(settings, by, &changing, "a database opened read-only cannot be changed")?;
        if settings.bool(Mkdir) {
            refuse(settings, by, &[Mkdir], "nothing is created for a reader")?;
        }
        skip(settings, &[JournalMode, WalAutocheckpoint, JournalSizeLimit], "opened read-only");
    }
    if settings.cache() == Some(words::Cache::Shared) {
        return Err(errors::shared_cache_on_a_file());
    }
    Ok(())
}

fn journals(settings: &mut Settings) -> Result<()> {
    use SettingId::{Defensive, JournalMode, Nolock};
    if settings.bool(Nolock) && settings.journal_mode() == Some(words::JournalMode::Wal) {
        refuse(settings, Nolock, &[JournalMode], "WAL needs locks")?;
        skip(settings, &[JournalMode], "nolock: WAL needs locks");
    }
    if settings.bool(Defensive) && settings.journal_mode() == Some(words::JournalMode::Off) {
        let why = "DEFENSIVE keeps SQLite from turning the journal off";
        return Err(settings.conflict(Defensive, JournalMode, why));
    }
    Ok(())
}

/// What can lose or damage data has to be asked for twice.
fn needs_unsafe(settings: &Settings, memory: bool) -> Result<()> {
    use SettingId::{JournalMode, Modeof, Nolock, Psow, Vfs};
    if settings.bool(SettingId::Unsafe) {
        return Ok(());
    }
    let weak = matches!(settings.journal_mode(), Some(words::JournalMode::Memory | words::JournalMode::Off));
    let apart = settings.text(Vfs).is_some_and(|name| LOCKS_APART.contains(&name));
    let id = match () {
        () if weak && !memory => Some(JournalMode),
        () if apart && !memory => Some(Vfs),
        () => [Nolock, Psow, Modeof].into_iter().find(|id| settings.get(*id).is_some()),
    };
    id.map_or(Ok(()), |id| {
        let value = settings.get(id).map(SettingValue::to_string).unwrap_or_default();
        Err(errors::needs_unsafe(id, &value))
    })
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
fn checkpoints(settings: &mut Settings, memory: bool) -> Result<()> {
    if is_asked(settings, SettingId::WalMaxAction) && settings.int(SettingId::WalMax).unwrap_or(0) == 0 {
        return Err(errors::action_without_limit());
    }
    if memory {
        return Ok(());
    }
    if is_read_only(settings) {
        return checkpoints_of_a_reader(settings);
    }
    checkpoints_need_a_wal(settings)?;
    checkpoints_at_commits(settings)
}

/// A reader does none. That nobody of this process does, it may say.
fn checkpoints_of_a_reader(settings: &mut Settings) -> Result<()> {
    const WHY: &str = "a reader does not checkpoint";
    let by = read_only_by(settings);
    if !matches!(settings.checkpoint(), Some(words::Checkpoint::External | words::Checkpoint::Manual)) {
        refuse(settings, by, &[SettingId::Checkpoint], WHY)?;
    }
    refuse(settings, by, &[SettingId::WalMax], WHY)?;
    for id in [SettingId::Checkpoint, SettingId::WalMax] {
        if settings.get(id).is_some() && !is_asked(settings, id) {
            settings.skip(id, "opened read-only");
        }
    }
    Ok(())
}

fn checkpoints_need_a_wal(settings: &Settings) -> Result<()> {
    use SettingId::{Checkpoint, JournalMode, LockingMode, WalMax};
    use words::Checkpoint::{Auto, External, Manual};
    let who = settings.checkpoint();
    let capped = settings.int(WalMax).unwrap_or(0) > 0;
    if capped && who == Some(External) {
        return Err(settings.conflict(WalMax, Checkpoint, "the WAL is another program's to checkpoint"));
    }
    let by = match who {
        _ if capped => WalMax,
        Some(Auto | External | Manual) => return Ok(()),
        _ if is_asked(settings, Checkpoint) => Checkpoint,
        _ => return Ok(()),
    };
    if settings.journal_mode().is_some_and(|journal| journal != words::JournalMode::Wal) {
        return Err(settings.conflict(by, JournalMode, "only a WAL is checkpointed"));
    }
    if settings.locking_mode() == Some(words::LockingMode::Exclusive) {
        let why = "no second connection can checkpoint an exclusive one's WAL";
        return Err(settings.conflict(by, LockingMode, why));
    }
    Ok(())
}

/// `checkpoint` and `wal_autocheckpoint` say the same, or the one that was asked for says what the other is.
fn checkpoints_at_commits(settings: &mut Settings) -> Result<()> {
    use SettingId::{Checkpoint, WalAutocheckpoint};
    use words::Checkpoint::{Auto, AutoIdle, Background};
    let who = settings.checkpoint();
    let at_commit = matches!(who, Some(Auto | AutoIdle | Background));
    let asks_who = is_asked(settings, Checkpoint);
    let asks_pages = is_asked(settings, WalAutocheckpoint);
    match settings.int(WalAutocheckpoint) {
        Some(0) if at_commit && asks_who => {
            Err(settings.conflict(WalAutocheckpoint, Checkpoint, "0 pages mean no checkpoint at commits"))
        }
        // Whoever asks for no checkpoints at commits gets none from a profile either.
        Some(0) if at_commit => {
            settings.set(Checkpoint, SettingValue::Word("manual"), settings.origin(WalAutocheckpoint));
            Ok(())
        }
        Some(pages) if pages > 0 && !at_commit && who.is_some() => {
            match (asks_pages, asks_who) {
                (true, true) => {
                    let why = "that is SQLite's checkpoint at commits";
                    return Err(settings.conflict(Checkpoint, WalAutocheckpoint, why));
                }
                (true, false) => {
                    settings.set(Checkpoint, SettingValue::Word("auto"), settings.origin(WalAutocheckpoint));
                }
                (false, _) => settings.set(WalAutocheckpoint, SettingValue::Int(0), settings.origin(Checkpoint)),
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
