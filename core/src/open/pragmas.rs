//! The pragmas, in the groups in which their order matters.

use super::Opening;
use super::errors;
use super::target::Prepared;
use crate::error::{FailedStep, Result};
use crate::report::OpenReport;
use crate::settings::words;
use crate::settings::{SettingId, SettingKind, SettingStep, SettingValue, Settings, TABLE};
use crate::sqlite;

/// Set on their own, before or after the others.
const ORDERED: &[SettingId] = &[
    SettingId::JournalMode,
    SettingId::LockingMode,
    SettingId::ForeignKeys,
    SettingId::RecursiveTriggers,
    SettingId::QueryOnly,
];

/// Setting them answers with what is in force from then on, so that verification need not ask again.
const ANSWERED: &[SettingId] = &[SettingId::JournalSizeLimit, SettingId::MmapSize, SettingId::LockingMode];

/// The number by which SQLite knows a setting's word, or the value itself: what the pragma takes and reads back.
pub(crate) fn pragma_value(id: SettingId, value: &SettingValue) -> String {
    match (id.setting().kind, value) {
        // These two answer with the word.
        (_, SettingValue::Word(word)) if matches!(id, SettingId::JournalMode | SettingId::LockingMode) => {
            (*word).to_owned()
        }
        (SettingKind::Word(words), SettingValue::Word(word)) => {
            words.iter().position(|other| other == word).unwrap_or(0).to_string()
        }
        _ => value.to_string(),
    }
}

fn set(opening: &Opening, settings: &Settings, id: SettingId, step: FailedStep) -> Result<()> {
    let Some(value) = settings.get(id) else { return Ok(()) };
    let value = match (id, value) {
        // The header's field is signed in SQL.
        (SettingId::ApplicationId, SettingValue::Int(value)) => (*value as u32 as i32).to_string(),
        // Only the word sets it; the number is what it reads back as.
        (SettingId::SecureDelete, SettingValue::Word(word)) => (*word).to_owned(),
        (_, value) => pragma_value(id, value),
    };
    let answer = opening.run(format!("PRAGMA {}={value}", id.key()), step)?;
    if ANSWERED.contains(&id) {
        opening.pragma_answers.borrow_mut().push((id, answer));
    }
    Ok(())
}

const CREATE: &[SettingId] = &[SettingId::PageSize, SettingId::AutoVacuum, SettingId::ApplicationId];

/// Once a page is written, and above all once WAL is on, SQLite ignores these without a word.
pub(super) fn create_only(opening: &Opening, settings: &Settings) -> Result<()> {
    CREATE.iter().try_for_each(|id| set(opening, settings, *id, FailedStep::Create))
}

/// The create-only settings of a database that exists must be what was asked for.
pub(super) fn refuse_create_only(opening: &Opening, settings: &Settings) -> Result<()> {
    for id in CREATE {
        let Some(value) = settings.get(*id) else { continue };
        let has = opening.run(format!("PRAGMA {}", id.key()), FailedStep::Create)?.unwrap_or_default();
        let wanted = match value {
            SettingValue::Int(value) if *id == SettingId::ApplicationId => (*value as u32 as i32).to_string(),
            value => pragma_value(*id, value),
        };
        if has != wanted {
            let path = opening.path.as_deref();
            return Err(errors::exists_with_another(path, *id, &value.to_string(), &shown(*id, &has)));
        }
    }
    Ok(())
}

fn shown(id: SettingId, has: &str) -> String {
    match (id.setting().kind, has.parse::<usize>()) {
        (SettingKind::Word(words), Ok(index)) if index < words.len() => words[index].to_owned(),
        _ => has.to_owned(),
    }
}

pub(super) fn locking_mode(opening: &Opening, settings: &Settings) -> Result<()> {
    set(opening, settings, SettingId::LockingMode, FailedStep::Pragma(SettingId::LockingMode.key()))
}

/// Everything that has no order of its own, then the two that a transaction would swallow.
pub(super) fn tune(opening: &Opening, settings: &Settings, prepared: &Prepared) -> Result<()> {
    for row in TABLE.iter().filter(|row| row.step == SettingStep::Pragma && !ORDERED.contains(&row.id)) {
        if row.id == SettingId::MmapSize && prepared.no_mmap.is_some() {
            opening.run("PRAGMA mmap_size=0".to_owned(), FailedStep::Pragmas)?;
        } else {
            set(opening, settings, row.id, FailedStep::Pragmas)?;
        }
    }
    if cfg!(target_os = "macos") && settings.get(SettingId::FullFsync).is_none() {
        opening.run("PRAGMA fullfsync=1".to_owned(), FailedStep::Pragmas)?;
    }
    // SAFETY: the handle is open and nobody else has it yet.
    debug_assert!(unsafe { sqlite::sqlite3_get_autocommit(opening.raw) } != 0);
    set(opening, settings, SettingId::ForeignKeys, FailedStep::Pragma(SettingId::ForeignKeys.key()))?;
    set(opening, settings, SettingId::RecursiveTriggers, FailedStep::Pragma(SettingId::RecursiveTriggers.key()))
}

/// What is asked of the file's VFS and of close.
pub(super) fn file_controls(opening: &Opening, settings: &Settings) -> Result<()> {
    // SAFETY: both opcodes take an int (by pointer, or by value with a pointer for the answer).
    unsafe {
        if settings.bool(SettingId::PersistWal) && opening.path.is_some() {
            let mut on: i32 = 1;
            let rc = sqlite::sqlite3_file_control(
                opening.raw,
                c"main".as_ptr(),
                sqlite::SQLITE_FCNTL_PERSIST_WAL,
                (&raw mut on).cast(),
            );
            if rc != sqlite::SQLITE_OK {
                return Err(opening.fail(rc, FailedStep::PersistWal));
            }
        }
        if settings.close_checkpoint() == Some(words::CloseCheckpoint::None) {
            let mut on: i32 = 0;
            sqlite::sqlite3_db_config(opening.raw, sqlite::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1i32, &raw mut on);
        }
    }
    Ok(())
}

/// Statistics are not worth waiting for, nor a failed open.
pub(super) fn optimize(opening: &Opening, report: &mut OpenReport) {
    if let Err(error) = opening.run("PRAGMA optimize=0x10002".to_owned(), FailedStep::Optimize) {
        report.warnings.push(format!("optimize: {}", error.message()));
    }
}

pub(super) fn query_only(opening: &Opening, settings: &Settings) -> Result<()> {
    set(opening, settings, SettingId::QueryOnly, FailedStep::Pragma(SettingId::QueryOnly.key()))
}
