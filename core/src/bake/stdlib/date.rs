//! Functions of dates.

use super::super::value::Value;
use super::{Answer, Fail, Surroundings, text_of};
use crate::container::spec::parse_duration;
use crate::image::wire::from_rfc3339;
use crate::view::units::rfc3339_seconds;
use cutaway_userland::applets::clock::Civil;
use std::time::Duration;

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
    let date = Civil::from_seconds(at.as_secs() as i64);
    let twelve = (date.hour + 11) % 12 + 1;
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
        out.push_str(&match word {
            "YYYY" => format!("{:04}", date.year),
            "YY" => format!("{:02}", date.year % 100),
            "MMMM" => date.month_name().into(),
            "MMM" => date.month_name()[..3].into(),
            "MM" => format!("{:02}", date.month),
            "M" => date.month.to_string(),
            "EEEE" => date.day_name().into(),
            "EEE" => date.day_name()[..3].into(),
            "DD" => format!("{:02}", date.day),
            "D" => date.day.to_string(),
            "hh" => format!("{:02}", date.hour),
            "h" => date.hour.to_string(),
            "HH" => format!("{twelve:02}"),
            "H" => twelve.to_string(),
            "AA" => if date.hour < 12 { "AM" } else { "PM" }.into(),
            "aa" => if date.hour < 12 { "am" } else { "pm" }.into(),
            "mm" => format!("{:02}", date.minute),
            "m" => date.minute.to_string(),
            "ss" => format!("{:02}", date.second),
            "s" => date.second.to_string(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_parts() {
        let at = from_rfc3339("2024-02-09T00:05:07Z").expect("a time");
        for (format, said) in [
            ("YYYY-MM-DD hh:mm:ss", "2024-02-09 00:05:07"),
            ("EEEE, D MMMM YY", "Friday, 9 February 24"),
            ("EEE MMM M h:m:s", "Fri Feb 2 0:5:7"),
            ("HH AA, H aa 'o''clock' Z", "12 AM, 12 am oclock Z"),
        ] {
            let made = formatted(format, at).unwrap_or_else(|_| panic!("{format} is a format"));
            assert_eq!(made, said, "{format}");
        }
        assert!(formatted("'open", at).is_err() && formatted("Q", at).is_err());
    }
}
