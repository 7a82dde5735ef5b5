//! Which targets a command line means, and what each comes to: groups, inheritance, `--set`, and the targets that
//! others have as contexts.

use super::diagnostic::{Result, Wrong};
use super::entry::{Entry, Kind, go_bool, normal, parse};
use super::target::{Field, Group, Target};
use super::{Config, Plan};
use crate::build::glob;
use cutaway_userland::sorted::{Arrange, Map as BTreeMap};

/// What one `--set` says.
#[derive(Clone, Debug, Default)]
struct Override {
    value: String,
    values: Vec<String>,
    /// `+=`.
    adds: bool,
}

/// By target, then by key.
type Overrides = BTreeMap<String, BTreeMap<String, Override>>;

/// Keys of `--set` that may be given several times.
const LISTS: [&str; 11] = [
    "output",
    "cache-to",
    "cache-from",
    "tags",
    "platform",
    "secrets",
    "ssh",
    "attest",
    "entitlements",
    "network",
    "annotations",
];

impl Config {
    /// Works out the targets that are asked for.
    ///
    /// # Errors
    /// Targets that are not there, and overrides that make no sense, in buildx's words.
    pub fn plan(&self, asked: &[String], sets: &[String], env: &dyn Fn(&str) -> Option<String>) -> Result<Plan> {
        let mut names: Vec<String> = Vec::new();
        for name in asked {
            for name in self.matching(&name.replace('.', "_"))? {
                push_new(&mut names, &name);
            }
        }
        let overrides = self.overrides(sets, env)?;
        let mut plan = Plan::default();
        for name in &names {
            let (targets, groups) = self.members(name, &mut BTreeMap::new());
            for target in targets {
                let made = self.resolved(&target, &overrides)?;
                plan.targets.insert(target, made);
            }
            for group in groups {
                let known = self.groups.iter().find(|known| known.name == group);
                plan.groups.extend(known.map(|known| (group, known.clone())));
            }
        }
        for name in names {
            if name == "default" && plan.groups.contains_key("default") {
                continue;
            }
            let group = plan.groups.entry("default".into()).or_insert_with(Group::default);
            group.targets.push(name);
        }
        if let Some(group) = plan.groups.get_mut("default") {
            group.targets.arrange();
            group.targets.dedup();
        }
        for name in plan.targets.keys().cloned().collect::<Vec<_>>() {
            self.link(&name, &mut plan.targets, &overrides, &mut Vec::new())?;
        }
        Ok(plan)
    }

    /// The names that a pattern stands for.
    fn matching(&self, pattern: &str) -> Result<Vec<String>> {
        if !pattern.contains(['*', '?', '[', ']']) {
            return Ok(vec![pattern.to_string()]);
        }
        let all = self.groups.iter().map(|g| &g.name).chain(self.targets.iter().map(|t| &t.name));
        let names: Vec<String> = all.filter(|name| glob(pattern, name)).cloned().collect();
        if names.is_empty() {
            return Err(Wrong::Plain(format!("could not find any target matching {pattern:?}")));
        }
        Ok(names)
    }

    /// The targets and the groups that a name stands for.
    fn members(
        &self,
        name: &str,
        visited: &mut BTreeMap<String, (Vec<String>, Vec<String>)>,
    ) -> (Vec<String>, Vec<String>) {
        if let Some(known) = visited.get(name) {
            return known.clone();
        }
        let Some(group) = self.groups.iter().find(|group| group.name == name) else {
            return (vec![name.to_string()], Vec::new());
        };
        visited.insert(name.to_string(), (Vec::new(), Vec::new()));
        let (mut targets, mut groups) = (Vec::new(), vec![name.to_string()]);
        for member in &group.targets {
            let (inner, inner_groups) = self.members(member, visited);
            match inner.is_empty() {
                true => push_new(&mut targets, member),
                false => inner.iter().for_each(|name| push_new(&mut targets, name)),
            }
            inner_groups.iter().for_each(|name| push_new(&mut groups, name));
        }
        visited.insert(name.to_string(), (targets.clone(), groups.clone()));
        (targets, groups)
    }

    fn resolved(&self, name: &str, overrides: &Overrides) -> Result<Target> {
        let found = self.inherited(name, &mut BTreeMap::new(), overrides)?;
        let mut target = found.ok_or_else(|| Wrong::Plain(format!("failed to find target {name}")))?;
        target.name = name.to_string();
        target.inherits.clear();
        if target.text("context").is_none() {
            target.set_text("context", ".");
        }
        if target.text("dockerfile").is_none_or(str::is_empty) {
            target.set_text("dockerfile", "Dockerfile");
        }
        Ok(target)
    }

    /// With all that it inherits; nothing for one that is being asked about already.
    fn inherited(
        &self,
        name: &str,
        visited: &mut BTreeMap<String, Option<Target>>,
        overrides: &Overrides,
    ) -> Result<Option<Target>> {
        if let Some(known) = visited.get(name) {
            return Ok(known.clone());
        }
        visited.insert(name.to_string(), None);
        let target = self.targets.iter().find(|target| target.name == name);
        let target = target.ok_or_else(|| Wrong::Plain(format!("failed to find target {name}")))?;
        let mut made = Target::default();
        for parent in &target.inherits {
            if let Some(parent) = self.inherited(parent, visited, overrides)? {
                made.merge(&parent);
            }
        }
        made.merge(target);
        if let Some(sets) = overrides.get(name) {
            made.apply(sets)?;
        }
        made.normalize();
        visited.insert(name.to_string(), Some(made.clone()));
        Ok(Some(made))
    }

    /// Adds the targets that one has as contexts.
    fn link(
        &self,
        name: &str,
        targets: &mut BTreeMap<String, Target>,
        overrides: &Overrides,
        visited: &mut Vec<String>,
    ) -> Result<()> {
        visited.push(name.to_string());
        let wanted: Vec<String> = targets[name].links().map(str::to_string).collect();
        for other in wanted {
            if other == name {
                return Err(Wrong::Plain(format!("target {other} cannot link to itself")));
            }
            if visited.contains(&other) {
                return Err(Wrong::Plain(format!("infinite loop from {name} to {other}")));
            }
            if !targets.contains_key(&other) {
                let mut linked = self.resolved(&other, overrides)?;
                linked.fields.insert("output", Field::Entries(Kind::Output, vec![Entry::of(&[("type", "cacheonly")])]));
                linked.linked = true;
                targets.insert(other.clone(), linked);
            }
            self.link(&other, targets, overrides, &mut visited.clone())?;
            for right in targets[other.as_str()].texts("entitlements").to_vec() {
                if let Some(target) = targets.get_mut(name) {
                    push_new(target.texts_mut("entitlements"), &right);
                }
            }
            let (own, of_other) = (targets[name].texts("platforms"), targets[other.as_str()].texts("platforms"));
            if own.len() > 1 && of_other.len() > 1 && !own.iter().all(|p| of_other.contains(p)) {
                let list = |platforms: &[String]| format!("[{}]", platforms.join(" "));
                return Err(Wrong::Plain(format!(
                    "target {other} can't be used by {name} because its platforms {} are not a subset of {}",
                    list(own),
                    list(of_other)
                )));
            }
        }
        Ok(())
    }

    fn overrides(&self, sets: &[String], env: &dyn Fn(&str) -> Option<String>) -> Result<Overrides> {
        let mut all = Overrides::new();
        let wrong = |text: String| Err(Wrong::Plain(text));
        for set in sets {
            let (left, value) = set.split_once('=').map_or((set.as_str(), None), |(l, v)| (l, Some(v)));
            let key = left.strip_suffix('+').unwrap_or(left);
            let Some((pattern, path)) = key.split_once('.') else {
                return wrong(format!("invalid override key {key}, expected target.name"));
            };
            let (first, rest) = path.split_once('.').map_or((path, None), |(f, r)| (f, Some(r)));
            if value.is_none() && first != "args" {
                return wrong(format!("invalid override {set}, expected target.name=value"));
            }
            for name in self.expand(pattern)? {
                let of_target = all.entry(name).or_default();
                let mut made: Override = of_target.get(path).cloned().unwrap_or_default();
                if LISTS.contains(&first) {
                    made.adds = left.ends_with('+');
                    made.values.extend(value.map(str::to_string));
                }
                if matches!(first, "args" | "contexts") && rest.is_none() {
                    return wrong(format!("invalid key {left}, {first} requires name"));
                }
                match (value, rest) {
                    (Some(value), _) => made.value = value.to_string(),
                    (None, Some(name)) => match env(name) {
                        Some(value) => made.value = value,
                        None => continue,
                    },
                    (None, None) => {}
                }
                of_target.insert(path.to_string(), made);
            }
        }
        Ok(all)
    }

    fn expand(&self, pattern: &str) -> Result<Vec<String>> {
        let names = self.targets.iter().map(|t| &t.name);
        let names: Vec<String> = match names.clone().any(|name| name == pattern) {
            true => vec![pattern.to_string()],
            false => names.filter(|name| glob(pattern, name)).cloned().collect(),
        };
        if names.is_empty() {
            return Err(Wrong::Plain(format!("could not find any target matching '{pattern}'")));
        }
        Ok(names)
    }
}

fn push_new(list: &mut Vec<String>, text: &str) {
    if !list.iter().any(|known| known == text) {
        list.push(text.to_string());
    }
}

impl Target {
    /// The targets that it has as contexts.
    pub fn links(&self) -> impl Iterator<Item = &str> {
        self.pairs("contexts").into_iter().filter_map(|(_, value)| value.strip_prefix("target:"))
    }

    fn apply(&mut self, sets: &BTreeMap<String, Override>) -> Result<()> {
        // What is pushed or loaded follows from the outputs, so these come last.
        let late = |key: &str| matches!(key, "load" | "push");
        let (last, first): (Vec<_>, Vec<_>) = sets.iter().partition(|(key, _)| late(key));
        for (path, set) in first.into_iter().chain(last) {
            let (key, name) = path.split_once('.').map_or((path.as_str(), None), |(k, n)| (k, Some(n)));
            self.apply_one(key, name, set)?;
        }
        Ok(())
    }

    fn apply_one(&mut self, key: &str, name: Option<&str>, set: &Override) -> Result<()> {
        let yes = || {
            let wrong = || Wrong::Plain(format!("invalid value {} for boolean key {key}", set.value));
            go_bool(&set.value).ok_or_else(wrong)
        };
        let field = match key {
            "secrets" => "secret",
            "platform" => "platforms",
            "push" => {
                self.push(yes()?);
                return Ok(());
            }
            "load" => {
                if yes()? {
                    self.load();
                }
                return Ok(());
            }
            key => key,
        };
        let unknown = || Wrong::Plain(format!("unknown key: {key}"));
        let (field, sort, _) = super::target::field(field).ok_or_else(unknown)?;
        match sort {
            super::target::Sort::Text => self.set_text(field, set.value.as_str()),
            super::target::Sort::Flag => drop(self.fields.insert(field, Field::Flag(yes()?))),
            super::target::Sort::Pairs => {
                let of = if key == "extra-hosts" { "<hostname>=<ip>" } else { "<name>=<value>" };
                let wrong = || Wrong::Plain(format!("invalid format for {key}, expecting {key}.{of}"));
                self.set_pair(field, name.ok_or_else(wrong)?, &set.value);
            }
            super::target::Sort::Texts => {
                let adds = set.adds || matches!(key, "entitlements" | "annotations");
                let mut all = if adds { self.texts(field).to_vec() } else { Vec::new() };
                all.extend(set.values.iter().cloned());
                self.fields.insert(field, Field::Texts(all));
            }
            super::target::Sort::Entries(kind) => {
                let mut all = if set.adds || key == "attest" { self.entries(field).to_vec() } else { Vec::new() };
                for text in &set.values {
                    all.extend(parse(kind, text).map_err(|e| match kind {
                        Kind::Cache => e,
                        Kind::Attest => format!("invalid value for attest: {e}"),
                        _ => format!("invalid value for outputs: {e}"),
                    })?);
                }
                normal(kind, &mut all);
                self.fields.insert(field, Field::Entries(kind, all));
            }
        }
        Ok(())
    }

    fn outputs_mut(&mut self) -> &mut Vec<Entry> {
        if !self.fields.contains_key("output") {
            self.fields.insert("output", Field::Entries(Kind::Output, Vec::new()));
        }
        match self.fields.get_mut("output") {
            Some(Field::Entries(_, entries)) => entries,
            _ => unreachable!("outputs are entries"),
        }
    }

    /// `--push`, or its opposite.
    fn push(&mut self, yes: bool) {
        let outputs = self.outputs_mut();
        if !yes {
            outputs.retain(|output| output.get("type") != "registry");
        }
        for output in outputs.iter_mut().filter(|output| output.get("type") == "image") {
            output.set("push", &yes.to_string());
        }
        if yes && outputs.iter().all(|output| output.get("type") == "docker") {
            outputs.push(Entry::of(&[("type", "image"), ("push", "true")]));
        }
    }

    /// `--load`.
    fn load(&mut self) {
        let outputs = self.outputs_mut();
        for output in outputs.iter() {
            match output.get("type") {
                "docker" if output.get("dest").is_empty() => return,
                "docker" | "image" | "registry" | "oci" => {}
                _ => return,
            }
        }
        outputs.push(Entry::of(&[("type", "docker")]));
    }
}
