//! How long writers wait for each other: litekeel's fair waiting against SQLite's own busy timeout.
//!
//! Both sides run the same code on the same connection; only `busy=fair` and `busy=sqlite` differ. They alternate in
//! every round, so that a busy machine slows both alike.

mod chart;
mod measure;
mod report;
mod worker;

use std::path::Path;

use measure::Figures;

/// One load.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) processes: usize,
    pub(crate) threads: usize,
    /// The mean pause between two transactions of a thread in microseconds; 0 for none.
    pub(crate) think_us: u64,
}

impl Load {
    /// With think time, all threads together ask for the lock about 8000 times a second.
    fn new(processes: usize, threads: usize, thinks: bool) -> Load {
        let writers = (processes * threads) as u64;
        Load { processes, threads, think_us: if thinks { 125 * writers } else { 0 } }
    }

    pub(crate) fn title(&self) -> String {
        let pause = match self.think_us {
            0 => "saturated".to_owned(),
            mean => format!("think time {} ms", mean as f64 / 1000.0),
        };
        format!(
            "{} processes × {} thread{}, {pause}",
            self.processes,
            self.threads,
            if self.threads == 1 { "" } else { "s" }
        )
    }
}

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

fn main() {
    if worker::is_one() {
        return worker::run();
    }
    let (seconds, rounds) = (from_env("SECONDS_EACH", 4), from_env("ROUNDS", 3));
    let processes = from_env("PROCESSES", 8) as usize;
    let threads = from_env("THREADS", 4) as usize;
    let loads = [
        Load::new(processes, 1, true),
        Load::new(processes, threads, true),
        Load::new(processes, 1, false),
        Load::new(processes, threads, false),
    ];
    let only = std::env::var("ONLY").unwrap_or_default();
    let loads = loads.iter().filter(|load| load.title().contains(&only));
    let mut figures: Vec<(Load, Figures, Figures)> =
        loads.map(|load| (*load, Figures::default(), Figures::default())).collect();
    for round in 0..rounds {
        for (load, ours, stock) in &mut figures {
            // Who goes first alternates too.
            let fair_first = round % 2 == 0;
            for fair in [fair_first, !fair_first] {
                let side = if fair { &mut *ours } else { &mut *stock };
                side.add(measure::measure(load, if fair { "fair" } else { "sqlite" }, seconds));
            }
            eprintln!("round {} of {rounds}: {}", round + 1, load.title());
        }
    }
    for (_, ours, stock) in &mut figures {
        ours.finish();
        stock.finish();
    }
    let text = report::markdown(&figures, seconds, rounds);
    println!("{text}");
    if let Some(directory) = std::env::var_os("OUT") {
        let directory = Path::new(&directory);
        std::fs::create_dir_all(directory).expect("the directory for the results");
        std::fs::write(directory.join("contention.md"), text).expect("contention.md");
        std::fs::write(directory.join("contention.svg"), chart::svg(&figures)).expect("contention.svg");
    }
}
