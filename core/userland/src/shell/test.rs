//! `test`, `[` and `[[ … ]]`. What they ask of words and files is the tool's own logic.

use super::syntax::Test;
use super::{Fut, Run, Shell, arith};
use crate::applets::pattern::{Pattern, Syntax};
use crate::applets::test::evaluate;
use crate::os::Os;
use crate::sorted::Map as BTreeMap;

/// The builtins `test` and `[`: 0 where it holds, 1 where not, 2 where it is none.
pub(super) async fn command<O: Os>(shell: &mut Shell<O>, argv: &[String]) -> i32 {
    let mut words = &argv[1..];
    if argv[0] == "[" {
        match words.split_last() {
            Some((last, rest)) if last == "]" => words = rest,
            _ => {
                crate::io::eprint(&shell.os, &format!("{}: missing ]", shell.name)).await;
                return 2;
            }
        }
    }
    // What only the shell knows: whether a variable or an option is set.
    if let [operator, name] = words {
        match operator.as_str() {
            "-v" => return i32::from(!is_set(shell, name)),
            "-o" => return i32::from(!option(shell, name)),
            _ => {}
        }
    }
    match evaluate(&shell.os, words) {
        Ok(holds) => i32::from(!holds),
        Err(complaint) => {
            crate::io::eprint(&shell.os, &format!("{}: {complaint}", shell.name)).await;
            2
        }
    }
}

fn is_set<O: Os>(shell: &mut Shell<O>, name: &str) -> bool {
    match name.strip_suffix(']').and_then(|n| n.split_once('[')) {
        Some((name, index)) => shell.key_of(name, index).is_ok_and(|key| shell.element(name, &key).is_some()),
        None => shell.lookup(name).is_some(),
    }
}

fn option<O: Os>(shell: &mut Shell<O>, name: &str) -> bool {
    let mut probe = shell.options.clone();
    let before = format!("{probe:?}");
    super::builtins::set_named_option(&mut probe, name, true) && before == format!("{probe:?}")
}

impl<O: Os> Shell<O> {
    /// The status of `[[ … ]]`.
    pub(super) async fn extended_test(&mut self, test: &Test) -> Run<i32> {
        Ok(i32::from(!self.holds(test).await?))
    }

    fn holds<'a>(&'a mut self, test: &'a Test) -> Fut<'a, Run<bool>> {
        Box::pin(async move {
            match test {
                Test::Not(inner) => Ok(!self.holds(inner).await?),
                Test::And(a, b) => Ok(self.holds(a).await? && self.holds(b).await?),
                Test::Or(a, b) => Ok(self.holds(a).await? || self.holds(b).await?),
                Test::Word(word) => Ok(!self.expand_text(word).await?.is_empty()),
                Test::Unary(operator, word) => {
                    let text = self.expand_text(word).await?;
                    match operator.as_str() {
                        "-v" => Ok(is_set(self, &text)),
                        "-o" => Ok(option(self, &text)),
                        _ => self.asked(&[operator.clone(), text]).await,
                    }
                }
                Test::Binary(left, operator, right) => {
                    let left = self.expand_text(left).await?;
                    self.compared(left, operator, right).await
                }
            }
        })
    }

    async fn compared(&mut self, left: String, operator: &str, right: &super::syntax::Word) -> Run<bool> {
        match operator {
            "=" | "==" | "!=" => {
                let pattern = self.expand_pattern(right, true).await?.ignoring_case(self.options.nocasematch);
                Ok(pattern.matches(&left) == (operator != "!="))
            }
            "=~" => {
                let regex = self.expand_regex(right).await?;
                self.matches_regex(&left, &regex).await
            }
            "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" => {
                let right = self.expand_text(right).await?;
                let (a, b) = (arith::evaluate(&left, self), arith::evaluate(&right, self));
                match (a, b) {
                    (Ok(a), Ok(b)) => self.asked(&[a.to_string(), operator.to_string(), b.to_string()]).await,
                    (Err(message), _) | (_, Err(message)) => self.fail(&message, 2).await,
                }
            }
            _ => {
                let right = self.expand_text(right).await?;
                self.asked(&[left, operator.to_string(), right]).await
            }
        }
    }

    async fn asked(&mut self, words: &[String]) -> Run<bool> {
        match evaluate(&self.os, words) {
            Ok(holds) => Ok(holds),
            Err(complaint) => self.fail(&complaint, 2).await,
        }
    }

    /// Matches, and leaves the groups in `BASH_REMATCH`.
    async fn matches_regex(&mut self, text: &str, regex: &str) -> Run<bool> {
        let pattern = match Pattern::new(regex, Syntax::Extended, self.options.nocasematch) {
            Ok(pattern) => pattern,
            Err(_) => return self.fail(&format!("invalid regex '{regex}'"), 2).await,
        };
        let found = pattern.find(text.as_bytes(), 0);
        let groups: BTreeMap<i64, String> = found
            .iter()
            .flatten()
            .enumerate()
            .map(|(i, range)| (i as i64, range.clone().and_then(|r| text.get(r)).unwrap_or("").to_string()))
            .collect();
        let _ = self.variables.set_value("BASH_REMATCH", Some(super::variables::Value::Indexed(groups)));
        Ok(found.is_some())
    }
}
