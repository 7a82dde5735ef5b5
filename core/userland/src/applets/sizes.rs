//! Sizes as people write and read them.

/// A size with a suffix: `4k`, `1M`, `2G`, `512b` and `KB`-like ones. `None` for anything else.
pub fn parse(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let factor: u64 = match &text[digits..] {
        "" | "c" => 1,
        "w" => 2,
        "b" => 512,
        "k" | "K" | "KiB" => 1 << 10,
        "kB" | "KB" | "kD" => 1000,
        "m" | "M" | "MiB" => 1 << 20,
        "MB" => 1_000_000,
        "g" | "G" | "GiB" => 1 << 30,
        "GB" => 1_000_000_000,
        "T" => 1 << 40,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(factor)
}

/// A size in few characters, as busybox shows it: `932`, `1.5K`, `252.0G`.
pub fn human(bytes: u64) -> String {
    if bytes < 1024 {
        return bytes.to_string();
    }
    let (mut value, mut unit) = (bytes, 0);
    let mut rest = 0;
    while value >= 1024 && unit < 6 {
        rest = value % 1024;
        value /= 1024;
        unit += 1;
    }
    let mut tenths = (rest * 10 + 512) / 1024;
    if tenths == 10 {
        value += 1;
        tenths = 0;
    }
    format!("{value}.{tenths}{}", b" KMGTPE"[unit] as char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        for (bytes, text) in [(0, "0"), (1023, "1023"), (1024, "1.0K"), (1536, "1.5K"), (1 << 20, "1.0M")] {
            assert_eq!(human(bytes), text);
        }
        assert_eq!(parse("4k"), Some(4096));
        assert_eq!(parse("4x"), None);
        assert_eq!(parse("99999999999999999999"), None);
    }
}
