//! Command-line options as `getopt` reads them: letters in one word, values, long names, `--`.

/// The options that were given, in their order, and the other words.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    given: Vec<(char, Option<String>)>,
    pub rest: Vec<String>,
}

impl Options {
    pub fn has(&self, letter: char) -> bool {
        self.given.iter().any(|(c, _)| *c == letter)
    }
    /// How often a letter was given.
    pub fn count(&self, letter: char) -> usize {
        self.given.iter().filter(|(c, _)| *c == letter).count()
    }
    /// The value of the last of these.
    pub fn value(&self, letter: char) -> Option<&str> {
        self.given.iter().rev().find(|(c, _)| *c == letter).and_then(|(_, v)| v.as_deref())
    }
    pub fn values(&self, letter: char) -> Vec<&str> {
        self.given.iter().filter(|(c, _)| *c == letter).filter_map(|(_, v)| v.as_deref()).collect()
    }
    /// Which of some letters that override each other was given last.
    pub fn last_of(&self, letters: &str) -> Option<char> {
        self.given.iter().rev().map(|(c, _)| *c).find(|c| letters.contains(*c))
    }
    pub fn given(&self) -> impl Iterator<Item = (char, Option<&str>)> {
        self.given.iter().map(|(c, v)| (*c, v.as_deref()))
    }

    /// Reads `words` (without the program's name). `letters` is as for `getopt(3)`: `a` is a flag, `b:` takes
    /// a value, `c::` takes one in the same word only; a leading `+` stops at the first other word. The error is
    /// what follows `name: `.
    pub fn parse(words: &[String], letters: &str, long: &[(&str, char)]) -> Result<Options, String> {
        let (stop, letters) = match letters.strip_prefix('+') {
            Some(rest) => (true, rest),
            None => (false, letters),
        };
        let mut options = Options::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                options.rest.extend(words.cloned());
                break;
            } else if let Some(name) = word.strip_prefix("--") {
                options.long(word, name, letters, long, &mut words)?;
            } else if word.len() > 1 && word.starts_with('-') {
                options.cluster(&word[1..], letters, &mut words)?;
            } else {
                options.rest.push(word.clone());
                if stop {
                    options.rest.extend(words.cloned());
                    break;
                }
            }
        }
        Ok(options)
    }

    fn cluster<'a>(
        &mut self,
        cluster: &str,
        letters: &str,
        words: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), String> {
        for (at, c) in cluster.char_indices() {
            let tail = &cluster[at + c.len_utf8()..];
            match takes(letters, c) {
                None => return Err(format!("invalid option -- '{c}'")),
                Some(0) => self.given.push((c, None)),
                Some(2) => {
                    self.given.push((c, (!tail.is_empty()).then(|| tail.to_string())));
                    return Ok(());
                }
                Some(_) => {
                    let value = match tail {
                        "" => words.next().cloned(),
                        tail => Some(tail.to_string()),
                    };
                    let value = value.ok_or_else(|| format!("option requires an argument -- '{c}'"))?;
                    self.given.push((c, Some(value)));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn long<'a>(
        &mut self,
        word: &str,
        name: &str,
        letters: &str,
        long: &[(&str, char)],
        words: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), String> {
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value.to_string())),
            None => (name, None),
        };
        let Some((_, c)) = long.iter().find(|(l, _)| *l == name) else {
            return Err(format!("unrecognized option '{word}'"));
        };
        let value = match takes(letters, *c) {
            Some(1) if value.is_none() => {
                Some(words.next().cloned().ok_or_else(|| format!("option '--{name}' requires an argument"))?)
            }
            Some(0) | None if value.is_some() => return Err(format!("option '--{name}' doesn't allow an argument")),
            _ => value,
        };
        self.given.push((*c, value));
        Ok(())
    }
}

/// Whether a letter takes no value (0), one (1), or perhaps one (2).
fn takes(letters: &str, c: char) -> Option<u8> {
    if c == ':' {
        return None;
    }
    let at = letters.find(c)?;
    let after = &letters[at + c.len_utf8()..];
    Some(if after.starts_with("::") {
        2
    } else if after.starts_with(':') {
        1
    } else {
        0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str, letters: &str) -> Result<Options, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        Options::parse(&words, letters, &[("number", 'n'), ("all", 'a')])
    }

    #[test]
    fn letters_values_and_long_names() {
        let o = parse("-al x -n5 --number=7 -- -z", "aln:").unwrap();
        assert!(o.has('a') && o.has('l'));
        assert_eq!(o.values('n'), ["5", "7"]);
        assert_eq!(o.rest, ["x", "-z"]);
        assert_eq!(parse("-z", "a").unwrap_err(), "invalid option -- 'z'");
        assert_eq!(parse("-n", "n:").unwrap_err(), "option requires an argument -- 'n'");
        assert_eq!(parse("--nope", "n:").unwrap_err(), "unrecognized option '--nope'");
        assert_eq!(parse("-a cmd -a", "+a").unwrap().rest, ["cmd", "-a"]);
    }
}
