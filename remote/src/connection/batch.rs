//! Several statements in one request: a transaction that the server commits or rolls back by itself.

use litekeel_core::{Error, Result, codes};
use litekeel_core::{Packed, Table};

use super::alone::LOOK;
use super::{CLOSE, Locked, Remote, Statement};
use crate::answer::{committed, first, joined, uncommitted, unknown, unread};
use crate::keyword::{Effect, effect, names_columns};
use crate::wire;

/// A statement's text, and a row of a table of parameters.
type Step<'a> = (&'a str, Option<(Table<'a>, usize)>);

impl Remote {
    /// Runs every statement in one transaction: all of them or none, in one request.
    ///
    /// # Errors
    /// As [`query`](Remote::query); `KEEL_IN_TRANSACTION` while one is open.
    pub fn batch(&self, statements: &[Statement<'_>]) -> Result<Vec<Packed>> {
        self.all_or_none(&["BEGIN IMMEDIATE"], statements)
    }

    /// As [`batch`](Remote::batch), with foreign keys that are not enforced: for the steps by which a table is made anew.
    ///
    /// # Errors
    /// As there.
    pub fn migrate(&self, statements: &[Statement<'_>]) -> Result<Vec<Packed>> {
        // They end with the stream, which the request closes.
        self.all_or_none(&["PRAGMA foreign_keys = OFF", "BEGIN IMMEDIATE"], statements)
    }

    fn all_or_none(&self, opening: &[&str], statements: &[Statement<'_>]) -> Result<Vec<Packed>> {
        self.check_process()?;
        let state = self.state();
        if state.stream.is_some() || state.poison.is_some() {
            return Err(Error::new(codes::IN_TRANSACTION, "a batch is a transaction of its own, and one is open"));
        }
        if statements.iter().any(|statement| statement.parameters.is_some_and(|table| table.rows() > 1)) {
            return Err(Error::new(codes::ARGUMENT, "a statement of a batch has several rows of parameters")
                .with_hint("add the statement once for each row"));
        }
        let row = |table: Option<Table<'_>>| table.is_some_and(|table| table.rows() > 0);
        let steps: Vec<_> = statements
            .iter()
            .map(|Statement { sql, parameters }| {
                (*sql, parameters.filter(|_| row(*parameters)).map(|table| (table, 0)))
            })
            .collect();
        self.together(state, opening, &steps)
    }

    /// One statement for each row of its parameters.
    pub(super) fn each_row(&self, state: Locked<'_>, sql: &str, table: Table<'_>, effect: Effect) -> Result<Packed> {
        if state.stream.is_some() {
            return Err(Error::new(
                codes::ARGUMENT,
                "in a transaction at a server a statement takes one row of parameters",
            )
            .with_hint("run it once for each row, or outside the transaction"));
        }
        let steps: Vec<_> = (0..table.rows()).map(|row| (sql, Some((table, row)))).collect();
        let begin = if effect == Effect::Reads { "BEGIN READONLY" } else { "BEGIN IMMEDIATE" };
        self.together(state, &[begin], &steps).map(|results| joined(&results))
    }

    /// The steps between what opens the transaction and a COMMIT, each on the condition that the one before it succeeded.
    pub(super) fn together(&self, state: Locked<'_>, opening: &[&str], steps: &[Step<'_>]) -> Result<Vec<Packed>> {
        if let Some((ending, _)) = steps.iter().find(|(sql, _)| {
            matches!(effect(sql), Effect::Begins | Effect::Commits | Effect::Releases | Effect::RollsBack)
        }) {
            return Err(Error::new(codes::ARGUMENT, "a batch has no BEGIN, COMMIT or ROLLBACK of its own")
                .with_hint(format!("leave {:?} out", ending.chars().take(40).collect::<String>())));
        }
        let index = self.replication_index();
        drop(state);
        for (sql, _) in steps {
            self.permit(sql, effect(sql))?;
        }
        let look = steps.iter().any(|(sql, _)| names_columns(sql)).then_some(&LOOK);
        let first_step = opening.len() + usize::from(look.is_some());
        let all = opening.iter().chain(look).map(|sql| (*sql, None)).chain(steps.iter().copied());
        let mut body = String::from(r#"{"baton":null,"requests":[{"type":"batch","batch":{"steps":["#);
        for (number, (sql, parameters)) in all.enumerate() {
            match number.checked_sub(1) {
                Some(before) => {
                    body.push_str(&format!(r#",{{"condition":{{"type":"ok","step":{before}}},"stmt":"#));
                }
                None => body.push_str(r#"{"stmt":"#),
            }
            wire::push_statement(sql, parameters, None, &mut body)?;
            body.push('}');
        }
        let last = first_step + steps.len() - 1;
        let commit = last + 1;
        body.push_str(&format!(
            r#",{{"condition":{{"type":"ok","step":{last}}},"stmt":{{"sql":"COMMIT"}}}},{{"condition":{{"type":"not","cond":{{"type":"ok","step":{commit}}}}},"stmt":{{"sql":"ROLLBACK"}}}}]"#
        ));
        wire::push_batch_index(index, &mut body);
        body.push_str(&format!("}}}},{CLOSE}]}}"));
        let answer = self.transport().pipeline(None, &body, self.transport().deadline()).map_err(unknown)?;
        let result = first(&answer).map_err(|error| self.transport().shown(unread(error)))?;
        let result = &result["result"];
        self.wrote(wire::index(&result["replication_index"]));
        for number in 0..=commit {
            if !result["step_errors"][number].is_null() {
                return Err(self.transport().shown(uncommitted(wire::statement_error(&result["step_errors"][number]))));
            }
        }
        if result["step_results"][commit].is_null() {
            return Err(unread(wire::not_an_answer("a batch that was neither committed nor failed")));
        }
        (first_step..=last).map(|number| wire::rows(&result["step_results"][number]).map_err(committed)).collect()
    }
}
