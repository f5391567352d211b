//! What the server knows of a statement before it runs: its parameters, its columns, and whether it writes.

use std::sync::Arc;

use litekeel_core::{Error, Result, codes};
use serde_json::Value;

use super::descriptions::Description;
use super::{CLOSE, Remote};
use crate::answer::first;
use crate::{script, wire};

impl Remote {
    /// What the server knows of a statement, from memory where the text was asked for before. Its columns may be those of
    /// an earlier schema then: [`describe_anew`](Remote::describe_anew).
    ///
    /// # Errors
    /// As [`query`](Remote::query): SQLite's for a text that is not one statement, or names what is not there.
    pub fn describe(&self, sql: &str) -> Result<Arc<Description>> {
        match self.descriptions.get(sql) {
            Some(known) => Ok(known),
            None => self.describe_anew(sql),
        }
    }

    /// As [`describe`](Remote::describe), by asking the server: one round trip.
    ///
    /// # Errors
    /// As there.
    pub fn describe_anew(&self, sql: &str) -> Result<Arc<Description>> {
        self.check_process()?;
        // The server describes the first of several, and an empty text as a statement.
        match script::statements(sql).len() {
            1 => {}
            0 => return Err(Error::new(codes::ARGUMENT, "the text contains no statement")),
            _ => return Err(Error::new(codes::ARGUMENT, "the text contains more than one statement")),
        }
        let mut state = self.state();
        if let Some(error) = &state.poison {
            return Err(error.clone());
        }
        let mut request = String::from(r#"{"type":"describe",""#);
        request.push_str(&wire::sql_and_index(sql, self.replication_index())[2..]);
        let (transport, deadline) = (self.transport(), self.transport().deadline());
        let answer = if let Some(stream) = state.stream.take() {
            let baton = serde_json::to_string(&stream.baton).unwrap_or_default();
            let body = format!(r#"{{"baton":{baton},"requests":[{request},{{"type":"get_autocommit"}}]}}"#);
            let answer = match transport.pipeline(stream.base.as_deref(), &body, deadline) {
                Ok(answer) => answer,
                Err(failure) => return Err(self.lost(&mut state, stream, failure)),
            };
            match (answer["results"][1]["response"]["is_autocommit"].as_bool(), self.streams.of(&answer)) {
                (Some(false), Some(next)) => state.stream = Some(next),
                (_, next) => {
                    self.streams.end_later(next);
                    let text = "the server has ended the transaction";
                    let why = Error::new(codes::TRANSACTION_EXPIRED, text);
                    return Err(self.poison(&mut state, why));
                }
            }
            answer
        } else {
            drop(state);
            let body = format!(r#"{{"baton":null,"requests":[{request},{CLOSE}]}}"#);
            let send = |deadline| transport.pipeline(None, &body, deadline);
            transport.again(deadline, send).map_err(|failure| failure.error)?
        };
        let response = first(&answer).map_err(|error| transport.shown(error))?;
        let description = Arc::new(read(&response["result"])?);
        self.descriptions.keep(sql, &description);
        Ok(description)
    }
}

fn read(result: &Value) -> Result<Description> {
    let bad = || wire::not_an_answer("a description without parameters and columns");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Ok(Description {
        parameters: result["params"].as_array().ok_or_else(bad)?.iter().map(|one| text(&one["name"])).collect(),
        columns: (result["cols"].as_array().ok_or_else(bad)?.iter())
            .map(|one| (text(&one["name"]).unwrap_or_default(), text(&one["decltype"])))
            .collect(),
        readonly: result["is_readonly"].as_bool().ok_or_else(bad)?,
    })
}
