//! One read: what is to be done, and whom its answer goes to.

use std::sync::Arc;

use super::answer::{Answer, Integers};
use super::connections::Readers;
use super::limit::Limit;
use super::params::Params;
use super::query;
use crate::dispatcher::Dispatcher;
use crate::js::value;

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

impl Job {
    pub(super) fn run(&self) -> Answer {
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

    pub(super) fn finish(self, answer: Answer) {
        self.readers.end(self.id);
        let id = self.id;
        self.dispatcher.send(Box::new(move |env| {
            let (kind, content) = answer.to_js(env);
            [value::string(env, kind), value::number(env, id), content]
        }));
    }
}
