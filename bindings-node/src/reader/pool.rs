//! The threads that read for one environment.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use litekeel_core::Error;

use super::answer::Answer;
use super::connections::locked;
use super::job::Job;
use super::limit::Limit;
use crate::dispatcher::EndsWithEnvironment;

/// Threads of one environment: a reader keeps a core busy, and the rest of the process needs some.
const THREADS: usize = 4;

/// The threads of one environment; they start when there is work.
#[derive(Default)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    active: Vec<Arc<Limit>>,
    waiting: usize,
    ended: bool,
}

impl EndsWithEnvironment for Pool {
    /// Interrupts what runs, drops what waits and joins the threads.
    fn end(&self) {
        let mut queue = locked(&self.shared.queue);
        queue.ended = true;
        let jobs = std::mem::take(&mut queue.jobs);
        for limit in &queue.active {
            limit.cancel();
        }
        drop(queue);
        drop(jobs);
        self.shared.work.notify_all();
        for thread in std::mem::take(&mut *locked(&self.threads)) {
            // It has caught its panics.
            let _ = thread.join();
        }
    }
}

impl Pool {
    pub(super) fn submit(&self, job: Job) {
        let mut queue = locked(&self.shared.queue);
        if queue.ended {
            return;
        }
        queue.active.push(job.limit.clone());
        queue.jobs.push_back(job);
        let short = queue.waiting < queue.jobs.len();
        drop(queue);
        let mut threads = locked(&self.threads);
        if short && threads.len() < THREADS {
            let shared = self.shared.clone();
            // Without a new thread the others do the work; without any, the read would never be answered.
            if let Ok(thread) = std::thread::Builder::new().name("litekeel-read".into()).spawn(move || work(&shared)) {
                threads.push(thread);
            }
        }
        if threads.is_empty() {
            let job = locked(&self.shared.queue).jobs.pop_back();
            if let Some(job) = job {
                let error = Error::new(litekeel_core::sqlite::SQLITE_NOMEM, "no thread could be started for the read");
                job.finish(Answer::Failed(error));
            }
        }
        self.shared.work.notify_one();
    }
}

fn work(shared: &Shared) {
    loop {
        let mut queue = locked(&shared.queue);
        let job = loop {
            if queue.ended {
                return;
            }
            if let Some(job) = queue.jobs.pop_front() {
                break job;
            }
            queue.waiting += 1;
            queue = shared.work.wait(queue).unwrap_or_else(|poisoned| poisoned.into_inner());
            queue.waiting -= 1;
        };
        drop(queue);
        let limit = job.limit.clone();
        let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job.run())).unwrap_or_else(|_| {
            Answer::Failed(Error::new(litekeel_core::codes::PANIC, "internal error (panic) while reading"))
        });
        job.finish(answer);
        locked(&shared.queue).active.retain(|other| !Arc::ptr_eq(other, &limit));
    }
}
