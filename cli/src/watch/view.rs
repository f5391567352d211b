//! The picture on a terminal, the line elsewhere, and the words at the end.

use std::time::UNIX_EPOCH;

use litekeel_core::HolderRole;
use serde_json::json;

use super::sample::{Record, Sample};
use crate::database::Database;
use crate::process_name::process_name;
use crate::replica::State;
use crate::terminal::{Terminal, Tone, bytes, cut, time};
use crate::who;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// As many of the last sizes as there are columns.
fn shown(sizes: &[u64], columns: usize) -> &[u64] {
    &sizes[sizes.len().saturating_sub(columns)..]
}

/// The last sizes as a curve of so many columns.
fn curve(sizes: &[u64], columns: usize) -> String {
    let shown = shown(sizes, columns);
    let peak = shown.iter().copied().max().unwrap_or(0).max(1);
    shown.iter().map(|size| BARS[(size * 7).div_ceil(peak) as usize]).collect()
}

/// `14:03:22`, in UTC: the time zone's rules are not worth a dependency.
fn clock(sample: &Sample) -> String {
    let seconds = sample.at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    format!("{:02}:{:02}:{:02}Z", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

fn size(count: Option<u64>) -> String {
    count.map_or_else(|| "none".to_owned(), bytes)
}

fn longest(record: &Record) -> String {
    match &record.longest {
        Some(hold) => format!("longest {} by {}", time(hold.time), process_name(hold.pid, &hold.command)),
        None => "never seen held twice".to_owned(),
    }
}

fn checkpoints(record: &Record) -> String {
    match record.checkpoints {
        1 => "1 checkpoint seen".to_owned(),
        count => format!("{count} checkpoints seen"),
    }
}

/// The lines of the picture; none is wider than the terminal, and all fit its height.
pub fn picture(database: &Database, sample: &Sample, record: &Record, out: Terminal) -> Vec<String> {
    let columns = out.width();
    // The label, and the colour behind it, take their columns first.
    let line = |label: &str, text: String| {
        format!("{} {}", out.paint(Tone::Faint, format!("{label:<11}")), cut(&text, columns.saturating_sub(12)))
    };
    let title =
        cut(&format!("{}  {}  {}", database.path.display(), clock(sample), time(record.began.elapsed())), columns);
    let mut lines = vec![out.paint(Tone::Heading, title)];
    let Some(presence) = &sample.presence else {
        lines.push(out.paint(Tone::Bad, "the database is not there"));
        lines.push(out.paint(Tone::Faint, "Ctrl-C ends it"));
        return lines;
    };
    lines.push(line("database", size(sample.database_bytes)));
    let wal = format!("{:<9} peak {:<9} ", size(sample.wal_bytes), bytes(record.wal_peak));
    let room = columns.saturating_sub(12 + wal.chars().count());
    lines.push(line("wal", format!("{wal}{}", curve(&record.wal, room))));
    // The height of the curve, and what one of its columns is.
    let highest = shown(&record.wal, room).iter().copied().max().unwrap_or(0);
    lines.push(line("", format!("curve: 0 to {}, a column each {}", bytes(highest), time(record.interval))));
    let frames = match &presence.wal {
        Some(wal) => {
            format!("{}, {} of them in the database; {}", wal.frames, wal.checkpointed, checkpoints(record))
        }
        None => checkpoints(record),
    };
    lines.push(line("frames", frames));
    lines.push(line("write lock", format!("held in {} % of the looks; {}", record.locked_percent(), longest(record))));
    let people = who::table_with_pin(presence, out);
    let room = out.height().saturating_sub(lines.len() + 4).max(3);
    if people.len() == 1 {
        lines.push(line("processes", "none that this one may see".to_owned()));
    } else if people.len() > room {
        let left = people.len() - room + 1;
        lines.extend(people.into_iter().take(room - 1));
        lines.push(format!("          and {left} more"));
    } else {
        lines.extend(people);
    }
    lines.push(out.paint(Tone::Faint, "Ctrl-C ends it"));
    lines
}

/// One look as one line of text.
pub fn line(sample: &Sample, record: &Record) -> String {
    let users = sample.presence.as_ref().map_or(0, |presence| presence.users.len());
    let wal = sample.presence.as_ref().and_then(|presence| presence.wal.as_ref());
    let frames = wal.map_or_else(|| "-".to_owned(), |wal| format!("{}/{}", wal.checkpointed, wal.frames));
    format!(
        "{} database {} wal {} frames {frames} checkpoints {} writers {} readers {} processes {users} locked {} %",
        clock(sample),
        size(sample.database_bytes),
        size(sample.wal_bytes),
        record.checkpoints,
        sample.count(HolderRole::writes),
        sample.count(HolderRole::reads),
        record.locked_percent(),
    ) + &sample.presence.as_ref().and_then(|presence| presence.replica.as_ref()).map_or_else(String::new, replica)
}

/// Only where Litestream answers.
fn replica(state: &State) -> String {
    if state.stopped { " replica stopped".to_owned() } else { format!(" replica behind {}", state.behind) }
}

/// One look as one line of JSON.
pub fn json(sample: &Sample, record: &Record) -> String {
    let at = sample.at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    json!({
        "unix_ms": at,
        "database_bytes": sample.database_bytes,
        "wal_bytes": sample.wal_bytes,
        "wal_peak_bytes": record.wal_peak,
        "wal": sample.presence.as_ref().map(|presence| &presence.wal),
        "checkpoints": record.checkpoints,
        "locked_percent": record.locked_percent(),
        "longest_hold_ms": record.longest.as_ref().map(|hold| hold.time.as_millis() as u64),
        "holders": sample.presence.as_ref().map(|presence| &presence.holders),
        "replica": sample.presence.as_ref().map(|presence| &presence.replica),
        "users": sample.presence.as_ref().map(|presence| &presence.users),
    })
    .to_string()
}

/// What remains to be said at the end.
pub fn summary(record: &Record) -> String {
    format!(
        "watched for {}: the WAL had at most {}; {}; the write lock was held in {} % of {} looks, {}",
        time(record.began.elapsed()),
        bytes(record.wal_peak),
        checkpoints(record),
        record.locked_percent(),
        record.looks,
        longest(record),
    )
}

#[cfg(test)]
mod tests {
    use super::curve;

    #[test]
    fn the_curve_is_as_high_as_its_peak_and_as_wide_as_told() {
        assert_eq!(curve(&[0, 50, 100], 10), "▁▅█");
        assert_eq!(curve(&[100, 0, 1], 2), "▁█");
        assert_eq!(curve(&[0, 0], 5), "▁▁");
        assert_eq!(curve(&[], 5), "");
    }
}
