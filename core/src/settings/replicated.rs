//! What every connection to a database must have that Litestream replicates.
//!
//! Litestream reads the WAL and does the checkpoints itself. A checkpoint by anybody else can reset the WAL before it has
//! been copied: the replica then restores as a corrupt database, and no error is seen until somebody restores it.

use super::errors;
use super::table::SettingId;
use super::words;
use super::{Origin, SettingValue, Settings};
use crate::error::Result;

/// Litestream takes the write lock for moments; in milliseconds.
pub(crate) const LEAST_BUSY_TIMEOUT: i64 = 5000;

/// What may not be asked for, and why; each with the values that are fine.
const EXCLUDED: &[(SettingId, &[&str], &str)] = &[
    (SettingId::JournalMode, &["wal"], "Litestream copies the WAL"),
    (SettingId::LockingMode, &["normal"], "Litestream could not read the database"),
    (SettingId::WalAutocheckpoint, &["0"], "only Litestream may checkpoint"),
    (SettingId::Checkpoint, &["external", "manual"], "only Litestream may checkpoint"),
    (SettingId::WalMax, &["0"], "only Litestream may checkpoint; wal_alarm tells of a large WAL"),
    (SettingId::CloseCheckpoint, &["none"], "only Litestream may checkpoint"),
    (SettingId::PersistWal, &["1"], "Litestream has to find the WAL after the last close"),
    (SettingId::Nolock, &["0"], "Litestream's locks have to be seen"),
];

/// What the URL and the call say of replication, before anything of the database is known.
pub(super) fn settle(settings: &mut Settings, memory: bool) -> Result<()> {
    durability(settings, memory)?;
    if settings.replication() != Some(words::Replication::Litestream) {
        return Ok(());
    }
    if memory {
        if settings.is_explicit(SettingId::Replication) {
            return Err(settings.conflict(SettingId::Mode, SettingId::Replication, "a database in memory has no file"));
        }
        settings.set(SettingId::Replication, SettingValue::Word("none"), Origin::BuiltIn);
        return Ok(());
    }
    if settings.is_explicit(SettingId::BusyTimeout) && short_wait(settings) {
        let why = "Litestream takes the write lock for moments; 5s or more outlasts them";
        return Err(settings.conflict(SettingId::Replication, SettingId::BusyTimeout, why));
    }
    enforce(settings)
}

/// `durability=replicated` declares Litestream, and a commit that is at the replica must outlast a power cut here as well.
fn durability(settings: &mut Settings, memory: bool) -> Result<()> {
    if settings.durability() != Some(words::Durability::Replicated) {
        return Ok(());
    }
    if memory {
        return Err(settings.conflict(SettingId::Mode, SettingId::Durability, "a database in memory has no replica"));
    }
    if settings.replication() == Some(words::Replication::None) {
        return Err(settings.conflict(
            SettingId::Replication,
            SettingId::Durability,
            "nobody would replicate what is committed",
        ));
    }
    settings.set(SettingId::Replication, SettingValue::Word("litestream"), Origin::Replication);
    if !matches!(settings.synchronous(), Some(words::Synchronous::Full | words::Synchronous::Extra)) {
        if settings.is_explicit(SettingId::Synchronous) {
            let why = "after a power cut the replica could have what this database has lost: full or extra";
            return Err(settings.conflict(SettingId::Durability, SettingId::Synchronous, why));
        }
        settings.set(SettingId::Synchronous, SettingValue::Word("full"), Origin::Replication);
    }
    Ok(())
}

/// Whether the connection gives up before Litestream may have given the write lock back.
pub(crate) fn short_wait(settings: &Settings) -> bool {
    settings.int(SettingId::BusyTimeout).unwrap_or(0) < LEAST_BUSY_TIMEOUT
}

/// Gives the settings the values that keep a replica whole.
///
/// # Errors
/// `KEEL_CONFLICT` for a setting that was asked for and would break it.
pub(crate) fn enforce(settings: &mut Settings) -> Result<()> {
    let reads = settings.mode() == Some(words::Mode::Ro);
    let declared = settings.is_explicit(SettingId::Replication)
        || settings.origin(SettingId::Replication) == Origin::Profile
        || settings.durability() == Some(words::Durability::Replicated);
    for (id, fine, why) in EXCLUDED {
        let value = settings.get(*id).map(SettingValue::to_string);
        if !settings.is_explicit(*id) || value.as_deref().is_none_or(|value| fine.contains(&value)) {
            continue;
        }
        if declared {
            return Err(settings.conflict(SettingId::Replication, *id, why));
        }
        return Err(errors::excluded_by_litestream(*id, &value.unwrap_or_default(), why));
    }
    let mut force = |id: SettingId, value: SettingValue| {
        if !settings.is_explicit(id) && settings.get(id) != Some(&value) {
            settings.set(id, value, Origin::Replication);
        }
    };
    if !reads {
        force(SettingId::JournalMode, SettingValue::Word("wal"));
        force(SettingId::Checkpoint, SettingValue::Word("external"));
        force(SettingId::JournalSizeLimit, SettingValue::Int(-1));
    }
    force(SettingId::WalAutocheckpoint, SettingValue::Int(0));
    force(SettingId::CloseCheckpoint, SettingValue::Word("none"));
    force(SettingId::PersistWal, SettingValue::Bool(true));
    if short_wait(settings) && !settings.is_explicit(SettingId::BusyTimeout) {
        settings.set(SettingId::BusyTimeout, SettingValue::Int(LEAST_BUSY_TIMEOUT), Origin::Replication);
    }
    Ok(())
}
