//! Sizes and times as Docker words them. Source: docker/go-units, size.go; Go's time formats.

use crate::container::spec::parse_duration;
use crate::container::status::human_duration;
use std::time::Duration;

/// `1.984MB`: powers of 1000, four digits.
pub fn size(bytes: u64) -> String {
    scaled(bytes as f64, 1000.0, ["B", "kB", "MB", "GB", "TB", "PB", "EB"], 4)
}

/// `1.98MB`: powers of 1000, three digits, as `docker images` shows it.
pub fn short_size(bytes: u64) -> String {
    scaled(bytes as f64, 1000.0, ["B", "kB", "MB", "GB", "TB", "PB", "EB"], 3)
}

/// `64MiB`: powers of 1024, four digits.
pub fn binary_size(bytes: u64) -> String {
    scaled(bytes as f64, 1024.0, ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"], 4)
}

fn scaled(mut value: f64, base: f64, units: [&str; 7], digits: usize) -> String {
    let mut unit = 0;
    while value >= base && unit + 1 < units.len() {
        value /= base;
        unit += 1;
    }
    format!("{}{}", significant(value, digits), units[unit])
}

/// C's `%.4g` for what sizes need: so many digits, no zeros at the end.
fn significant(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return "0".to_string();
    }
    let whole = value.abs().log10().floor() as i32 + 1;
    let text = format!("{value:.*}", usize::try_from(digits as i32 - whole).unwrap_or(0));
    // Rounding may have carried into one more digit (999.96).
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// `3 minutes ago`, as the columns CREATED have it.
pub fn ago(then: Duration, now: Duration) -> String {
    format!("{} ago", human_duration(now.saturating_sub(then)))
}

/// `3f2a…`: at most `most` characters, the last of them `…` where some are left out.
pub fn ellipsis(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_string();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    kept + "…"
}

/// `a=1,b=2`, as the columns LABELS have it.
pub fn labels<'a>(labels: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    labels.into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// `2026-11-20 08:54:33 +0000 UTC`, as the columns CREATED AT have it.
pub fn go_time(time: Duration) -> String {
    let (date, clock) = date_and_clock(time.as_secs());
    format!("{date} {clock} +0000 UTC")
}

/// As [`go_time`], with the second's digits: `2026-11-20 08:54:06.218825402 +0000 UTC`.
pub fn go_time_nanos(time: Duration) -> String {
    let (date, clock) = date_and_clock(time.as_secs());
    format!("{date} {clock}{} +0000 UTC", fraction(time.subsec_nanos()))
}

/// `2026-11-20T08:54:33.46386399Z`: as many digits of the second as it has.
pub fn rfc3339(time: Duration) -> String {
    let (date, clock) = date_and_clock(time.as_secs());
    format!("{date}T{clock}{}Z", fraction(time.subsec_nanos()))
}

/// `2026-11-20T08:54:33.463863990Z`: always nine digits, as `docker events` prints it.
pub fn rfc3339_nanos(time: Duration) -> String {
    let (date, clock) = date_and_clock(time.as_secs());
    format!("{date}T{clock}.{:09}Z", time.subsec_nanos())
}

/// `2026-11-20T08:54:33Z`.
pub fn rfc3339_seconds(time: Duration) -> String {
    rfc3339(Duration::from_secs(time.as_secs()))
}

fn fraction(nanos: u32) -> String {
    if nanos == 0 {
        return String::new();
    }
    format!(".{nanos:09}").trim_end_matches('0').to_string()
}

fn date_and_clock(seconds: u64) -> (String, String) {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let clock = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    (format!("{year:04}-{month:02}-{day:02}"), clock)
}

/// The date of a day since the epoch. Years are counted from March, so that leap days come last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day - (153 * shifted + 2) / 5 + 1)
}

/// The day since the epoch of a date; `None` for dates that no calendar has. The inverse of [`civil`], by halving.
fn day_number(date: (u64, u64, u64)) -> Option<u64> {
    let (mut low, mut high) = (0, 366 * (date.0 - 1969));
    while low < high {
        let middle = (low + high) / 2;
        if civil(middle) < date {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    (civil(low) == date).then_some(low)
}

/// A moment as `--since` and `--until` take it: seconds since the epoch (`1763629333.5`), a date and time of RFC
/// 3339 (its parts from the right may be missing), or a duration before `now` (`10m`).
///
/// # Errors
/// A text in Docker's words for what is none.
pub fn parse_moment(text: &str, now: Duration) -> Result<Duration, String> {
    if text != "0"
        && let Ok(back) = parse_duration(text)
    {
        let ago = Duration::from_nanos(back.unsigned_abs());
        return Ok(if back < 0 { now + ago } else { now.saturating_sub(ago) });
    }
    let (layout, zoned) = layout(text);
    match date(text, layout, zoned) {
        Ok(time) => Ok(time),
        Err(error) if text.contains('-') => Err(format!("parsing time {text:?}{error}")),
        Err(_) => match unix(text) {
            Some((seconds, nanos)) => Ok(Duration::new(seconds, nanos)),
            None => Err(format!("failed to parse value as time or duration: {text:?}")),
        },
    }
}

/// The form that a date should have by what is in it, in Go's notation, and whether a zone ends it. Source: moby,
/// api/types/time/timestamp.go.
fn layout(text: &str) -> (&'static str, bool) {
    let zoned = text.contains(['z', 'Z', '+']) || text.matches('-').count() == 3;
    let mut colons = text.matches(':').count();
    if zoned && !text.contains(['z', 'Z']) {
        colons = colons.saturating_sub(1);
    }
    let layout = match (text.contains('.'), text.contains('T'), colons) {
        (true, ..) => "2006-01-02T15:04:05.999999999",
        (_, true, 0) => "2006-01-02T15",
        (_, true, 1) => "2006-01-02T15:04",
        (_, true, _) => "2006-01-02T15:04:05",
        _ => "2006-01-02",
    };
    (layout, zoned)
}

fn unix(text: &str) -> Option<(u64, u32)> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(seconds) || !digits(fraction) {
        return None;
    }
    Some((seconds.parse().ok()?, format!("{fraction:0<9}").get(..9)?.parse().ok()?))
}

/// Reads a date by its layout.
///
/// # Errors
/// What Go's `time.Parse` says after the text.
fn date(text: &str, layout: &str, zoned: bool) -> Result<Duration, String> {
    let shown = if zoned { format!("{layout}Z07:00") } else { layout.to_string() };
    let cannot = |rest: &str, element: &str| Err(format!(" as {shown:?}: cannot parse {rest:?} as {element:?}"));
    let (layout, fraction) = layout.split_once('.').map_or((layout, false), |(layout, _)| (layout, true));
    let (mut rest, mut numbers) = (text, [0u64; 6]);
    for (number, element) in numbers.iter_mut().zip(layout.split_inclusive(['-', 'T', ':'])) {
        let width = element.trim_end_matches(['-', 'T', ':']).len();
        let digits = rest.get(..width).filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
        let Some(digits) = digits else { return cannot(rest, &element[..width]) };
        *number = digits.parse().unwrap_or(0);
        rest = &rest[width..];
        let joint = &element[width..];
        match rest.strip_prefix(joint) {
            Some(after) => rest = after,
            None => return cannot(rest, joint),
        }
    }
    let mut nanos = 0;
    if let (true, Some(after)) = (fraction, rest.strip_prefix('.')) {
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        nanos = format!("{:0<9}", &after[..end])[..9].parse().unwrap_or(0);
        rest = &after[end..];
    }
    let mut east = 0;
    if zoned {
        let (offset, after) = match rest.strip_prefix('Z') {
            Some(after) => (Some(0), after),
            None => (rest.get(..6).and_then(zone), rest.get(6..).unwrap_or("")),
        };
        let Some(offset) = offset else { return cannot(rest, "Z07:00") };
        (east, rest) = (offset, after);
    }
    let [year, month, day, hour, minute, second] = numbers;
    let (month, day) = if layout.contains("02") { (month, day) } else { (1, 1) };
    let out_of_range = |what: &str| Err(format!(": {what} out of range"));
    if !(1..=12).contains(&month) {
        return out_of_range("month");
    }
    match (hour, minute, second) {
        (24.., ..) => return out_of_range("hour"),
        (_, 60.., _) => return out_of_range("minute"),
        (_, _, 60..) => return out_of_range("second"),
        _ => {}
    }
    if !rest.is_empty() {
        return Err(format!(": extra text: {rest:?}"));
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month as usize - 1];
    if !(1..=days).contains(&day) {
        return out_of_range("day");
    }
    let number = day_number((year, month, day)).unwrap_or(0) as i64;
    let seconds = number * 86_400 + (hour * 3600 + minute * 60 + second) as i64 - east;
    // Nothing happened here before the epoch.
    Ok(Duration::new(u64::try_from(seconds).unwrap_or(0), nanos))
}

/// `+02:00` in seconds.
fn zone(text: &str) -> Option<i64> {
    let (hours, minutes) = text.strip_prefix(['+', '-'])?.split_once(':')?;
    let number = |t: &str| t.bytes().all(|b| b.is_ascii_digit()).then(|| t.parse::<i64>().ok())?;
    let seconds = number(hours)? * 3600 + number(minutes)? * 60;
    Some(if text.starts_with('-') { -seconds } else { seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (bytes, long, short, binary) in [
            (0, "0B", "0B", "0B"),
            (6, "6B", "6B", "6B"),
            (1_984_000, "1.984MB", "1.98MB", "1.892MiB"),
            (4_430_000, "4.43MB", "4.43MB", "4.225MiB"),
            (67_108_864, "67.11MB", "67.1MB", "64MiB"),
            (25_276_510_208, "25.28GB", "25.3GB", "23.54GiB"),
            (532_480, "532.5kB", "532kB", "520KiB"),
            (1000, "1kB", "1kB", "1000B"),
        ] {
            assert_eq!(
                (size(bytes), short_size(bytes), binary_size(bytes)),
                (long.into(), short.into(), binary.into())
            );
        }
    }

    #[test]
    fn times() {
        let time = Duration::new(1_795_164_873, 463_863_990);
        assert_eq!(rfc3339(time), "2026-11-20T08:54:33.46386399Z");
        assert_eq!(rfc3339_nanos(time), "2026-11-20T08:54:33.463863990Z");
        assert_eq!(rfc3339_seconds(time), "2026-11-20T08:54:33Z");
        assert_eq!(go_time(time), "2026-11-20 08:54:33 +0000 UTC");
        assert_eq!(go_time_nanos(time), "2026-11-20 08:54:33.46386399 +0000 UTC");
        for text in ["2026-11-20T08:54:33.46386399Z", "1795164873.46386399", "2026-11-20T09:54:33.46386399+01:00"] {
            assert_eq!(parse_moment(text, Duration::ZERO), Ok(time), "{text}");
        }
        let now = Duration::from_secs(1000);
        assert_eq!(parse_moment("10m", now), Ok(Duration::from_secs(400)));
        assert_eq!(parse_moment("1970-01-02", now), Ok(Duration::from_secs(86_400)));
        assert_eq!(parse_moment("1970-01-01T00:01", now), Ok(Duration::from_secs(60)));
        assert_eq!(parse_moment("1000.5", now), Ok(Duration::from_millis(1_000_500)));
        assert_eq!(parse_moment("-10s", now), Ok(Duration::from_secs(1010)));
        // What Docker's client says.
        for (bad, why) in [
            ("", "failed to parse value as time or duration: \"\""),
            ("x", "failed to parse value as time or duration: \"x\""),
            ("-", "parsing time \"-\" as \"2006-01-02\": cannot parse \"-\" as \"2006\""),
            ("1-0", "parsing time \"1-0\" as \"2006-01-02\": cannot parse \"1-0\" as \"2006\""),
            ("2026-1-1", "parsing time \"2026-1-1\" as \"2006-01-02\": cannot parse \"1-1\" as \"01\""),
            ("2026-13-01", "parsing time \"2026-13-01\": month out of range"),
            ("2026-02-30", "parsing time \"2026-02-30\": day out of range"),
            ("2026-01-01x", "parsing time \"2026-01-01x\": extra text: \"x\""),
            ("2026-01-01T25:00", "parsing time \"2026-01-01T25:00\": hour out of range"),
            ("2026-01-01T10:00:61", "parsing time \"2026-01-01T10:00:61\": second out of range"),
            (
                "12-34-56-78",
                "parsing time \"12-34-56-78\" as \"2006-01-02Z07:00\": cannot parse \"12-34-56-78\" as \"2006\"",
            ),
        ] {
            assert_eq!(parse_moment(bad, now), Err(why.to_string()), "{bad}");
        }
    }

    #[test]
    fn cut() {
        assert_eq!(ellipsis("abcdef", 6), "abcdef");
        assert_eq!(ellipsis("abcdefg", 6), "abcde…");
    }
}
