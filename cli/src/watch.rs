//! `litekeel watch`: the WAL's size, the checkpoints and the locks as they change.
//!
//! Nothing is kept open between two looks: a connection that stays would keep the last process from removing the `-wal`
//! when it closes.

mod sample;
mod view;

use std::time::{Duration, Instant};

use clap::Args;
use litekeel_core::Result;

use crate::database::Database;
use crate::exit::Exit;
use crate::output::{self, say};
use crate::terminal::{Canvas, Terminal};
use crate::{duration, interrupt, who};

use sample::{Record, Sample};

#[derive(Args)]
pub struct Watch {
    /// The URL or path.
    url: Option<String>,
    /// How often to show it: 500ms, 2s.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration::interval)]
    interval: Duration,
    /// End after this time: 30s, 5m. Otherwise Ctrl-C ends it.
    #[arg(long = "for", value_name = "TIME", value_parser = duration::interval)]
    duration: Option<Duration>,
    /// End after this many samples.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Print one JSON object for each sample.
    #[arg(long)]
    json: bool,
}

/// Locks come and go between two pictures: they are looked at more often.
const LOCKS_EVERY: Duration = Duration::from_millis(50);

impl Watch {
    pub fn run(&self, out: Terminal) -> Result<Exit> {
        let database = Database::of(self.url.as_deref())?;
        // What cannot be watched at all fails here, once.
        who::presence(&database)?;
        let live = out.live && !self.json;
        if live {
            // The cursor would jump about.
            output::raw("\x1b[?25l");
        }
        let result = self.watch(&database, out, live);
        if live {
            output::raw("\x1b[?25h");
        }
        let record = result?;
        if !self.json {
            say!("{}", view::summary(&record));
        }
        Ok(Exit::Fine)
    }

    fn watch(&self, database: &Database, out: Terminal, live: bool) -> Result<Record> {
        let began = Instant::now();
        let mut record = Record::new(began, self.interval);
        let mut canvas = Canvas::default();
        let mut shown = 0;
        loop {
            let sample = Sample::take(database);
            record.add(&sample);
            if live {
                output::raw(&canvas.draw(&view::picture(database, &sample, &record, out)));
            } else if self.json {
                output::raw(&(output::escaped(&view::json(&sample, &record)) + "\n"));
            } else {
                say!("{}", view::line(&sample, &record));
            }
            shown += 1;
            let over = self.duration.is_some_and(|limit| began.elapsed() + self.interval > limit);
            if output::failed() || over || self.count.is_some_and(|count| shown >= count) {
                return Ok(record);
            }
            let next = Instant::now() + self.interval;
            loop {
                let left = next.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                if !interrupt::sleep(left.min(LOCKS_EVERY)) {
                    return Ok(record);
                }
                record.look_at_locks(database);
            }
        }
    }
}
