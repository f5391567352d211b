//! The places for open connections: which are idle, how many are in use, and who waits for one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::errors;
use crate::connection::Connection;
use crate::error::Result;

/// What a caller got.
pub(super) enum Place {
    /// With a connection to the database that was asked for.
    Idle(Taken, Arc<Connection>),
    /// With a connection to another database, to be closed first.
    Evicted(Taken, Leaving),
    /// An empty one.
    Free(Taken),
}

/// A place that is the caller's until it keeps it, or gives it up: by letting go of this, in a panic too.
pub(super) struct Taken {
    places: Arc<Places>,
    name: String,
    kept: bool,
}

impl Taken {
    /// It is given back or given up by the name.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if !self.kept {
            self.places.give_up(&self.name);
        }
    }
}

/// A connection that is to be closed, and counts as its database's until that is done, or given up in a panic.
pub(super) struct Leaving {
    places: Arc<Places>,
    name: String,
    connection: Arc<Connection>,
    /// Whether the place is empty after that; else somebody has it already.
    empties: bool,
}

impl Leaving {
    /// Closes it.
    ///
    /// # Errors
    /// What that failed with.
    pub(super) fn close(self) -> Result<()> {
        self.connection.close().map(drop)
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.places.state().left(&self.name, self.empties);
        self.places.changed.notify_all();
    }
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
    /// Connections that are being closed, by name.
    leaving: BTreeMap<String, usize>,
    /// How many of them still have a place.
    emptying: usize,
    /// Who waits, in the order of their coming.
    waiting: VecDeque<u64>,
    tickets: u64,
    closed: bool,
}

impl State {
    fn open(&self) -> usize {
        self.idle.len() + self.in_use.values().sum::<usize>() + self.emptying
    }

    /// A connection is to be closed, which leaves an empty place or one that is taken.
    fn leaves(&mut self, name: &str, empties: bool) {
        *self.leaving.entry(name.to_owned()).or_default() += 1;
        self.emptying += usize::from(empties);
    }

    fn left(&mut self, name: &str, empties: bool) {
        self.emptying -= usize::from(empties);
        if let Some(leaving) = self.leaving.get_mut(name) {
            *leaving -= 1;
            if *leaving == 0 {
                self.leaving.remove(name);
            }
        }
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
    fn take(&mut self, name: &str, places: &Arc<Places>) -> Option<Place> {
        let taken = || Taken { places: places.clone(), name: name.to_owned(), kept: false };
        let place = if let Some(at) = self.idle.iter().rposition(|(other, _)| other == name) {
            let (_, connection) = self.idle.remove(at)?;
            Place::Idle(taken(), connection)
        } else if self.open() < places.max {
            Place::Free(taken())
        } else {
            let (other, connection) = self.idle.pop_front()?;
            self.leaves(&other, false);
            Place::Evicted(taken(), Leaving { places: places.clone(), name: other, connection, empties: false })
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
    pub(super) fn take(self: &Arc<Self>, name: &str, deadline: Instant) -> Result<Place> {
        let mut state = self.state();
        state.tickets += 1;
        let ticket = state.tickets;
        state.waiting.push_back(ticket);
        let result = loop {
            if state.closed {
                break Err(errors::closed());
            }
            if state.waiting.front() == Some(&ticket)
                && let Some(place) = state.take(name, self)
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

    /// A connection that was in use is to be closed.
    pub(super) fn leave(self: &Arc<Self>, name: &str, connection: Arc<Connection>) -> Leaving {
        let mut state = self.state();
        state.leave(name);
        state.leaves(name, true);
        Leaving { places: self.clone(), name: name.to_owned(), connection, empties: true }
    }

    /// The idle connections to one database, to be closed; and how many are in use.
    pub(super) fn take_all_of(self: &Arc<Self>, name: &str) -> (Vec<Leaving>, usize) {
        let mut state = self.state();
        let in_use = state.in_use.get(name).copied().unwrap_or(0);
        let (taken, kept): (Vec<_>, Vec<_>) = state.idle.drain(..).partition(|(other, _)| other == name);
        state.idle = kept.into();
        (self.leaving(&mut state, taken), in_use)
    }

    /// From now on there is no place for anybody. Gives the idle connections, to be closed.
    pub(super) fn close(self: &Arc<Self>) -> Vec<Leaving> {
        let mut state = self.state();
        state.closed = true;
        let idle: Vec<_> = state.idle.drain(..).collect();
        let leaving = self.leaving(&mut state, idle);
        drop(state);
        self.changed.notify_all();
        leaving
    }

    fn leaving(self: &Arc<Self>, state: &mut State, idle: Vec<(String, Arc<Connection>)>) -> Vec<Leaving> {
        let leaving = |(name, connection): (String, _)| {
            state.leaves(&name, true);
            Leaving { places: self.clone(), name, connection, empties: true }
        };
        idle.into_iter().map(leaving).collect()
    }

    /// Waits until nobody closes a connection to this database; whether that is so at the deadline.
    pub(super) fn wait_until_left(&self, name: &str, deadline: Instant) -> bool {
        let mut state = self.state();
        while state.leaving.contains_key(name) {
            let now = Instant::now();
            if now >= deadline {
                return false;
            }
            state = self.changed.wait_timeout(state, deadline - now).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    pub(super) fn open_count(&self) -> usize {
        self.state().open()
    }
}
