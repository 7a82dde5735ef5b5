//! What is wrong with a JSON text, in the words of Go's encoding/json: Docker's client shows those.

/// The first thing that is wrong, as `invalid character 'x' looking for beginning of value`; `None` where nothing is.
pub fn problem(bytes: &[u8]) -> Option<String> {
    let mut reader = Reader { bytes, at: 0 };
    reader.value(0).and_then(|()| reader.end()).err()
}

/// Deeper texts are refused, as Go does.
const DEEPEST: usize = 500;

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        while self.bytes.get(self.at).is_some_and(|b| b" \t\r\n".contains(b)) {
            self.at += 1;
        }
    }

    /// The next byte, not taken.
    fn peek(&self) -> Result<u8, String> {
        self.bytes.get(self.at).copied().ok_or_else(|| "unexpected end of JSON input".into())
    }

    fn wrong<T>(&self, context: &str) -> Result<T, String> {
        let byte = self.peek()?;
        let shown = match byte {
            b'\'' => "'\\''".to_string(),
            b'"' => "'\"'".to_string(),
            b => format!("'{}'", char::from(b).escape_default()),
        };
        Err(format!("invalid character {shown} {context}"))
    }

    fn end(&mut self) -> Result<(), String> {
        self.blanks();
        if self.at < self.bytes.len() { self.wrong("after top-level value") } else { Ok(()) }
    }

    fn value(&mut self, depth: usize) -> Result<(), String> {
        if depth > DEEPEST {
            return Err("exceeded max depth".into());
        }
        self.blanks();
        match self.peek()? {
            b'{' => self.many(depth, b'}'),
            b'[' => self.many(depth, b']'),
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => self.wrong("looking for beginning of value"),
        }
    }

    /// An object or an array.
    fn many(&mut self, depth: usize, close: u8) -> Result<(), String> {
        let object = close == b'}';
        self.at += 1;
        let mut first = true;
        loop {
            self.blanks();
            if first && self.peek()? == close {
                break;
            }
            first = false;
            if object {
                if self.peek()? != b'"' {
                    return self.wrong("looking for beginning of object key string");
                }
                self.string()?;
                self.blanks();
                if self.peek()? != b':' {
                    return self.wrong("after object key");
                }
                self.at += 1;
            }
            self.value(depth + 1)?;
            self.blanks();
            match self.peek()? {
                b',' => self.at += 1,
                byte if byte == close => break,
                _ => return self.wrong(if object { "after object key:value pair" } else { "after array element" }),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), String> {
        self.at += 1;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    self.at += 1;
                    match self.peek()? {
                        b'u' => {
                            for _ in 0..4 {
                                self.at += 1;
                                if !self.peek()?.is_ascii_hexdigit() {
                                    return self.wrong("in \\u hexadecimal character escape");
                                }
                            }
                        }
                        b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => {}
                        _ => return self.wrong("in string escape code"),
                    }
                }
                0..0x20 => return self.wrong("in string literal"),
                _ => {}
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(())
    }

    fn literal(&mut self, word: &str) -> Result<(), String> {
        for expected in word.bytes() {
            if self.peek()? != expected {
                let context = format!("in literal {word} (expecting '{}')", char::from(expected));
                return self.wrong(&context);
            }
            self.at += 1;
        }
        Ok(())
    }

    fn digits(&mut self, context: &str) -> Result<(), String> {
        if !self.peek()?.is_ascii_digit() {
            return self.wrong(context);
        }
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), String> {
        if self.peek()? == b'-' {
            self.at += 1;
        }
        if self.peek()? == b'0' {
            self.at += 1
        } else {
            self.digits("in numeric literal")?
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek()?, b'+' | b'-') {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::problem;

    #[test]
    fn table() {
        for (text, why) in [
            ("nojson", "invalid character 'o' in literal null (expecting 'u')"),
            ("{bad", "invalid character 'b' looking for beginning of object key string"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 2}", "invalid character '2' after object key:value pair"),
            ("[1 2]", "invalid character '2' after array element"),
            ("{\"a\":}", "invalid character '}' looking for beginning of value"),
            ("{} x", "invalid character 'x' after top-level value"),
            ("{\"a\":", "unexpected end of JSON input"),
            ("\"\\x\"", "invalid character 'x' in string escape code"),
            ("1.x", "invalid character 'x' after decimal point in numeric literal"),
            ("'", "invalid character '\\'' looking for beginning of value"),
            ("\"\n\"", "invalid character '\\n' in string literal"),
        ] {
            assert_eq!(problem(text.as_bytes()), Some(why.to_string()), "{text}");
        }
        for text in ["{}", " [1, -2.5e+3, \"a\\u00e9\", {\"b\": [null, true]}] "] {
            assert_eq!(problem(text.as_bytes()), None, "{text}");
        }
        assert_eq!(problem("[".repeat(100_000).as_bytes()), Some("exceeded max depth".into()));
    }
}
