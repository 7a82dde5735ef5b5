//! Times as text: RFC 3339 in UTC, with as many digits of a second as it has, which is how Go prints them.

use std::time::Duration;

const DAY: u64 = 86_400;

/// A time since the epoch, as `2026-11-20T08:54:32.811890509Z`.
pub fn rfc3339(time: Duration) -> String {
    let (days, second) = (time.as_secs() / DAY, time.as_secs() % DAY);
    let (year, month, day) = civil(days);
    let mut fraction = match time.subsec_nanos() {
        0 => String::new(),
        nanos => format!(".{nanos:09}"),
    };
    fraction.truncate(fraction.trim_end_matches('0').len());
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Reads such a time, with any offset from UTC. `None` for what is none, and for times before 1970, which
/// stand for "not known".
pub fn from_rfc3339(text: &str) -> Option<Duration> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let mut date = date.split('-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    if date.next().is_some() || !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day)
    {
        return None;
    }
    let zone = rest.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = rest.split_at(zone);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut clock = clock.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if hour > 23 || minute > 59 || second > 60 || fraction.is_empty() || !fraction.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let nanos: u32 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let seconds = days_from_civil(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
    let seconds = i64::try_from(seconds).ok()? - offset(zone)?;
    Some(Duration::new(u64::try_from(seconds).ok()?, nanos))
}

/// Seconds east of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    Some(sign * (hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60))
}

/// Year, month and day of a day since the epoch. Years are counted from March, so that the leap day is the last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_back() {
        for (seconds, nanos, text) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (1, 500_000_000, "1970-01-01T00:00:01.5Z"),
            (951_782_400, 0, "2000-02-29T00:00:00Z"),
            (1_795_164_872, 811_890_509, "2026-11-20T08:54:32.811890509Z"),
            (4_107_542_399, 0, "2100-02-28T23:59:59Z"),
        ] {
            let time = Duration::new(seconds, nanos);
            assert_eq!(rfc3339(time), text);
            assert_eq!(from_rfc3339(text), Some(time), "{text}");
        }
        assert_eq!(from_rfc3339("1970-01-01T01:00:00+01:00"), Some(Duration::ZERO));
        assert_eq!(from_rfc3339("1969-12-31T23:00:00-01:00"), None);
        for bad in ["", "0001-01-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00", "x"] {
            assert_eq!(from_rfc3339(bad), None, "{bad}");
        }
    }
}
