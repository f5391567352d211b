//! How far something is, on a terminal; nothing elsewhere.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::terminal::{Terminal, bytes, time};

/// How often it is drawn at most.
const EVERY: Duration = Duration::from_millis(50);

/// Draws on standard error, so that standard output stays the result's.
pub struct Progress {
    label: &'static str,
    terminal: Terminal,
    began: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    pub fn new(label: &'static str, err: Terminal) -> Progress {
        Progress { label, terminal: err, began: Instant::now(), drawn: None }
    }

    /// So many bytes of so many are done.
    pub fn show(&mut self, done: u64, total: u64) {
        if !self.terminal.live || self.drawn.is_some_and(|drawn| drawn.elapsed() < EVERY) && done < total {
            return;
        }
        self.drawn = Some(Instant::now());
        let line = bar(self.label, done, total, self.began.elapsed(), self.terminal.width());
        let _ = write!(std::io::stderr(), "\r{line}\x1b[K");
        let _ = std::io::stderr().flush();
    }
}

impl Drop for Progress {
    /// What comes next begins on a clean line.
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

/// Says that something takes long whose end nobody knows.
pub struct Waiting {
    label: &'static str,
    terminal: Terminal,
    drawn: Option<Instant>,
}

/// What takes less is not worth a line.
const LONG: Duration = Duration::from_millis(500);

impl Waiting {
    pub fn new(label: &'static str, err: Terminal) -> Waiting {
        Waiting { label, terminal: err, drawn: None }
    }

    /// It has been going on for so long.
    pub fn show(&mut self, elapsed: Duration) {
        let recently = self.drawn.is_some_and(|drawn| drawn.elapsed() < EVERY);
        if self.terminal.live && elapsed >= LONG && !recently {
            self.drawn = Some(Instant::now());
            let _ = write!(std::io::stderr(), "\r{}: {} (Ctrl-C ends it)\x1b[K", self.label, time(elapsed));
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

/// `backup ██████░░░░  61 %  12.3 MB of 20.1 MB  45.2 MB/s  3 s left`, in so many columns at most.
fn bar(label: &str, done: u64, total: u64, elapsed: Duration, columns: usize) -> String {
    let share = if total == 0 { 1.0 } else { (done as f64 / total as f64).min(1.0) };
    let mut tail = format!(" {:>3.0} %  {} of {}", share * 100.0, bytes(done), bytes(total));
    // The first moments say nothing about the speed.
    if elapsed > Duration::from_millis(300) && done > 0 {
        let speed = done as f64 / elapsed.as_secs_f64();
        tail.push_str(&format!("  {}/s", bytes(speed as u64)));
        let left = Duration::from_secs_f64((total.saturating_sub(done)) as f64 / speed);
        if left > Duration::from_secs(1) {
            tail.push_str(&format!("  {} left", time(left)));
        }
    }
    // A terminal echoes ^C where the cursor is: with room for it the line does not wrap.
    let columns = columns.saturating_sub(3);
    let room = columns.saturating_sub(label.len() + 1 + tail.chars().count()).min(40);
    let full = (room as f64 * share) as usize;
    let line = format!("{label} {}{}{tail}", "█".repeat(full), "░".repeat(room - full));
    line.chars().take(columns).collect()
}

#[cfg(test)]
mod tests {
    use super::bar;
    use std::time::Duration;

    #[test]
    fn it_fits_its_columns_and_tells_the_truth() {
        let half = bar("backup", 10_000_000, 20_000_000, Duration::from_secs(2), 80);
        assert!(half.contains(" 50 %  10.0 MB of 20.0 MB  5.0 MB/s  2.0 s left"), "{half}");
        assert!(half.matches('█').count().abs_diff(half.matches('░').count()) <= 1, "{half}");
        assert!(bar("backup", 0, 0, Duration::ZERO, 80).contains("100 %"));
        for columns in [0, 5, 20, 40, 79, 200] {
            assert!(bar("backup", 7, 90, Duration::from_secs(9), columns).chars().count() <= columns);
        }
    }
}
