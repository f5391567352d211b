//! A transaction: a stream that is kept, and statements that the server runs only while the transaction is open.

use litekeel_core::Packed;
use litekeel_core::{Error, Result, codes};

use super::alone::LOOK;
use super::{Remote, State};
use crate::answer::{Outcome, first, step, unknown};
use crate::keyword::Effect;
use crate::streams::Stream;
use crate::transport::Failure;
use crate::wire;

/// Runs only while the transaction is the stream's.
const ALIVE: &str = r#"{"type":"not","cond":{"type":"is_autocommit"}}"#;

impl Remote {
    pub(super) fn begin(&self, state: &mut State, statement: &str) -> Result<Packed> {
        let body = format!(
            r#"{{"baton":null,"requests":[{{"type":"execute","stmt":{statement}}},{{"type":"get_autocommit"}}]}}"#
        );
        // A transaction that nobody has the baton of ends without having written.
        let (transport, deadline) = (self.transport(), self.transport().deadline());
        let answer = transport.pipeline(None, &body, deadline).map_err(|failure| failure.error)?;
        let stream = self.streams.of(&answer);
        let result = match first(&answer).and_then(|result| wire::rows(&result["result"])) {
            Ok(result) => result,
            Err(error) => {
                // It may have begun: other writers would wait for it.
                self.streams.end_later(stream);
                return Err(transport.shown(error));
            }
        };
        if stream.is_none() {
            return Err(wire::not_an_answer("BEGIN without a baton, or with one for a server that is not secure"));
        }
        (state.stream, state.has_looked) = (stream, false);
        Ok(result)
    }

    /// A statement of the open transaction. If it is `named`, its columns have the names of a table.
    pub(super) fn inside(
        &self,
        state: &mut State,
        stream: Stream,
        statement: &str,
        (effect, named): (Effect, bool),
    ) -> Result<Packed> {
        let baton = serde_json::to_string(&stream.baton).unwrap_or_default();
        // A deferred transaction has seen nothing before its first statement, and the schema may have changed meanwhile. What
        // has no columns does not look first: a write would be refused if another client wrote in between.
        let looks = named && !state.has_looked;
        let look = if looks { format!(r#"{{"condition":{ALIVE},"stmt":{{"sql":"{LOOK}"}}}},"#) } else { String::new() };
        let body = format!(
            r#"{{"baton":{baton},"requests":[{{"type":"batch","batch":{{"steps":[{look}{{"condition":{ALIVE},"stmt":{statement}}}]}}}},{{"type":"get_autocommit"}}]}}"#
        );
        let transport = self.transport();
        let answer = match transport.pipeline(stream.base.as_deref(), &body, transport.deadline()) {
            Ok(answer) => answer,
            Err(failure) if effect == Effect::RollsBack && failure.error.code() == codes::TRANSACTION_EXPIRED => {
                return wire::rows(&serde_json::json!({"cols": [], "rows": []}));
            }
            Err(failure) if effect == Effect::RollsBack => {
                // Without its baton nothing can be added to it or commit it: the server rolls it back.
                return Err(failure.error.with_hint("the server rolls the transaction back by itself"));
            }
            Err(failure) if effect == Effect::Commits && !failure.nothing_done => {
                // Over in either case; what follows must not be committed alone before the caller has heard of it.
                let error = unknown(failure);
                state.poison = Some(error.clone());
                return Err(error);
            }
            Err(failure) => return Err(self.lost(state, stream, failure)),
        };
        let next = self.streams.of(&answer);
        let (outcome, index) = match step(&answer, usize::from(looks)) {
            Ok(step) => step,
            Err(error) => {
                self.streams.end_later(next);
                if effect == Effect::Commits {
                    let error = unknown(Failure { error, nothing_done: false, retryable: false });
                    state.poison = Some(error.clone());
                    return Err(error);
                }
                return Err(self.poison(state, error));
            }
        };
        let over = answer["results"][1]["response"]["is_autocommit"].as_bool();
        let ended = matches!(effect, Effect::Commits | Effect::RollsBack) && matches!(outcome, Outcome::Rows(_));
        match (over, next) {
            (Some(false), Some(next)) => state.stream = Some(next),
            (_, next) => {
                self.streams.end_later(next);
                if !ended {
                    return Err(match outcome {
                        // As INSERT OR ROLLBACK does: told with its own code, once.
                        Outcome::Failed(error) if error.code() != codes::TRANSACTION_EXPIRED => {
                            self.poison(state, error.clone());
                            self.transport().shown(error)
                        }
                        Outcome::Failed(error) => self.poison(state, error),
                        _ => {
                            let text = "the server has ended the transaction";
                            self.poison(state, Error::new(codes::TRANSACTION_EXPIRED, text))
                        }
                    });
                }
            }
        }
        match outcome {
            Outcome::Rows(rows) => {
                // Not by what reads no table: SAVEPOINT and most pragmas begin nothing that a transaction sees.
                state.has_looked |= looks;
                self.wrote(index);
                Ok(rows)
            }
            Outcome::Failed(error) => Err(self.transport().shown(error)),
            Outcome::Skipped => Err(wire::not_an_answer("a statement that was neither run nor refused")),
        }
    }

    /// A request of the transaction on this stream had no answer that it can go on with.
    pub(super) fn lost(&self, state: &mut State, stream: Stream, failure: Failure) -> Error {
        let is_open = failure.nothing_done && failure.error.code() != codes::TRANSACTION_EXPIRED;
        // Other writers would wait for what nobody can commit any more.
        self.streams.end_later(Some(stream).filter(|_| is_open));
        self.poison(state, failure.error)
    }

    /// Marks the transaction as lost: until it is rolled back, every call is told so and none reaches the server.
    pub(super) fn poison(&self, state: &mut State, why: Error) -> Error {
        let text = format!("the transaction is gone, and nothing of it is committed: {}", why.message());
        let error = self.transport().shown(Error::new(codes::TRANSACTION_EXPIRED, text));
        state.stream = None;
        state.poison = Some(error.clone());
        error
    }
}
