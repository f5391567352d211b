//! The WAL of a database that is in use: its frames, and the readers that pin them.

use std::time::Duration;

use litekeel_core::HolderState;
use litekeel_core::{Pins, litestream_task};
use serde::Serialize;

use crate::database::Opened;
use crate::output;
use crate::process_name::process_name;
use crate::terminal::{bytes, time};

/// The WAL at one moment, as data.
#[derive(Serialize)]
pub struct Wal {
    /// Frames in the log.
    pub frames: i64,
    /// How many of them are in the database.
    pub checkpointed: i64,
    pub bytes: i64,
    /// The readers, the one with the lowest frame first.
    pub pins: Vec<Pinned>,
}

/// A reader that keeps frames from being recycled.
#[derive(Serialize)]
pub struct Pinned {
    pub pid: u32,
    pub command: String,
    #[serde(serialize_with = "output::state")]
    pub state: HolderState,
    /// The last frame that it sees.
    pub frame: i64,
    /// Frames behind it.
    pub frames: i64,
    pub bytes: i64,
    /// For how long this command has seen it there, in milliseconds.
    pub since_ms: Option<u64>,
}

impl From<Pins> for Wal {
    fn from(pins: Pins) -> Wal {
        let pinned = |pin: litekeel_core::Pin| Pinned {
            pid: pin.holder.pid,
            command: pin.holder.command,
            state: pin.holder.state,
            frame: pin.frame,
            frames: pin.frames,
            bytes: pin.bytes,
            since_ms: pin.since.map(|since| since.as_millis() as u64),
        };
        let status = pins.status;
        Wal {
            frames: status.frames,
            checkpointed: status.checkpointed,
            bytes: status.bytes,
            pins: pins.pins.into_iter().map(pinned).collect(),
        }
    }
}

/// Looks through the `-shm` of the processes that use the database. `None` when there is none: what an idle database's
/// WAL holds shows in its size.
pub fn look(db: &Opened) -> Option<Wal> {
    db.pins().ok().flatten().map(Wal::from)
}

impl Wal {
    /// The reader that keeps the most from being recycled, if any keeps something.
    pub fn worst(&self) -> Option<&Pinned> {
        self.pins.iter().find(|pin| pin.frames > 0)
    }
}

impl Pinned {
    /// `pid 1338 (cron.py) pins frame 3: 150 frames (0.6 MB) cannot be recycled`.
    pub fn sentence(&self) -> String {
        let state = if self.state == HolderState::Stopped { ", stopped by a signal," } else { "" };
        // What was first seen a moment ago says nothing.
        let since = match self.since_ms {
            Some(ms) if ms >= 1000 => format!("; for {} at least", time(Duration::from_millis(ms))),
            _ => String::new(),
        };
        let (name, frames) = (process_name(self.pid, &self.command), self.frames);
        let bytes = bytes(self.bytes.max(0) as u64);
        format!("{name}{state} pins frame {}: {frames} frames ({bytes}) cannot be recycled{since}", self.frame)
    }

    /// Whether it is Litestream, whose long read is how it works: it keeps others from checkpointing what it has not
    /// copied yet.
    pub fn is_litestream(&self) -> bool {
        litestream_task(&self.command).is_some()
    }
}
