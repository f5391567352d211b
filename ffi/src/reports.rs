//! Reports as packed rows.

use litekeel_core::HealthCheck;
use litekeel_core::Holder;
use litekeel_core::{Cell, Encoder, Packed};
use litekeel_core::{Connection, Error, hazards};

/// Those who hold a lock: pid, role, state, command, since (milliseconds or NULL), sql, opened_at.
pub(crate) fn holders(list: &[Holder]) -> Packed {
    let names: [&[u8]; 7] = [b"pid", b"role", b"state", b"command", b"since", b"sql", b"opened_at"];
    let mut rows = Encoder::new(names);
    for holder in list {
        rows.push(Cell::Int(holder.pid.into()));
        rows.push(Cell::Text(holder.role.as_str().as_bytes()));
        rows.push(Cell::Text(holder.state.as_str().as_bytes()));
        rows.push(Cell::Text(holder.command.as_bytes()));
        rows.push(holder.since.map_or(Cell::Null, |since| Cell::Int(since.as_millis() as i64)));
        for optional in [&holder.sql, &holder.opened_at] {
            rows.push(optional.as_ref().map_or(Cell::Null, |text| Cell::Text(text.as_bytes())));
        }
    }
    rows.finish()
}

pub(crate) fn report(connection: &Connection) -> Packed {
    let names: [&[u8]; 5] = [b"name", b"value", b"wanted", b"source", b"note"];
    let mut rows = Encoder::new(names);
    let report = connection.report();
    for row in &report.rows {
        for text in [row.name, &row.value, &row.wanted, row.source, &row.note] {
            rows.push(Cell::Text(text.as_bytes()));
        }
    }
    for warning in &report.warnings {
        for text in ["warning", "", "", "", warning] {
            rows.push(Cell::Text(text.as_bytes()));
        }
    }
    rows.finish()
}

/// What `keel_diagnose` gives.
pub(crate) fn diagnose(connection: &Connection) -> Result<Packed, Error> {
    let names: [&[u8]; 3] = [b"name", b"value", b"hint"];
    let mut rows = Encoder::new(names);
    let mut row = |name: &str, value: Cell<'_>, hint: &str| {
        rows.push(Cell::Text(name.as_bytes()));
        rows.push(value);
        rows.push(Cell::Text(hint.as_bytes()));
    };
    let health = connection.health()?;
    for HealthCheck { name, verdict, note, hint, .. } in &health.checks {
        let hint = [note.as_str(), hint].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
        row(name, Cell::Text(verdict.as_str().as_bytes()), &hint);
    }
    if let Some(error) = &health.latched {
        row("latched", Cell::Text(error.name().as_bytes()), &error.to_string());
    }
    for attached in connection.attached()? {
        let rows = attached.rows.iter().map(|row| format!("{}={}", row.name, row.value));
        let text = format!("{}: {}", attached.name, rows.collect::<Vec<_>>().join(" "));
        row("attached_settings", Cell::Text(text.as_bytes()), &attached.warnings.join("; "));
    }
    if let Some(status) = connection.wal_status()? {
        for (name, value) in [
            ("wal_frames", status.frames),
            ("wal_checkpointed", status.checkpointed),
            ("wal_bytes", status.bytes),
            ("page_size", status.page_size),
        ] {
            row(name, Cell::Int(value), "");
        }
    }
    for pin in connection.pins()?.iter().flat_map(|pins| &pins.pins) {
        row("pin", Cell::Text(pin.describe().as_bytes()), "end that read transaction, and the WAL can be recycled");
    }
    if let (Some(path), Some(settings)) = (connection.path(), connection.settings()) {
        for finding in hazards(path, settings) {
            row(finding.check, Cell::Text(finding.found.as_bytes()), &finding.remedy);
        }
    }
    Ok(rows.finish())
}
