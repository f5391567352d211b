//! Runs the processes of one load, and adds up what they report.

use std::process::{Command, Stdio};

use litekeel_core::{Connection, Options};

use crate::Load;
use crate::worker::{Outcome, epoch_ms};

/// What one side did under one load.
#[derive(Default)]
pub(crate) struct Figures {
    /// Commits a second of each round.
    pub(crate) rates: Vec<f64>,
    /// The fewest commits of a process by the most, of each round.
    pub(crate) fairness: Vec<f64>,
    pub(crate) busy: u64,
    pub(crate) lost: i64,
    /// Every wait for the write lock in microseconds, in ascending order once finished.
    pub(crate) waits: Vec<u32>,
}

impl Figures {
    pub(crate) fn add(&mut self, round: Figures) {
        self.rates.extend(round.rates);
        self.fairness.extend(round.fairness);
        self.busy += round.busy;
        self.lost += round.lost;
        self.waits.extend(round.waits);
    }

    pub(crate) fn finish(&mut self) {
        self.waits.sort_unstable();
        self.rates.sort_by(f64::total_cmp);
        self.fairness.sort_by(f64::total_cmp);
    }

    pub(crate) fn rate(&self) -> f64 {
        self.rates[self.rates.len() / 2]
    }

    pub(crate) fn fairness(&self) -> f64 {
        self.fairness[self.fairness.len() / 2]
    }

    /// The wait in milliseconds that this share of all waits did not exceed.
    pub(crate) fn wait_ms(&self, share: f64) -> f64 {
        let at = (share * self.waits.len() as f64).ceil() as usize;
        f64::from(self.waits[at.clamp(1, self.waits.len()) - 1]) / 1000.0
    }
}

pub(crate) fn measure(load: &Load, busy: &str, seconds: u64) -> Figures {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let more = std::env::var("PARAMETERS").unwrap_or_default();
    let url = format!("file:{}/a.db?busy={busy}&busy_timeout=5000{more}", scratch.path().display());
    let db = Connection::open(Some(&url), &Options::new()).expect("open");
    db.exec(
        "CREATE TABLE counter(n); INSERT INTO counter VALUES(0); CREATE TABLE entry(id INTEGER PRIMARY KEY, n, data)",
    )
    .expect("the schema");
    // Enough for everyone to have opened the database.
    let start = epoch_ms() + 300 + 20 * (load.processes * load.threads) as u64;
    let children: Vec<_> = (0..load.processes)
        .map(|number| {
            let out = scratch.path().join(format!("{number}.outcome"));
            let child = Command::new(std::env::current_exe().expect("this program"))
                .env("CONTENTION_WORKER", "1")
                .env("URL", &url)
                .env("OUT", &out)
                .env("START", start.to_string())
                .env("END", (start + 1000 * seconds).to_string())
                .env("THREADS", load.threads.to_string())
                .env("THINK_US", load.think_us.to_string())
                .stdout(Stdio::null())
                .spawn()
                .expect("a worker");
            (child, out)
        })
        .collect();
    let mut figures = Figures::default();
    let mut commits = Vec::new();
    for (mut child, out) in children {
        assert!(child.wait().expect("a worker").success(), "a worker failed");
        let outcome = Outcome::decode(&std::fs::read(out).expect("its outcome"));
        commits.push(outcome.commits);
        figures.busy += outcome.busy;
        figures.waits.extend(outcome.waits);
    }
    let total: u64 = commits.iter().sum();
    let kept: i64 = db
        .lock()
        .expect("the lock")
        .sqlite()
        .query_row("SELECT n FROM counter", [], |row| row.get(0))
        .expect("the counter");
    db.close().expect("close");
    figures.lost = total as i64 - kept;
    figures.rates.push(total as f64 / seconds as f64);
    let (least, most) = (commits.iter().min().copied().unwrap_or(0), commits.iter().max().copied().unwrap_or(0));
    figures.fairness.push(least as f64 / most.max(1) as f64);
    figures
}
