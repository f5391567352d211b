//! The write-ahead log: how large it is, how much of it is in the database, and which readers keep it from being
//! recycled.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::c_int;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Holder, HolderRole, HolderState};
use crate::events::{Event, EventName};
use crate::locks::{self, holders};
use crate::platform::file_id::{FileId, file_id};
use crate::platform::fork::ForkMutex;
use crate::platform::path_facts::sidecar;
use crate::platform::procfs::PosixLock;
use crate::raw::lock_bytes::{READ, READ_LAST, READERS};
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::lock_state::Held;
use crate::vfs::read_lock_keeper;
use crate::vfs::wal_index::WalIndex;
use crate::{registry, sqlite};

/// The state of the WAL at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WalStatus {
    /// Frames in the log. The next writer starts over at 0 once all are in the database and nobody reads them.
    pub frames: i64,
    /// How many of them are in the database already.
    pub checkpointed: i64,
    /// The page size in bytes.
    pub page_size: i64,
    /// The size of the `-wal` file in bytes. It only shrinks by a TRUNCATE checkpoint.
    pub bytes: i64,
}

/// A reader that keeps frames of the WAL from being recycled.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Pin {
    /// Who reads. For a connection of this process with its SQL, its age and where it was opened.
    pub holder: Holder,
    /// The last frame that it sees: a checkpoint stops there. 0: it reads the database file alone, and no frame can be
    /// moved while it does.
    pub frame: i64,
    /// Frames behind it, which cannot be recycled.
    pub frames: i64,
    /// The same in bytes of the `-wal` file.
    pub bytes: i64,
    /// For how long, at least: since this process first saw it there.
    pub since: Option<Duration>,
}

/// The readers of a WAL, the one with the lowest frame first.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Pins {
    /// The state of the WAL.
    pub status: WalStatus,
    /// Every reader.
    pub pins: Vec<Pin>,
}

pub(crate) fn status(index: &WalIndex, path: &Path) -> WalStatus {
    WalStatus {
        frames: index.frames.into(),
        checkpointed: index.backfilled.into(),
        page_size: index.page_size.into(),
        bytes: std::fs::metadata(sidecar(path, "-wal")).map_or(0, |meta| meta.len() as i64),
    }
}

/// How often the table of locks is read for one report.
const LOOKS: u32 = 3;

/// Every reader of the WAL at `path`, whose index has been read already.
pub(crate) fn pins(index: &WalIndex, path: &Path) -> Option<Pins> {
    let shm = file_id(&sidecar(path, "-shm"))?;
    // What is only kept is nobody's read.
    let _nothing_kept = file_id(path).map(read_lock_keeper::look_without);
    let locks = looked_at(shm)?;
    let me = std::process::id();
    // Another process's, too: it is given back in less than this time.
    let others = locks.iter().any(|lock| lock.pid != me && (READ..=READ_LAST).any(|byte| is_read(lock, byte)));
    if others {
        std::thread::sleep(locks::KEPT_BY_OTHERS);
    }
    let still = if others { looked_at(shm)? } else { locks.clone() };
    let mut found = Vec::new();
    for slot in 0..READERS {
        let byte = READ + slot as u64;
        let Some(mark) = index.marks[slot] else { continue };
        // Slot 0 reads the database file alone. A mark beyond the log is left from before it started over.
        let frame = if slot == 0 { 0 } else { mark.min(index.frames) };
        // A row of the table may be of several bytes, and of others in the next look.
        let of = |locks: &[PosixLock]| -> BTreeSet<u32> {
            locks.iter().filter(|lock| is_read(lock, byte)).map(|lock| lock.pid).collect()
        };
        let still = of(&still);
        for pid in of(&locks).into_iter().filter(|pid| *pid == me || still.contains(pid)) {
            let frames = i64::from(index.frames) - i64::from(frame);
            let pin = |holder, since| Pin { holder, frame: frame.into(), frames, bytes: index.bytes(frames), since };
            let own = if pid == me { own(path, slot) } else { Vec::new() };
            if own.is_empty() && (pid != me || !asks(index, path, slot)) {
                found.push(pin(holders::of_process(pid, HolderRole::Reader), None));
            }
            let own = own.into_iter().filter_map(|(holder, since)| Some((holder?, since)));
            found.extend(own.map(|(holder, since)| pin(holder, Some(since))));
        }
    }
    found.sort_by_key(|pin| pin.frame);
    first_seen(shm.ino, &mut found);
    Some(Pins { status: status(index, path), pins: found })
}

/// The locks on the `-shm`. The table is not read at one moment, and a lock that is held may be missing from it. One that was
/// there is reported.
fn looked_at(shm: FileId) -> Option<Vec<PosixLock>> {
    let mut locks = Vec::new();
    for _ in 0..LOOKS {
        let seen = locks::seen(&[shm])?;
        locks.extend(seen.into_iter().filter(|lock| !locks.contains(lock)).collect::<Vec<_>>());
    }
    Some(locks)
}

/// Whether a connection of ours may be about to give back the lock of a mark: who asks for the write lock has the newest one for
/// a moment, again and again.
fn asks(index: &WalIndex, path: &Path, slot: usize) -> bool {
    let newest = if slot == 0 { index.backfilled >= index.frames } else { index.marks[slot] >= Some(index.frames) };
    let on_file = file_id(path).map(registry::on_file).unwrap_or_default();
    newest
        && on_file.iter().any(|(_, activity, watch)| {
            let waits = |watch: &Arc<FileMonitor>| matches!(watch.held(), Held::Nothing | Held::Shared | Held::Read);
            watch.as_ref().is_some_and(waits) && activity.runs_a_write()
        })
}

/// Whether it is a reader's of this byte's mark.
fn is_read(lock: &PosixLock, byte: u64) -> bool {
    !lock.exclusive && lock.start <= byte && byte <= lock.end
}

/// This process's connections that have the lock of a mark, and for how long. The kernel's table has one row for all of them.
/// Without a holder: the first step of one that asks for the write lock, or gone already.
fn own(path: &Path, slot: usize) -> Vec<(Option<Holder>, Duration)> {
    let Some(file) = file_id(path) else { return Vec::new() };
    let found = registry::on_file(file).into_iter().filter_map(|(handle, activity, watch)| {
        let watch = watch?;
        let (_, since) = watch.locks.reading().filter(|(reads, _)| *reads == slot)?;
        let Some(look) = activity.snapshot(Some(watch.held())) else { return Some((None, since)) };
        let holder = Holder {
            command: holders::THIS_PROCESS.to_owned(),
            state: look.state,
            since: Some(since),
            sql: look.sql,
            opened_at: (!handle.opened_at.is_empty()).then_some(handle.opened_at),
            ..holders::of_process(std::process::id(), HolderRole::Reader)
        };
        Some((Some(holder), since))
    });
    found.collect()
}

/// The event of a checkpoint.
pub(crate) fn checkpointed(mode: c_int, frames: i64, done: i64, took: Duration) -> Event {
    let mode = match mode {
        sqlite::SQLITE_CHECKPOINT_PASSIVE => "passive",
        sqlite::SQLITE_CHECKPOINT_FULL => "full",
        sqlite::SQLITE_CHECKPOINT_RESTART => "restart",
        _ => "truncate",
    };
    Event::new(EventName::Checkpointed)
        .text("mode", mode)
        .int("frames", frames)
        .int("checkpointed", done)
        .int("took_us", took.as_micros() as i64)
}

/// By inode, process and frame.
pub(crate) static SEEN: ForkMutex<BTreeMap<(u64, u32, i64), Instant>> = ForkMutex::new(BTreeMap::new());
/// The event of a WAL that has outgrown its cap.
pub(crate) fn stalled(index: &WalIndex, path: &Path, wal_max: i64) -> Event {
    let found = pins(index, path).unwrap_or_else(|| Pins { status: status(index, path), pins: Vec::new() });
    let mut event = Event::new(EventName::WalStalled)
        .int("bytes", found.status.bytes)
        .int("wal_max", wal_max)
        .int("frames", found.status.frames)
        .int("checkpointed", found.status.checkpointed);
    if let Some(pin) = found.pins.first() {
        event = event
            .int("pid", pin.holder.pid.into())
            .text("command", pin.holder.command.clone())
            .text("state", pin.holder.state.as_str())
            .int("frame", pin.frame)
            .int("since_ms", pin.since.unwrap_or_default().as_millis() as i64)
            .text("sql", pin.holder.sql.clone().unwrap_or_default())
            .text("opened_at", pin.holder.opened_at.clone().unwrap_or_default());
    }
    let sentences: Vec<String> = found.pins.iter().map(Pin::describe).collect();
    event.text("pins", if sentences.is_empty() { "no reader found".to_owned() } else { sentences.join("; ") })
}

impl Pin {
    /// One sentence for people.
    pub fn describe(&self) -> String {
        let who = match (&self.holder.sql, &self.holder.opened_at) {
            _ if self.holder.pid != std::process::id() => {
                format!("pid {} ({})", self.holder.pid, holders::shown_command(self.holder.pid, &self.holder.command))
            }
            (sql, at) => format!(
                "this process{}{}",
                at.as_ref().map_or(String::new(), |at| format!(", opened at {at}")),
                sql.as_ref().map_or(String::new(), |sql| format!(", running: {sql}"))
            ),
        };
        let state = if self.holder.state == HolderState::Stopped { ", stopped by a signal" } else { "" };
        let since = self.since.map_or(String::new(), |since| format!("; for {:.0} s", since.as_secs_f64()));
        format!(
            "{who}{state} pins frame {}; {} frames ({:.1} MB) cannot be recycled{since}",
            self.frame,
            self.frames,
            self.bytes as f64 / 1e6
        )
    }
}

/// Fills in for how long this process has seen each pin where it is. The kernel does not know when a lock was taken.
fn first_seen(inode: u64, pins: &mut [Pin]) {
    let mut seen = SEEN.lock();
    seen.retain(|(file, pid, frame), _| {
        *file != inode || pins.iter().any(|pin| pin.holder.pid == *pid && pin.frame == *frame)
    });
    let now = Instant::now();
    for pin in pins {
        let first = now - *seen.entry((inode, pin.holder.pid, pin.frame)).or_insert(now);
        pin.since.get_or_insert(first);
    }
}
