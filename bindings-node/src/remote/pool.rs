//! The threads that ask a server for JavaScript. A request waits for the network alone, so there are more than of cores;
//! they end when nothing is asked for a while.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Of one database.
pub(super) const THREADS: usize = 8;
/// How long a thread waits for work.
const PATIENCE: Duration = Duration::from_secs(5);

/// Called with whether a thread runs it; if none could be started, the caller's does, and it asks nobody.
pub(super) type Job = Box<dyn FnOnce(bool) + Send>;

pub(super) struct Pool {
    shared: Arc<Shared>,
    threads: usize,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    waiting: usize,
}

impl Shared {
    fn locked(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    pub(super) fn new(threads: usize) -> Pool {
        Pool { shared: Arc::default(), threads }
    }

    pub(super) fn submit(&self, job: Job) {
        let mut queue = self.shared.locked();
        queue.jobs.push_back(job);
        if queue.waiting < queue.jobs.len() && queue.threads < self.threads {
            queue.threads += 1;
            drop(queue);
            let shared = self.shared.clone();
            let started = std::thread::Builder::new().name("litekeel-remote".into()).spawn(move || work(&shared));
            queue = self.shared.locked();
            if started.is_err() {
                queue.threads -= 1;
                if queue.threads == 0 {
                    let job = queue.jobs.pop_back();
                    drop(queue);
                    job.into_iter().for_each(|job| job(false));
                    return;
                }
            }
        }
        drop(queue);
        self.shared.work.notify_one();
    }
}

fn work(shared: &Shared) {
    loop {
        let mut queue = shared.locked();
        while queue.jobs.is_empty() {
            queue.waiting += 1;
            let (back, waited) = shared.work.wait_timeout(queue, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            queue = back;
            queue.waiting -= 1;
            if waited.timed_out() && queue.jobs.is_empty() {
                queue.threads -= 1;
                return;
            }
        }
        let job = queue.jobs.pop_front();
        drop(queue);
        // What panics in a job is caught there.
        job.into_iter().for_each(|job| job(true));
    }
}
