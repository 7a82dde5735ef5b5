//! How much a container may send and receive in a second: `--network-rate`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Bits a second, of each direction; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(pub u64);

/// Below it a single packet takes longer than programs wait.
const LEAST: u64 = 8_000;
/// Beyond it no virtual cable goes.
const MOST: u64 = 1_000_000_000_000;

/// The factors of the letters before `bit` and `byte`.
const POWERS: [(char, u64); 3] = [('k', 1_000), ('m', 1_000_000), ('g', 1_000_000_000)];

impl Rate {
    /// Reads `10mbit`, `1.5gbit`, `500kbyte` or `500kb` (bytes, as Docker's sizes have them; factors of 1000, as the
    /// trade has them). `0` takes the limit away.
    ///
    /// # Errors
    /// A sentence that says what is read.
    pub fn parse(text: &str) -> Result<Option<Rate>, String> {
        let lower = text.trim().to_ascii_lowercase();
        let lower = lower.strip_suffix("/s").unwrap_or(&lower);
        if lower == "0" {
            return Ok(None);
        }
        let forms = "a rate is a number with bit, kbit, mbit or gbit, or byte, kbyte, mbyte or gbyte, as 10mbit";
        let split = lower.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(lower.len());
        let (number, unit) = lower.split_at(split);
        let number = number.trim_end();
        let plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let value: f64 =
            number.parse().ok().filter(|_| plain).ok_or_else(|| format!("invalid rate {text:?}: {forms}"))?;
        if unit.is_empty() {
            return Err(format!("the rate {text:?} has no unit: {forms}"));
        }
        let power = POWERS.iter().find(|(letter, _)| unit.starts_with(*letter));
        let (unit, factor) = power.map_or((unit, 1), |(_, factor)| (&unit[1..], *factor));
        let bits = match unit {
            "bit" => 1,
            "b" | "byte" => 8,
            "bps" => return Err(format!("bps in {text:?} may mean bits or bytes: {forms}")),
            _ => return Err(format!("invalid unit in rate {text:?}: {forms}")),
        };
        let rate = (value * (factor * bits) as f64) as u64;
        match rate {
            0 if value == 0.0 => Ok(None),
            LEAST..=MOST => Ok(Some(Rate(rate))),
            _ => Err(format!("the rate {text:?} is out of range: it can be from {} to {}", Rate(LEAST), Rate(MOST))),
        }
    }

    /// Bytes that may go at once after a pause: a hundredth of a second, but a few packets at least.
    pub fn burst(self) -> u64 {
        (self.0 / 800).max(4_542)
    }

    /// How long `bytes` take.
    pub fn time(self, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 8_000_000_000 / u128::from(self.0.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let power = POWERS.iter().rev().find(|(_, factor)| self.0 >= *factor);
        match power {
            Some((letter, factor)) if self.0.is_multiple_of(*factor) => write!(f, "{}{letter}bit", self.0 / factor),
            Some((letter, factor)) => write!(f, "{}{letter}bit", self.0 as f64 / *factor as f64),
            None => write!(f, "{}bit", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (text, bits) in [
            ("10mbit", 10_000_000),
            ("1.5Gbit", 1_500_000_000),
            ("512kbit/s", 512_000),
            ("500kb", 4_000_000),
            ("2mbyte", 16_000_000),
            ("8000bit", 8_000),
        ] {
            assert_eq!(Rate::parse(text), Ok(Some(Rate(bits))), "{text}");
        }
        assert_eq!(Rate::parse("0"), Ok(None));
        assert_eq!(Rate::parse("0mbit"), Ok(None));
        for (text, why) in [
            ("10", "has no unit"),
            ("", "invalid rate"),
            ("mbit", "invalid rate"),
            ("-1mbit", "invalid rate"),
            ("1e9bit", "invalid unit"),
            ("10mbps", "may mean bits or bytes"),
            ("10xbit", "invalid unit"),
            ("1bit", "out of range"),
            ("9999999gbit", "out of range"),
        ] {
            let refused = Rate::parse(text).expect_err(text);
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }

    #[test]
    fn times_and_names() {
        assert_eq!(Rate(1_000_000).time(125_000), Duration::from_secs(1));
        for (bits, shown) in [(10_000_000, "10mbit"), (1_500_000, "1.5mbit"), (900, "900bit")] {
            assert_eq!(Rate(bits).to_string(), shown);
        }
        assert!(Rate(8_000).burst() >= 3 * 1_514);
    }
}
