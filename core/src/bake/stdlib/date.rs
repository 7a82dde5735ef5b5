//! Functions of dates.

use super::super::value::Value;
use super::{Answer, Fail, Surroundings, text_of};
use crate::container::spec::parse_duration;
use crate::image::wire::from_rfc3339;
use crate::view::units::rfc3339_seconds;
use std::time::Duration;

const MONTHS: [&str; 12] = [
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
const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// What a function of the table gives.
pub fn call(name: &str, args: &[Value], around: &Surroundings) -> Answer {
    let time = |index: usize| {
        let text = text_of(args, index);
        from_rfc3339(text).ok_or_else(|| Fail::Argument(index, format!("not a valid RFC3339 timestamp: {text:?}")))
    };
    match name {
        "timestamp" => Ok(Value::Text(rfc3339_seconds(around.now))),
        "timeadd" => {
            let by = parse_duration(text_of(args, 1)).map_err(|e| Fail::Argument(1, e))?;
            let step = Duration::from_nanos(by.unsigned_abs());
            let at = time(0)?;
            Ok(Value::Text(rfc3339_seconds(if by < 0 { at.saturating_sub(step) } else { at + step })))
        }
        _ => formatted(text_of(args, 0), time(1)?).map(Value::Text),
    }
}

/// `formatdate`: runs of one letter are parts of the date, quoted text is itself.
fn formatted(format: &str, at: Duration) -> Result<String, Fail> {
    let whole = rfc3339_seconds(at);
    let part = |from: usize, to: usize| whole.get(from..to).unwrap_or("0").to_string();
    let short = |text: String| text.trim_start_matches('0').to_string();
    let number = |text: &str| text.parse::<usize>().unwrap_or_default();
    let (hour, day) = (number(&part(11, 13)), at.as_secs() / 86_400);
    let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
    let or_zero = |text: String| if text.is_empty() { "0".to_string() } else { text };
    let mut out = String::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let Some(end) = rest[1..].find('\'') else {
                return Err(Fail::Argument(0, "unterminated literal '".into()));
            };
            out.push_str(&rest[1..=end]);
            rest = &rest[end + 2..];
            continue;
        }
        let length = rest.find(|c| c != first).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        let month = MONTHS[(number(&part(5, 7)).max(1) - 1) % 12];
        let weekday = DAYS[(day % 7) as usize];
        out.push_str(&match word {
            "YYYY" => part(0, 4),
            "YY" => part(2, 4),
            "MMMM" => month.into(),
            "MMM" => month[..3].into(),
            "MM" => part(5, 7),
            "M" => short(part(5, 7)),
            "EEEE" => weekday.into(),
            "EEE" => weekday[..3].into(),
            "DD" => part(8, 10),
            "D" => short(part(8, 10)),
            "hh" => part(11, 13),
            "h" => hour.to_string(),
            "HH" => format!("{twelve:02}"),
            "H" => twelve.to_string(),
            "AA" => if hour < 12 { "AM" } else { "PM" }.into(),
            "aa" => if hour < 12 { "am" } else { "pm" }.into(),
            "mm" => part(14, 16),
            "m" => or_zero(short(part(14, 16))),
            "ss" => part(17, 19),
            "s" => or_zero(short(part(17, 19))),
            "ZZZZZ" => "+00:00".into(),
            "ZZZZ" => "+0000".into(),
            "ZZZ" => "UTC".into(),
            "Z" => "Z".into(),
            letters if first.is_ascii_alphabetic() => {
                return Err(Fail::Argument(0, format!("invalid date format verb {letters:?}")));
            }
            plain => plain.into(),
        });
        rest = after;
    }
    Ok(out)
}
