//! Files that Litestream replicates: nothing of this process moves their WAL.
//!
//! A checkpoint beside Litestream's own can begin the WAL anew before it has been copied, and the replica is corrupt without
//! an error anywhere. The settings leave checkpoints out; here they are refused whoever asks, on SQLite's own handle too, and
//! for a Litestream that came after the database was opened.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};

use crate::error::codes;
use crate::events::{Event, with_database};
use crate::platform::clock::now_ms;
use crate::platform::path_facts::litestream_directory;
use crate::sqlite;
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::wal_index::WalIndex;

/// What a refused pragma's message begins with.
pub(crate) const REFUSED: &str = "Litestream replicates this database";

/// At most one `wal_alarm` in so many milliseconds.
const ALARM_EVERY: u64 = 60_000;

/// Nobody of litekeel has asked; looked for at each checkpoint; it is replicated.
const UNASKED: u8 = 0;
const LOOKED_FOR: u8 = 1;
const REPLICATED: u8 = 2;

/// What is known of one file's replication.
#[derive(Default)]
pub(crate) struct Replicated {
    state: AtomicU8,
    alarm: AtomicI64,
    alarmed_at: AtomicU64,
}

impl Replicated {
    /// It is replicated, for as long as this process has it open. `alarm`: the event's threshold in bytes, 0 for none.
    pub(crate) fn declare(&self, alarm: i64) {
        self.alarm.store(alarm, Ordering::Relaxed);
        self.state.store(REPLICATED, Ordering::Release);
    }

    /// It is to be looked for at each checkpoint.
    pub(crate) fn look_out(&self, alarm: i64) {
        if self.state.compare_exchange(UNASKED, LOOKED_FOR, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.alarm.store(alarm, Ordering::Relaxed);
        }
    }

    /// Whether it is known to be replicated.
    pub(crate) fn is_known(&self) -> bool {
        self.state.load(Ordering::Acquire) == REPLICATED
    }
}

/// Whether the connection's file is replicated; looks for Litestream, where it may have come since the open.
pub(crate) fn is_replicated(watch: &FileMonitor) -> bool {
    let known = &watch.file.replicated;
    match known.state.load(Ordering::Acquire) {
        REPLICATED => true,
        LOOKED_FOR => directory(watch).is_some_and(|directory| {
            known.state.store(REPLICATED, Ordering::Release);
            let event = Event::new("replication_detected")
                .text("sign", directory.display().to_string())
                .text("message", format!("{REFUSED} since it was opened: litekeel no longer checkpoints"));
            watch.subscribers().emit_inside_call(with_database(event, Some(watch.place())));
            true
        }),
        _ => false,
    }
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
    let known = &watch.file.replicated;
    let (alarm, bytes) = (known.alarm.load(Ordering::Relaxed), index.bytes(index.frames.into()));
    if alarm == 0 || bytes < alarm {
        return;
    }
    let (now, before) = (now_ms().max(1), known.alarmed_at.load(Ordering::Relaxed));
    if before != 0 && now.saturating_sub(before) < ALARM_EVERY {
        return;
    }
    known.alarmed_at.store(now, Ordering::Relaxed);
    let event = Event::new("wal_alarm").int("bytes", bytes).int("wal_alarm", alarm).text(
        "message",
        "Litestream has not checkpointed for long, and nobody else does: see whether it runs, and what its log says",
    );
    watch.subscribers().emit_inside_call(with_database(event, Some(watch.place())));
}
