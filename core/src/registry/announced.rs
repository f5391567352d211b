//! Connections that a host has opened by itself, without litekeel's settings: named among the open ones, and no more.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::open_handle::{OpenHandle, next_id};
use crate::platform::fork;
use crate::platform::fork::ForkMutex;
use crate::platform::threads::this_thread;

pub(crate) struct Entry {
    handle: OpenHandle,
    opened: Instant,
    generation: u32,
}

pub(crate) static ANNOUNCED: ForkMutex<BTreeMap<u64, Entry>> = ForkMutex::new(BTreeMap::new());

/// A host's own connection, which [`open_handles`](super::open_handles) lists until this is dropped.
#[derive(Debug)]
pub struct Announced {
    id: u64,
}

impl Announced {
    /// `path` is absolute, `None` for a database in memory; `opened_at` is the place in the host's program, which may be
    /// empty.
    pub fn new(path: Option<PathBuf>, opened_at: String) -> Announced {
        let id = next_id();
        let handle = OpenHandle {
            id,
            path,
            file: None,
            opened_at,
            age: Duration::ZERO,
            thread: this_thread(),
            shared: false,
            tuned: false,
        };
        ANNOUNCED.lock().insert(id, Entry { handle, opened: Instant::now(), generation: fork::generation() });
        Announced { id }
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        ANNOUNCED.lock().remove(&self.id);
    }
}

/// Those of this process.
pub(super) fn open_handles() -> Vec<OpenHandle> {
    let announced = ANNOUNCED.lock();
    let own = announced.values().filter(|entry| entry.generation == fork::generation());
    own.map(|entry| OpenHandle { age: entry.opened.elapsed(), ..entry.handle.clone() }).collect()
}
