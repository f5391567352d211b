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
use crate::{interrupt, who};

use sample::{Record, Sample};

#[derive(Args)]
pub struct Watch {
    /// The URL or path.
    url: Option<String>,
    /// How often to show it: 500ms, 2s.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time)]
    interval: Duration,
    /// End after this time: 30s, 5m. Otherwise Ctrl-C ends it.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    duration: Option<Duration>,
    /// End after showing it so many times.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Locks come and go between two pictures: they are looked at more often.
const LOCKS_EVERY: Duration = Duration::from_millis(50);

/// `500ms`, `2s`, `5m`, or seconds.
fn time(text: &str) -> std::result::Result<Duration, String> {
    let (number, factor) = match text {
        _ if text.ends_with("ms") => (&text[..text.len() - 2], 1),
        _ if text.ends_with('s') => (&text[..text.len() - 1], 1_000),
        _ if text.ends_with('m') => (&text[..text.len() - 1], 60_000),
        _ => (text, 1_000),
    };
    let count: u64 = number.parse().map_err(|_| "write 500ms, 2s or 5m".to_owned())?;
    match count.checked_mul(factor) {
        Some(ms) if (10..=1_000_000_000).contains(&ms) => Ok(Duration::from_millis(ms)),
        _ => Err("from 10ms to 10 days".to_owned()),
    }
}

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
        let mut record = Record::new(began);
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

#[cfg(test)]
mod tests {
    use super::time;
    use std::time::Duration;

    #[test]
    fn times_take_a_unit_and_a_range() {
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!((time("2s"), time("2")), (Ok(Duration::from_secs(2)), Ok(Duration::from_secs(2))));
        assert_eq!(time("5m"), Ok(Duration::from_secs(300)));
        for bad in ["", "ms", "1h", "-1s", "1ms", "99999999999999999999s", "18446744073709551615m"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
