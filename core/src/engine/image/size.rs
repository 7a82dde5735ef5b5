//! Sizes for people: `1.98MB`, in steps of 1000.

/// A size with so many significant digits, as Go's `units` package prints it.
pub fn human_size(bytes: u64, digits: usize) -> String {
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit < 5 {
        value /= 1000.0;
        unit += 1;
    }
    let whole = if value < 1.0 { 1 } else { value.log10().floor() as usize + 1 };
    let mut text = format!("{value:.*}", digits.saturating_sub(whole));
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    text + ["B", "kB", "MB", "GB", "TB", "PB"][unit]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (bytes, digits, text) in [
            (0, 4, "0B"),
            (6, 3, "6B"),
            (999, 3, "999B"),
            (1000, 3, "1kB"),
            (1_984_242, 3, "1.98MB"),
            (1_984_242, 4, "1.984MB"),
            (12_345_678_901, 3, "12.3GB"),
        ] {
            assert_eq!(human_size(bytes, digits), text);
        }
    }
}
