//! Pathname expansion: the files that a pattern names.

use super::Shell;
use super::pattern::{Pattern, PatternChar, has_pattern};
use crate::os::{Cost, FileKind, Os};
use crate::sorted::Arrange;

impl<O: Os> Shell<O> {
    /// The paths that match, sorted; empty where there are none.
    pub(super) async fn paths(&self, pattern: &[PatternChar]) -> Vec<String> {
        let mut components: Vec<&[PatternChar]> = pattern.split(|p| p.c == '/').collect();
        let absolute = components.len() > 1 && components[0].is_empty();
        if absolute {
            components.remove(0);
        }
        let mut found = vec![if absolute { "/".to_string() } else { String::new() }];
        let last = components.len() - 1;
        for (i, component) in components.iter().enumerate() {
            let mut next = Vec::new();
            for base in &found {
                self.os.charge(Cost { cpu: 2, memory: 0 }).await;
                self.component(base, component, i == last, &mut next);
            }
            found = next;
        }
        found
    }

    /// Adds the paths that one component of the pattern leads to from `base`.
    fn component(&self, base: &str, component: &[PatternChar], last: bool, found: &mut Vec<String>) {
        let slash = if last { "" } else { "/" };
        if !has_pattern(component, self.options.extglob) {
            let name: String = component.iter().map(|p| p.c).collect();
            let path = format!("{base}{name}");
            if name.is_empty() || !last || self.os.lstat(&path).is_ok() {
                found.push(format!("{path}{slash}"));
            }
            return;
        }
        let pattern = Pattern::new(component, self.options.extglob);
        let folder = if base.is_empty() { "." } else { base };
        let Ok(mut entries) = self.os.read_dir(folder) else { return };
        entries.arrange_by(|a, b| a.name.cmp(&b.name));
        for entry in entries {
            let hidden = entry.name.starts_with('.') && !pattern.begins_with_dot() && !self.options.dotglob;
            if hidden || !pattern.matches(&entry.name) {
                continue;
            }
            let path = format!("{base}{}", entry.name);
            let leads_on = entry.kind == FileKind::Directory
                || (entry.kind == FileKind::Symlink
                    && self.os.stat(&path).is_ok_and(|s| s.kind == FileKind::Directory));
            if last || leads_on {
                found.push(format!("{path}{slash}"));
            }
        }
    }
}
