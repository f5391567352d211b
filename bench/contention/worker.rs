//! One process of writers, started by the benchmark itself.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use litekeel_core::Packed;
use litekeel_core::{Connection, Options, sqlite};

/// What one process reports: commits, refusals, and every wait for the write lock in microseconds.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) commits: u64,
    pub(crate) busy: u64,
    pub(crate) waits: Vec<u32>,
}

impl Outcome {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + 4 * self.waits.len());
        bytes.extend(self.commits.to_le_bytes());
        bytes.extend(self.busy.to_le_bytes());
        self.waits.iter().for_each(|wait| bytes.extend(wait.to_le_bytes()));
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Outcome {
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let waits = bytes[16..].chunks_exact(4).map(|wait| u32::from_le_bytes(wait.try_into().expect("four bytes")));
        Outcome { commits: number(0), busy: number(8), waits: waits.collect() }
    }
}

pub(crate) fn is_one() -> bool {
    std::env::var_os("CONTENTION_WORKER").is_some()
}

pub(crate) fn epoch_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_millis() as u64
}

fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

pub(crate) fn run() {
    let number = |name| env(name).parse::<u64>().expect("a number");
    let (start, end, think_us) = (number("START"), number("END"), number("THINK_US"));
    let url = Arc::new(env("URL"));
    let threads: Vec<_> = (0..number("THREADS"))
        .map(|thread| {
            let url = url.clone();
            std::thread::spawn(move || write(&url, start, end, think_us, thread))
        })
        .collect();
    let mut all = Outcome::default();
    for thread in threads {
        let one = thread.join().expect("a writer");
        all.commits += one.commits;
        all.busy += one.busy;
        all.waits.extend(one.waits);
    }
    std::fs::write(env("OUT"), all.encode()).expect("the outcome");
}

fn write(url: &str, start: u64, end: u64, think_us: u64, thread: u64) -> Outcome {
    let db = Connection::open(Some(url), &Options::new()).expect("open");
    let mut random = (u64::from(std::process::id()) << 32 | thread << 1 | 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut outcome = Outcome::default();
    while epoch_ms() < start {
        std::thread::sleep(Duration::from_millis(1));
    }
    while epoch_ms() < end {
        if think_us > 0 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            std::thread::sleep(Duration::from_micros(random % (2 * think_us)));
        }
        let asked = Instant::now();
        let begun = db.exec("BEGIN IMMEDIATE");
        outcome.waits.push(asked.elapsed().as_micros() as u32);
        if let Err(error) = begun {
            assert_eq!(error.code() & 0xff, sqlite::SQLITE_BUSY, "{error}");
            outcome.busy += 1;
            continue;
        }
        // Read, then write what was read plus one: a lost lock shows as a lost update.
        let next = integer(&db.query("SELECT n + 1 FROM counter", None).expect("read"));
        db.exec(&format!(
            "UPDATE counter SET n = {next}; INSERT INTO entry VALUES(NULL, {next}, zeroblob(100)); COMMIT"
        ))
        .expect("a writer that has the lock keeps it");
        outcome.commits += 1;
    }
    db.close().expect("close");
    outcome
}

/// The one integer of a result.
fn integer(rows: &Packed) -> i64 {
    let table = litekeel_core::Table::check(rows.bytes()).expect("packed rows");
    match table.cell(0, 0) {
        litekeel_core::Cell::Int(value) => value,
        other => panic!("{other:?} is no integer"),
    }
}
