//! The table.

use std::ffi::CStr;
use std::fmt::Write;

use litekeel_core::sqlite;

use crate::Load;
use crate::measure::Figures;

fn first_line(command: &str, arguments: &[&str]) -> String {
    let output = std::process::Command::new(command).args(arguments).output();
    output.map_or_else(|_| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{cores} × {}", name.unwrap_or("unknown processor"))
}

fn machine() -> String {
    // SAFETY: a static text of SQLite's.
    let version = unsafe { CStr::from_ptr(sqlite::sqlite3_libversion()) }.to_string_lossy();
    let temporary = std::env::temp_dir();
    format!(
        "{}; {}; {} on {}; SQLite {version}; litekeel {}; {}; {}",
        processor(),
        first_line("uname", &["-sr"]),
        first_line("stat", &["-f", "-c", "%T", &temporary.to_string_lossy()]),
        temporary.display(),
        env!("CARGO_PKG_VERSION"),
        first_line("rustc", &["--version"]),
        first_line("date", &["-u", "+%F"]),
    )
}

fn ms(value: f64) -> String {
    match value {
        value if value < 1.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

pub(crate) fn markdown(figures: &[(Load, Figures, Figures)], seconds: u64, rounds: u64) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "# Writers that wait for each other\n");
    let _ = writeln!(
        out,
        "How long a writer waits for the write lock (`BEGIN IMMEDIATE`), and what all of them get done. litekeel (`busy=fair`)\n\
         against SQLite's own `sqlite3_busy_timeout` (`busy=sqlite`): the same program, the same settings (WAL,\n\
         `synchronous=normal`, timeout 5 s), alternating; {rounds} rounds of {seconds} s each. A transaction reads a counter, adds one and\n\
         inserts a row of 100 bytes. Fairness is the fewest commits of a process by the most. `make bench-contention`\n\
         repeats it.\n"
    );
    let _ = writeln!(out, "![The wait for the write lock by percentile](contention.svg)\n");
    let _ = writeln!(
        out,
        "| load | waiting | commits/s | p50 ms | p99 ms | p99.9 ms | p99.99 ms | max ms | fairness | BUSY | lost |\n\
         |---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    for (load, ours, stock) in figures {
        for (name, side) in [("fair", ours), ("sqlite", stock)] {
            let waits = [0.5, 0.99, 0.999, 0.9999, 1.0].map(|share| ms(side.wait_ms(share))).join(" | ");
            let _ = writeln!(
                out,
                "| {} | {name} | {:.0} | {waits} | {:.2} | {} | {} |",
                load.title(),
                side.rate(),
                side.fairness(),
                side.busy,
                side.lost
            );
        }
        let ratio = |share| format!("{:.2}×", ours.wait_ms(share) / stock.wait_ms(share).max(0.001));
        let _ = writeln!(
            out,
            "| | *ratio* | *{:.2}×* | *{}* | *{}* | *{}* | *{}* | *{}* | | | |",
            ours.rate() / stock.rate().max(1.0),
            ratio(0.5),
            ratio(0.99),
            ratio(0.999),
            ratio(0.9999),
            ratio(1.0)
        );
    }
    let _ = writeln!(
        out,
        "\nIn the columns of milliseconds less is better, and a ratio is `fair` by `sqlite`. With time to think between two\n\
         transactions, which is what services have, `fair` waits less and commits more. Saturated, where every writer asks again\n\
         at once, it pays for its order: a writer goes on for 2 ms and its process for 8 ms, then the lock goes to others, and those\n\
         who wait look for it more often. So it makes fewer commits a second with many processes, while its longest wait is a fraction\n\
         and no process falls behind. Choose `busy=sqlite` for batch jobs that saturate the lock, where the sum counts and nobody waits for a\n\
         single transaction."
    );
    let _ = writeln!(out, "\nMeasured on: {}.", machine());
    out
}
