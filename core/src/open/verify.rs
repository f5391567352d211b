//! Reading every setting back: SQLite accepts a pragma it does not apply without a word.

use std::path::Path;

use super::errors;
use crate::error::{FailedStep, Result};
use crate::explain::{on_disk, other_format};
use crate::open::compile_options;
use crate::open::errors::not_writable;
use crate::open::target::Prepared;
use crate::open::{Opening, pragma_value, read_switch, sqlite_version};
use crate::platform::path_facts::can_access;
use crate::platform::path_facts::owner_and_mode as owner;
use crate::raw::handle;
use crate::report::{OpenReport, ReportRow};
use crate::settings::Access;
use crate::settings::{SettingId, SettingStep, SettingValue, Settings, TABLE};
use crate::sqlite;

const STEP: FailedStep = FailedStep::Verify;

/// Compares the connection with what was asked of it, and fills the report's rows.
pub(crate) fn verify(
    opening: &Opening,
    settings: &Settings,
    prepared: &Prepared,
    report: &mut OpenReport,
) -> Result<()> {
    // SAFETY: no arguments.
    version(unsafe { sqlite::sqlite3_libversion_number() })?;
    if let (Some(path), true) = (&opening.path, opening.access != Access::Read) {
        writable(opening, path)?;
    }
    for row in TABLE {
        let value = settings.get(row.id);
        let mut line = ReportRow {
            name: row.key,
            wanted: value.map(SettingValue::to_string).unwrap_or_default(),
            source: settings.origin(row.id).as_str(),
            ..ReportRow::default()
        };
        match row.step {
            SettingStep::Pragma | SettingStep::Create => {
                let has = read_back(opening, row.id)?;
                line.value = has.clone().unwrap_or_default();
                // A database in memory has no answer to some of them.
                if let (Some(value), Some(has)) = (value, has) {
                    let forced = prepared.no_mmap.filter(|_| row.id == SettingId::MmapSize);
                    match forced {
                        None => compare(opening, row.id, value, &has)?,
                        Some(why) if line.wanted != "0" => {
                            line.note = format!("forced to 0: {why}");
                            report.warnings.push(format!("mmap_size: {}", line.note));
                        }
                        Some(_) => {}
                    }
                }
                if row.id == SettingId::FullFsync && settings.bool(row.id) && !cfg!(target_vendor = "apple") {
                    line.note = "changes nothing: this system has no F_FULLFSYNC".to_owned();
                }
            }
            SettingStep::Busy if row.id == SettingId::BusyTimeout => {
                line.value = match opening.busy_timeout() {
                    Some(ms) => ms.to_string(),
                    None => opening.run("PRAGMA busy_timeout".to_owned(), STEP)?.unwrap_or_default(),
                };
            }
            _ => line.value = line.wanted.clone(),
        }
        report.rows.push(line);
    }
    Ok(())
}

/// What a pragma is now, as SQLite says: when it was set, by a switch, or asked.
fn read_back(opening: &Opening, id: SettingId) -> Result<Option<String>> {
    if let Some((_, answer)) = opening.pragma_answers.borrow().iter().rfind(|(other, _)| *other == id) {
        return Ok(answer.clone());
    }
    if id == SettingId::ForeignKeys {
        let on = read_switch(opening, sqlite::SQLITE_DBCONFIG_ENABLE_FKEY);
        return Ok(Some(i32::from(on).to_string()));
    }
    opening.run(format!("PRAGMA {}", id.key()), STEP)
}

fn compare(opening: &Opening, id: SettingId, value: &SettingValue, has: &str) -> Result<()> {
    let wanted = match (id, value) {
        (SettingId::ApplicationId, SettingValue::Int(value)) => (*value as u32 as i32).to_string(),
        // SQLite's numbers are 0 off, 1 on, 2 fast, as in the table.
        _ => pragma_value(id, value),
    };
    if has == wanted {
        return Ok(());
    }
    let why = match (id, has) {
        (SettingId::JournalMode, "memory") => "a database in memory has no other journal",
        (SettingId::JournalMode, "delete") if value == &SettingValue::Word("wal") => {
            "this VFS has no shared memory, which WAL needs (locking_mode=exclusive does without)"
        }
        (SettingId::JournalMode, _) => "SQLite kept its mode; another connection may be using it",
        (SettingId::MmapSize, _) => "this SQLite was compiled with a smaller SQLITE_MAX_MMAP_SIZE",
        _ => "SQLite ignored the pragma",
    };
    Err(errors::setting_not_applied(opening.path.as_deref(), id, &value.to_string(), has, why).with_step(STEP))
}

/// SQLite opens a file that may only be read without complaint; the first write would fail instead.
fn writable(opening: &Opening, path: &Path) -> Result<()> {
    // SAFETY: the handle is open and nobody else has it yet.
    let read_only = unsafe { sqlite::sqlite3_db_readonly(opening.raw, c"main".as_ptr()) } != 0;
    let parent = path.parent().unwrap_or(Path::new("/"));
    let directory = can_access(parent, libc::W_OK | libc::X_OK);
    if !read_only && directory {
        return Ok(());
    }
    // SAFETY: the handle is open and nobody else has it yet.
    let (why, hint) = match on_disk(path).or_else(|| unsafe { other_format(opening.raw) }) {
        Some(found) => (found.why, found.hint),
        None if !directory => (
            format!("the directory {} may not be written ({})", parent.display(), owner(parent)),
            "SQLite creates the -wal and -shm there: give this user write permission on the directory".to_owned(),
        ),
        None => ("SQLite opened it read-only".to_owned(), "open it with mode=ro".to_owned()),
    };
    Err(not_writable(path, &why, &hint).with_step(STEP))
}

/// Refuses a SQLite whose WAL reset can corrupt the file.
fn version(number: i32) -> Result<()> {
    let fixed =
        number >= 3_051_003 || (3_050_007..3_051_000).contains(&number) || (3_044_006..3_045_000).contains(&number);
    if fixed {
        return Ok(());
    }
    Err(errors::sqlite_too_old(&sqlite_version()).with_step(STEP))
}

/// The facts that are no settings.
pub(crate) fn describe(opening: &Opening, settings: &Settings, report: &mut OpenReport) {
    for change in &settings.overrides {
        let now = settings.get(change.id).map(SettingValue::to_string).unwrap_or_default();
        report.overrides.push(format!(
            "{}: {now} ({}) over {} ({})",
            change.id.key(),
            settings.origin(change.id).as_str(),
            change.from,
            change.from_origin.as_str()
        ));
    }
    for skipped in &settings.skipped {
        if let Some(row) = report.rows.iter_mut().find(|row| row.name == skipped.id.key()) {
            row.note = format!("the profile's {} does not apply: {}", skipped.value, skipped.why);
        }
    }
    report.fact("sqlite_version", sqlite_version());
    // SAFETY: a static string.
    report.fact("sqlite_source_id", unsafe { handle::copy_text(sqlite::sqlite3_sourceid()) }.unwrap_or_default());
    let differences = compile_options::differences();
    report.fact("sqlite_build", if differences.is_empty() { "litekeel" } else { "other" });
    if !differences.is_empty() {
        report.warnings.push(format!(
            "this SQLite was not compiled as litekeel compiles it ({differences}): build with its LIBSQLITE3_FLAGS \
             (docs/building.md)"
        ));
    }
    let extensions = read_switch(opening, sqlite::SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION);
    report.fact("load_extension", if extensions { "1" } else { "0" });
    if let Some(name) = report.file_system.clone() {
        report.fact("file_system", name);
    }
    report.fact("new_database", if report.new_database { "1" } else { "0" });
    report.fact("recovered_frames", report.recovered_frames.to_string());
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn the_versions_with_the_wal_reset_bug_are_refused() {
        for good in [3_051_003, 3_054_001, 3_050_007, 3_044_006] {
            assert!(version(good).is_ok(), "{good}");
        }
        for bad in [3_051_002, 3_050_006, 3_045_003, 3_044_005, 3_040_001] {
            assert!(version(bad).is_err(), "{bad}");
        }
    }
}
