//! A parsed command line. Engine commands turn it into their own typed options, once, at their start.

use cutaway_userland::sorted::Map as BTreeMap;

/// One command, parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// The canonical command, without `docker`: `container run` for both `docker run` and `docker container run`,
    /// `compose up`, `image build` for `build`, `buildx build` and `image build`.
    pub command: &'static str,
    /// The command as it was typed, aliases included, as `docker run`: what usage errors name.
    pub typed: String,
    /// Flags before the command (`--host`, `--context`, `--debug`), and for compose those of `docker compose`.
    pub global: Args,
    pub args: Args,
}

/// Flags by their long name without dashes, and the positional words, as typed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Args {
    pub flags: BTreeMap<String, Vec<String>>,
    pub positionals: Vec<String>,
}

impl Args {
    /// Whether a boolean flag is on (its default where it was not given is off; see [`Args::flag_or`]).
    pub fn flag(&self, name: &str) -> bool {
        self.flag_or(name, false)
    }

    /// A boolean flag with its default.
    pub fn flag_or(&self, name: &str, default: bool) -> bool {
        self.value(name).map_or(default, |v| v == "true")
    }

    /// The last value given to a flag, if any.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.flags.get(name).and_then(|v| v.last()).map(String::as_str)
    }

    /// All values given to a flag, in order.
    pub fn values(&self, name: &str) -> &[String] {
        self.flags.get(name).map_or(&[], Vec::as_slice)
    }

    /// A number flag; the parser has made sure that it is one.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.value(name).and_then(|v| v.parse().ok())
    }

    /// Whether the flag was given at all.
    pub fn given(&self, name: &str) -> bool {
        self.flags.contains_key(name)
    }

    /// The positional word at `index`, or an empty one.
    pub fn word(&self, index: usize) -> &str {
        self.positionals.get(index).map_or("", String::as_str)
    }
}
