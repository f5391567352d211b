//! One read: what is to be done, and whom its answer goes to.

use std::sync::Arc;

use litekeel_core::Error;

use super::answer::{Answer, Integers};
use super::connections::Readers;
use super::limit::Limit;
use super::params::Params;
use super::query;
use crate::dispatcher::{Dispatcher, EndsWithEnvironment};
use crate::js::value;
use crate::threads::{self, Stop, Threads};

/// Threads of one environment: a reader keeps a core busy, and the rest of the process needs some.
const THREADS: usize = 4;

/// The threads that read for one environment.
pub(crate) struct Pool(Threads<Job>);

impl Default for Pool {
    fn default() -> Pool {
        Pool(Threads::new(THREADS, "litekeel-read"))
    }
}

impl Pool {
    pub(super) fn submit(&self, job: Job) {
        self.0.submit(job);
    }
}

impl EndsWithEnvironment for Pool {
    fn end(&self) {
        self.0.end();
    }
}

/// One read, for a thread to do.
pub(super) struct Job {
    pub(super) id: f64,
    pub(super) readers: Arc<Readers>,
    pub(super) sql: String,
    pub(super) params: Params,
    pub(super) limit: Arc<Limit>,
    pub(super) integers: Integers,
    pub(super) dispatcher: Arc<Dispatcher>,
}

impl threads::Job for Job {
    fn stop(&self) -> Stop {
        let limit = self.limit.clone();
        Box::new(move || limit.cancel())
    }

    fn run(self) {
        let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.read()));
        let answer = read.unwrap_or_else(|_| {
            Answer::Failed(Error::new(litekeel_core::codes::PANIC, "internal error (panic) while reading"))
        });
        self.finish(answer);
    }

    fn refuse(self) {
        let text = "no thread could be started for the read";
        self.finish(Answer::Failed(Error::new(litekeel_core::sqlite::SQLITE_NOMEM, text)));
    }
}

impl Job {
    fn read(&self) -> Answer {
        let reader = match self.readers.take() {
            Ok(Some(reader)) => reader,
            Ok(None) => return Answer::Closed,
            Err(error) => return Answer::Failed(error),
        };
        let answer = query::run(&reader.connection, &self.sql, &self.params, &self.limit, self.integers);
        self.readers.give_back(reader);
        match answer {
            Answer::Failed(_) if self.readers.is_closed() => Answer::Closed,
            Answer::Failed(error) if error.code() & 0xff == litekeel_core::sqlite::SQLITE_INTERRUPT => {
                // A cancelled read has been rejected already; what is sent for it is ignored.
                Answer::TimedOut
            }
            answer => answer,
        }
    }

    fn finish(self, answer: Answer) {
        self.readers.end(self.id);
        let id = self.id;
        self.dispatcher.send(Box::new(move |env| {
            let (kind, content) = answer.to_js(env);
            [value::string(env, kind), value::number(env, id), content]
        }));
    }
}
