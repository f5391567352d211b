//! How long a connection that was refused a lock waits before it asks again.

use std::time::Duration;

/// A commit on the other side often takes only microseconds more; then the pauses grow to a millisecond: where the lock is
/// not free for long, it is the looks that cost. Who has waited for long looks more often, and so is served before others.
pub(super) fn pause(attempt: u32, waited: Duration) -> Duration {
    let base = match (attempt, waited.as_millis()) {
        (0..4, _) => return Duration::ZERO,
        (_, 100..) => 200,
        (_, 50..) => 400,
        _ => (50u64 << (attempt - 4).min(4)).min(750),
    };
    let jitter = u64::from(waited.subsec_nanos()) % base;
    Duration::from_micros(base / 2 + jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_millisecond_and_shrink_again_for_who_has_waited_long() {
        for nanos in [0, 1, 23_456_789, 49_999_999] {
            let short = Duration::from_nanos(nanos);
            assert!((0..4).all(|attempt| pause(attempt, short).is_zero()), "the first looks are at once");
            assert!((25..75).contains(&pause(4, short).as_micros()));
            for attempt in [8, 100, u32::MAX] {
                assert!((375..1125).contains(&pause(attempt, short).as_micros()), "{attempt}");
            }
            assert!((100..300).contains(&pause(u32::MAX, Duration::from_secs(3) + short).as_micros()));
        }
    }
}
