//! Dates of the Gregorian calendar from seconds since the epoch, for log lines and headers. In UTC.

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// Year, month (1 to 12), day and the clock as `15:04:05`.
pub fn parts(seconds: u64) -> (u64, u64, u64, String) {
    let (days, rest) = (seconds / 86400, seconds % 86400);
    // Days are counted from 1 March of the year 0, so that the leap day is a year's last.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day, format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60))
}

/// As `Jan`; `month` counts from 1.
pub fn month_name(month: u64) -> &'static str {
    MONTHS.get(month.saturating_sub(1) as usize).copied().unwrap_or("Jan")
}

/// As `Thu, 01 Jan 1970 00:00:00 GMT`.
pub fn http_date(seconds: u64) -> String {
    let (year, month, day, clock) = parts(seconds);
    format!("{}, {day:02} {} {year} {clock} GMT", DAYS[(seconds / 86400 % 7) as usize], month_name(month))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (seconds, date) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_793_536_496, "Sun, 01 Nov 2026 12:34:56 GMT"),
        ] {
            assert_eq!(http_date(seconds), date);
        }
    }
}
