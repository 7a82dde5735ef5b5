//! Whiteouts: the names in a layer that stand for what it takes away. Source: OCI image specification, layer.md.

/// What the name of a deleted file begins with in a layer.
pub const WHITEOUT_PREFIX: &str = ".wh.";
/// The name in a folder that hides all that lower layers have in it.
pub const OPAQUE: &str = ".wh..wh..opq";

/// What a layer's entry takes away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whiteout {
    /// This path and all below it.
    Path(String),
    /// Everything in this folder that lower layers have; the folder stays.
    Opaque(String),
}

impl Whiteout {
    /// What the entry at `path` takes away, if that is what it is for.
    pub fn of(path: &str) -> Option<Whiteout> {
        let (folder, name) = match path.rfind('/') {
            Some(i) => (&path[..i], &path[i + 1..]),
            None => ("", path),
        };
        if name == OPAQUE {
            return Some(Whiteout::Opaque(folder.to_string()));
        }
        let hidden = name.strip_prefix(WHITEOUT_PREFIX)?;
        // `.wh.` alone, `.wh..` and names for aufs itself stand for no file.
        if hidden.is_empty() || hidden == "." || hidden == ".." {
            return None;
        }
        Some(Whiteout::Path(if folder.is_empty() { hidden.to_string() } else { format!("{folder}/{hidden}") }))
    }

    /// The name that stands for the deletion of `path` in a layer.
    pub fn name_for(path: &str) -> String {
        match path.rfind('/') {
            Some(i) => format!("{}/{WHITEOUT_PREFIX}{}", &path[..i], &path[i + 1..]),
            None => format!("{WHITEOUT_PREFIX}{path}"),
        }
    }

    /// The name that makes the folder `path` opaque in a layer.
    pub fn name_for_opaque(path: &str) -> String {
        if path.is_empty() { OPAQUE.to_string() } else { format!("{path}/{OPAQUE}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_back() {
        for (name, means) in [
            ("a/.wh.b", Some(Whiteout::Path("a/b".into()))),
            (".wh.b", Some(Whiteout::Path("b".into()))),
            ("a/.wh..wh..opq", Some(Whiteout::Opaque("a".into()))),
            (".wh..wh..opq", Some(Whiteout::Opaque(String::new()))),
            ("a/b", None),
            ("a.wh.b", None),
            (".wh.", None),
            ("a/.wh...", None),
        ] {
            assert_eq!(Whiteout::of(name), means, "{name}");
        }
        assert_eq!(Whiteout::name_for("a/b"), "a/.wh.b");
        assert_eq!(Whiteout::name_for("b"), ".wh.b");
        assert_eq!(Whiteout::name_for_opaque("a"), "a/.wh..wh..opq");
    }
}
