//! The rows of a statement as the server finds them, a line each: none of them is kept here.

use std::io::BufRead;
use std::sync::Arc;

use litekeel_core::packed::{Encoder, Packed, Table};
use litekeel_core::{Error, Result, codes};
use serde_json::Value;

use super::{Remote, Stream};
use crate::keyword::{Effect, effect};
use crate::transport::{Lines, Transport};
use crate::wire;

/// The rows of one statement, to be taken little by little. A cursor that is let go before its end is ended at the server.
pub struct Cursor {
    source: Source,
    columns: Vec<String>,
    rows: usize,
}

enum Source {
    /// From the server.
    Open {
        lines: Lines,
        stream: Option<Stream>,
        transport: Arc<Transport>,
    },
    /// All of them are here.
    Whole(Packed),
    Ended,
}

impl Remote {
    /// Runs one statement, and returns its rows little by little: [`Cursor::next`]. A statement that surely only reads
    /// streams them, outside a transaction, in bounded memory, on a connection of its own, and `statement_timeout=` limits
    /// each wait for more of them; any other one is run to its end at once.
    ///
    /// # Errors
    /// As [`query`](Remote::query).
    pub fn cursor(&self, sql: &str, parameters: Option<Table<'_>>) -> Result<Cursor> {
        self.check_process()?;
        let reads = match effect(sql) {
            Effect::Reads => true,
            Effect::Other => !self.in_transaction() && self.describe(sql)?.readonly,
            _ => false,
        };
        if self.in_transaction() || !reads {
            let packed = self.query(sql, parameters)?;
            let table = packed.table();
            let name = |column| String::from_utf8_lossy(table.name(column)).into_owned();
            let columns = (0..table.columns()).map(name).collect();
            return Ok(Cursor { columns, source: Source::Whole(packed), rows: 0 });
        }
        let parameters = parameters.filter(|table| table.rows() == 1).map(|table| (table, 0));
        let mut body = String::from(r#"{"baton":null,"batch":{"steps":[{"stmt":"#);
        wire::push_statement(sql, parameters, self.replication_index(), &mut body)?;
        body.push_str("}]}}");
        let mut lines = self.transport.lines(&body);
        if lines.as_ref().is_err_and(|failure| failure.retryable) {
            lines = self.transport.lines(&body);
        }
        let mut lines = lines.map_err(|failure| failure.error)?;
        let transport = self.transport.clone();
        let head = line(&transport, &mut lines)?;
        let mut cursor = Cursor {
            source: Source::Open { lines, stream: self.stream_of(&head), transport },
            columns: Vec::new(),
            rows: 0,
        };
        let begin = cursor.line()?;
        match begin["type"].as_str() {
            Some("step_begin") => {}
            Some("step_error" | "error") => return Err(cursor.failed(&begin["error"])),
            _ => return Err(wire::not_an_answer("a cursor that does not begin with its columns")),
        }
        let columns = begin["cols"].as_array().ok_or_else(|| wire::not_an_answer("a cursor without columns"))?;
        cursor.columns = columns.iter().map(|one| one["name"].as_str().unwrap_or("").to_owned()).collect();
        Ok(cursor)
    }
}

/// The next line. An answer that breaks off has none.
fn line(transport: &Transport, lines: &mut Lines) -> Result<Value> {
    let mut text = Vec::new();
    lines.read_until(b'\n', &mut text).map_err(|error| transport.broken(error))?;
    if text.last() != Some(&b'\n') {
        return Err(Error::new(codes::REMOTE, "the server's rows broke off before their end")
            .with_hint("what came so far is not all of it: run the statement again"));
    }
    serde_json::from_slice(&text).map_err(|error| wire::not_an_answer(&error.to_string()))
}

impl Cursor {
    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// At most so many of the rows that come next; none are left when it has fewer.
    ///
    /// # Errors
    /// As [`Remote::query`]; `KEEL_REMOTE` when the server's answer breaks off, which ends the cursor.
    pub fn next(&mut self, limit: usize) -> Result<Packed> {
        let mut out = Encoder::new(self.columns.iter().map(|name| name.as_bytes()));
        if let Source::Whole(packed) = &self.source {
            let table = packed.table();
            let end = table.rows().min(self.rows + limit);
            for row in self.rows..end {
                (0..table.columns()).for_each(|column| out.push(table.cell(row, column)));
            }
            self.rows = end;
            return Ok(out.finish());
        }
        let mut taken = 0;
        while taken < limit && !matches!(self.source, Source::Ended) {
            let line = self.line()?;
            match line["type"].as_str() {
                Some("row") => {
                    let pushed = wire::push_row(&line["row"], &self.columns, self.rows, &mut out);
                    pushed.inspect_err(|_| self.end())?;
                    (taken, self.rows) = (taken + 1, self.rows + 1);
                }
                Some("step_end") => {}
                Some("step_error" | "error") => return Err(self.failed(&line["error"])),
                Some("replication_index") => self.end(),
                _ => {
                    self.end();
                    return Err(wire::not_an_answer("a line of a cursor that is none of those known"));
                }
            }
        }
        Ok(out.finish())
    }

    fn line(&mut self) -> Result<Value> {
        let Source::Open { lines, transport, .. } = &mut self.source else {
            return Err(wire::not_an_answer("a cursor that has ended"));
        };
        line(transport, lines).inspect_err(|_| self.end())
    }

    fn failed(&mut self, error: &Value) -> Error {
        let error = wire::statement_error(error);
        let shown = match &self.source {
            Source::Open { transport, .. } => transport.shown(error),
            _ => error,
        };
        self.end();
        shown
    }

    fn end(&mut self) {
        if let Source::Open { lines, stream, transport } = std::mem::replace(&mut self.source, Source::Ended) {
            // First the answer, or the server would still be sending it.
            drop(lines);
            if let Some(stream) = stream {
                stream.close(&transport);
            }
        }
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        self.end();
    }
}
