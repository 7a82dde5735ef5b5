//! The calendar, in UTC only, and what tells the time: `date`, `uptime`, `touch`.

use super::{Ending, Tool};
use crate::os::{OpenFlags, Os};
use std::time::Duration;

/// A moment, split as a calendar does. Month and day count from 1, the weekday from Sunday at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    pub year: i64,
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    pub weekday: u32,
    /// Day of the year, from 1.
    pub day_of_year: u32,
}

pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Days since 1970-01-01 of a date of the Gregorian calendar.
pub fn days_of(year: i64, month: u32, day: u32) -> i64 {
    // Years are counted from March, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = i64::from((153 * ((month + 9) % 12) + 2) / 5) + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

impl Civil {
    pub fn from_seconds(seconds: i64) -> Civil {
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400) as u32);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u32;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Civil {
            year,
            month,
            day,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            weekday: (days + 4).rem_euclid(7) as u32,
            day_of_year: (days - days_of(year, 1, 1) + 1) as u32,
        }
    }
    pub fn month_name(&self) -> &'static str {
        MONTHS[self.month as usize - 1]
    }
    pub fn day_name(&self) -> &'static str {
        DAYS[self.weekday as usize]
    }
}

/// `strftime`, for UTC.
pub fn format(pattern: &str, time: Duration) -> String {
    let mut out = String::new();
    let c = Civil::from_seconds(time.as_secs() as i64);
    let mut chars = pattern.chars();
    while let Some(ch) = chars.next() {
        if ch != '%' {
            out.push(ch);
            continue;
        }
        let mut letter = chars.next().unwrap_or('%');
        let padless = letter == '-';
        if matches!(letter, '-' | '_' | 'E' | 'O') {
            letter = chars.next().unwrap_or('%');
        }
        let field = field(letter, &c, time);
        match padless {
            true => out.push_str(field.trim_start_matches(['0', ' '])),
            false => out.push_str(&field),
        }
    }
    out
}

fn field(letter: char, c: &Civil, time: Duration) -> String {
    let hour12 = if c.hour.is_multiple_of(12) { 12 } else { c.hour % 12 };
    let again = |pattern: &str| format(pattern, time);
    match letter {
        'a' => c.day_name()[..3].to_string(),
        'A' => c.day_name().to_string(),
        'b' | 'h' => c.month_name()[..3].to_string(),
        'B' => c.month_name().to_string(),
        'c' => again("%a %b %e %H:%M:%S %Y"),
        'C' => format!("{:02}", c.year / 100),
        'd' => format!("{:02}", c.day),
        'D' | 'x' => again("%m/%d/%y"),
        'e' => format!("{:2}", c.day),
        'F' => again("%Y-%m-%d"),
        'H' => format!("{:02}", c.hour),
        'I' => format!("{hour12:02}"),
        'j' => format!("{:03}", c.day_of_year),
        'k' => format!("{:2}", c.hour),
        'l' => format!("{hour12:2}"),
        'm' => format!("{:02}", c.month),
        'M' => format!("{:02}", c.minute),
        'n' => "\n".to_string(),
        'N' => format!("{:09}", time.subsec_nanos()),
        'p' => if c.hour < 12 { "AM" } else { "PM" }.to_string(),
        'P' => if c.hour < 12 { "am" } else { "pm" }.to_string(),
        'r' => again("%I:%M:%S %p"),
        'R' => again("%H:%M"),
        's' => time.as_secs().to_string(),
        'S' => format!("{:02}", c.second),
        't' => "\t".to_string(),
        'T' | 'X' => again("%H:%M:%S"),
        'u' => (if c.weekday == 0 { 7 } else { c.weekday }).to_string(),
        'U' => format!("{:02}", (c.day_of_year + 6 - c.weekday) / 7),
        'V' => format!("{:02}", iso_week(c).1),
        'G' => iso_week(c).0.to_string(),
        'w' => c.weekday.to_string(),
        'W' => format!("{:02}", (c.day_of_year + 6 - (c.weekday + 6) % 7) / 7),
        'y' => format!("{:02}", c.year % 100),
        'Y' => c.year.to_string(),
        'z' => "+0000".to_string(),
        'Z' => "UTC".to_string(),
        '%' => "%".to_string(),
        other => format!("%{other}"),
    }
}

/// Year and week of ISO 8601: the week belongs to the year of its Thursday.
fn iso_week(c: &Civil) -> (i64, u32) {
    let monday = i64::from((c.weekday + 6) % 7);
    let thursday = days_of(c.year, c.month, c.day) - monday + 3;
    let t = Civil::from_seconds(thursday * 86_400);
    (t.year, (t.day_of_year - 1) / 7 + 1)
}

/// Reads a date as `date -d` and `touch -d` take it: `@seconds`, `YYYY-MM-DD[ T]hh:mm[:ss]`, `hh:mm[:ss]`,
/// `[[CC]YY]MMDDhhmm[.ss]`.
pub fn parse(text: &str, now: Duration) -> Option<Duration> {
    if let Some(seconds) = text.strip_prefix('@') {
        return Duration::try_from_secs_f64(seconds.parse().ok()?).ok();
    }
    let today = Civil::from_seconds(now.as_secs() as i64);
    let text = text.trim().trim_end_matches('Z').trim_end_matches("UTC").trim();
    let (date, clock) = match text.split_once(['T', ' ']) {
        Some((date, clock)) => (Some(date), Some(clock)),
        None if text.contains(':') => (None, Some(text)),
        None if text.contains('-') => (Some(text), None),
        None => return compact(text, &today),
    };
    let (mut year, mut month, mut day) = (today.year, today.month, today.day);
    if let Some(date) = date {
        let mut parts = date.splitn(3, ['-', '/']);
        year = parts.next()?.parse().ok()?;
        month = parts.next()?.parse().ok()?;
        day = parts.next()?.parse().ok()?;
    }
    let (mut hour, mut minute, mut second) = (0, 0, 0.0);
    if let Some(clock) = clock {
        let clock = clock.trim().split([' ', '+']).next()?;
        let mut parts = clock.splitn(3, ':');
        hour = parts.next()?.parse().ok()?;
        minute = parts.next()?.parse().ok()?;
        second = parts.next().map_or(Some(0.0), |s| s.parse().ok())?;
    }
    moment(year, month, day, hour, minute, second)
}

fn compact(text: &str, today: &Civil) -> Option<Duration> {
    let (digits, seconds) = text.split_once('.').unwrap_or((text, "0"));
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let two = |at: usize| digits.get(at..at + 2).and_then(|d| d.parse::<u32>().ok());
    let (year, at) = match digits.len() {
        8 => (today.year, 0),
        10 => (2000 + i64::from(two(0)?), 2),
        12 => (digits[..4].parse().ok()?, 4),
        _ => return None,
    };
    moment(year, two(at)?, two(at + 2)?, two(at + 4)?, two(at + 6)?, seconds.parse().ok()?)
}

fn moment(year: i64, month: u32, day: u32, hour: u32, minute: u32, second: f64) -> Option<Duration> {
    let ranges = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60;
    if !ranges || !(0.0..61.0).contains(&second) || !(1970..=9999).contains(&year) {
        return None;
    }
    let whole = days_of(year, month, day) * 86_400 + i64::from(hour * 3600 + minute * 60);
    Some(Duration::from_secs(whole.try_into().ok()?) + Duration::from_secs_f64(second))
}

pub async fn date<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("ud:r:I::R", &[("utc", 'u'), ("date", 'd'), ("iso-8601", 'I'), ("reference", 'r')])?;
    let mut time = t.os.now();
    if let Some(given) = o.value('d') {
        time = parse(given, time).ok_or_else(|| t.die(format_args!("invalid date '{given}'")))?;
    } else if let Some(path) = o.value('r') {
        time = t.os.stat(path).map_err(|e| t.die(format_args!("{path}: {e}")))?.mtime;
    }
    let pattern = match o.rest.first().map(|w| w.strip_prefix('+').ok_or(w)) {
        Some(Ok(pattern)) => pattern,
        Some(Err(word)) => {
            parse(word, time).ok_or_else(|| t.die(format_args!("invalid date '{word}'")))?;
            return Err(t.die("can't set date: Operation not permitted"));
        }
        None if o.has('R') => "%a, %d %b %Y %H:%M:%S %z",
        None if o.has('I') => match o.value('I') {
            None | Some("date") => "%Y-%m-%d",
            Some("hours") => "%Y-%m-%dT%H+00:00",
            Some("minutes") => "%Y-%m-%dT%H:%M+00:00",
            Some(_) => "%Y-%m-%dT%H:%M:%S+00:00",
        },
        None => "%a %b %e %H:%M:%S %Z %Y",
    };
    t.line(format(pattern, time));
    Ok(0)
}

/// How long a machine has been up, as `uptime` and `top` show it.
pub fn span(up: Duration) -> String {
    let minutes = up.as_secs() / 60;
    let (days, hours, rest) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let days = match days {
        0 => String::new(),
        1 => "1 day, ".to_string(),
        n => format!("{n} days, "),
    };
    match hours {
        0 => format!("{days}{rest} min"),
        hours => format!("{days}{hours:2}:{rest:02}"),
    }
}

pub async fn uptime<O: Os>(t: &Tool<O>) -> Ending {
    let load = t.text("/proc/loadavg").await;
    let mut load: Vec<&str> = load.split_whitespace().take(3).collect();
    load.resize(3, "0.00");
    let clock = format("%H:%M:%S", t.os.now());
    t.line(format!(" {clock} up {},  0 users,  load average: {}", span(t.os.uptime()), load.join(", ")));
    Ok(0)
}

pub async fn touch<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("camd:t:r:h", &[("no-create", 'c'), ("date", 'd'), ("reference", 'r')])?;
    if o.rest.is_empty() {
        return Err(t.usage());
    }
    let now = t.os.now();
    let (atime, mtime) = match (o.value('r'), o.value('d').or(o.value('t'))) {
        (Some(path), _) => {
            let stat = t.os.stat(path).map_err(|e| t.die(format_args!("{path}: {e}")))?;
            (stat.atime, stat.mtime)
        }
        (None, Some(text)) => {
            let time = parse(text, now).ok_or_else(|| t.die(format_args!("invalid date '{text}'")))?;
            (time, time)
        }
        (None, None) => (now, now),
    };
    let atime = (!o.has('m') || o.has('a')).then_some(atime);
    let mtime = (!o.has('a') || o.has('m')).then_some(mtime);
    let mut status = 0;
    for path in &o.rest {
        let mut done = t.os.set_times(path, atime, mtime);
        if done == Err(crate::Errno::ENOENT) {
            if o.has('c') {
                continue;
            }
            done = match t.os.open(path, OpenFlags { truncate: false, ..OpenFlags::CREATE }, 0o666).await {
                Ok(fd) => {
                    t.close(fd);
                    t.os.set_times(path, atime, mtime)
                }
                Err(e) => Err(e),
            };
        }
        if let Err(e) = done {
            status = t.die(format_args!("{path}: {e}"));
        }
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_goes_both_ways() {
        for (seconds, want) in [
            (0u64, "Thu Jan  1 00:00:00 1970 001"),
            (951_782_400, "Tue Feb 29 00:00:00 2000 060"),
            (1_795_166_583, "Fri Nov 20 09:23:03 2026 324"),
            (4_102_444_799, "Thu Dec 31 23:59:59 2099 365"),
        ] {
            assert_eq!(format("%c %j", Duration::from_secs(seconds)), want);
            let text = format("%F %T", Duration::from_secs(seconds));
            assert_eq!(parse(&text, Duration::ZERO), Some(Duration::from_secs(seconds)));
        }
        assert_eq!(format("%V %G", Duration::from_secs(1_609_459_200)), "53 2020");
        assert_eq!(parse("2020-13-01", Duration::ZERO), None);
        assert_eq!(parse("nonsense", Duration::ZERO), None);
    }
}
