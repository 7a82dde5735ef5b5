//! Reads the table of commands. Only what a line asks for is read: start-up must cost nothing.

use cutaway_userland::sorted::Arrange;

/// Every command and flag; its head says how it is written.
const TABLE: &str = include_str!("docker.txt");

/// One flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flag {
    pub short: Option<char>,
    pub long: &'static str,
    /// As help shows it (`list`, `bytes`); empty for a boolean.
    pub kind: &'static str,
    pub default: Option<&'static str>,
    pub help: &'static str,
    /// Docker does not have it: its line begins with a plus sign, and help shows it apart.
    pub own: bool,
    /// It is taken, but told of nowhere: its line begins with a tilde.
    pub hidden: bool,
}

impl Flag {
    /// As errors name it: `-m, --memory`, or `--cpus`.
    pub fn name(&self) -> String {
        match self.short {
            Some(short) => format!("-{short}, --{}", self.long),
            None => format!("--{}", self.long),
        }
    }
}

/// One command, or a group of them.
#[derive(Clone, Debug)]
pub(super) struct Definition {
    /// The canonical name, as `container run`.
    pub name: &'static str,
    /// What may be typed for it, `docker` included.
    pub paths: Vec<&'static str>,
    /// What follows the name in a usage line.
    pub usage: &'static str,
    pub about: &'static str,
    /// What its own help adds to that; `\n` is a line break.
    pub long: &'static str,
    /// The line under `Aliases:`, or empty.
    pub aliases: &'static str,
    /// The name that help and errors use whatever was typed; empty where that is the typed one.
    pub shown: &'static str,
    pub group: bool,
    /// Whether flags end at the first positional word.
    pub stop: bool,
    /// How many positional words there may be.
    pub least: usize,
    pub most: Option<usize>,
    pub flags: Vec<Flag>,
}

impl Definition {
    /// Whether another program than Docker's own client has it.
    pub fn is_of_plugin(&self) -> bool {
        ["compose", "buildx"].iter().any(|name| self.name.starts_with(name))
    }

    /// The name in help and errors, for what was typed: an alias inside a group (`docker container list`)
    /// is shown as the name that the group lists (`docker container ls`).
    pub fn shown_as(&self, path: &str) -> String {
        if !self.shown.is_empty() {
            return self.shown.to_string();
        }
        let group = group_of(path);
        let listed = self.paths.iter().find(|p| group_of(p) == group);
        listed.map_or(path, |p| p).to_string()
    }

    /// The usage line's text, without `Usage:`.
    pub fn usage_line(&self, path: &str) -> String {
        let shown = self.shown_as(path);
        if self.usage.is_empty() {
            return shown;
        }
        let usage = self.usage.replace("\\n", "\n").replace("\\t", "\t").replace("{}", &shown);
        format!("{shown} {usage}")
    }
}

/// `docker container ls` is in `docker container`.
fn group_of(path: &str) -> &str {
    path.rsplit_once(' ').map_or("", |(group, _)| group)
}

/// The heads of all commands: canonical name, typed forms, and the text of the block after the head.
fn blocks() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    TABLE.split("\n= ").skip(1).filter_map(|block| {
        let (head, body) = block.split_once('\n')?;
        let (name, paths) = head.split_once(" | ")?;
        Some((name, paths, body))
    })
}

/// The command that is typed as `path`, as `docker container ls`.
pub(super) fn find(path: &str) -> Option<Definition> {
    blocks()
        .find(|(_, paths, _)| paths.split(", ").any(|p| p == path))
        .map(|(name, paths, body)| read(name, paths, body))
}

/// All of them, in the table's order.
pub(super) fn all() -> impl Iterator<Item = Definition> {
    blocks().map(|(name, paths, body)| read(name, paths, body))
}

/// What is in a group, as its help lists it: name, line, and whether it is a group; sorted by name.
pub(super) fn children(group: &str) -> Vec<(&'static str, &'static str, bool)> {
    let mut found = Vec::new();
    for (_, paths, body) in blocks() {
        let Some(path) = paths.split(", ").find(|p| group_of(p) == group) else { continue };
        let line = |key: &str| body.lines().find_map(|l| l.strip_prefix(key));
        // A plugin's command has another line in the groups of Docker's own client.
        let own = line("shown ").is_some_and(|shown| shown == path && group != "docker");
        let about = line("listed ").filter(|_| !own).or_else(|| line("about ")).unwrap_or("");
        let name = path.rsplit_once(' ').map_or(path, |(_, name)| name);
        found.push((name, about, body.lines().any(|l| l == "group")));
    }
    found.arrange();
    found
}

/// Every canonical command, groups left out.
pub fn commands() -> Vec<&'static str> {
    all().filter(|d| !d.group).map(|d| d.name).collect()
}

/// What a canonical command does, in a line.
pub fn help_line(command: &str) -> Option<&'static str> {
    all().find(|d| d.name == command).map(|d| d.about)
}

fn read(name: &'static str, paths: &'static str, body: &'static str) -> Definition {
    let mut definition = Definition {
        name,
        paths: paths.split(", ").collect(),
        usage: "",
        about: "",
        long: "",
        aliases: "",
        shown: "",
        group: false,
        stop: false,
        least: 0,
        most: None,
        flags: Vec::new(),
    };
    for line in body.lines() {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        match key {
            "usage" => definition.usage = value,
            "about" => definition.about = value,
            "long" => definition.long = value,
            "listed" => {}
            "aliases" => definition.aliases = value,
            "shown" => definition.shown = value,
            "group" => definition.group = true,
            "stop" => definition.stop = true,
            "args" => {
                let (least, most) = value.split_once("..").unwrap_or((value, value));
                definition.least = least.parse().unwrap_or(0);
                definition.most = most.parse().ok();
            }
            _ => definition.flags.extend(read_flag(line)),
        }
    }
    definition
}

/// `-m, --memory bytes (default 0) | Memory limit`.
fn read_flag(line: &'static str) -> Option<Flag> {
    let (own, line) = line.strip_prefix("+ ").map_or((false, line), |rest| (true, rest));
    let (hidden, line) = line.strip_prefix("~ ").map_or((false, line), |rest| (true, rest));
    let (head, help) = line.split_once(" |")?;
    let head = head.trim();
    let (short, rest) = match head.strip_prefix("--") {
        Some(rest) => (None, rest),
        None => (head.chars().nth(1), head.get(6..)?),
    };
    let (rest, default) = match rest.split_once(" (default ") {
        Some((rest, default)) => (rest, default.strip_suffix(')')),
        None => (rest, None),
    };
    let (long, kind) = rest.split_once(' ').unwrap_or((rest, ""));
    Some(Flag { short, long, kind, default, help: help.strip_prefix(' ').unwrap_or(help), own, hidden })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutaway_userland::sorted::Set as BTreeSet;

    #[test]
    fn the_table_is_whole() {
        let mut seen = BTreeSet::new();
        for definition in all() {
            assert!(!definition.about.is_empty(), "{} tells nothing", definition.name);
            for path in &definition.paths {
                assert!(seen.insert(*path), "{path} is there twice");
                let group = group_of(path);
                assert!(group.is_empty() || find(group).is_some_and(|g| g.group), "{path} has no group");
            }
            let mut flags = BTreeSet::new();
            for flag in &definition.flags {
                assert!(flags.insert(flag.long), "{}: --{} is there twice", definition.name, flag.long);
                assert!(!flag.help.is_empty(), "{}: --{} tells nothing", definition.name, flag.long);
            }
        }
        assert!(seen.len() > 200);
    }

    #[test]
    fn flags_are_read() {
        let run = find("docker run").expect("run");
        let flag = |name: &str| run.flags.iter().find(|f| f.long == name).cloned().expect("flag");
        assert_eq!((flag("memory").short, flag("memory").kind), (Some('m'), "bytes"));
        assert_eq!(flag("rm").kind, "");
        assert_eq!(flag("restart").default, Some("\"no\""));
        assert_eq!(flag("memory").name(), "-m, --memory");
    }
}
