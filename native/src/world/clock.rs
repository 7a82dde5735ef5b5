//! The time of day, and how Docker writes it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Since the epoch.
pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// As `2025-01-31T12:00:00.123456789Z`, without zeros at the end of the fraction.
pub fn rfc3339(at: Duration) -> String {
    let (days, seconds) = (at.as_secs() / 86_400, at.as_secs() % 86_400);
    let (year, month, day) = civil(days as i64);
    let mut text =
        format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if at.subsec_nanos() > 0 {
        text += format!(".{:09}", at.subsec_nanos()).trim_end_matches('0');
    }
    text + "Z"
}

/// Reads what [`rfc3339`] writes.
pub fn parse_rfc3339(text: &str) -> Option<Duration> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
    let days = days(number(0..4)? as i64, number(5..7)? as i64, number(8..10)? as i64);
    let seconds = days as u64 * 86_400 + number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19)?;
    let fraction = text.get(19..)?.trim_end_matches('Z').trim_start_matches('.');
    let nanos = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    Some(Duration::new(seconds, nanos))
}

/// The date of a day since the epoch, counting years from March so that leap days come last.
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_there_and_back() {
        for (at, text) in [
            (Duration::ZERO, "1970-01-01T00:00:00Z"),
            (Duration::new(951_782_400, 0), "2000-02-29T00:00:00Z"),
            (Duration::new(1_735_689_599, 120_000_000), "2024-12-31T23:59:59.12Z"),
        ] {
            assert_eq!(rfc3339(at), text);
            assert_eq!(parse_rfc3339(text), Some(at));
        }
        assert_eq!(parse_rfc3339("yesterday"), None);
    }
}
