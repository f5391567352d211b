//! Settings that exclude each other. Only what was asked for conflicts; a profile's value gives way.

use super::table::Id;
use super::{Settings, Value};
use crate::codes;
use crate::error::{Error, Result};

fn conflict(settings: &Settings, a: Id, b: Id, why: &str) -> Error {
    let show = |id: Id| format!("{}={}", id.key(), settings.get(id).map(Value::to_string).unwrap_or_default());
    Error::new(codes::CONFLICT, format!("{} and {} exclude each other: {why}", show(a), show(b))).with_hint(format!(
        "remove {} or {}",
        a.key(),
        b.key()
    ))
}

/// Refuses what was asked for and cannot be, and skips what a profile brought and does not apply.
pub(super) fn settle(settings: &mut Settings, memory: bool) -> Result<()> {
    let read_only = settings.word(Id::Mode) == "ro" || settings.bool(Id::Immutable);
    let asked = |s: &Settings, id: Id| s.is_explicit(id) && s.get(id).is_some();
    let drop = |s: &mut Settings, id: Id, why: &'static str| {
        if !s.is_explicit(id) {
            s.skip(id, why);
        }
    };

    if read_only && !memory {
        let by = if settings.bool(Id::Immutable) { Id::Immutable } else { Id::Mode };
        for id in [Id::JournalMode, Id::PageSize, Id::AutoVacuum, Id::WalAutocheckpoint, Id::ApplicationId] {
            if asked(settings, id) {
                return Err(conflict(settings, by, id, "a database opened read-only cannot be changed"));
            }
        }
        if asked(settings, Id::Mkdir) && settings.bool(Id::Mkdir) {
            return Err(conflict(settings, by, Id::Mkdir, "nothing is created for a reader"));
        }
        for id in [Id::JournalMode, Id::WalAutocheckpoint, Id::JournalSizeLimit] {
            drop(settings, id, "opened read-only");
        }
    }
    if memory {
        let wal = settings.word(Id::JournalMode) == "wal";
        if wal && asked(settings, Id::JournalMode) {
            return Err(conflict(settings, Id::Mode, Id::JournalMode, "a database in memory has no WAL"));
        }
        for id in [Id::MmapSize, Id::Checkpoint, Id::CloseCheckpoint, Id::Immutable, Id::WalAutocheckpoint] {
            if asked(settings, id) {
                return Err(conflict(settings, Id::Mode, id, "a database in memory has no file"));
            }
        }
        for id in [Id::JournalMode, Id::MmapSize, Id::WalAutocheckpoint, Id::JournalSizeLimit, Id::Checkpoint] {
            drop(settings, id, "a database in memory has no file");
        }
        drop(settings, Id::CloseCheckpoint, "a database in memory has no file");
    } else if settings.word(Id::Cache) == "shared" {
        return Err(Error::new(
            codes::CONFLICT,
            "cache=shared on a file: SQLite's shared cache ignores the busy timeout",
        )
        .with_hint("remove cache=shared; WAL already lets readers and a writer work side by side"));
    }
    if settings.bool(Id::Nolock) && settings.word(Id::JournalMode) == "wal" {
        if asked(settings, Id::JournalMode) {
            return Err(conflict(settings, Id::Nolock, Id::JournalMode, "WAL needs locks"));
        }
        drop(settings, Id::JournalMode, "nolock: WAL needs locks");
    }
    if settings.bool(Id::Defensive) && settings.word(Id::JournalMode) == "off" {
        return Err(conflict(
            settings,
            Id::Defensive,
            Id::JournalMode,
            "DEFENSIVE keeps SQLite from turning the journal off",
        ));
    }
    if settings.int(Id::WalAutocheckpoint) == Some(0)
        && settings.word(Id::Checkpoint) == "auto"
        && asked(settings, Id::Checkpoint)
    {
        return Err(conflict(settings, Id::WalAutocheckpoint, Id::Checkpoint, "auto is SQLite's automatic checkpoint"));
    }
    if !settings.bool(Id::Unsafe) {
        let journal = matches!(settings.word(Id::JournalMode), "memory" | "off") && !memory;
        let id = match () {
            () if journal => Some(Id::JournalMode),
            () => [Id::Nolock, Id::Psow, Id::Modeof].into_iter().find(|id| settings.get(*id).is_some()),
        };
        if let Some(id) = id {
            let value = settings.get(id).map(Value::to_string).unwrap_or_default();
            return Err(Error::new(codes::NEEDS_UNSAFE, format!("{}={value} can lose or damage data", id.key())));
        }
    }
    Ok(())
}
