//! The settings a URL asks for, held against its profile and against what servers need.

use litekeel_core::ReportRow;
use litekeel_core::words;
use litekeel_core::{Hazard, HazardLevel};
use litekeel_core::{Origin, SETTINGS, SettingId, SettingKind, SettingUnit, Settings};
use serde::Serialize;

/// One setting as the inspecting connection has it.
#[derive(Serialize)]
pub struct Line {
    name: &'static str,
    value: String,
    source: &'static str,
    note: String,
}

impl From<&ReportRow> for Line {
    fn from(row: &ReportRow) -> Line {
        Line { name: row.name, value: row.value.clone(), source: row.source, note: row.note.clone() }
    }
}

/// Below this a server's writers fail under ordinary load, in milliseconds.
const SHORT_WAIT: i64 = 1000;

/// The value as a person would write it.
fn shown(id: SettingId, value: &str) -> String {
    let kind = SETTINGS.iter().find(|row| row.id == id).map(|row| row.kind);
    match (kind, value) {
        (Some(SettingKind::Bool), "0") => "off".to_owned(),
        (Some(SettingKind::Bool), "1") => "on".to_owned(),
        (Some(SettingKind::Int { unit: SettingUnit::Millis, .. }), number) => match number.strip_suffix("000") {
            Some(seconds) if !seconds.is_empty() => format!("{seconds}s"),
            _ => format!("{number}ms"),
        },
        _ => value.to_owned(),
    }
}

/// What differs from the profile, and what of it is dangerous.
pub fn findings(settings: &Settings) -> Vec<Hazard> {
    let check = "settings";
    let differing: Vec<String> = settings
        .overrides
        .iter()
        .filter(|change| change.from_origin == Origin::Profile)
        .map(|change| {
            let now = settings.get(change.id).map(|value| shown(change.id, &value.to_string())).unwrap_or_default();
            format!("{}={now} instead of {}", change.id.key(), shown(change.id, &change.from.to_string()))
        })
        .collect();
    let profile = settings.profile().map_or("", words::ProfileName::as_str);
    let mut found = vec![match differing.as_slice() {
        [] => Hazard::new(check, HazardLevel::Fine, format!("of this URL: profile {profile}"), ""),
        some => Hazard::new(
            check,
            HazardLevel::Note,
            format!("of this URL: profile {profile}, but {}", some.join(", ")),
            "",
        ),
    }];
    let mut warn =
        |found_text: String, remedy: &str| found.push(Hazard::new(check, HazardLevel::Warning, found_text, remedy));
    match settings.journal_mode() {
        Some(words::JournalMode::Wal) | None => {}
        Some(other) => warn(
            format!("journal_mode={}: a writer keeps every reader out", other.as_str()),
            "leave journal_mode out, which gives wal",
        ),
    }
    if settings.synchronous() == Some(words::Synchronous::Off) {
        warn("synchronous=off: a power loss can damage the database".into(), "synchronous=normal is safe in WAL mode");
    }
    if settings.get(SettingId::ForeignKeys).is_some() && !settings.bool(SettingId::ForeignKeys) {
        warn("foreign_keys=off: REFERENCES are not enforced".into(), "leave foreign_keys out, which gives on");
    }
    if let Some(ms) = settings.int(SettingId::BusyTimeout).filter(|ms| *ms < SHORT_WAIT) {
        warn(format!("busy_timeout={ms} ms: writers will fail under load"), "leave it out, which gives 5 s");
    }
    if settings.bool(SettingId::TrustedSchema) {
        warn("trusted_schema=on: a crafted database can call any function".into(), "mark those functions innocuous");
    }
    if settings.bool(SettingId::Unsafe) {
        warn("unsafe=1: values that lose data are let through".into(), "remove unsafe=1 unless one of them is meant");
    }
    found
}
