//! YAML as generic values, and the places that its tags `!reset` and `!override` mark.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::Tagged;

/// A path of keys, from the top.
pub type Place = Vec<String>;

/// One document.
#[derive(Debug, Default)]
pub struct Document {
    pub value: Value,
    /// What earlier files say here does not count.
    pub cleared: Vec<Place>,
}

/// Reads a file; several documents in it are one after the other, as several files are.
///
/// # Errors
/// In the words of Go's YAML library, with the line.
pub fn read(text: &str) -> Result<Vec<Document>, String> {
    let options = serde_saphyr::options! { strict_booleans: true, legacy_octal_numbers: true };
    let nodes: Vec<Node> = serde_saphyr::from_multiple_with_options(text, options).map_err(|e| syntax(text, &e))?;
    let documents = nodes.into_iter().map(|node| Document { value: node.value, cleared: node.cleared });
    Ok(documents.collect())
}

/// A value with what is marked in it.
#[derive(Default)]
struct Node {
    value: Value,
    cleared: Vec<Place>,
    reset: bool,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        let Tagged(Plain(mut node), tag) = Tagged::<Plain>::deserialize(deserializer)?;
        match tag.as_deref() {
            Some("!reset") => node = Node { reset: true, cleared: vec![Vec::new()], ..Node::default() },
            Some("!override") => node.cleared = vec![Vec::new()],
            _ => {}
        }
        Ok(node)
    }
}

/// A value whose own tag has been looked at.
struct Plain(Node);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Plain, D::Error> {
        deserializer.deserialize_any(Nodes).map(Plain)
    }
}

struct Nodes;

fn bare<E>(value: impl Into<Value>) -> Result<Node, E> {
    Ok(Node { value: value.into(), ..Node::default() })
}

impl<'de> Visitor<'de> for Nodes {
    type Value = Node;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("a value")
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        bare(value)
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        bare(value)
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        bare(value)
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        bare(value)
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        bare(value)
    }
    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        bare(Value::Null)
    }
    fn visit_none<E: Error>(self) -> Result<Node, E> {
        bare(Value::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Node>()? {
            if !item.reset {
                list.push(item.value);
            }
        }
        bare(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let (mut map, mut cleared) = (Map::new(), Vec::new());
        while let Some(key) = items.next_key::<String>()? {
            let item = items.next_value::<Node>()?;
            cleared.extend(item.cleared.into_iter().map(|mut place| {
                place.insert(0, key.clone());
                place
            }));
            if !item.reset {
                map.insert(key, item.value);
            }
        }
        Ok(Node { value: Value::Object(map), cleared, reset: false })
    }
}

/// A fault of YAML's grammar, on one line.
fn syntax(text: &str, error: &serde_saphyr::Error) -> String {
    let told = error.to_string();
    let what = told.lines().next().unwrap_or("").trim_start_matches("error: ");
    // The library goes on with advice to programmers.
    let what = what.split(", set ").next().unwrap_or(what);
    let what = match what.split_once(": ") {
        Some((place, rest)) if place.starts_with("line ") => rest,
        _ => what,
    };
    // Go's library tells only what is wrong, not what it was doing.
    let what = match what.split_once(", ") {
        Some((doing, rest)) if doing.starts_with("while ") => rest,
        _ => what,
    };
    let what = if what == "found a tab" { "found a tab character that violates indentation" } else { what };
    let line = error.location().map(|at| usize::try_from(at.line()).unwrap_or(0));
    let place = line.map_or(String::new(), |line| format!("line {line}: "));
    match what.strip_prefix("duplicate mapping key: ") {
        Some(key) => {
            let first = line.and_then(|line| earlier(text, key, line));
            let first = first.map_or(String::new(), |first| format!(" at line {first}"));
            format!("{place}mapping key {key:?} already defined{first}")
        }
        None => format!("yaml: {place}{what}"),
    }
}

/// The line above line `last` that has the same key at the same depth.
fn earlier(text: &str, key: &str, last: usize) -> Option<usize> {
    let lines: Vec<&str> = text.lines().take(last).collect();
    let depth = |line: &str| line.len() - line.trim_start_matches([' ', '-']).len();
    let (here, above) = lines.split_last()?;
    let same = |line: &&str| depth(line) == depth(here) && line.trim_start_matches([' ', '-']).starts_with(key);
    above.iter().rposition(same).map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_and_marks() {
        let text = "a: &x {n: 1, s: no, f: 1.5, t: '1', z: ~}\nb:\n  <<: *x\n  n: 2\nc:\n  p: !reset []\n  q: !override [1]\n  r: !reset null\n8080: x\n";
        let documents = read(text).expect("reads");
        assert_eq!(documents.len(), 1);
        let value = &documents[0].value;
        assert_eq!(value["a"], json!({"n": 1, "s": "no", "f": 1.5, "t": "1", "z": null}));
        assert_eq!(value["b"]["n"], 2);
        assert_eq!(value["b"]["f"], 1.5);
        assert_eq!(value["c"], json!({"q": [1]}));
        assert_eq!(value["8080"], "x");
        let cleared: Vec<String> = documents[0].cleared.iter().map(|p| p.join(".")).collect();
        assert_eq!(cleared, ["c.p", "c.q", "c.r"]);
    }

    #[test]
    fn faults() {
        let fault = |text: &str| read(text).expect_err(text);
        assert_eq!(fault("a:\n  x: 1\n  y: 2\n  x: 3\n"), "line 4: mapping key \"x\" already defined at line 2");
        assert!(fault("a: [1\nb: 2\n").starts_with("yaml: line "), "{}", fault("a: [1\nb: 2\n"));
        assert_eq!(fault("a:\n  b:\n    c: 1\n   d: 2\n"), "yaml: line 4: did not find expected key");
        assert_eq!(fault("a:\n  b: x\n\tc: 1\n"), "yaml: line 2: found a tab character that violates indentation");
    }
}
