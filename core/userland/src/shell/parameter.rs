//! Parameters: where their values come from, and all the forms of `${…}`. Source: POSIX, XCU 2.6.2; bash manual 3.5.3.

use super::escape;
use super::expand::{Fields, Mode};
use super::syntax::{Action, Index, Parameter, Which, Word};
use super::variables::Value;
use super::{Flow, Fut, Run, Shell, arith};
use crate::os::{Cost, Os};

/// What a parameter stands for.
enum Got {
    Unset,
    Text(String),
    /// `$@`, `${a[*]}`: `joined` for the form with the star.
    List {
        items: Vec<String>,
        joined: bool,
    },
}

impl<O: Os> Shell<O> {
    /// The value of a parameter or variable by its name, special ones as well.
    pub(super) fn lookup(&mut self, name: &str) -> Option<String> {
        match name {
            "?" => Some(self.status.to_string()),
            "#" => Some(self.args.len().to_string()),
            "$" => Some(self.pid.to_string()),
            "!" => self.last_background.map(|pid| pid.to_string()),
            "-" => Some(self.flags()),
            "0" => Some(self.name.clone()),
            "LINENO" => Some(self.line.to_string()),
            "RANDOM" => Some(self.next_random().to_string()),
            "SECONDS" => Some(self.os.now().saturating_sub(self.started).as_secs().to_string()),
            "EPOCHSECONDS" => Some(self.os.now().as_secs().to_string()),
            "FUNCNAME" => self.call_names.last().cloned(),
            "BASHPID" => Some(self.os.pid().to_string()),
            _ if name.starts_with(|c: char| c.is_ascii_digit()) => {
                let n: usize = name.parse().ok()?;
                self.args.get(n.checked_sub(1)?).cloned()
            }
            _ => self.variables.get(name).map(str::to_string),
        }
    }

    fn next_random(&mut self) -> u32 {
        if self.random == 0 {
            let bytes = self.os.random(4);
            self.random = bytes.iter().fold(1, |n, b| (n << 8) | u32::from(*b));
        }
        self.random = self.random.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        (self.random >> 16) & 0x7FFF
    }

    /// An element of an array; of a scalar, its value is element 0.
    pub(super) fn element(&mut self, name: &str, key: &str) -> Option<String> {
        match self.variables.find(name)?.value.as_ref()? {
            Value::Scalar(text) => (key == "0" || key == "-1").then(|| text.clone()),
            Value::Keyed(map) => map.get(key).cloned(),
            Value::Indexed(map) => {
                let mut index: i64 = key.parse().ok()?;
                if index < 0 {
                    index += map.keys().next_back().map_or(0, |last| last + 1);
                }
                map.get(&index).cloned()
            }
        }
    }

    /// The key that an index means: itself, or for an ordinary array its value as an expression.
    pub(super) fn key_of(&mut self, name: &str, index: &str) -> Result<String, String> {
        match self.variables.find(name).and_then(|v| v.value.as_ref()) {
            Some(Value::Keyed(_)) => Ok(index.to_string()),
            _ => arith::evaluate(index, self).map(|n| n.to_string()),
        }
    }

    fn elements(&mut self, name: &str) -> Vec<String> {
        match self.variables.find(name).and_then(|v| v.value.as_ref()) {
            None => Vec::new(),
            Some(Value::Scalar(text)) => vec![text.clone()],
            Some(Value::Indexed(map)) => map.values().cloned().collect(),
            Some(Value::Keyed(map)) => map.values().cloned().collect(),
        }
    }

    fn keys(&mut self, name: &str) -> Vec<String> {
        match self.variables.find(name).and_then(|v| v.value.as_ref()) {
            None => Vec::new(),
            Some(Value::Scalar(_)) => vec!["0".to_string()],
            Some(Value::Indexed(map)) => map.keys().map(i64::to_string).collect(),
            Some(Value::Keyed(map)) => map.keys().cloned().collect(),
        }
    }

    async fn got(&mut self, p: &Parameter) -> Run<Got> {
        let mut name = p.name.clone();
        if p.indirect && !matches!(p.action, Action::Keys { .. } | Action::Names { .. }) {
            let Some(target) = self.lookup(&name) else { return Ok(Got::Unset) };
            name = target;
            if let Some((array, index)) = name.clone().strip_suffix(']').and_then(|n| n.split_once('[')) {
                return Ok(match index {
                    "@" | "*" => Got::List { items: self.elements(array), joined: index == "*" },
                    index => self.one(array, index).await?,
                });
            }
        }
        match &p.index {
            Some(Index::At) => Ok(Got::List { items: self.elements(&name), joined: false }),
            Some(Index::Star) => Ok(Got::List { items: self.elements(&name), joined: true }),
            Some(Index::Of(word)) => {
                let index = self.expand_text(word).await?;
                self.one(&name, &index).await
            }
            None if name == "@" || name == "*" => Ok(Got::List { items: self.args.clone(), joined: name == "*" }),
            None => Ok(self.lookup(&name).map_or(Got::Unset, Got::Text)),
        }
    }

    async fn one(&mut self, name: &str, index: &str) -> Run<Got> {
        match self.key_of(name, index) {
            Ok(key) => Ok(self.element(name, &key).map_or(Got::Unset, Got::Text)),
            Err(message) => self.fail(&message, 2).await,
        }
    }

    /// Expands one parameter into the fields of its word.
    pub(super) fn parameter<'a>(
        &'a mut self,
        p: &'a Parameter,
        quoted: bool,
        fields: &'a mut Fields,
    ) -> Fut<'a, Run<()>> {
        Box::pin(async move {
            let mode = if quoted { Mode::Quoted } else { Mode::Operand };
            let mode = if fields.splits() || quoted { mode } else { Mode::Plain };
            let got = match &p.action {
                Action::Bad => return self.fail("syntax error: bad substitution", 2).await,
                Action::Names { at } => {
                    let names = self.variables.iter().filter(|(n, v)| n.starts_with(&p.name) && v.value.is_some());
                    Got::List { items: names.map(|(n, _)| n.clone()).collect(), joined: !at }
                }
                Action::Keys { at } => Got::List { items: self.keys(&p.name), joined: !at },
                _ => self.got(p).await?,
            };
            let missing = |colon: bool| match &got {
                Got::Unset => true,
                Got::Text(text) => colon && text.is_empty(),
                Got::List { items, .. } => items.is_empty() || (colon && items.iter().all(String::is_empty)),
            };
            match &p.action {
                Action::Default { colon, word } if missing(*colon) => return self.parts(&word.0, mode, fields).await,
                Action::Alternative { colon, word } => {
                    if missing(*colon) {
                        fields.nothing();
                        return Ok(());
                    }
                    return self.parts(&word.0, mode, fields).await;
                }
                Action::Assign { colon, word } if missing(*colon) => {
                    let text = self.expand_text(word).await?;
                    self.assign(&p.name, text.clone()).await?;
                    fields.value(&text, quoted);
                    return Ok(());
                }
                Action::Demand { colon, word } if missing(*colon) => {
                    let mut message = self.expand_text(word).await?;
                    if message.is_empty() {
                        message = if *colon { "parameter not set or null" } else { "parameter not set" }.to_string();
                    }
                    return self.fail(&format!("{}: {message}", p.name), 2).await;
                }
                _ => {}
            }
            if matches!(got, Got::Unset) && self.options.nounset {
                return self.fail(&format!("{}: parameter not set", p.name), 2).await;
            }
            let got = self.acted(p, got).await?;
            self.place(got, quoted, fields);
            Ok(())
        })
    }

    /// Puts a value into the fields.
    fn place(&mut self, got: Got, quoted: bool, fields: &mut Fields) {
        match got {
            Got::Unset => {}
            Got::Text(text) => fields.value(&text, quoted),
            Got::List { items, joined } if (joined && quoted) || !fields.splits() => {
                let separators = self.variables.get("IFS").unwrap_or(" \t\n");
                let separator =
                    if joined { separators.chars().next().map(String::from) } else { Some(" ".to_string()) };
                fields.value(&items.join(&separator.unwrap_or_default()), quoted);
            }
            Got::List { items, .. } => fields.list(&items, quoted),
        }
    }

    /// What the action makes of the value.
    async fn acted(&mut self, p: &Parameter, got: Got) -> Run<Got> {
        match &p.action {
            Action::Length => Ok(Got::Text(match &got {
                Got::Unset => "0".to_string(),
                Got::Text(text) => text.chars().count().to_string(),
                Got::List { items, .. } => items.len().to_string(),
            })),
            Action::Substring { offset, length } => self.substring(p, got, offset, length.as_ref()).await,
            Action::Trim { suffix, longest, pattern } => {
                let pattern = self.expand_pattern(pattern, true).await?;
                Ok(each(got, |text| {
                    let chars: Vec<char> = text.chars().collect();
                    let kept = if *suffix {
                        &chars[..pattern.suffix(&chars, *longest).unwrap_or(chars.len())]
                    } else {
                        &chars[pattern.prefix(&chars, *longest).unwrap_or(0)..]
                    };
                    kept.iter().collect()
                }))
            }
            Action::Replace { pattern, with, which } => {
                let pattern = self.expand_pattern(pattern, true).await?;
                let with = self.expand_text(with).await?;
                let size = if let Got::Text(text) = &got { text.len() as u64 } else { 1 };
                self.os.charge(Cost { cpu: 1 + size / 16, memory: 0 }).await;
                Ok(each(got, |text| replace(&text, &pattern, &with, *which)))
            }
            Action::Case { upper, all, pattern } => {
                let any = pattern.0.is_empty();
                let pattern = self.expand_pattern(pattern, true).await?;
                Ok(each(got, |text| change_case(&text, *upper, *all, |c| any || pattern.matches_chars(&[c]))))
            }
            Action::Transform(kind) => Ok(self.transform(p, got, *kind)),
            _ => Ok(got),
        }
    }

    async fn substring(&mut self, p: &Parameter, got: Got, offset: &Word, length: Option<&Word>) -> Run<Got> {
        let mut start = self.arithmetic(offset).await?;
        let count = match length {
            Some(word) => Some(self.arithmetic(word).await?),
            None => None,
        };
        let chars: Vec<char> = if let Got::Text(text) = &got { text.chars().collect() } else { Vec::new() };
        let positional = p.index.is_none() && (p.name == "@" || p.name == "*");
        let mut items = match &got {
            Got::List { items, .. } => items.clone(),
            _ => chars.iter().map(char::to_string).collect(),
        };
        if positional {
            items.insert(0, self.name.clone());
        }
        let total = items.len() as i64;
        if start < 0 {
            start += total;
        }
        let end = match count {
            Some(n) if n < 0 => total.saturating_add(n),
            Some(n) => start.saturating_add(n),
            None => total,
        };
        if start < 0 || (end < start && count.is_some_and(|n| n < 0) && !matches!(got, Got::List { .. })) {
            return Ok(if matches!(got, Got::Unset) { Got::Unset } else { Got::Text(String::new()) });
        }
        let range = start.clamp(0, total) as usize..end.clamp(start.min(total), total) as usize;
        let picked = items[range].to_vec();
        Ok(match got {
            Got::List { joined, .. } => Got::List { items: picked, joined },
            _ => Got::Text(picked.concat()),
        })
    }

    fn transform(&mut self, p: &Parameter, got: Got, kind: char) -> Got {
        match kind {
            'a' => {
                let v = self.variables.find(&p.name);
                let flags = v.map(|v| {
                    let kinds = [
                        (matches!(v.value, Some(Value::Indexed(_))), 'a'),
                        (matches!(v.value, Some(Value::Keyed(_))), 'A'),
                        (v.integer, 'i'),
                        (v.readonly, 'r'),
                        (v.exported, 'x'),
                    ];
                    kinds.iter().filter(|(on, _)| *on).map(|(_, c)| *c).collect()
                });
                Got::Text(flags.unwrap_or_default())
            }
            'A' => each(got, |text| format!("{}={}", p.name, escape::single_quoted(&text))),
            'Q' | 'K' | 'k' => each(got, |text| escape::single_quoted(&text)),
            'E' => each(got, |text| String::from_utf8_lossy(&escape::c_string(&text)).into_owned()),
            'U' => each(got, |text| text.to_uppercase()),
            'L' => each(got, |text| text.to_lowercase()),
            'u' => each(got, |text| change_case(&text, true, false, |_| true)),
            _ => each(got, |text| self.prompt_text(&text)),
        }
    }

    /// The letters of `$-`.
    fn flags(&self) -> String {
        let o = &self.options;
        let letters = [
            (o.errexit, 'e'),
            (o.noglob, 'f'),
            (o.noexec, 'n'),
            (o.nounset, 'u'),
            (o.verbose, 'v'),
            (o.xtrace, 'x'),
            (o.noclobber, 'C'),
            (o.allexport, 'a'),
            (o.monitor, 'm'),
            (self.interactive, 'i'),
        ];
        letters.iter().filter(|(on, _)| *on).map(|(_, c)| *c).chain(self.source_flag).collect()
    }

    /// Leaves a command because a name is no name.
    pub(super) async fn bad_name<T>(&mut self, name: &str) -> Run<T> {
        self.complain(&format!("{name}: bad variable name")).await;
        Err(Flow::Fail(2))
    }
}

fn each(got: Got, mut change: impl FnMut(String) -> String) -> Got {
    match got {
        Got::Unset => Got::Unset,
        Got::Text(text) => Got::Text(change(text)),
        Got::List { items, joined } => Got::List { items: items.into_iter().map(change).collect(), joined },
    }
}

fn change_case(text: &str, upper: bool, all: bool, picks: impl Fn(char) -> bool) -> String {
    let mut changed = String::new();
    for (i, c) in text.chars().enumerate() {
        match (i == 0 || all) && picks(c) {
            true if upper => changed.extend(c.to_uppercase()),
            true => changed.extend(c.to_lowercase()),
            false => changed.push(c),
        }
    }
    changed
}

fn replace(text: &str, pattern: &super::pattern::Pattern, with: &str, which: Which) -> String {
    let chars: Vec<char> = text.chars().collect();
    match which {
        Which::Prefix => match pattern.prefix(&chars, true) {
            Some(end) => format!("{with}{}", chars[end..].iter().collect::<String>()),
            None => text.to_string(),
        },
        Which::Suffix => match pattern.suffix(&chars, true) {
            Some(start) => format!("{}{with}", chars[..start].iter().collect::<String>()),
            None => text.to_string(),
        },
        Which::First | Which::All => {
            let (mut changed, mut at, mut done) = (String::new(), 0, false);
            while at < chars.len() {
                let length = if done { None } else { pattern.prefix(&chars[at..], true).filter(|n| *n > 0) };
                match length {
                    Some(n) => {
                        changed.push_str(with);
                        at += n;
                        done = which == Which::First;
                    }
                    None => {
                        changed.push(chars[at]);
                        at += 1;
                    }
                }
            }
            changed
        }
    }
}
