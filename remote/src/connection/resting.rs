//! The stream that rests between two reads which follow each other closely.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::streams::Stream;

/// How long a stream may rest between two reads. One that comes later does not follow the other closely: the stream has one of
/// the server's connections, of which sqld has 128 for all its clients, and is ended then.
pub(super) const REST: Duration = Duration::from_secs(2);
/// So many have to follow closely before a stream is kept for them: it takes one of the server's connections.
const ENOUGH: u32 = 2;
/// How long one is kept, with all that the server prepares on it.
const LIFE: Duration = Duration::from_secs(60);

/// The one stream that is kept for the reads of a database, and of its siblings.
#[derive(Default)]
pub(super) struct Kept(Mutex<State>);

#[derive(Default)]
struct State {
    resting: Option<Reading>,
    /// A read is under way on it. Another one beside that has a stream of its own.
    in_use: bool,
    latest: Option<Instant>,
    closely: u32,
    /// The server does not tell the number.
    impossible: bool,
    /// A thread ends what rests too long.
    watched: bool,
}

/// What the thread that watches is to do.
pub(super) enum Idle {
    /// After this time.
    LookAgain(Duration),
    /// It ends, and tells the server of what has rested too long.
    Over(Option<Stream>),
}

pub(super) struct Reading {
    /// None until its first answer.
    pub stream: Option<Stream>,
    pub schema: Option<i64>,
    pub since: Instant,
    pub used: Instant,
}

impl Reading {
    pub(super) fn lives(&self) -> bool {
        self.since.elapsed() < LIFE
    }
}

impl Kept {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream for the read that begins now, if it is worth one.
    pub(super) fn take(&self) -> Option<Reading> {
        let mut state = self.state();
        let now = Instant::now();
        let follows = state.latest.is_some_and(|latest| now.duration_since(latest) < REST);
        state.closely = if follows { state.closely.saturating_add(1) } else { 0 };
        state.latest = Some(now);
        if state.in_use || state.impossible {
            return None;
        }
        let resting = state.resting.take().filter(|reading| now.duration_since(reading.used) < REST);
        let worth = state.closely >= ENOUGH;
        let reading =
            resting.or_else(|| worth.then_some(Reading { stream: None, schema: None, since: now, used: now }));
        state.in_use = reading.is_some();
        reading
    }

    /// The read is over; its stream rests, unless it is lost.
    pub(super) fn give_back(&self, reading: Option<Reading>) {
        let mut state = self.state();
        if reading.is_none() {
            // Where none can be kept, most reads are not tried on one.
            state.closely = 0;
        }
        (state.in_use, state.resting) = (false, reading);
    }

    /// No stream is kept any more.
    pub(super) fn give_up(&self) {
        self.state().impossible = true;
    }

    pub(super) fn rests(&self) -> bool {
        self.state().resting.is_some()
    }

    /// Whether a thread is to be started that ends what rests too long.
    pub(super) fn begins_to_be_watched(&self) -> bool {
        let mut state = self.state();
        let begins = state.resting.is_some() && !state.watched;
        state.watched |= begins;
        begins
    }

    /// There is no such thread any more.
    pub(super) fn ends_to_be_watched(&self) {
        self.state().watched = false;
    }

    /// For that thread.
    pub(super) fn idle(&self) -> Idle {
        let mut state = self.state();
        let rested = state.resting.as_ref().map(|reading| reading.used.elapsed());
        match rested {
            None if state.in_use => Idle::LookAgain(REST),
            Some(rested) if rested < REST => Idle::LookAgain(REST - rested),
            _ => {
                state.watched = false;
                Idle::Over(state.resting.take().and_then(|reading| reading.stream))
            }
        }
    }

    /// What rests, to be ended.
    pub(super) fn end(&self) -> Option<Stream> {
        self.state().resting.take()?.stream
    }
}
