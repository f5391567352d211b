//! What a server says of itself before anybody has to show a token: `GET /version`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use litekeel_core::Result;

use crate::connection::Remote;

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// `sqld 0.24.32 (…)`; none where the server, or what stands before it, does not tell.
    pub version: Option<String>,
    /// How far its clock is ahead of ours, in seconds; negative where it is behind. It tells whole seconds only, and none at all
    /// where its answer has no date.
    pub clock: Option<i64>,
    /// How long the answer took, the connection included where there was none yet.
    pub took: Duration,
}

impl Remote {
    /// Asks the server who it is. Needs no token and sends none.
    ///
    /// # Errors
    /// `KEEL_REMOTE` when nobody answers in time, or with another protocol.
    pub fn greet(&self) -> Result<Greeting> {
        self.check_process()?;
        let asked = SystemTime::now();
        let (version, date) = self.transport().version().map_err(|failure| failure.error)?;
        let took = asked.elapsed().unwrap_or_default();
        let ours = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        let clock = date.as_deref().and_then(seconds).map(|theirs| {
            // Between the question and the answer is no difference.
            let (first, last) = (ours(asked), ours(asked + took));
            if theirs < first { theirs - first } else { (theirs - last).max(0) }
        });
        let version = version.map(|text| text.trim().chars().filter(|letter| !letter.is_control()).take(80).collect());
        Ok(Greeting { version, clock, took })
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` in seconds since 1970.
fn seconds(date: &str) -> Option<i64> {
    let (_, date) = date.split_once(", ")?;
    let words: Vec<&str> = date.split([' ', ':']).collect();
    let [day, month, year, hour, minute, second, "GMT"] = words[..] else { return None };
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = MONTHS.find(month).filter(|at| at % 3 == 0 && month.len() == 3)? as i64 / 3 + 1;
    let number = |text: &str| text.parse::<i64>().ok().filter(|number| (0..10_000).contains(number));
    let (day, year) = (number(day)?, number(year)?);
    // Years begin in March here, so that the day of a leap year is the last one.
    let (years, months) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = years * 365 + years / 4 - years / 100 + years / 400 + (153 * months + 2) / 5 + day - 719_469;
    Some(((days * 24 + number(hour)?) * 60 + number(minute)?) * 60 + number(second)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_http_is_understood() {
        for (date, expected) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Tue, 29 Feb 2000 23:59:59 GMT", Some(951_868_799)),
            ("Wed, 01 Mar 2000 00:00:00 GMT", Some(951_868_800)),
            ("Fri, 27 Nov 2026 18:00:00 GMT", Some(1_795_802_400)),
            ("Fri, 27 anF 2026 18:00:00 GMT", None),
            ("yesterday", None),
            ("Fri, 27 Nov 2026 18:00:00 CET", None),
        ] {
            assert_eq!(seconds(date), expected, "{date}");
        }
    }
}
