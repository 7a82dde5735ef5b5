//! Arithmetic of `$((…))`: 64-bit integers that wrap, with all of C's operators and assignments.
//!
//! The text has been expanded before; names are looked up through [`Names`], and a name's value is
//! itself an expression.

/// What an expression can do with variables.
pub trait Names {
    /// The value of `name`, or of `name[index]`; `None` where it is unset.
    fn value(&mut self, name: &str, index: Option<&str>) -> Result<Option<String>, String>;
    fn assign(&mut self, name: &str, index: Option<&str>, value: i64) -> Result<(), String>;
}

const SYNTAX: &str = "arithmetic syntax error";
const MAX_DEPTH: usize = 100;

/// Evaluates an expression; the error is the shell's message.
pub fn evaluate(text: &str, names: &mut dyn Names) -> Result<i64, String> {
    nested(text, names, 0)
}

fn nested(text: &str, names: &mut dyn Names, depth: usize) -> Result<i64, String> {
    if depth > 20 {
        return Err("expression recursion loop detected".to_string());
    }
    let mut reader = Reader { text: text.chars().collect(), at: 0, names, level: depth, depth: 0, skip: 0 };
    reader.blanks();
    if reader.at == reader.text.len() {
        return Ok(0);
    }
    let value = reader.comma()?;
    if reader.at < reader.text.len() { Err(SYNTAX.to_string()) } else { Ok(value) }
}

struct Reader<'a> {
    text: Vec<char>,
    at: usize,
    names: &'a mut dyn Names,
    /// How many values of variables this one is inside of.
    level: usize,
    depth: usize,
    /// Above zero in the branch that is not taken: read, but without effects.
    skip: usize,
}

/// The place an assignment goes to.
struct Place {
    name: String,
    index: Option<String>,
}

/// Operators of two sides with how tightly they bind; the longest of a beginning come first.
const BINARY: &[(&str, u8)] = &[
    ("**", 12),
    ("<<", 9),
    (">>", 9),
    ("<=", 8),
    (">=", 8),
    ("==", 7),
    ("!=", 7),
    ("&&", 3),
    ("||", 2),
    ("*", 11),
    ("/", 11),
    ("%", 11),
    ("+", 10),
    ("-", 10),
    ("<", 8),
    (">", 8),
    ("&", 6),
    ("^", 5),
    ("|", 4),
];
const ASSIGNING: &[&str] = &["<<=", ">>=", "**=", "*=", "/=", "%=", "+=", "-=", "&=", "^=", "|=", "="];

impl Reader<'_> {
    fn blanks(&mut self) {
        while self.text.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
    }

    fn looking_at(&self, token: &str) -> bool {
        token.chars().enumerate().all(|(i, c)| self.text.get(self.at + i) == Some(&c))
    }

    fn accept(&mut self, token: &str) -> bool {
        self.blanks();
        let found = self.looking_at(token);
        if found {
            self.at += token.len();
            self.blanks();
        }
        found
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        if self.depth >= MAX_DEPTH {
            return Err("expression nested too deeply".to_string());
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn comma(&mut self) -> Result<i64, String> {
        self.deeper(|r| {
            let mut value = r.assignment()?;
            while r.accept(",") {
                value = r.assignment()?;
            }
            Ok(value)
        })
    }

    fn assignment(&mut self) -> Result<i64, String> {
        self.blanks();
        let start = self.at;
        if let Some(place) = self.place()? {
            self.blanks();
            let assigning = ASSIGNING.iter().find(|op| self.looking_at(op) && !(**op == "=" && self.looking_at("==")));
            if let Some(operator) = assigning {
                self.at += operator.len();
                let right = self.deeper(Self::assignment)?;
                let value = match operator.strip_suffix('=') {
                    Some("") | None => right,
                    Some(binary) => {
                        let left = self.load(&place)?;
                        self.apply(binary, left, right)?
                    }
                };
                self.store(&place, value)?;
                return Ok(value);
            }
            self.at = start;
        }
        self.conditional()
    }

    fn conditional(&mut self) -> Result<i64, String> {
        let condition = self.binary(0)?;
        if !self.accept("?") {
            return Ok(condition);
        }
        let yes = self.branch(condition != 0, Self::comma)?;
        if !self.accept(":") {
            return Err(SYNTAX.to_string());
        }
        let no = self.branch(condition == 0, |r| r.deeper(Self::assignment))?;
        Ok(if condition != 0 { yes } else { no })
    }

    fn branch(&mut self, taken: bool, read: impl FnOnce(&mut Self) -> Result<i64, String>) -> Result<i64, String> {
        self.skip += usize::from(!taken);
        let value = read(self);
        self.skip -= usize::from(!taken);
        value
    }

    fn binary(&mut self, least: u8) -> Result<i64, String> {
        let mut left = self.unary()?;
        loop {
            self.blanks();
            let found = BINARY.iter().find(|(op, _)| self.looking_at(op));
            let Some((operator, binds)) = found.copied().filter(|(_, binds)| *binds > least) else { return Ok(left) };
            let compound = self.text.get(self.at + operator.len()) == Some(&'=')
                && !matches!(operator, "<=" | ">=" | "==" | "!=" | "&&" | "||" | "<" | ">");
            if compound {
                return Err(SYNTAX.to_string());
            }
            self.at += operator.len();
            left = match operator {
                "&&" => {
                    let right = self.branch(left != 0, |r| r.deeper(|r| r.binary(binds)))?;
                    i64::from(left != 0 && right != 0)
                }
                "||" => {
                    let right = self.branch(left == 0, |r| r.deeper(|r| r.binary(binds)))?;
                    i64::from(left != 0 || right != 0)
                }
                // Powers bind to the right.
                "**" => {
                    let right = self.deeper(|r| r.binary(binds - 1))?;
                    self.apply("**", left, right)?
                }
                operator => {
                    let right = self.deeper(|r| r.binary(binds))?;
                    self.apply(operator, left, right)?
                }
            };
        }
    }

    fn apply(&self, operator: &str, a: i64, b: i64) -> Result<i64, String> {
        Ok(match operator {
            "+" => a.wrapping_add(b),
            "-" => a.wrapping_sub(b),
            "*" => a.wrapping_mul(b),
            "/" | "%" if b == 0 => {
                if self.skip > 0 {
                    return Ok(0);
                }
                return Err("divide by zero".to_string());
            }
            "/" => a.wrapping_div(b),
            "%" => a.wrapping_rem(b),
            "**" if b < 0 => return Err("exponent less than 0".to_string()),
            "**" => power(a, b),
            "<<" => a.wrapping_shl(b as u32),
            ">>" => a.wrapping_shr(b as u32),
            "<" => i64::from(a < b),
            ">" => i64::from(a > b),
            "<=" => i64::from(a <= b),
            ">=" => i64::from(a >= b),
            "==" => i64::from(a == b),
            "!=" => i64::from(a != b),
            "&" => a & b,
            "^" => a ^ b,
            _ => a | b,
        })
    }

    fn unary(&mut self) -> Result<i64, String> {
        self.blanks();
        for (token, change) in [("++", 1), ("--", -1)] {
            if self.looking_at(token) {
                let start = self.at;
                self.at += 2;
                self.blanks();
                if let Some(place) = self.place()? {
                    let value = self.load(&place)?.wrapping_add(change);
                    self.store(&place, value)?;
                    return Ok(value);
                }
                self.at = start;
            }
        }
        match self.text.get(self.at) {
            Some('!') => self.prefix(|v| i64::from(v == 0)),
            Some('~') => self.prefix(|v| !v),
            Some('-') => self.prefix(i64::wrapping_neg),
            Some('+') => self.prefix(|v| v),
            _ => self.primary(),
        }
    }

    fn prefix(&mut self, change: impl Fn(i64) -> i64) -> Result<i64, String> {
        self.at += 1;
        self.deeper(Self::unary).map(change)
    }

    fn primary(&mut self) -> Result<i64, String> {
        if self.accept("(") {
            let value = self.comma()?;
            return if self.accept(")") { Ok(value) } else { Err(SYNTAX.to_string()) };
        }
        if self.text.get(self.at).is_some_and(char::is_ascii_digit) {
            return self.number();
        }
        let Some(place) = self.place()? else { return Err(SYNTAX.to_string()) };
        let value = self.load(&place)?;
        self.blanks();
        for (token, change) in [("++", 1), ("--", -1)] {
            if self.looking_at(token) {
                self.at += 2;
                self.store(&place, value.wrapping_add(change))?;
            }
        }
        Ok(value)
    }

    /// Decimal, octal with a leading 0, hexadecimal with 0x, any base as `base#digits`.
    fn number(&mut self) -> Result<i64, String> {
        let start = self.at;
        while self.text.get(self.at).is_some_and(|c| c.is_ascii_alphanumeric() || "#@_".contains(*c)) {
            self.at += 1;
        }
        let word: String = self.text[start..self.at].iter().collect();
        self.blanks();
        let (radix, digits) = match word.split_once('#') {
            Some((base, digits)) => (base.parse::<i64>().unwrap_or(0), digits),
            None if word.starts_with("0x") || word.starts_with("0X") => (16, &word[2..]),
            None if word.len() > 1 && word.starts_with('0') => (8, &word[1..]),
            None => (10, word.as_str()),
        };
        if !(2..=64).contains(&radix) || digits.is_empty() {
            return Err(SYNTAX.to_string());
        }
        let mut value: i64 = 0;
        for c in digits.chars() {
            let digit = match c {
                '0'..='9' => c as i64 - '0' as i64,
                'a'..='z' => c as i64 - 'a' as i64 + 10,
                'A'..='Z' if radix <= 36 => c as i64 - 'A' as i64 + 10,
                'A'..='Z' => c as i64 - 'A' as i64 + 36,
                '@' => 62,
                _ => 63,
            };
            if digit >= radix {
                return Err(SYNTAX.to_string());
            }
            value = value.wrapping_mul(radix).wrapping_add(digit);
        }
        Ok(value)
    }

    fn place(&mut self) -> Result<Option<Place>, String> {
        let start = self.at;
        let begins = self.text.get(self.at).is_some_and(|c| c.is_ascii_alphabetic() || *c == '_');
        while begins && self.text.get(self.at).is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_') {
            self.at += 1;
        }
        if self.at == start {
            return Ok(None);
        }
        let name = self.text[start..self.at].iter().collect();
        let mut index = None;
        if self.text.get(self.at) == Some(&'[') {
            let from = self.at + 1;
            let mut depth = 0;
            let end = self.text[from..].iter().position(|c| {
                match c {
                    '[' => depth += 1,
                    ']' if depth == 0 => return true,
                    ']' => depth -= 1,
                    _ => {}
                }
                false
            });
            let Some(length) = end else { return Err(SYNTAX.to_string()) };
            index = Some(self.text[from..from + length].iter().collect());
            self.at = from + length + 1;
        }
        Ok(Some(Place { name, index }))
    }

    fn load(&mut self, place: &Place) -> Result<i64, String> {
        if self.skip > 0 {
            return Ok(0);
        }
        match self.names.value(&place.name, place.index.as_deref())? {
            None => Ok(0),
            Some(text) => match text.trim().parse::<i64>() {
                Ok(value) if !text.trim().starts_with('0') || text.trim() == "0" => Ok(value),
                _ => nested(&text, self.names, self.level + 1),
            },
        }
    }

    fn store(&mut self, place: &Place, value: i64) -> Result<(), String> {
        if self.skip > 0 { Ok(()) } else { self.names.assign(&place.name, place.index.as_deref(), value) }
    }
}

fn power(base: i64, exponent: i64) -> i64 {
    let (mut base, mut exponent, mut value) = (base, exponent, 1i64);
    while exponent > 0 {
        if exponent & 1 == 1 {
            value = value.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        exponent >>= 1;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sorted::Map as BTreeMap;

    impl Names for BTreeMap<String, String> {
        fn value(&mut self, name: &str, _index: Option<&str>) -> Result<Option<String>, String> {
            Ok(self.get(name).cloned())
        }
        fn assign(&mut self, name: &str, _index: Option<&str>, value: i64) -> Result<(), String> {
            self.insert(name.to_string(), value.to_string());
            Ok(())
        }
    }

    #[test]
    fn expressions() {
        let table = [
            ("", Ok(0)),
            ("1 + 2 * 3", Ok(7)),
            ("(1 + 2) * 3", Ok(9)),
            ("10 - 3 - 2", Ok(5)),
            ("2 ** 3 ** 2", Ok(512)),
            ("-2 ** 2", Ok(4)),
            ("7 / 2 + 7 % 2", Ok(4)),
            ("1 << 4 | 1", Ok(17)),
            ("5 > 3 && 2 <= 2", Ok(1)),
            ("0 || 0", Ok(0)),
            ("1 ? 2 : 3", Ok(2)),
            ("0 ? 1 / 0 : 3", Ok(3)),
            ("x = 5, x += 2, x++ + x", Ok(15)),
            ("!0 + ~0", Ok(0)),
            ("0x1f + 010 + 2#101", Ok(44)),
            ("y", Ok(3)),
            ("--z", Ok(-1)),
            ("1 - -1", Ok(2)),
            ("a == 0 != 0", Ok(1)),
            ("1 / 0", Err("divide by zero")),
            ("1 +", Err(SYNTAX)),
            ("08", Err(SYNTAX)),
            ("1 2", Err(SYNTAX)),
            ("loop", Err("expression recursion loop detected")),
        ];
        for (text, expected) in table {
            let mut names = BTreeMap::from([("y".into(), "1 + 2".into()), ("loop".into(), "loop".into())]);
            assert_eq!(evaluate(text, &mut names), expected.map_err(str::to_string), "{text}");
        }
        assert!(evaluate(&"(".repeat(10_000), &mut BTreeMap::new()).is_err());
        assert!(evaluate(&"-".repeat(10_001), &mut BTreeMap::new()).is_err());
    }
}
