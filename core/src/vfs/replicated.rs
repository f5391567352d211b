//! Files that Litestream replicates: nothing of this process moves their WAL.
//!
//! A checkpoint beside Litestream's own can begin the WAL anew before it has been copied, and the replica is corrupt without
//! an error anywhere. The settings leave checkpoints out; here they are refused whoever asks, on SQLite's own handle too, and
//! for a Litestream that came after the database was opened.

use std::path::PathBuf;

use crate::error::codes;
use crate::events::{Event, EventName, with_database};
use crate::platform::path_facts::litestream_directory;
use crate::sqlite;
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::wal_index::WalIndex;

/// What a refused pragma's message begins with.
pub(crate) const REFUSED: &str = "Litestream replicates this database";

/// Whether the connection's file is replicated; looks for Litestream, where it may have come since the open.
pub(crate) fn is_replicated(watch: &FileMonitor) -> bool {
    let known = &watch.file.replicated;
    if known.is_known() {
        return true;
    }
    let Some(directory) = known.is_looked_for().then(|| directory(watch)).flatten() else { return false };
    known.found();
    let event = Event::new(EventName::ReplicationDetected)
        .text("sign", directory.display().to_string())
        .text("message", format!("{REFUSED} since it was opened: litekeel no longer checkpoints"));
    watch.subscribers().emit_inside_call(with_database(event, Some(watch.place())));
    true
}

/// Litestream's directory, by the name that SQLite opened and by the one that the application knows.
fn directory(watch: &FileMonitor) -> Option<PathBuf> {
    let other = || (watch.place() != watch.path).then(|| litestream_directory(watch.place())).flatten();
    litestream_directory(&watch.path).or_else(other)
}

/// SQLite's code for refusing what moves, cuts or removes the WAL; `None` to allow it.
pub(crate) fn refuses(watch: &FileMonitor) -> Option<i32> {
    is_replicated(watch).then_some(sqlite::SQLITE_AUTH)
}

/// Why a pragma is refused; `None` to allow it.
pub(crate) fn refuses_pragma(watch: &FileMonitor, name: &[u8], value: Option<&[u8]>) -> Option<String> {
    let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    let has = |other: &str| value.is_some_and(|value| value.eq_ignore_ascii_case(other.as_bytes()));
    let why = if is("wal_checkpoint") {
        (!has("noop")).then_some("only Litestream may checkpoint")
    } else if is("wal_autocheckpoint") {
        let digits = value.unwrap_or_default().trim_ascii();
        let digits = digits.strip_prefix(b"+").unwrap_or(digits);
        digits.first().is_some_and(|first| matches!(first, b'1'..=b'9')).then_some("only Litestream may checkpoint")
    } else if is("journal_mode") {
        let others = ["delete", "truncate", "persist", "memory", "off"];
        others.into_iter().any(has).then_some("it copies the WAL")
    } else if is("locking_mode") {
        has("exclusive").then_some("it could not read the database")
    } else {
        None
    };
    let why = why.filter(|_| is_replicated(watch))?;
    let hint = codes::lookup(codes::REPLICATED).map_or("", |row| row.hint);
    let pragma = String::from_utf8_lossy(name);
    Some(format!("{REFUSED} ({}), and {pragma} is refused: {why} ({hint})", watch.place().display()))
}

/// A connection has committed: tells when the WAL has grown so that Litestream cannot be checkpointing.
pub(crate) fn committed(watch: &FileMonitor, index: &WalIndex) {
    let bytes = index.bytes(index.frames.into());
    let Some(alarm) = watch.file.replicated.alarm_at(bytes) else { return };
    let event = Event::new(EventName::WalAlarm).int("bytes", bytes).int("wal_alarm", alarm).text(
        "message",
        "Litestream has not checkpointed for long, and nobody else does: see whether it runs, and what its log says",
    );
    watch.subscribers().emit_inside_call(with_database(event, Some(watch.place())));
}
