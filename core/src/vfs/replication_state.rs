//! What is known of whether Litestream replicates one file.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};

use crate::platform::clock::now_ms;

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

    /// Whether it is to be looked for now.
    pub(crate) fn is_looked_for(&self) -> bool {
        self.state.load(Ordering::Acquire) == LOOKED_FOR
    }

    /// It has been found.
    pub(crate) fn found(&self) {
        self.state.store(REPLICATED, Ordering::Release);
    }

    /// The event's threshold, when a WAL of so many bytes has reached it and nobody was told lately.
    pub(crate) fn alarm_at(&self, bytes: i64) -> Option<i64> {
        let alarm = self.alarm.load(Ordering::Relaxed);
        if alarm == 0 || bytes < alarm {
            return None;
        }
        let (now, before) = (now_ms().max(1), self.alarmed_at.load(Ordering::Relaxed));
        if before != 0 && now.saturating_sub(before) < ALARM_EVERY {
            return None;
        }
        self.alarmed_at.store(now, Ordering::Relaxed);
        Some(alarm)
    }
}
