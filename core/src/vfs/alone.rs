//! A connection that has the database for itself (`locking_mode=exclusive`). No lock tells of its checkpoints, and where it
//! began so there is no WAL-index either. But nothing else moves anything into the file, which so has to stay as the last
//! checkpoint of this connection has left it.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::vfs::beginning::{Written, header, written};
use crate::vfs::known_pages::{KnownPages, PAGES};
use crate::vfs::wal_index::FRAME_HEADER;

/// What a connection knows of a file that it has for itself.
#[derive(Default)]
pub(crate) struct Alone {
    is: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The file as it was left. `None`: nobody has looked yet, or a checkpoint is at work.
    left: Option<Left>,
    /// The pages that were written to the log last, the latest one at the end: a copy of an earlier state has them otherwise.
    latest: Vec<u32>,
}

struct Left {
    written: Written,
    header: Vec<u8>,
    pages: KnownPages,
}

/// What the file is, against what was left.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Same,
    /// It has another time: it was touched, or overwritten by something that is alike wherever it is looked at.
    Touched,
    /// Something else has written to it.
    Another,
}

impl Alone {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the connection has the file for itself.
    pub(crate) fn is(&self) -> bool {
        self.is.load(Ordering::Acquire)
    }

    /// It has from now on.
    pub(crate) fn begin(&self) {
        self.forget();
        self.is.store(true, Ordering::Release);
    }

    /// Others may use the file from now on.
    pub(crate) fn end(&self) {
        if self.is.swap(false, Ordering::AcqRel) {
            self.forget();
        }
    }

    fn forget(&self) {
        *self.state() = State::default();
    }

    /// These bytes are written to the log: the header of a frame begins with the number of its page.
    pub(crate) fn writes(&self, bytes: &[u8]) {
        if bytes.len() != FRAME_HEADER {
            return;
        }
        let number = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let latest = &mut self.state().latest;
        if latest.last() == Some(&number) {
            return;
        }
        latest.retain(|known| *known != number);
        latest.push(number);
        if latest.len() > PAGES {
            latest.remove(0);
        }
    }

    /// A checkpoint of the connection begins: what the file is like says nothing until it is done.
    pub(crate) fn begins_to_move(&self) {
        self.state().left = None;
    }

    /// A step of it has been done: notes what the file is like now.
    pub(crate) fn moved(&self, file: &File) {
        let state = &mut *self.state();
        state.left = state.of(file);
    }

    /// Compares the file with what was left; on a `glance` looks into it only where `fstat` tells of a change.
    pub(crate) fn look(&self, file: &File, glance: bool) -> Found {
        let state = &mut *self.state();
        let Some(left) = &state.left else {
            state.left = state.of(file);
            return Found::Same;
        };
        let Some(written) = written(file) else { return Found::Same };
        if glance && left.written == written {
            return Found::Same;
        }
        let Some(header) = header(file) else { return Found::Same };
        let same = left.written.0 == written.0
            && left.header == header
            && left.pages.are_in(file, u32::MAX, false, |_, _| false);
        match same {
            false => Found::Another,
            true if left.written == written => Found::Same,
            true => Found::Touched,
        }
    }
}

impl State {
    fn of(&self, file: &File) -> Option<Left> {
        let (written, header) = (written(file)?, header(file)?);
        let pages = match self.latest[..] {
            [] => KnownPages::spread(file, written.0, &header),
            ref latest => KnownPages::these(file, &header, latest),
        };
        Some(Left { written, header, pages })
    }
}
