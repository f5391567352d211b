//! Closings that are under way, for the end of the process to wait for: one that is on another thread would be cut off in the
//! middle, with its checkpoint half done and its files left.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How many there are on all threads.
static CLOSINGS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// How many of them are this thread's: a callback of a closing may end the process.
    static OWN: Cell<usize> = const { Cell::new(0) };
}

/// One closing, for as long as it lives.
pub(crate) struct UnderWay(());

impl UnderWay {
    pub(crate) fn begin() -> UnderWay {
        CLOSINGS.fetch_add(1, Ordering::AcqRel);
        let _ = OWN.try_with(|own| own.set(own.get() + 1));
        UnderWay(())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let _ = OWN.try_with(|own| own.set(own.get() - 1));
        CLOSINGS.fetch_sub(1, Ordering::AcqRel);
    }
}

/// In a forked child, to which no other thread's closing has come.
pub(crate) fn in_child() {
    CLOSINGS.store(OWN.try_with(Cell::get).unwrap_or(0), Ordering::Release);
}

/// Waits for the closings of other threads. Not without end: what SQLite calls back may not come back.
pub(crate) fn wait_for_others(patience: Duration) {
    const LOOK: Duration = Duration::from_millis(1);
    let own = OWN.try_with(Cell::get).unwrap_or(0);
    let mut waited = Duration::ZERO;
    while waited < patience && CLOSINGS.load(Ordering::Acquire) > own {
        std::thread::sleep(LOOK);
        waited += LOOK;
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{UnderWay, wait_for_others};

    #[test]
    fn others_closings_are_waited_for_and_ones_own_are_not() {
        let began = Instant::now();
        let own = UnderWay::begin();
        let (begun, seen) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            let _other = UnderWay::begin();
            begun.send(()).unwrap();
            std::thread::sleep(Duration::from_millis(200));
        });
        seen.recv().unwrap();
        wait_for_others(Duration::from_secs(60));
        assert!(began.elapsed() >= Duration::from_millis(200));
        other.join().unwrap();
        drop(own);
    }
}
