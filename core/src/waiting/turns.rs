//! Whose turn it is to write where many want to: a connection that has the write lock and comes back for it at once goes
//! on for a short time before the others of its process, and a process that has had the lock for a while leaves it to other
//! processes for a moment.
//!
//! To hand the lock over at every commit is the fairest, and most costly: each hand-over wakes a thread, and takes longer than a commit.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Who is back after so short a time wants to go on, and does not think.
const AT_ONCE: Duration = Duration::from_micros(100);
/// How long a connection goes on while others of its process wait.
const TURN: Duration = Duration::from_millis(2);
/// How long a process goes on while others wait.
const RUN: Duration = Duration::from_millis(8);
/// How long it then leaves the lock alone: longer than the others pause between two looks.
const REST: Duration = Duration::from_millis(2);
/// A refusal as old as this says nothing about now.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(1);

/// What a connection does that wants to write while others have been waiting.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It asks at once: its turn is not over.
    GoesOn,
    /// It stands in the queue of its process.
    Queues,
    /// It waits for so long first: the turn of its process is over.
    Rests(Duration),
}

/// What whoever gave the lock back does about those who wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Wakes the first in the queue.
    Wakes,
    /// Wakes nobody: it may go on itself.
    GoesOn,
    /// Wakes nobody: other processes come first.
    Rests,
}

/// The turns of one process at one file.
#[derive(Default)]
pub(crate) struct Turns {
    state: Mutex<State>,
    /// Somebody was refused lately: to be read without the lock.
    contended: AtomicBool,
    /// How many connections of this process have, or are asking for, the lock.
    writing: AtomicUsize,
}

#[derive(Default)]
struct State {
    /// The connection whose turn it is, and since when.
    turn: Option<(u64, Instant)>,
    /// Since when this process has had the lock over and over.
    run: Option<Instant>,
    released: Option<Instant>,
    resting_until: Option<Instant>,
    /// When a connection of this process was refused, by anybody or by another process.
    refused: Option<Instant>,
    refused_by_others: Option<Instant>,
}

impl Turns {
    pub(crate) fn is_contended(&self) -> bool {
        self.contended.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn begins_writing(&self) {
        self.writing.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn ends_writing(&self) {
        self.writing.fetch_sub(1, Ordering::Relaxed);
    }

    /// A connection of this process found the lock taken, one of so many that wait.
    pub(crate) fn refused(&self, waiting: usize, now: Instant) {
        self.contended.store(true, Ordering::Relaxed);
        let mut state = self.state();
        state.refused = Some(now);
        // If more of us write than wait, it is one of us who has it.
        if self.writing.load(Ordering::Relaxed) <= waiting {
            state.refused_by_others = Some(now);
        }
    }

    /// The connection wants to write.
    pub(crate) fn wants_turn(&self, connection: u64, now: Instant) -> Turn {
        let mut state = self.state();
        if !is_recent(state.refused, now, FORGOTTEN_AFTER) {
            *state = State::default();
            self.contended.store(false, Ordering::Relaxed);
            return Turn::Queues;
        }
        match state.resting_until {
            Some(until) if now < until => return Turn::Rests(until - now),
            _ => {}
        }
        match state.turn {
            Some((owner, began))
                if owner == connection && now < began + TURN && is_recent(state.released, now, AT_ONCE) =>
            {
                Turn::GoesOn
            }
            _ => Turn::Queues,
        }
    }

    /// The connection gave the lock back that it has had since `asked`, as far as that is known; `returns`: it is expected
    /// to want it again at once.
    pub(crate) fn released(&self, connection: u64, asked: Option<Instant>, returns: bool, now: Instant) -> Next {
        let mut state = self.state();
        let asked = asked.unwrap_or(now);
        // After a pause, or after others had the lock, a run begins anew.
        let interrupted = state.refused_by_others > state.released || !is_recent(state.released, now, REST);
        if interrupted || state.run.is_none() {
            state.run = Some(asked);
        }
        match state.turn {
            Some((owner, _)) if owner == connection && !interrupted => {}
            _ => state.turn = Some((connection, asked)),
        }
        let rested = state.resting_until.take_if(|until| *until <= now);
        if rested.is_some_and(|until| state.refused_by_others.is_none_or(|refused| refused + REST < until)) {
            // The lock was there for the taking, and nobody took it.
            state.refused_by_others = None;
        }
        state.released = Some(now);
        let ended = state.run.is_some_and(|began| now >= began + RUN);
        if ended && is_recent(state.refused_by_others, now, FORGOTTEN_AFTER) {
            state.resting_until = Some(now + REST);
            (state.run, state.turn) = (None, None);
            return Next::Rests;
        }
        if returns && state.turn.is_some_and(|(_, began)| now < began + TURN) {
            return Next::GoesOn;
        }
        state.turn = None;
        Next::Wakes
    }
}

/// When one connection asks for the lock and gives it back.
#[derive(Default)]
pub(crate) struct Pace {
    /// When it gave the lock back for the last time, while others were waiting.
    released: Cell<Option<Instant>>,
    /// It came back at once after that.
    returns_at_once: Cell<bool>,
    /// When it asked for the lock for the last time, while others were waiting.
    asked: Cell<Option<Instant>>,
}

impl Pace {
    pub(crate) fn asks(&self, now: Instant) {
        self.returns_at_once.set(is_recent(self.released.get(), now, AT_ONCE));
        self.asked.set(Some(now));
    }

    /// After a refusal, or when it has stood in the queue.
    pub(crate) fn asks_again(&self) {
        self.asked.set(Some(Instant::now()));
    }

    /// It has stopped writing.
    pub(crate) fn gives_back(&self, turns: &Turns, connection: u64) -> Next {
        turns.ends_writing();
        if !turns.is_contended() {
            self.released.set(None);
            self.asked.set(None);
            return Next::Wakes;
        }
        let now = Instant::now();
        self.released.set(Some(now));
        turns.released(connection, self.asked.take(), self.returns_at_once.get(), now)
    }
}

fn is_recent(when: Option<Instant>, now: Instant, within: Duration) -> bool {
    when.is_some_and(|when| now.saturating_duration_since(when) < within)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Time in microseconds from the beginning.
    struct Clock(Instant);

    impl Clock {
        fn at(&self, micros: u64) -> Instant {
            self.0 + Duration::from_micros(micros)
        }
    }

    /// One connection of this process writes without pause, a commit each 20 µs from `from` on, until its turn is over: what
    /// ended it, and when.
    fn writes_on(turns: &Turns, connection: u64, clock: &Clock, from: u64) -> (Next, u64) {
        for at in (from..from + 1_000_000).step_by(20) {
            match turns.released(connection, Some(clock.at(at - 10)), true, clock.at(at)) {
                Next::GoesOn => assert_eq!(turns.wants_turn(connection, clock.at(at + 1)), Turn::GoesOn),
                ended => return (ended, at),
            }
        }
        panic!("it goes on for ever")
    }

    #[test]
    fn a_connection_goes_on_for_a_turn_and_then_wakes_the_next() {
        let (turns, clock) = (Turns::default(), Clock(Instant::now()));
        assert!(!turns.is_contended());
        // Two write here, one of them waits: nobody of another process is in the way.
        turns.begins_writing();
        turns.begins_writing();
        turns.refused(1, clock.at(0));
        assert!(turns.is_contended());
        let (ended, at) = writes_on(&turns, 7, &clock, 20);
        assert_eq!(ended, Next::Wakes);
        assert!((2_000..2_100).contains(&at), "{at}");
        assert_eq!(turns.wants_turn(7, clock.at(at + 1)), Turn::Queues, "it stands behind who waits");
        // The next has a turn of its own, and so on: the process has no reason to rest.
        for connection in 8..30 {
            turns.refused(1, clock.at(at));
            let (ended, _) = writes_on(&turns, connection, &clock, at + 50);
            assert_eq!(ended, Next::Wakes, "{connection}");
        }
    }

    #[test]
    fn who_thinks_between_two_transactions_hands_over_each_time() {
        let (turns, clock) = (Turns::default(), Clock(Instant::now()));
        turns.begins_writing();
        turns.begins_writing();
        turns.refused(1, clock.at(0));
        assert_eq!(turns.released(7, Some(clock.at(1)), false, clock.at(20)), Next::Wakes);
        assert_eq!(turns.wants_turn(7, clock.at(500)), Turn::Queues);
        assert_eq!(turns.wants_turn(7, clock.at(21)), Turn::Queues, "the next has been woken");
    }

    #[test]
    fn a_long_transaction_is_a_whole_turn() {
        let (turns, clock) = (Turns::default(), Clock(Instant::now()));
        turns.begins_writing();
        turns.begins_writing();
        turns.refused(1, clock.at(10));
        assert_eq!(turns.released(7, Some(clock.at(0)), true, clock.at(2_500)), Next::Wakes);
        assert_eq!(turns.wants_turn(7, clock.at(2_501)), Turn::Queues);
    }

    #[test]
    fn a_process_rests_when_others_wait_and_not_when_nobody_does() {
        let (turns, clock) = (Turns::default(), Clock(Instant::now()));
        turns.begins_writing();
        // It waits itself, so another process has the lock.
        turns.refused(1, clock.at(0));
        let mut at = 20;
        let (ended, rested) = loop {
            match writes_on(&turns, 7, &clock, at) {
                (Next::Wakes, end) => at = end + 20,
                end => break end,
            }
        };
        assert_eq!(ended, Next::Rests);
        assert!((8_000..9_000).contains(&rested), "{rested}");
        assert_eq!(turns.wants_turn(7, clock.at(rested + 500)), Turn::Rests(Duration::from_micros(1_500)));
        assert_eq!(
            turns.wants_turn(8, clock.at(rested + 500)),
            Turn::Rests(Duration::from_micros(1_500)),
            "all of them"
        );
        assert_eq!(turns.wants_turn(7, clock.at(rested + 2_000)), Turn::Queues, "and then asks");
        // Nobody took the lock meanwhile: later runs know of nobody to rest for.
        let mut at = rested + 2_010;
        for _ in 0..50 {
            let (ended, end) = writes_on(&turns, 7, &clock, at);
            assert_eq!(ended, Next::Wakes, "{end}");
            at = end + 20;
        }
        // Somebody did, so it rests again.
        turns.refused(1, clock.at(at));
        let mut at = at + 20;
        let again = loop {
            match writes_on(&turns, 7, &clock, at) {
                (Next::Wakes, end) => at = end + 20,
                (end, _) => break end,
            }
        };
        assert_eq!(again, Next::Rests);
    }

    #[test]
    fn an_old_refusal_is_forgotten() {
        let (turns, clock) = (Turns::default(), Clock(Instant::now()));
        turns.begins_writing();
        turns.refused(1, clock.at(0));
        assert_eq!(turns.wants_turn(7, clock.at(2_000_000)), Turn::Queues);
        assert!(!turns.is_contended());
    }
}
