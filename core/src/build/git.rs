//! Addresses of git repositories as build contexts and `ADD` take them:
//! `https://host/repo.git#ref:folder`, `git://…`, `ssh://…`, `git@host:repo`, with `?branch=`, `?tag=` and their kin.

use crate::build::joined;

/// What is to be checked out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitSource {
    /// What git is given.
    pub remote: String,
    /// A branch, a tag or a commit; `None` is the repository's default branch.
    pub reference: Option<String>,
    /// What the commit's name must begin with.
    pub checksum: Option<String>,
    /// Relative to the repository, without slashes at its ends; empty for all.
    pub folder: String,
    pub keep_git_dir: bool,
    pub submodules: bool,
}

/// Whether a text is the address of a git repository; then it is parsed.
///
/// # Errors
/// A query that can't be understood, in BuildKit's words.
pub fn git_source(text: &str) -> Option<Result<GitSource, String>> {
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (remote, query) = rest.split_once('?').unwrap_or((rest, ""));
    let remote = match remote.split_once("://") {
        Some(("http" | "https", path)) if path.ends_with(".git") && path.contains('/') => remote.to_string(),
        Some(("git" | "ssh", path)) if !path.is_empty() => remote.to_string(),
        Some(_) => return None,
        None if remote.starts_with("github.com/") => format!("https://{remote}"),
        None if is_scp(remote) => remote.to_string(),
        None => return None,
    };
    let (reference, folder) = fragment.split_once(':').unwrap_or((fragment, ""));
    let source = GitSource {
        remote,
        reference: some(reference),
        folder: joined("/", folder)[1..].to_string(),
        submodules: true,
        ..GitSource::default()
    };
    Some(with_query(source, query))
}

fn some(text: &str) -> Option<String> {
    Some(text.to_string()).filter(|t| !t.is_empty())
}

/// `user@host:path`, as ssh and scp have it.
fn is_scp(text: &str) -> bool {
    let Some((user, rest)) = text.split_once('@') else { return false };
    let Some((host, path)) = rest.split_once(':') else { return false };
    let word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    word(user) && word(host) && !host.starts_with('-') && !user.starts_with('-') && !path.is_empty()
}

fn with_query(mut source: GitSource, query: &str) -> Result<GitSource, String> {
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if value.is_empty() && !matches!(name, "submodules" | "keep-git-dir") {
            return Err(format!("query {name:?} has no value"));
        }
        let mut set = |reference: String| match &source.reference {
            Some(old) if *old != reference => Err(format!("ref conflicts: {old:?} vs {reference:?}")),
            _ => {
                source.reference = Some(reference);
                Ok(())
            }
        };
        let whole = |prefix: &str| {
            if value.starts_with(prefix) { value.to_string() } else { format!("{prefix}{value}") }
        };
        match name {
            "ref" => set(value.to_string())?,
            "tag" => set(whole("refs/tags/"))?,
            "branch" => set(whole("refs/heads/"))?,
            "subdir" if !source.folder.is_empty() && source.folder != joined("/", value)[1..] => {
                return Err(format!("subdir conflicts: {:?} vs {value:?}", source.folder));
            }
            "subdir" => source.folder = joined("/", value)[1..].to_string(),
            "checksum" | "commit" => source.checksum = Some(value.to_string()),
            "keep-git-dir" => source.keep_git_dir = boolean(name, value)?,
            "submodules" => source.submodules = boolean(name, value)?,
            _ => return Err(format!("unexpected query {name:?}")),
        }
    }
    Ok(source)
}

fn boolean(name: &str, value: &str) -> Result<bool, String> {
    match value {
        "" | "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("invalid {name} value: {value:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, remote, reference, folder) in [
            ("https://h/u/r.git", "https://h/u/r.git", None, ""),
            ("https://h/u/r.git#main", "https://h/u/r.git", Some("main"), ""),
            ("https://h/u/r.git#main:a/b/", "https://h/u/r.git", Some("main"), "a/b"),
            ("https://h/u/r.git#:a/../../b", "https://h/u/r.git", None, "b"),
            ("git://h/r", "git://h/r", None, ""),
            ("ssh://git@h:22/r#v1", "ssh://git@h:22/r", Some("v1"), ""),
            ("git@h:u/r.git#x/y:z", "git@h:u/r.git", Some("x/y"), "z"),
            ("github.com/u/r", "https://github.com/u/r", None, ""),
            ("http://h/r.git?branch=b&subdir=s", "http://h/r.git", Some("refs/heads/b"), "s"),
            ("http://h/r.git?tag=v1", "http://h/r.git", Some("refs/tags/v1"), ""),
        ] {
            let source = git_source(text).unwrap().unwrap();
            let found = (source.remote.as_str(), source.reference.as_deref(), source.folder.as_str());
            assert_eq!(found, (remote, reference, folder), "{text}");
        }
        for none in ["https://h/r", "http://h.git", "./r.git", "a/b.git", "-x@h:y", "file:///r.git", "@h:y", "C:/x"] {
            assert_eq!(git_source(none), None, "{none}");
        }
        for (text, error) in [
            ("https://h/r.git?x=1", "unexpected query \"x\""),
            ("https://h/r.git?tag=", "query \"tag\" has no value"),
            ("https://h/r.git?tag=a#b", "ref conflicts: \"b\" vs \"refs/tags/a\""),
            ("https://h/r.git?submodules=x", "invalid submodules value: \"x\""),
        ] {
            assert_eq!(git_source(text), Some(Err(error.to_string())));
        }
        let kept = git_source("https://h/r.git?keep-git-dir&submodules=0&commit=abc").unwrap().unwrap();
        assert!(kept.keep_git_dir && !kept.submodules && kept.checksum.as_deref() == Some("abc"));
    }
}
