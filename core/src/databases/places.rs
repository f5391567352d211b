//! The places for open connections: which are idle, how many are in use, and who waits for one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::errors;
use crate::connection::Connection;
use crate::error::Result;

/// What a caller got. The place is the caller's until it is given back or given up.
pub(super) enum Place {
    /// With a connection to the database that was asked for.
    Idle(Arc<Connection>),
    /// With a connection to another database, to be closed first.
    Evicted(Arc<Connection>),
    /// An empty one.
    Free,
}

pub(super) struct Places {
    max: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// By name, the least recently used first.
    idle: VecDeque<(String, Arc<Connection>)>,
    /// Places that are taken, by name; the idle ones apart.
    in_use: BTreeMap<String, usize>,
    /// Who waits, in the order of their coming.
    waiting: VecDeque<u64>,
    tickets: u64,
    closed: bool,
}

impl State {
    fn open(&self) -> usize {
        self.idle.len() + self.in_use.values().sum::<usize>()
    }

    fn enter(&mut self, name: &str) {
        *self.in_use.entry(name.to_owned()).or_default() += 1;
    }

    fn leave(&mut self, name: &str) {
        if let Some(users) = self.in_use.get_mut(name) {
            *users -= 1;
            if *users == 0 {
                self.in_use.remove(name);
            }
        }
    }

    /// A place for this name, where one is to be had: a connection that was used before rather than a new one, a free place
    /// rather than another's, the least recently used one's rather than none.
    fn take(&mut self, name: &str, max: usize) -> Option<Place> {
        let place = if let Some(at) = self.idle.iter().rposition(|(other, _)| other == name) {
            Place::Idle(self.idle.remove(at)?.1)
        } else if self.open() < max {
            Place::Free
        } else {
            Place::Evicted(self.idle.pop_front()?.1)
        };
        self.enter(name);
        Some(place)
    }
}

impl Places {
    pub(super) fn new(max: usize) -> Places {
        Places { max, state: Mutex::default(), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place; waits for one until the deadline, first come, first served.
    ///
    /// # Errors
    /// `KEEL_ALL_IN_USE`, `KEEL_CLOSED`.
    pub(super) fn take(&self, name: &str, deadline: Instant) -> Result<Place> {
        let mut state = self.state();
        state.tickets += 1;
        let ticket = state.tickets;
        state.waiting.push_back(ticket);
        let result = loop {
            if state.closed {
                break Err(errors::closed());
            }
            if state.waiting.front() == Some(&ticket)
                && let Some(place) = state.take(name, self.max)
            {
                break Ok(place);
            }
            let now = Instant::now();
            if now >= deadline {
                break Err(errors::all_in_use(self.max));
            }
            state = self.changed.wait_timeout(state, deadline - now).unwrap_or_else(PoisonError::into_inner).0;
        };
        state.waiting.retain(|other| *other != ticket);
        drop(state);
        // The next in line may find something too.
        self.changed.notify_all();
        result
    }

    /// A place becomes free: its connection is closed, or was never opened.
    pub(super) fn give_up(&self, name: &str) {
        self.state().leave(name);
        self.changed.notify_all();
    }

    /// A connection becomes idle; given back to be closed where all are.
    pub(super) fn give_back(&self, name: &str, connection: Arc<Connection>) -> Option<Arc<Connection>> {
        let mut state = self.state();
        if state.closed {
            return Some(connection);
        }
        state.leave(name);
        state.idle.push_back((name.to_owned(), connection));
        drop(state);
        self.changed.notify_all();
        None
    }

    /// The idle connections to one database, whose places are the caller's now; and how many are in use.
    pub(super) fn take_all_of(&self, name: &str) -> (Vec<(String, Arc<Connection>)>, usize) {
        let mut state = self.state();
        let in_use = state.in_use.get(name).copied().unwrap_or(0);
        let (taken, kept): (Vec<_>, Vec<_>) = state.idle.drain(..).partition(|(other, _)| other == name);
        state.idle = kept.into();
        taken.iter().for_each(|(name, _)| state.enter(name));
        (taken, in_use)
    }

    /// From now on there is no place for anybody. Gives the idle connections, whose places are the caller's now.
    pub(super) fn close(&self) -> Vec<(String, Arc<Connection>)> {
        let mut state = self.state();
        state.closed = true;
        let idle: Vec<_> = state.idle.drain(..).collect();
        idle.iter().for_each(|(name, _)| state.enter(name));
        drop(state);
        self.changed.notify_all();
        idle
    }

    pub(super) fn open_count(&self) -> usize {
        self.state().open()
    }
}
