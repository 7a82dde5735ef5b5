//! A command as one text, split into words as a shell would, without expansion.

/// Splits at blanks outside of quotes.
///
/// # Errors
/// Where a quote is not closed.
pub fn split(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut open) = (Vec::new(), String::new(), false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => loop {
                open = true;
                match chars.next() {
                    Some('\'') => break,
                    Some(c) => word.push(c),
                    None => return Err("invalid command line string".into()),
                }
            },
            '"' => loop {
                open = true;
                match chars.next() {
                    Some('"') => break,
                    Some('\\') => match chars.next() {
                        Some(c @ ('"' | '\\' | '$' | '`')) => word.push(c),
                        Some('\n') => {}
                        Some(c) => word.extend(['\\', c]),
                        None => return Err("invalid command line string".into()),
                    },
                    Some(c) => word.push(c),
                    None => return Err("invalid command line string".into()),
                }
            },
            '\\' => match chars.next() {
                Some('\n') => {}
                Some(c) => {
                    open = true;
                    word.push(c);
                }
                None => return Err("invalid command line string".into()),
            },
            c if c.is_whitespace() => {
                if open || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                open = false;
            }
            c => word.push(c),
        }
    }
    if open || !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn as_a_shell() {
        for (line, words) in [
            ("sleep 300", vec!["sleep", "300"]),
            ("sh -c \"echo \\\"a b\\\" > /w; x\"", vec!["sh", "-c", "echo \"a b\" > /w; x"]),
            ("a 'b  c'd \\ e ''", vec!["a", "b  cd", " e", ""]),
            ("", vec![]),
        ] {
            assert_eq!(split(line).expect(line), words, "{line}");
        }
        assert!(split("a 'b").is_err());
    }
}
