//! Durations as users write them: `30m`, `1h30m`.

use std::time::Duration;

/// Reads a duration made of hours, minutes and seconds; `None` when it is not one.
pub fn parse(text: &str) -> Option<Duration> {
    let mut total = 0u64;
    let mut number: Option<u64> = None;
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10) {
            number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(u64::from(digit))?);
            continue;
        }
        let unit = match c {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    (number.is_none() && !text.is_empty()).then(|| Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_schema_accepts_and_nothing_else() {
        for (text, seconds) in [("30m", 1800), ("1h30m", 5400), ("90s", 90), ("24h", 86_400), ("0s", 0)] {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "30", "m", "1d", "-1m", "1.5h", "99999999999999999999h", "1h30"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
