//! The queue in which the connections of one process wait for the write lock of one file: first come, first served.
//!
//! Only the first in the queue asks the file; the others sleep. SQLite tells its busy handler of failures alone, so a ticket
//! is given up when the call, or its transaction, ends; where nobody tells of that either (a host that drives the raw
//! handle), the next in the queue takes over after a moment: a ticket that is not given up never holds up anybody.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use crate::platform::file_id::FileId;
use crate::platform::fork::ForkMutex;
use crate::waiting::turns::Turns;

/// Who asks the file and does not come back for so long has got the lock, and the next in the queue asks for itself.
const TAKEOVER_AFTER: Duration = Duration::from_millis(1);
/// The same where the end of its call is told to the queue: then it is late because the machine is busy, or it has the lock.
const LATE_AFTER: Duration = Duration::from_millis(100);
/// How long the second in the queue sleeps while the first pauses between two attempts: far longer than such a pause.
const SECOND_SLEEP: Duration = Duration::from_millis(5);
/// How long the others sleep before they look whether they were interrupted.
const INTERRUPT_POLL: Duration = Duration::from_millis(20);

/// The queues of the process.
pub(crate) static QUEUES: ForkMutex<Option<HashMap<FileId, Weak<WriterQueue>>>> = ForkMutex::new(None);

/// Whether who asks for the write lock needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockNeed {
    /// Its statement locks the file, whatever it writes.
    Certain,
    /// Its statement may turn out to write nothing.
    Possible,
}

/// One file's queue.
#[derive(Default)]
pub(crate) struct WriterQueue {
    tickets: Mutex<Tickets>,
    /// The number of tickets, to be read without the lock.
    count: AtomicUsize,
    pub(crate) turns: Turns,
}

#[derive(Default)]
struct Tickets {
    next: u64,
    /// In the order of their numbers.
    taken: Vec<Ticket>,
}

struct Ticket {
    number: u64,
    thread: usize,
    condvar: Arc<Condvar>,
    woken: bool,
    /// Its owner went to ask the file, and has not come back; from then on the next asks for itself.
    asking_until: Option<Instant>,
}

impl WriterQueue {
    /// The queue of a file; connections to the same file have the same.
    pub(crate) fn of(file: FileId) -> Arc<WriterQueue> {
        let mut queues = QUEUES.lock();
        let queues = queues.get_or_insert_default();
        queues.retain(|_, queue| queue.strong_count() > 0);
        if let Some(queue) = queues.get(&file).and_then(Weak::upgrade) {
            return queue;
        }
        let queue = Arc::new(WriterQueue::default());
        queues.insert(file, Arc::downgrade(&queue));
        queue
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    fn tickets(&self) -> MutexGuard<'_, Tickets> {
        self.tickets.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Takes a ticket: the last one, or again the one with this number.
    pub(crate) fn take_ticket(&self, number: Option<u64>, thread: usize, condvar: &Arc<Condvar>) -> u64 {
        let mut tickets = self.tickets();
        let number = number.unwrap_or_else(|| {
            tickets.next += 1;
            tickets.next
        });
        if let Err(at) = tickets.taken.binary_search_by_key(&number, |ticket| ticket.number) {
            tickets
                .taken
                .insert(at, Ticket { number, thread, condvar: condvar.clone(), woken: false, asking_until: None });
        }
        self.count.store(tickets.taken.len(), Ordering::Release);
        number
    }

    /// Gives a ticket up and tells the next that he is the first: `is_free` says that he need not pause before he asks.
    pub(crate) fn leave(&self, number: u64, is_free: bool) {
        let mut tickets = self.tickets();
        if let Some(at) = tickets.find(number) {
            tickets.taken.remove(at);
        }
        self.count.store(tickets.taken.len(), Ordering::Release);
        if is_free {
            tickets.wake_first();
        } else {
            tickets.notify_first();
        }
    }

    /// Tells the first in the queue that the lock is free as far as this process knows.
    pub(crate) fn wake_first(&self) {
        if !self.is_empty() {
            self.tickets().wake_first();
        }
    }

    /// Says that the owner of the ticket asks the file now. Who certainly needs the lock gives the ticket up when its call or
    /// its transaction ends.
    pub(crate) fn mark_polling(&self, number: u64, need: LockNeed) {
        let mut tickets = self.tickets();
        if let Some(at) = tickets.find(number) {
            let patience = match need {
                LockNeed::Certain => LATE_AFTER,
                LockNeed::Possible => TAKEOVER_AFTER,
            };
            tickets.taken[at].asking_until = Some(Instant::now() + patience);
        }
    }

    /// Says that the owner of the ticket was refused, and waits until it is the first in the queue: then, at once. Ends at
    /// `until` as well, and soon after `given_up` says so.
    ///
    /// The first in the queue waits for `pause`, or until it is told that the lock is free. `given_up` may run a host's code:
    /// nothing is locked then.
    pub(crate) fn wait(&self, number: u64, until: Instant, pause: Duration, given_up: impl Fn() -> bool) {
        let mut tickets = self.tickets();
        let Some(at) = tickets.find(number) else { return };
        let ticket = &mut tickets.taken[at];
        let (condvar, thread) = (ticket.condvar.clone(), ticket.thread);
        (ticket.asking_until, ticket.woken) = (None, at == 0 && ticket.woken);
        drop(tickets);
        let entered = Instant::now();
        while !given_up() {
            let mut tickets = self.tickets();
            let now = Instant::now();
            let Some(at) = tickets.find(number) else { return };
            if now >= until {
                return;
            }
            let sleep = match (at, tickets.taken[0].asking_until) {
                // What the first in the queue has woken for him is his first attempt's answer already.
                (0, _) if tickets.taken[0].woken || now >= entered + pause => {
                    tickets.taken[0].woken = false;
                    return;
                }
                (0, _) => entered + pause - now,
                // Nobody waits for himself: the first ticket is that of another connection of this very thread.
                (1, Some(until)) if now >= until || tickets.taken[0].thread == thread => {
                    tickets.taken.remove(0);
                    self.count.store(tickets.taken.len(), Ordering::Release);
                    tickets.taken[0].woken = false;
                    if let Some(second) = tickets.taken.get(1) {
                        second.condvar.notify_one();
                    }
                    return;
                }
                (1, Some(until)) => until - now,
                (1, None) => SECOND_SLEEP,
                _ => INTERRUPT_POLL,
            };
            let sleep = sleep.min(until - now);
            drop(condvar.wait_timeout(tickets, sleep).unwrap_or_else(|poisoned| poisoned.into_inner()));
        }
    }
}

impl Tickets {
    fn find(&self, number: u64) -> Option<usize> {
        self.taken.binary_search_by_key(&number, |ticket| ticket.number).ok()
    }

    fn wake_first(&mut self) {
        if let Some(first) = self.taken.first_mut() {
            first.woken = true;
        }
        self.notify_first();
    }

    /// Wakes the first in the queue, and the second, who watches the first.
    fn notify_first(&self) {
        if let Some(first) = self.taken.first() {
            first.condvar.notify_one();
        }
        if let Some(second) = self.taken.get(1) {
            second.condvar.notify_one();
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
        let queue = Arc::new(WriterQueue::default());
        let condvar = Arc::new(Condvar::new());
        let first = queue.take_ticket(None, 0, &condvar);
        let order = Arc::new(Mutex::new(Vec::new()));
        let threads: Vec<_> = (1..=6)
            .map(|thread| {
                // Entered here, so that the order is known; waited for there.
                let condvar = Arc::new(Condvar::new());
                let number = queue.take_ticket(None, thread, &condvar);
                let (queue, order) = (queue.clone(), order.clone());
                std::thread::spawn(move || {
                    queue.wait(number, Instant::now() + LONG, Duration::ZERO, never);
                    order.lock().unwrap().push(thread);
                    queue.leave(number, true);
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(30));
        assert!(order.lock().unwrap().is_empty());
        queue.leave(first, true);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(*order.lock().unwrap(), [1, 2, 3, 4, 5, 6]);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_place_that_is_never_given_up_holds_nobody_up() {
        let queue = Arc::new(WriterQueue::default());
        let leaked = queue.take_ticket(None, 1, &Arc::new(Condvar::new()));
        queue.mark_polling(leaked, LockNeed::Possible);
        let condvar = Arc::new(Condvar::new());
        let number = queue.take_ticket(None, 2, &condvar);
        let began = Instant::now();
        queue.wait(number, began + LONG, Duration::ZERO, never);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        // Its owner was only slow: it has its old ticket again.
        queue.take_ticket(Some(leaked), 1, &Arc::new(Condvar::new()));
        let end = Instant::now() + Duration::from_millis(30);
        queue.wait(number, end, Duration::ZERO, never);
        assert!(Instant::now() >= end);
    }

    #[test]
    fn a_wait_ends_at_its_time_and_when_it_is_given_up() {
        let queue = Arc::new(WriterQueue::default());
        queue.take_ticket(None, 1, &Arc::new(Condvar::new()));
        let condvar = Arc::new(Condvar::new());
        let number = queue.take_ticket(None, 2, &condvar);
        let began = Instant::now();
        queue.wait(number, began + Duration::from_millis(60), Duration::ZERO, never);
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(60) && took < Duration::from_secs(5), "{took:?}");
        let barrier = Arc::new(Barrier::new(2));
        let given_up = Arc::new(AtomicUsize::new(0));
        let waiter = {
            let (queue, barrier, given_up) = (queue.clone(), barrier.clone(), given_up.clone());
            std::thread::spawn(move || {
                barrier.wait();
                queue.wait(number, Instant::now() + LONG, Duration::ZERO, || given_up.load(Ordering::Relaxed) == 1);
            })
        };
        barrier.wait();
        given_up.store(1, Ordering::Relaxed);
        let began = Instant::now();
        waiter.join().unwrap();
        assert!(began.elapsed() < Duration::from_secs(2));
    }
}
