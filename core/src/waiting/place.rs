//! One connection's place among the writers of this process to its file.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::{Arc, Condvar};

use crate::events::Subscribers;
use crate::platform::file_id::FileId;
use crate::platform::threads::this_thread;
use crate::waiting::writer_queue::WriterQueue;

/// Where a connection to a file queues.
pub(super) struct Place {
    pub writers: Arc<WriterQueue>,
    pub file: FileId,
    pub path: PathBuf,
    pub id: u64,
    pub subscribers: Arc<Subscribers>,
    condvar: Arc<Condvar>,
    pub ticket: Cell<Option<u64>>,
    /// Whether it is among those that write.
    pub counted: Cell<bool>,
}

impl Place {
    /// Without a ticket so far.
    pub(super) fn new(file: FileId, path: PathBuf, id: u64, subscribers: Arc<Subscribers>) -> Place {
        let (writers, condvar) = (WriterQueue::of(file), Arc::new(Condvar::new()));
        Place { writers, file, path, id, subscribers, condvar, ticket: Cell::new(None), counted: Cell::new(false) }
    }

    /// Whether anybody but this connection has a ticket.
    pub(super) fn is_crowded(&self) -> bool {
        !self.writers.is_empty()
    }

    /// Takes one, behind everybody else's; or tells the one that it has.
    pub(super) fn enter(&self) -> u64 {
        let number = self.writers.take_ticket(self.ticket.get(), this_thread(), &self.condvar);
        self.ticket.set(Some(number));
        number
    }

    /// Gives it back.
    pub(super) fn leave(&self) {
        if let Some(number) = self.ticket.take() {
            self.writers.leave(number, true);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
        if self.counted.get() {
            self.writers.turns.ends_writing();
        }
    }
}
