//! Random numbers that a seed repeats.

use std::time::Duration;

/// xorshift.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    pub fn pause(&mut self, limit_ms: u64) {
        std::thread::sleep(Duration::from_millis(self.below(limit_ms)));
    }
}

/// That of the environment's `SEED`, else a new one; printed, so that a run can be repeated.
pub fn seed() -> u64 {
    let given = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| u64::from(std::process::id()) << 20 | 0x9e37);
    eprintln!("SEED={seed}");
    seed
}

/// How many runs: `RUNS` of them; a few, or with `SOAK` so many times more.
pub fn runs(few: u64, soak: u64) -> u64 {
    let wanted = std::env::var("RUNS").ok().and_then(|runs| runs.parse().ok());
    wanted.unwrap_or(if std::env::var_os("SOAK").is_some() { few * soak } else { few })
}
