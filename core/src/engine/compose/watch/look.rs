//! What the watched files are like, so that a change of one is seen.

use super::rules::{Rule, below};
use crate::engine::compose::App;
use crate::name::Digest;
use crate::world::{FileFacts, World};
use cutaway_userland::os::FileKind;
use cutaway_userland::sorted::{Map as BTreeMap, Set as BTreeSet};

/// What is known of a file: its time and size, and where it changed within the last moments also its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub mtime: u64,
    size: u64,
    mode: u32,
    target: Option<String>,
    pub contents: Option<Digest>,
}

impl Look {
    pub fn differs(&self, other: &Look) -> bool {
        let contents = matches!((self.contents, other.contents), (Some(a), Some(b)) if a != b);
        contents
            || (self.mtime, self.size, self.mode, &self.target) != (other.mtime, other.size, other.mode, &other.target)
    }
}

pub(super) type Seen = BTreeMap<String, Look>;

/// All files that any rule may mean.
pub(super) async fn all<W: World>(app: &App<'_, W>, rules: &[Rule]) -> Seen {
    let mut seen = Seen::new();
    for rule in rules {
        let mut left = vec![rule.path.clone()];
        while let Some(path) = left.pop() {
            let inner = below(&rule.path, &path).unwrap_or("");
            if seen.contains_key(&path) || (!inner.is_empty() && rule.ignore.ignores_all_below(inner)) {
                continue;
            }
            let Ok(Some(facts)) = app.ctx.client.facts(&path).await else { continue };
            if facts.kind == FileKind::Directory {
                let names = app.ctx.client.read_directory(&path).await.unwrap_or_default();
                left.extend(names.into_iter().map(|name| format!("{}/{name}", path.trim_end_matches('/'))));
            } else if rule.place(&path).is_some() {
                seen.insert(path.clone(), look(app, &path, facts).await);
            }
        }
    }
    seen
}

async fn look<W: World>(app: &App<'_, W>, path: &str, facts: FileFacts) -> Look {
    // Within a second, a file may change again without its time telling.
    let fresh = facts.kind == FileKind::Regular && facts.mtime + 2 >= app.ctx.world().now().as_secs();
    let contents = match fresh {
        true => app.ctx.client.read_file(path).await.ok().map(|bytes| Digest::of(&bytes)),
        false => None,
    };
    Look { mtime: facts.mtime, size: facts.size, mode: facts.mode, target: facts.target, contents }
}

/// The files that came, went or changed.
pub(super) fn changes(before: &Seen, after: &Seen) -> BTreeSet<String> {
    let gone = before.keys().filter(|path| !after.contains_key(*path));
    let new = after.iter().filter(|(path, look)| before.get(*path).is_none_or(|old| old.differs(look)));
    gone.chain(new.map(|(path, _)| path)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed() {
        let look = |mtime: u64, text: &str| Look {
            mtime,
            size: 1,
            mode: 0o644,
            target: None,
            contents: (!text.is_empty()).then(|| Digest::of(text.as_bytes())),
        };
        let seen = |items: &[(&str, Look)]| items.iter().map(|(p, l)| ((*p).to_string(), l.clone())).collect::<Seen>();
        let before = seen(&[("a", look(1, "x")), ("b", look(1, "")), ("c", look(1, "x")), ("d", look(1, ""))]);
        let after = seen(&[("a", look(1, "y")), ("b", look(2, "")), ("c", look(1, "")), ("e", look(1, ""))]);
        let changed: Vec<String> = changes(&before, &after).iter().cloned().collect();
        assert_eq!(changed, ["a", "b", "d", "e"]);
    }
}
