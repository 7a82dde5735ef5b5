//! `--chmod` of `COPY` and `ADD`.

/// `--chmod`: an octal number, or letters as chmod(1) takes them.
pub fn changed_mode(mode: u32, text: &str, folder: bool) -> Result<u32, String> {
    if let Ok(number) = u32::from_str_radix(text, 8) {
        return if number <= 0o7777 {
            Ok(number)
        } else {
            Err(format!("invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777"))
        };
    }
    let wrong = || format!("invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777");
    let mut mode = mode;
    for clause in text.split(',') {
        let at = clause.find(['+', '-', '=']).ok_or_else(wrong)?;
        let (who, rest) = clause.split_at(at);
        let mut mask = 0;
        for c in if who.is_empty() { "a" } else { who }.chars() {
            mask |= match c {
                'u' => 0o4700,
                'g' => 0o2070,
                'o' => 0o1007,
                'a' => 0o7777,
                _ => return Err(wrong()),
            };
        }
        let mut bits = 0;
        for c in rest[1..].chars() {
            bits |= match c {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                'X' if folder || mode & 0o111 != 0 => 0o111,
                'X' => 0,
                's' => 0o6000,
                't' => 0o1000,
                _ => return Err(wrong()),
            };
        }
        mode = match &rest[..1] {
            "+" => mode | bits & mask,
            "-" => mode & !(bits & mask),
            _ => mode & !(mask & 0o777) | bits & mask,
        };
    }
    Ok(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        for (mode, text, result) in [
            (0o644, "755", Ok(0o755)),
            (0o644, "u+x", Ok(0o744)),
            (0o777, "go-w", Ok(0o755)),
            (0o600, "a=r", Ok(0o444)),
            (0o644, "+x,o=", Ok(0o750)),
            (0o644, "99999", Err(())),
            (0o644, "x", Err(())),
        ] {
            assert_eq!(changed_mode(mode, text, false).map_err(|_| ()), result, "{text}");
        }
    }
}
