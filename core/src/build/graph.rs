//! Which stages a target needs, and nothing else.

use crate::dockerfile::{Dockerfile, Instruction, ParseError};
use cutaway_userland::sorted::Set as BTreeSet;

/// The stages that the target at `target` is built from, itself included, in the order of the file.
/// `base_of` gives a stage's base with variables replaced, `replaced` says that something else stands in for it.
///
/// # Errors
/// Where a stage is built from itself, or from one that is built from it.
pub fn needed(
    file: &Dockerfile,
    target: usize,
    base_of: impl Fn(usize) -> Result<String, ParseError>,
    replaced: impl Fn(usize) -> bool,
) -> Result<BTreeSet<usize>, ParseError> {
    let mut graph = Graph { file, base_of, replaced, found: BTreeSet::new(), path: Vec::new() };
    graph.visit(target)?;
    Ok(graph.found)
}

struct Graph<'f, B, R> {
    file: &'f Dockerfile,
    base_of: B,
    replaced: R,
    found: BTreeSet<usize>,
    /// From the target to the stage that is being looked at.
    path: Vec<usize>,
}

impl<B, R> Graph<'_, B, R>
where
    B: Fn(usize) -> Result<String, ParseError>,
    R: Fn(usize) -> bool,
{
    fn visit(&mut self, index: usize) -> Result<(), ParseError> {
        if self.found.contains(&index) || (self.replaced)(index) {
            self.found.insert(index);
            return Ok(());
        }
        self.path.push(index);
        let stage = &self.file.stages[index];
        if let Some(earlier) = before(self.file, index, &(self.base_of)(index)?) {
            self.visit(earlier)?;
        }
        for located in &stage.instructions {
            for other in sources(&located.instruction).iter().filter_map(|name| self.file.stage_index(name)) {
                if self.path.contains(&other) {
                    let name = self.file.stages[other].name.clone().unwrap_or_else(|| format!("stage-{other}"));
                    let message = format!("circular dependency detected on stage: {name}");
                    return Err(ParseError::meaning(located.first, located.last, message));
                }
                self.visit(other)?;
            }
        }
        self.path.pop();
        self.found.insert(index);
        Ok(())
    }
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
        Instruction::Run(step) => step.mounts.iter().filter_map(|mount| mount.from.clone()).collect(),
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
        for (text, line, stage) in [
            ("FROM a AS x\nCOPY --from=x / /", 2, "x"),
            ("FROM a\nCOPY --from=0 / /", 2, "stage-0"),
            ("FROM a AS x\nCOPY --from=y / /\nFROM a AS y\nCOPY --from=x / /", 2, "y"),
        ] {
            let file = Dockerfile::parse(text).unwrap();
            let error = needed(&file, file.stages.len() - 1, |_| Ok("a".into()), |_| false).unwrap_err();
            let message = format!("circular dependency detected on stage: {stage}");
            assert_eq!((error.line, error.message), (line, message), "{text}");
        }
        let forward = Dockerfile::parse("FROM a AS x\nCOPY --from=y / /\nFROM a AS y\n").unwrap();
        assert_eq!(needed(&forward, 0, |_| Ok("a".into()), |_| false).unwrap(), BTreeSet::from([0, 1]));
    }
}
