//! `--filter name=value`: what was asked, and how a row answers.

use cutaway_userland::Regex;
use cutaway_userland::sorted::Map as BTreeMap;

/// Filters by name, with all their values. Filters of different names must all hold; of one name, any value will do
/// (labels: all).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters(BTreeMap<String, Vec<String>>);

impl Filters {
    /// Reads the values of `--filter`. Names are in lower case, blanks around name and value don't count.
    pub fn parse(values: &[String]) -> Filters {
        let mut filters = Filters::default();
        for value in values.iter().filter(|v| !v.is_empty()) {
            let (name, value) = value.split_once('=').unwrap_or((value, ""));
            filters.0.entry(name.trim().to_lowercase()).or_default().push(value.trim().to_string());
        }
        filters
    }

    /// Whether only filters of these names are there.
    ///
    /// # Errors
    /// In Docker's words: `invalid filter 'bogus'`.
    pub fn allow(&self, names: &[&str]) -> Result<(), String> {
        match self.0.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(format!("invalid filter '{name}'")),
            None => Ok(()),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn values(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// The value of a filter that is on or off.
    ///
    /// # Errors
    /// In Docker's words: `invalid filter 'dangling=[x]'`.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, String> {
        let wrong = || format!("invalid filter '{name}=[{}]'", self.values(name).join(" "));
        let mut flag = None;
        for value in self.values(name) {
            let on = match value.to_lowercase().as_str() {
                "1" | "true" => true,
                "0" | "false" => false,
                _ => return Err(wrong()),
            };
            if flag.is_some_and(|other| other != on) {
                return Err(wrong());
            }
            flag = Some(on);
        }
        Ok(flag)
    }

    /// Whether `text` is one of the values, or there are none.
    pub fn exact(&self, name: &str, text: &str) -> bool {
        !self.has(name) || self.values(name).iter().any(|value| value == text)
    }

    /// Whether one of the values, as a regular expression, is found in `text`, or there are none. A value that is no
    /// expression still stands for itself. Source: moby, api/types/filters, Args.Match.
    pub fn matches(&self, name: &str, text: &str) -> bool {
        let found = |value: &String| value == text || Regex::new(value).is_ok_and(|pattern| pattern.is_match(text));
        !self.has(name) || self.values(name).iter().any(found)
    }

    /// Whether all of `label=key` and `label=key=value` hold, and none of `label!=…`.
    pub fn labels(&self, labels: &BTreeMap<String, String>) -> bool {
        let holds = |wanted: &String| match wanted.split_once('=') {
            Some((key, value)) => labels.get(key).is_some_and(|v| v == value),
            None => labels.contains_key(wanted),
        };
        self.values("label").iter().all(holds) && !self.values("label!").iter().any(holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(values: &[&str]) -> Filters {
        Filters::parse(&values.iter().map(|v| v.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn names_and_patterns() {
        for (value, text, holds) in [
            ("web", "my-web-1", true),
            ("^web", "my-web-1", false),
            ("^my", "my-web-1", true),
            ("1$", "my-web-1", true),
            ("^web$", "web", true),
            ("^web$", "web1", false),
            ("^my.*1$", "my-web-1", true),
            ("my.*x", "my-web-1", false),
            ("w.b", "web", true),
            ("^(web|db)-[0-9]+$", "db-12", true),
            ("^(web|db)-[0-9]+$", "db-", false),
            ("(?i)WEB", "web", true),
            ("a+(", "aa", false),
            ("a+(", "a+(", true),
            ("", "any", true),
        ] {
            assert_eq!(filters(&[&format!("name={value}")]).matches("name", text), holds, "{value} {text}");
        }
    }

    #[test]
    fn labels_and_flags() {
        let labels = BTreeMap::from([("tier".to_string(), "db".to_string()), ("x".to_string(), String::new())]);
        for (given, holds) in [
            (vec!["label=tier"], true),
            (vec!["label=tier=db"], true),
            (vec!["label=tier=web"], false),
            (vec!["label=tier=db", "label=none"], false),
            (vec!["label!=tier"], false),
            (vec!["label!=none"], true),
            (vec![], true),
        ] {
            assert_eq!(filters(&given).labels(&labels), holds, "{given:?}");
        }
        assert_eq!(filters(&["dangling=true"]).flag("dangling"), Ok(Some(true)));
        assert_eq!(filters(&["dangling=x"]).flag("dangling"), Err("invalid filter 'dangling=[x]'".into()));
        assert_eq!(filters(&["bogus=1"]).allow(&["name"]), Err("invalid filter 'bogus'".into()));
    }
}
