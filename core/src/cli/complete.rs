//! What may follow on a command line: sub-commands and flags, for the shell's Tab.

use super::surface::{Definition, children, find};
use cutaway_userland::sorted::Arrange;

/// The words that may stand where the last of `words` (which may be empty) is being typed. `words` are those
/// after `docker`. Names of containers and the like are the engine's to add.
pub fn complete(words: &[String]) -> Vec<String> {
    let Some((begun, before)) = words.split_last() else { return complete(&[String::new()]) };
    let (definition, path) = locate(before);
    let mut found = Vec::new();
    if begun.starts_with('-') {
        for flag in definition.flags.iter().filter(|flag| !flag.hidden) {
            found.push(format!("--{}", flag.long));
        }
        found.push("--help".to_string());
    } else if definition.group {
        found.extend(children(&path).into_iter().map(|(name, _, _)| name.to_string()));
    }
    found.retain(|word| word.starts_with(begun.as_str()));
    found.arrange();
    found.dedup();
    found
}

/// The innermost command that the words name; flags and their values are passed over.
fn locate(words: &[String]) -> (Definition, String) {
    let mut path = "docker".to_string();
    let mut at = find(&path).expect("the table has the root");
    for word in words {
        if !at.group {
            break;
        }
        let next = format!("{path} {word}");
        if let Some(definition) = find(&next) {
            (at, path) = (definition, next);
        }
    }
    (at, path)
}

#[cfg(test)]
mod tests {
    use super::complete;

    #[test]
    fn commands_and_flags() {
        for (line, has, lacks) in [
            ("ru", "run", "rm"),
            ("", "compose", "--help"),
            ("network c", "connect", "rm"),
            ("run --na", "--name", "--rm"),
            ("compose up --rem", "--remove-orphans", "--wait"),
            ("-D container pr", "prune", "ps"),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_string).collect();
            let found = complete(&words);
            assert!(found.iter().any(|w| w == has), "{line}: {found:?}");
            assert!(!found.iter().any(|w| w == lacks), "{line}: {found:?}");
        }
        assert!(complete(&["run".into(), "bu".into()]).is_empty());
    }
}
