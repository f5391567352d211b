//! Times on the command line, the same for every option: `500ms`, `2s`, `5m`, `1h`.

use std::time::Duration;

const MOST: Duration = Duration::from_secs(10 * 24 * 3600);

/// A time with its unit; 0 needs none. The settings of a URL count a bare number in milliseconds, other commands in
/// seconds: here the unit is asked for.
pub fn any(text: &str) -> Result<Duration, String> {
    const UNITS: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let parsed = UNITS.iter().find_map(|(unit, factor)| {
        let number = text.strip_suffix(unit)?;
        let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| number.parse::<u64>().ok()?.checked_mul(*factor)).flatten()
    });
    match parsed.map(Duration::from_millis) {
        Some(time) if time <= MOST => Ok(time),
        Some(_) => Err("at most 10 days (240h)".to_owned()),
        None if text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() < 10 => {
            Err(format!("say the unit: {text}ms or {text}s"))
        }
        None => Err("write a number and its unit: 500ms, 2s, 5m or 1h".to_owned()),
    }
}

/// A time between two looks.
pub fn interval(text: &str) -> Result<Duration, String> {
    match any(text)? {
        time if time >= Duration::from_millis(10) => Ok(time),
        _ => Err("at least 10ms".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_take_a_unit_and_a_range() {
        assert_eq!(any("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(
            (any("2s"), any("0"), any("0s")),
            (Ok(Duration::from_secs(2)), Ok(Duration::ZERO), Ok(Duration::ZERO))
        );
        assert_eq!((any("5m"), any("1h")), (Ok(Duration::from_secs(300)), Ok(Duration::from_secs(3600))));
        assert!(any("50").unwrap_err().contains("50ms or 50s"));
        for bad in
            ["", "ms", "1d", "-1s", "+1s", "1.5s", "1 s", "99999999999999999999s", "18446744073709551615m", "241h"]
        {
            assert!(any(bad).is_err(), "{bad}");
        }
        assert!(interval("9ms").is_err() && interval("0").is_err() && interval("10ms").is_ok());
    }
}
