//! Threads that work for JavaScript: as many as there is work for, up to a number. They end when there is none for a while,
//! and with the environment.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a thread waits for work.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the end of the environment waits for what was stopped.
const FAREWELL: Duration = Duration::from_secs(2);

/// Makes work that is under way end soon; called on another thread.
pub(crate) type Stop = Box<dyn Fn() + Send>;

/// Work for a thread. It answers whoever waits for it by itself, of a panic too.
pub(crate) trait Job: Send + 'static {
    /// What stops it. It must not be the last that holds these threads.
    fn stop(&self) -> Stop;
    fn run(self);
    /// Not even one thread could be started.
    fn refuse(self);
}

/// Threads for one kind of work. They are let go of without being waited for.
pub(crate) struct Threads<J: Job> {
    shared: Arc<Shared<J>>,
    most: usize,
    name: &'static str,
}

struct Shared<J> {
    queue: Mutex<Queue<J>>,
    work: Condvar,
    gone: Condvar,
}

struct Queue<J> {
    jobs: VecDeque<J>,
    /// What is under way, by the number of its thread.
    running: Vec<(u64, Stop)>,
    threads: usize,
    handles: Vec<JoinHandle<()>>,
    waiting: usize,
    started: u64,
    ended: bool,
}

impl<J> Shared<J> {
    fn locked(&self) -> MutexGuard<'_, Queue<J>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J: Job> Threads<J> {
    /// `most` of them at a time; with one, the work is done in its order.
    pub(crate) fn new(most: usize, name: &'static str) -> Threads<J> {
        let (jobs, running) = (VecDeque::new(), Vec::new());
        let handles = Vec::new();
        let queue = Mutex::new(Queue { jobs, running, threads: 0, handles, waiting: 0, started: 0, ended: false });
        Threads { shared: Arc::new(Shared { queue, work: Condvar::new(), gone: Condvar::new() }), most, name }
    }

    /// Has it done. Once they have ended it is dropped: nobody waits for it any more.
    pub(crate) fn submit(&self, job: J) {
        let mut queue = self.shared.locked();
        if queue.ended {
            return;
        }
        queue.jobs.push_back(job);
        if queue.waiting < queue.jobs.len() && queue.threads < self.most {
            queue.threads += 1;
            queue.started += 1;
            let (shared, number) = (self.shared.clone(), queue.started);
            drop(queue);
            let started = std::thread::Builder::new().name(self.name.into()).spawn(move || work(&shared, number));
            queue = self.shared.locked();
            match started {
                Ok(handle) => {
                    queue.handles.retain(|other| !other.is_finished());
                    queue.handles.push(handle);
                }
                Err(_) => {
                    queue.threads -= 1;
                    if queue.threads == 0 {
                        // The others would do it, if there were any.
                        let job = queue.jobs.pop_back();
                        drop(queue);
                        job.into_iter().for_each(J::refuse);
                        return;
                    }
                }
            }
        }
        drop(queue);
        self.shared.work.notify_one();
    }

    /// Stops what runs, drops what waits, and waits for the threads a little.
    pub(crate) fn end(&self) {
        for stop in self.end_soon() {
            stop();
        }
        let deadline = Instant::now() + FAREWELL;
        let mut queue = self.shared.locked();
        while queue.threads > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            queue = self.shared.gone.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let handles = std::mem::take(&mut queue.handles);
        drop(queue);
        // They have nothing left to do.
        handles.into_iter().for_each(|handle| drop(handle.join()));
    }

    fn end_soon(&self) -> Vec<Stop> {
        let mut queue = self.shared.locked();
        queue.ended = true;
        let (jobs, running) = (std::mem::take(&mut queue.jobs), std::mem::take(&mut queue.running));
        // What they hold may take the lock when it goes.
        drop(queue);
        drop(jobs);
        self.shared.work.notify_all();
        running.into_iter().map(|(_, stop)| stop).collect()
    }
}

impl<J: Job> Drop for Threads<J> {
    fn drop(&mut self) {
        drop(self.end_soon());
    }
}

fn work<J: Job>(shared: &Shared<J>, number: u64) {
    while let Some(job) = next(shared, number) {
        // It has answered its panics.
        let _ = catch_unwind(AssertUnwindSafe(|| job.run()));
        shared.locked().running.retain(|(other, _)| *other != number);
    }
    shared.gone.notify_all();
}

/// The next work; none when the thread is to end.
fn next<J: Job>(shared: &Shared<J>, number: u64) -> Option<J> {
    let mut queue = shared.locked();
    loop {
        let idle = if queue.ended {
            true
        } else if let Some(job) = queue.jobs.pop_front() {
            queue.running.push((number, job.stop()));
            return Some(job);
        } else {
            queue.waiting += 1;
            let (back, waited) = shared.work.wait_timeout(queue, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            queue = back;
            queue.waiting -= 1;
            waited.timed_out() && queue.jobs.is_empty()
        };
        if idle {
            queue.threads -= 1;
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    /// Tells that it runs, and runs until it is stopped, or not at all.
    struct Count {
        runs: Arc<AtomicUsize>,
        stopped: Arc<AtomicBool>,
        waits: bool,
        begun: mpsc::Sender<()>,
    }

    impl Job for Count {
        fn stop(&self) -> Stop {
            let stopped = self.stopped.clone();
            Box::new(move || stopped.store(true, Ordering::Relaxed))
        }

        fn run(self) {
            self.runs.fetch_add(1, Ordering::Relaxed);
            self.begun.send(()).unwrap();
            while self.waits && !self.stopped.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            if !self.waits {
                panic!("as a callback might");
            }
        }

        fn refuse(self) {}
    }

    #[test]
    fn what_runs_is_stopped_and_what_waits_is_dropped() {
        let threads = Threads::new(2, "test");
        let (runs, (begun, begins)) = (Arc::new(AtomicUsize::new(0)), mpsc::channel());
        let job = |waits| Count { runs: runs.clone(), stopped: Arc::default(), waits, begun: begun.clone() };
        // One that panics takes no thread with it.
        for _ in 0..10 {
            threads.submit(job(false));
            begins.recv().unwrap();
        }
        (0..7).for_each(|_| threads.submit(job(true)));
        begins.recv().unwrap();
        begins.recv().unwrap();
        threads.end();
        assert_eq!(runs.load(Ordering::Relaxed), 12, "two of seven were under way");
        // On a machine that is busy with other work it may have waited in vain.
        while threads.shared.locked().threads > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        threads.submit(job(true));
        assert_eq!(runs.load(Ordering::Relaxed), 12);
        // Nothing is left of what was dropped.
        assert_eq!(Arc::strong_count(&runs), 1);
    }
}
