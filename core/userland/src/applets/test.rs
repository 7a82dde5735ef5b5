//! `test` and `[`: conditions on words and files.

use super::{Ending, Tool};
use crate::os::{FileKind, Os};

pub async fn test<O: Os>(t: &Tool<O>) -> Ending {
    let mut words = &t.args[..];
    if t.name == "[" {
        match words.split_last() {
            Some((last, rest)) if last == "]" => words = rest,
            _ => {
                t.warn("missing ]");
                return Err(2);
            }
        }
    }
    match evaluate(&t.os, words) {
        Ok(holds) => Ok(i32::from(!holds)),
        Err(complaint) => {
            t.warn(complaint);
            Err(2)
        }
    }
}

/// Whether a condition holds. The error is what follows `test: `.
pub fn evaluate<O: Os>(os: &O, words: &[String]) -> Result<bool, String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // Up to four words mean what POSIX says, whatever they look like.
    match words[..] {
        [] => return Ok(false),
        [word] => return Ok(!word.is_empty()),
        ["!", word] => return Ok(word.is_empty()),
        [a, op, b] if binary_operator(op) => return binary(os, a, op, b),
        ["!", op, word] if unary_operator(op) => return unary(os, op, word).map(|r| !r),
        ["!", a, op, b] if binary_operator(op) => return binary(os, a, op, b).map(|r| !r),
        _ => {}
    }
    let mut parser = Parser { os, words: &words, at: 0 };
    let holds = parser.either()?;
    match words.get(parser.at) {
        None => Ok(holds),
        Some(word) => Err(format!("{word}: unknown operand")),
    }
}

struct Parser<'a, O: Os> {
    os: &'a O,
    words: &'a [&'a str],
    at: usize,
}

impl<O: Os> Parser<'_, O> {
    fn peek(&self) -> Option<&str> {
        self.words.get(self.at).copied()
    }
    fn either(&mut self) -> Result<bool, String> {
        let mut holds = self.both()?;
        while self.peek() == Some("-o") {
            self.at += 1;
            holds |= self.both()?;
        }
        Ok(holds)
    }
    fn both(&mut self) -> Result<bool, String> {
        let mut holds = self.not()?;
        while self.peek() == Some("-a") {
            self.at += 1;
            holds &= self.not()?;
        }
        Ok(holds)
    }
    fn not(&mut self) -> Result<bool, String> {
        if self.peek() == Some("!") && self.at + 1 < self.words.len() {
            self.at += 1;
            return Ok(!self.not()?);
        }
        self.primary()
    }
    fn primary(&mut self) -> Result<bool, String> {
        let rest = &self.words[self.at..];
        match *rest {
            [] => Err("argument expected".to_string()),
            [a, op, b, ..] if binary_operator(op) => {
                self.at += 3;
                binary(self.os, a, op, b)
            }
            ["(", ..] => {
                self.at += 1;
                let holds = self.either()?;
                if self.peek() != Some(")") {
                    return Err("closing paren expected".to_string());
                }
                self.at += 1;
                Ok(holds)
            }
            [op, word, ..] if unary_operator(op) => {
                self.at += 2;
                unary(self.os, op, word)
            }
            [word, ..] => {
                self.at += 1;
                Ok(!word.is_empty())
            }
        }
    }
}

fn binary_operator(op: &str) -> bool {
    matches!(op, "=" | "==" | "!=" | "<" | ">" | "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" | "-nt" | "-ot" | "-ef")
}

fn unary_operator(op: &str) -> bool {
    op.len() == 2 && op.starts_with('-') && "abcdefghknprstuwxzLNOGS".contains(&op[1..])
}

fn number(text: &str) -> Result<i64, String> {
    text.trim().parse().map_err(|_| format!("{text}: bad number"))
}

fn binary<O: Os>(os: &O, a: &str, op: &str, b: &str) -> Result<bool, String> {
    Ok(match op {
        "=" | "==" => a == b,
        "!=" => a != b,
        "<" => a < b,
        ">" => a > b,
        "-eq" => number(a)? == number(b)?,
        "-ne" => number(a)? != number(b)?,
        "-lt" => number(a)? < number(b)?,
        "-le" => number(a)? <= number(b)?,
        "-gt" => number(a)? > number(b)?,
        "-ge" => number(a)? >= number(b)?,
        _ => {
            let (a, b) = (os.stat(a).ok(), os.stat(b).ok());
            match (op, a, b) {
                ("-nt", Some(a), Some(b)) => a.mtime > b.mtime,
                ("-ot", Some(a), Some(b)) => a.mtime < b.mtime,
                ("-ef", Some(a), Some(b)) => (a.dev, a.ino) == (b.dev, b.ino),
                ("-nt", a, None) => a.is_some(),
                ("-ot", None, b) => b.is_some(),
                _ => false,
            }
        }
    })
}

fn unary<O: Os>(os: &O, op: &str, word: &str) -> Result<bool, String> {
    let is = |kind| os.stat(word).is_ok_and(|s| s.kind == kind);
    let bit = |bit| os.stat(word).is_ok_and(|s| s.mode & bit != 0);
    Ok(match op {
        "-z" => word.is_empty(),
        "-n" => !word.is_empty(),
        "-e" | "-a" => os.stat(word).is_ok(),
        "-f" => is(FileKind::Regular),
        "-d" => is(FileKind::Directory),
        "-b" => is(FileKind::BlockDevice),
        "-c" => is(FileKind::CharDevice),
        "-p" => is(FileKind::Fifo),
        "-S" => is(FileKind::Socket),
        "-h" | "-L" => os.lstat(word).is_ok_and(|s| s.kind == FileKind::Symlink),
        "-s" => os.stat(word).is_ok_and(|s| s.size > 0),
        "-r" => os.access(word, 4).is_ok(),
        "-w" => os.access(word, 2).is_ok(),
        "-x" => os.access(word, 1).is_ok(),
        "-u" => bit(0o4000),
        "-g" => bit(0o2000),
        "-k" => bit(0o1000),
        "-O" => os.stat(word).is_ok_and(|s| s.uid == os.ids().euid),
        "-G" => os.stat(word).is_ok_and(|s| s.gid == os.ids().egid),
        "-N" => os.stat(word).is_ok_and(|s| s.mtime > s.atime),
        "-t" => os.is_tty(i32::try_from(number(word)?).unwrap_or(-1)),
        _ => return Err(format!("{op}: unknown operand")),
    })
}
