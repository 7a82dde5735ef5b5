//! Which stages a target needs, and nothing else.

use crate::dockerfile::{Dockerfile, Instruction, MountKind, ParseError};
use cutaway_userland::sorted::Set as BTreeSet;

/// The stages that the target at `target` is built from, itself included, in the order of the file.
/// `base_of` gives a stage's base with variables replaced, `replaced` says that something else stands in for it.
///
/// # Errors
/// Where a stage is built from itself or a later one.
pub fn needed(
    file: &Dockerfile,
    target: usize,
    base_of: impl Fn(usize) -> Result<String, ParseError>,
    replaced: impl Fn(usize) -> bool,
) -> Result<BTreeSet<usize>, ParseError> {
    let mut found = BTreeSet::new();
    let mut todo = vec![target];
    while let Some(index) = todo.pop() {
        if !found.insert(index) {
            continue;
        }
        if replaced(index) {
            continue;
        }
        let stage = &file.stages[index];
        todo.extend(before(file, index, &base_of(index)?));
        for located in &stage.instructions {
            for name in sources(&located.instruction) {
                match file.stage_index(&name) {
                    Some(own) if own == index && file.stages[own].name.is_some() => {
                        let message = format!("circular dependency detected on stage: {name}");
                        return Err(ParseError::meaning(located.first, located.last, message));
                    }
                    Some(other) if other < index => todo.push(other),
                    _ => {}
                }
            }
        }
    }
    Ok(found)
}

/// The stage before `index` of this name: `FROM` knows stages by name only.
pub fn before(file: &Dockerfile, index: usize, name: &str) -> Option<usize> {
    let lower = name.to_lowercase();
    file.stages[..index].iter().rposition(|s| s.name.as_deref() == Some(lower.as_str()))
}

/// The stages and images that an instruction copies from or mounts.
pub fn sources(instruction: &Instruction) -> Vec<String> {
    match instruction {
        Instruction::Copy(copying) | Instruction::Add(copying) => copying.from.iter().cloned().collect(),
        Instruction::Run(step) => step
            .mounts
            .iter()
            .filter_map(|mount| match &mount.kind {
                MountKind::Bind { from, .. } | MountKind::Cache { from, .. } => from.clone(),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed() {
        let text = "FROM a AS one\nFROM one AS two\nFROM b AS three\nFROM c AS four\nCOPY --from=two / /\nRUN --mount=from=0,target=/m x\n";
        let file = Dockerfile::parse(text).unwrap();
        let of = |target| needed(&file, target, |i| Ok(file.stages[i].base.clone()), |_| false).unwrap();
        assert_eq!(of(3), BTreeSet::from([0, 1, 3]));
        assert_eq!(of(2), BTreeSet::from([2]));
        assert_eq!(of(1), BTreeSet::from([0, 1]));
        let own = Dockerfile::parse("FROM a AS x\nCOPY --from=x / /").unwrap();
        let error = needed(&own, 0, |_| Ok("a".into()), |_| false).unwrap_err();
        assert_eq!((error.line, error.message.as_str()), (2, "circular dependency detected on stage: x"));
    }
}
