//! The rows of a statement as the server finds them, a line each: none of them is kept here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use litekeel_core::{Encoder, Packed, Table};
use litekeel_core::{Error, Result, codes};
use serde_json::Value;

use super::Remote;
use super::alone::{STATEMENT, in_a_transaction};
use super::few::Few;
use crate::keyword::{Effect, effect};
use crate::streams::{Stream, Streams};
use crate::transport::Lines;
use crate::wire;

/// Rows that are slower than this are not collected: the caller gets those that came.
const COLLECTED: Duration = Duration::from_millis(50);
/// Nor are they when they have so many bytes, as the server writes them.
const MOST_BYTES: usize = 4 << 20;

/// Rows that came within this time, and so much more for each, and in so many bytes, are few: the next time they are asked for
/// all at once. The server takes several times as long for rows one by one, and longer where it is busy.
const SHORT: Duration = Duration::from_millis(500);
const EACH: Duration = Duration::from_micros(200);
const SMALL: usize = 1 << 20;
/// How long they are waited for then, before they are asked for one by one after all.
const ENOUGH: Duration = Duration::from_secs(2);

/// The rows of one statement, to be taken little by little. A cursor that is let go before its end is ended at the server,
/// by a thread: nobody waits for that.
pub struct Cursor {
    source: Source,
    columns: Vec<String>,
    rows: usize,
    sql: String,
    few: Arc<Few>,
    /// How long the server was waited for, and what it has sent.
    waited: Duration,
    bytes: usize,
}

enum Source {
    /// From the server.
    Open {
        lines: Box<Lines>,
        stream: Option<Stream>,
        streams: Arc<Streams>,
    },
    /// All of them are here.
    Whole(Packed),
    Ended,
}

impl Remote {
    /// Runs one statement, and returns its rows little by little: [`Cursor::next`]. A statement that surely only reads
    /// streams them, outside a transaction, in bounded memory, on a connection of its own, and `statement_timeout=` limits
    /// the wait for each of them, not the caller's pauses; where they were few the last time (1 MiB, half a second), they
    /// are asked for at once, which is several times as fast. Any other statement is run to its end at once.
    ///
    /// # Errors
    /// As [`query`](Remote::query).
    pub fn cursor(&self, sql: &str, parameters: Option<Table<'_>>) -> Result<Cursor> {
        self.check_process()?;
        let reads = match effect(sql) {
            Effect::Reads => true,
            Effect::Other | Effect::Unclear => !self.in_transaction() && self.describe(sql)?.readonly,
            _ => false,
        };
        if self.in_transaction() || !reads {
            return Ok(self.whole(sql, self.query(sql, parameters)?));
        }
        let transport = self.transport();
        let deadline = transport.deadline();
        let parameters = parameters.filter(|table| table.rows() == 1).map(|table| (table, 0));
        if self.few.are_of(sql) {
            match self.all_at_once(sql, parameters, deadline.min(Instant::now() + ENOUGH)) {
                Some(packed) => return Ok(self.whole(sql, packed)),
                // They are more now, or one of them is an error, before which are others.
                None => self.few.note(sql, false),
            }
        }
        // What was asked for in vain takes nothing of the time that the server has for this.
        let (began, deadline) = (Instant::now(), transport.deadline());
        let mut statement = String::new();
        wire::push_statement(sql, parameters, None, &mut statement)?;
        let mut body = format!(r#"{{"baton":null,"batch":{{"steps":[{}]"#, in_a_transaction(&statement, None));
        wire::push_batch_index(self.replication_index(), &mut body);
        body.push_str("}}");
        let lines = transport.again(deadline, |deadline| transport.lines(&body, deadline));
        let mut lines = lines.map_err(|failure| failure.error)?;
        let (head, _) = line(&self.streams, &mut lines, deadline)?;
        let mut cursor = Cursor {
            source: Source::Open {
                lines: Box::new(lines),
                stream: self.streams.of(&head),
                streams: self.streams.clone(),
            },
            columns: Vec::new(),
            rows: 0,
            sql: sql.to_owned(),
            few: self.few.clone(),
            waited: began.elapsed(),
            bytes: 0,
        };
        let begin = loop {
            let (line, _) = cursor.line(deadline)?;
            let step = line["step"].as_u64();
            match line["type"].as_str() {
                Some("step_begin") if step == Some(STATEMENT as u64) => break line,
                // Of the steps before it.
                Some("step_begin" | "step_end") => {}
                Some("step_error") if step != Some(STATEMENT as u64) => {}
                Some("step_error" | "error") => return Err(cursor.failed(&line["error"])),
                _ => return Err(wire::not_an_answer("a cursor that does not begin with its columns")),
            }
        };
        let columns = begin["cols"].as_array().ok_or_else(|| wire::not_an_answer("a cursor without columns"))?;
        cursor.columns = columns.iter().map(|one| one["name"].as_str().unwrap_or("").to_owned()).collect();
        Ok(cursor)
    }

    fn all_at_once(&self, sql: &str, parameters: Option<(Table<'_>, usize)>, deadline: Instant) -> Option<Packed> {
        let mut statement = String::new();
        wire::push_statement(sql, parameters, self.replication_index(), &mut statement).ok()?;
        let body = self.read_request(&statement);
        let answer = self.transport().pipeline_up_to(2 * SMALL as u64, None, &body, deadline).ok()?;
        self.read_answer(&answer).ok()
    }

    /// Rows that are all here.
    fn whole(&self, sql: &str, packed: Packed) -> Cursor {
        let table = packed.table();
        let name = |column| String::from_utf8_lossy(table.name(column)).into_owned();
        let columns = (0..table.columns()).map(name).collect();
        let (sql, few) = (sql.to_owned(), self.few.clone());
        Cursor { columns, source: Source::Whole(packed), rows: 0, sql, few, waited: Duration::ZERO, bytes: 0 }
    }
}

/// The next line, and how long it is. An answer that breaks off has none.
fn line(streams: &Streams, lines: &mut Lines, deadline: Instant) -> Result<(Value, usize)> {
    // In a forked child it would be the parent's.
    streams.check_process()?;
    let text = lines.next(deadline).map_err(|error| streams.transport.broken(error))?;
    if text.last() != Some(&b'\n') {
        return Err(Error::new(codes::REMOTE, "the server's rows broke off before their end")
            .with_hint("what came so far is not all of it: run the statement again"));
    }
    let value = serde_json::from_slice(text).map_err(|error| wire::not_an_answer(&error.to_string()))?;
    Ok((value, text.len()))
}

impl Cursor {
    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// At most so many of the rows that come next, and at least one; none are left when it has none. It does not wait for
    /// more where they come slowly, or are large.
    ///
    /// # Errors
    /// As [`Remote::query`]; `KEEL_REMOTE` when the server's answer breaks off, when a row takes longer than
    /// `statement_timeout=`, and when one has more than 64 MiB as the server writes it. Each of them ends the cursor.
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
        let began = Instant::now();
        let (mut taken, mut bytes, mut deadline) = (0, 0, None);
        while taken < limit && !matches!(self.source, Source::Ended) {
            if taken > 0 && (bytes >= MOST_BYTES || began.elapsed() >= COLLECTED) {
                break;
            }
            // Of the next row, whatever else comes before it.
            let until = *deadline.get_or_insert_with(|| self.deadline());
            let (line, length) = self.line(until)?;
            match line["type"].as_str() {
                Some("row") => {
                    let pushed = wire::push_row(&line["row"], &self.columns, self.rows, &mut out);
                    pushed.inspect_err(|_| self.end())?;
                    (taken, self.rows) = (taken + 1, self.rows + 1);
                    (bytes, deadline) = (bytes + length, None);
                }
                Some("step_begin" | "step_end") => {}
                Some("step_error") if line["step"].as_u64() > Some(STATEMENT as u64) => {}
                Some("step_error" | "error") => return Err(self.failed(&line["error"])),
                Some("replication_index") => {
                    let short = SHORT + EACH * u32::try_from(self.rows).unwrap_or(u32::MAX / 5);
                    self.few.note(&self.sql, self.waited < short && self.bytes < SMALL);
                    self.end();
                }
                _ => {
                    self.end();
                    return Err(wire::not_an_answer("a line of a cursor that is none of those known"));
                }
            }
        }
        Ok(out.finish())
    }

    /// When the next row has to be here.
    fn deadline(&self) -> Instant {
        match &self.source {
            Source::Open { streams, .. } => streams.transport.deadline(),
            _ => Instant::now(),
        }
    }

    fn line(&mut self, deadline: Instant) -> Result<(Value, usize)> {
        let Source::Open { lines, streams, .. } = &mut self.source else {
            return Err(wire::not_an_answer("a cursor that has ended"));
        };
        let began = Instant::now();
        let line = line(streams, lines, deadline);
        self.waited += began.elapsed();
        self.bytes += line.as_ref().map_or(0, |(_, length)| *length);
        line.inspect_err(|_| self.end())
    }

    fn failed(&mut self, error: &Value) -> Error {
        let error = wire::statement_error(error);
        let shown = match &self.source {
            Source::Open { streams, .. } => streams.transport.shown(error),
            _ => error,
        };
        self.end();
        shown
    }

    fn end(&mut self) {
        if let Source::Open { lines, stream, streams } = std::mem::replace(&mut self.source, Source::Ended) {
            // First the answer, or the server would still be sending it.
            drop(lines);
            streams.end_later(stream);
        }
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        if matches!(&self.source, Source::Whole(packed) if self.rows < packed.table().rows()) {
            // All were asked for in vain.
            self.few.note(&self.sql, false);
        }
        self.end();
    }
}
