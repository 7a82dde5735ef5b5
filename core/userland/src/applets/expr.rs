//! `expr`.

use super::pattern::{Pattern, Syntax};
use super::{Ending, Tool};
use crate::os::Os;
use std::cmp::Ordering;

struct Parser<'a> {
    words: &'a [String],
    at: usize,
    depth: usize,
}

type Value = Result<String, String>;

impl Parser<'_> {
    fn take(&mut self, words: &[&str]) -> Option<String> {
        let word = self.words.get(self.at).filter(|w| words.contains(&w.as_str()))?.clone();
        self.at += 1;
        Some(word)
    }
    fn next(&mut self) -> Value {
        let word = self.words.get(self.at).cloned().ok_or("syntax error")?;
        self.at += 1;
        Ok(word)
    }

    /// Operators by how weakly they bind: `|`, `&`, comparisons, sums, products, `:`.
    fn level(&mut self, level: usize) -> Value {
        const OPERATORS: [&[&str]; 6] =
            [&["|"], &["&"], &["=", "==", "!=", "<", "<=", ">", ">="], &["+", "-"], &["*", "/", "%"], &[":"]];
        let Some(operators) = OPERATORS.get(level) else { return self.primary() };
        let mut left = self.level(level + 1)?;
        while let Some(operator) = self.take(operators) {
            let right = self.level(level + 1)?;
            left = apply(&left, &operator, &right)?;
        }
        Ok(left)
    }

    fn primary(&mut self) -> Value {
        self.depth += 1;
        if self.depth > 200 {
            return Err("syntax error".to_string());
        }
        let word = self.next()?;
        // The last word is always itself.
        let more = self.at < self.words.len();
        let value = match word.as_str() {
            "(" => {
                let inner = self.level(0)?;
                self.take(&[")"]).ok_or("syntax error")?;
                inner
            }
            "length" if more => self.primary()?.chars().count().to_string(),
            "match" if more => {
                let text = self.primary()?;
                apply(&text, ":", &self.primary()?)?
            }
            "index" if more => {
                let (text, set) = (self.primary()?, self.primary()?);
                text.chars().position(|c| set.contains(c)).map_or(0, |p| p + 1).to_string()
            }
            "substr" if more => {
                let text = self.primary()?;
                let (from, count) = (self.primary()?, self.primary()?);
                let place = |n: &str| n.parse::<usize>().unwrap_or(0);
                match place(&from) {
                    0 => String::new(),
                    from => text.chars().skip(from - 1).take(place(&count)).collect(),
                }
            }
            "quote" | "+" if more => self.next()?,
            _ => word,
        };
        self.depth -= 1;
        Ok(value)
    }
}

fn is_null(text: &str) -> bool {
    text.is_empty() || text.parse() == Ok(0i64)
}

fn apply(left: &str, operator: &str, right: &str) -> Value {
    let number = |text: &str| text.parse::<i64>().map_err(|_| "non-numeric argument".to_string());
    let truth = |holds: bool| Ok(i32::from(holds).to_string());
    match operator {
        "|" => Ok(if is_null(left) { right } else { left }.to_string()),
        "&" => Ok(if is_null(left) || is_null(right) { "0" } else { left }.to_string()),
        ":" => {
            let pattern = Pattern::new(&format!("^{}", right.trim_start_matches('^')), Syntax::Basic, false);
            let pattern = pattern.map_err(|e| format!("bad regex '{right}': {e}"))?;
            let found = pattern.find(left.as_bytes(), 0);
            let groups = pattern.groups() > 1;
            Ok(match found {
                Some(found) if groups => found[1].clone().map_or(String::new(), |r| left[r].to_string()),
                Some(found) => found[0].clone().map_or(0, |r| left[r].chars().count()).to_string(),
                None if groups => String::new(),
                None => "0".to_string(),
            })
        }
        "+" | "-" | "*" | "/" | "%" => {
            let (a, b) = (number(left)?, number(right)?);
            let value = match operator {
                "+" => a.checked_add(b),
                "-" => a.checked_sub(b),
                "*" => a.checked_mul(b),
                _ if b == 0 => return Err("division by zero".to_string()),
                "/" => a.checked_div(b),
                _ => a.checked_rem(b),
            };
            value.map(|v| v.to_string()).ok_or_else(|| "overflow".to_string())
        }
        _ => {
            let order = match (left.parse::<i64>(), right.parse::<i64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                _ => left.cmp(right),
            };
            truth(match operator {
                "=" | "==" => order == Ordering::Equal,
                "!=" => order != Ordering::Equal,
                "<" => order == Ordering::Less,
                "<=" => order != Ordering::Greater,
                ">" => order == Ordering::Greater,
                _ => order != Ordering::Less,
            })
        }
    }
}

pub async fn expr<O: Os>(t: &Tool<O>) -> Ending {
    let words = if t.args.first().is_some_and(|a| a == "--") { &t.args[1..] } else { &t.args[..] };
    if words.is_empty() {
        t.usage();
        return Err(2);
    }
    let mut parser = Parser { words, at: 0, depth: 0 };
    let value = match parser.level(0) {
        Ok(value) if parser.at == words.len() => value,
        Ok(_) => {
            t.warn("syntax error");
            return Err(2);
        }
        Err(e) => {
            t.warn(e);
            return Err(2);
        }
    };
    t.line(&value);
    Ok(i32::from(is_null(&value)))
}
