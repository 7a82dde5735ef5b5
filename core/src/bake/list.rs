//! `--list`: the targets or the variables of a definition.

use super::target::{Group, Target};
use super::value::Type;
use super::{Config, Shown};
use crate::container::spec::csv_strict;
use cutaway_userland::sorted::Arrange;
use serde_json::{Map, Value as Json, json};

/// What is listed, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List {
    pub variables: bool,
    pub json: bool,
}

impl List {
    /// Reads the value of `--list`.
    ///
    /// # Errors
    /// In buildx's words.
    pub fn parse(text: &str) -> Result<List, String> {
        let fields = csv_strict(text)?;
        let (mut of, mut format) = (String::new(), String::new());
        let bare = fields.len() == 1 && fields[0] == text && !text.starts_with("type=");
        if bare {
            of = text.to_string();
        }
        for field in fields.iter().filter(|_| !bare) {
            let Some((key, value)) = field.split_once('=') else { return Err(format!("invalid value {field}")) };
            match key.trim().to_lowercase().as_str() {
                "type" => of = value.to_string(),
                "format" => format = value.to_string(),
                key => return Err(format!("unexpected key '{key}' in '{field}'")),
            }
        }
        let variables = match of.as_str() {
            "targets" => false,
            "variables" => true,
            other => return Err(format!("invalid list type {other:?}")),
        };
        match format.as_str() {
            "" | "table" => Ok(List { variables, json: false }),
            "json" => Ok(List { variables, json: true }),
            other => Err(format!("invalid list format {other:?}")),
        }
    }

    /// The list.
    pub fn of(self, config: &Config, variables: &[Shown]) -> String {
        match (self.variables, self.json) {
            (true, false) => {
                let rows = variables.iter().map(|v| {
                    let value = v.value.as_deref().unwrap_or("<null>");
                    vec![v.name.clone(), type_name(v), value.to_string(), v.description.clone()]
                });
                table(&["VARIABLE", "TYPE", "VALUE", "DESCRIPTION"], rows.collect())
            }
            (true, true) => pretty(&Json::Array(variables.iter().map(variable_json).collect())),
            (false, false) => {
                table(&["TARGET", "DESCRIPTION"], targets(config).into_iter().map(|(n, d, _)| vec![n, d]).collect())
            }
            (false, true) => {
                let row = |(name, description, group): (String, String, bool)| {
                    let mut row = Map::from_iter([("name".to_string(), json!(name))]);
                    if !description.is_empty() {
                        row.insert("description".into(), json!(description));
                    }
                    if group {
                        row.insert("group".into(), json!(true));
                    }
                    Json::Object(row)
                };
                pretty(&Json::Array(targets(config).into_iter().map(row).collect()))
            }
        }
    }
}

fn type_name(variable: &Shown) -> String {
    variable.of.as_ref().map_or_else(String::new, Type::name)
}

fn variable_json(variable: &Shown) -> Json {
    let mut row = Map::from_iter([("name".to_string(), json!(variable.name))]);
    let all = [("description", variable.description.clone()), ("type", type_name(variable))];
    row.extend(all.into_iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (k.to_string(), json!(v))));
    row.extend(variable.value.as_ref().map(|value| ("value".to_string(), json!(value))));
    Json::Object(row)
}

/// Names, what is said of them, and whether it is a group; what begins with `_` is private.
fn targets(config: &Config) -> Vec<(String, String, bool)> {
    let target = |t: &Target| (t.name.clone(), t.description.clone(), false);
    let group = |g: &Group| {
        let mut names = g.targets.clone();
        names.sort();
        let names = names.join(", ");
        let description = match (g.description.is_empty(), names.is_empty()) {
            (_, true) => g.description.clone(),
            (true, false) => names,
            (false, false) => format!("{} ({names})", g.description),
        };
        (g.name.clone(), description, true)
    };
    let all = config.targets.iter().map(target).chain(config.groups.iter().map(group));
    let mut all: Vec<_> = all.filter(|(name, ..)| !name.starts_with('_')).collect();
    all.arrange_by_key(|(name, ..)| name.clone());
    all
}

fn table(heads: &[&str], rows: Vec<Vec<String>>) -> String {
    let heads = heads.iter().map(|h| (*h).to_string()).collect();
    tabbed(std::iter::once(heads).chain(rows).collect())
}

/// Columns that stand at tab stops, eight apart.
pub fn tabbed(rows: Vec<Vec<String>>) -> String {
    let widest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0) + 1;
    let mut out = String::new();
    for row in &rows {
        for (column, cell) in row.iter().enumerate() {
            out.push_str(cell);
            if column + 1 < row.len() {
                let width = widest(column).div_ceil(8) * 8;
                let missing = width - cell.chars().count();
                out.push_str(&"\t".repeat(missing.div_ceil(8)));
            }
        }
        out.push('\n');
    }
    out
}

/// Indented, with signs of HTML escaped, as Go's encoder writes.
pub fn pretty(value: &Json) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026") + "\n"
}
