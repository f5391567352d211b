//! The line in which the connections of one process wait for the write lock of one file: first come, first served.
//!
//! Only the first in line asks the file; the others sleep. SQLite tells its busy handler of failures alone, so a place
//! is given up when the call, or its transaction, ends; where nobody tells of that either (a host that drives the raw
//! handle), the next in line takes over after a moment: a place that is not given up never holds up anybody.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use crate::platform::file_id::FileId;
use crate::platform::fork::ForkMutex;

/// Who asks the file and does not come back for so long has got the lock, and the next in line asks for himself.
const TAKEN: Duration = Duration::from_millis(1);
/// How long the second in line sleeps while the first pauses between two attempts: far longer than such a pause.
const SECOND: Duration = Duration::from_millis(5);
/// How long the others sleep before they look whether they were interrupted.
const LOOK: Duration = Duration::from_millis(20);

/// The lines of the process.
pub(crate) static LINES: ForkMutex<Option<HashMap<FileId, Weak<Line>>>> = ForkMutex::new(None);

/// One file's line.
#[derive(Default)]
pub(crate) struct Line {
    places: Mutex<Places>,
    /// The number of places, to be read without the lock.
    count: AtomicUsize,
}

#[derive(Default)]
struct Places {
    next: u64,
    /// In the order of their numbers.
    taken: Vec<Place>,
}

struct Place {
    number: u64,
    thread: usize,
    bell: Arc<Condvar>,
    rung: bool,
    /// When its owner last went to ask the file, and has not come back.
    asking: Option<Instant>,
}

impl Line {
    /// The line of a file; connections to the same file have the same.
    pub(crate) fn of(file: FileId) -> Arc<Line> {
        let mut lines = LINES.lock();
        let lines = lines.get_or_insert_default();
        lines.retain(|_, line| line.strong_count() > 0);
        if let Some(line) = lines.get(&file).and_then(Weak::upgrade) {
            return line;
        }
        let line = Arc::new(Line::default());
        lines.insert(file, Arc::downgrade(&line));
        line
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Takes a place: the last one, or again the one with this number.
    pub(crate) fn enter(&self, number: Option<u64>, thread: usize, bell: &Arc<Condvar>) -> u64 {
        let mut places = self.places();
        let number = number.unwrap_or_else(|| {
            places.next += 1;
            places.next
        });
        if let Err(at) = places.taken.binary_search_by_key(&number, |place| place.number) {
            places.taken.insert(at, Place { number, thread, bell: bell.clone(), rung: false, asking: None });
        }
        self.count.store(places.taken.len(), Ordering::Release);
        number
    }

    /// Gives a place up and wakes who is next.
    pub(crate) fn leave(&self, number: u64) {
        let mut places = self.places();
        if let Some(at) = places.find(number) {
            places.taken.remove(at);
        }
        self.count.store(places.taken.len(), Ordering::Release);
        places.ring();
    }

    /// Tells the first in line that the lock is free as far as this process knows.
    pub(crate) fn ring(&self) {
        if !self.is_empty() {
            self.places().ring();
        }
    }

    /// Says that the owner of the place asks the file now.
    pub(crate) fn ask(&self, number: u64) {
        let mut places = self.places();
        if let Some(at) = places.find(number) {
            places.taken[at].asking = Some(Instant::now());
        }
    }

    /// Says that the owner of the place was refused, and waits until it is the first in line: then, at once. Ends at
    /// `until` as well, and soon after `given_up` says so.
    ///
    /// The first in line waits for `pause`, or until it is told that the lock is free.
    pub(crate) fn wait(&self, number: u64, until: Instant, pause: Duration, given_up: impl Fn() -> bool) {
        let mut places = self.places();
        let Some(at) = places.find(number) else { return };
        let place = &mut places.taken[at];
        let (bell, thread) = (place.bell.clone(), place.thread);
        (place.asking, place.rung) = (None, at == 0 && place.rung);
        let entered = Instant::now();
        loop {
            let now = Instant::now();
            let Some(at) = places.find(number) else { return };
            if now >= until || given_up() {
                return;
            }
            let sleep = match (at, places.taken[0].asking) {
                // What the first in line has rung for him is his first attempt's answer already.
                (0, _) if places.taken[0].rung || now >= entered + pause => {
                    places.taken[0].rung = false;
                    return;
                }
                (0, _) => entered + pause - now,
                // Nobody waits for himself: the first place is that of another connection of this very thread.
                (1, Some(since)) if now >= since + TAKEN || places.taken[0].thread == thread => {
                    places.taken.remove(0);
                    self.count.store(places.taken.len(), Ordering::Release);
                    places.taken[0].rung = false;
                    if let Some(second) = places.taken.get(1) {
                        second.bell.notify_one();
                    }
                    return;
                }
                (1, Some(since)) => since + TAKEN - now,
                (1, None) => SECOND,
                _ => LOOK,
            };
            let sleep = sleep.min(until - now);
            places = bell.wait_timeout(places, sleep).unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
    }
}

impl Places {
    fn find(&self, number: u64) -> Option<usize> {
        self.taken.binary_search_by_key(&number, |place| place.number).ok()
    }

    /// Wakes the first in line, and the second, who watches the first.
    fn ring(&mut self) {
        if let Some(first) = self.taken.first_mut() {
            first.rung = true;
            first.bell.notify_one();
        }
        if let Some(second) = self.taken.get(1) {
            second.bell.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    fn never() -> bool {
        false
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn who_came_first_is_served_first() {
        let line = Arc::new(Line::default());
        let bell = Arc::new(Condvar::new());
        let first = line.enter(None, 0, &bell);
        let order = Arc::new(Mutex::new(Vec::new()));
        let threads: Vec<_> = (1..=6)
            .map(|thread| {
                // Entered here, so that the order is known; waited for there.
                let bell = Arc::new(Condvar::new());
                let number = line.enter(None, thread, &bell);
                let (line, order) = (line.clone(), order.clone());
                std::thread::spawn(move || {
                    line.wait(number, Instant::now() + LONG, Duration::ZERO, never);
                    order.lock().unwrap().push(thread);
                    line.leave(number);
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(30));
        assert!(order.lock().unwrap().is_empty());
        line.leave(first);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(*order.lock().unwrap(), [1, 2, 3, 4, 5, 6]);
        assert!(line.is_empty());
    }

    #[test]
    fn a_place_that_is_never_given_up_holds_nobody_up() {
        let line = Arc::new(Line::default());
        let leaked = line.enter(None, 1, &Arc::new(Condvar::new()));
        line.ask(leaked);
        let bell = Arc::new(Condvar::new());
        let number = line.enter(None, 2, &bell);
        let began = Instant::now();
        line.wait(number, began + LONG, Duration::ZERO, never);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        // Its owner was only slow: it has its old place again.
        line.enter(Some(leaked), 1, &Arc::new(Condvar::new()));
        let end = Instant::now() + Duration::from_millis(30);
        line.wait(number, end, Duration::ZERO, never);
        assert!(Instant::now() >= end);
    }

    #[test]
    fn a_wait_ends_at_its_time_and_when_it_is_given_up() {
        let line = Arc::new(Line::default());
        line.enter(None, 1, &Arc::new(Condvar::new()));
        let bell = Arc::new(Condvar::new());
        let number = line.enter(None, 2, &bell);
        let began = Instant::now();
        line.wait(number, began + Duration::from_millis(60), Duration::ZERO, never);
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(60) && took < Duration::from_millis(160), "{took:?}");
        let barrier = Arc::new(Barrier::new(2));
        let given_up = Arc::new(AtomicUsize::new(0));
        let waiter = {
            let (line, barrier, given_up) = (line.clone(), barrier.clone(), given_up.clone());
            std::thread::spawn(move || {
                barrier.wait();
                line.wait(number, Instant::now() + LONG, Duration::ZERO, || given_up.load(Ordering::Relaxed) == 1);
            })
        };
        barrier.wait();
        given_up.store(1, Ordering::Relaxed);
        let began = Instant::now();
        waiter.join().unwrap();
        assert!(began.elapsed() < Duration::from_secs(2));
    }
}
