//! Image references: `busybox`, `localhost:5000/team/app:1.0`, `alpine@sha256:…`.
//!
//! The grammar and the short ("familiar") forms are those that Docker users type. Source of the grammar:
//! the package `reference` of the CNCF distribution project.

use super::Digest;
use std::fmt;

const DEFAULT_DOMAIN: &str = "docker.io";
const LEGACY_DOMAIN: &str = "index.docker.io";
const OFFICIAL: &str = "library/";
const DEFAULT_TAG: &str = "latest";

/// A name of an image, in full: with its registry, and `library/` where Docker leaves it out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// As `docker.io` or `localhost:5000`.
    domain: String,
    /// As `library/busybox`.
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is no reference, in Docker's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceError {
    Format,
    Uppercase(String),
    /// 64 hexadecimal digits are always an id.
    Hexadecimal(String),
    TooLong,
    DigestAlgorithm,
    DigestLength,
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReferenceError::Format => f.write_str("invalid reference format"),
            ReferenceError::Uppercase(name) => {
                write!(f, "invalid reference format: repository name ({name}) must be lowercase")
            }
            ReferenceError::Hexadecimal(name) => {
                write!(f, "invalid repository name ({name}), cannot specify 64-byte hexadecimal strings")
            }
            ReferenceError::TooLong => f.write_str("repository name must not be more than 255 characters"),
            ReferenceError::DigestAlgorithm => f.write_str("unsupported digest algorithm"),
            ReferenceError::DigestLength => f.write_str("invalid checksum digest length"),
        }
    }
}

impl std::error::Error for ReferenceError {}

impl Reference {
    /// Reads what a person types.
    pub fn parse(text: &str) -> Result<Reference, ReferenceError> {
        if is_full_id(text) {
            return Err(ReferenceError::Hexadecimal(text.to_string()));
        }
        let (domain, remainder) = split_domain(text);
        let remote = remainder.split(':').next().unwrap_or("");
        if remote.chars().any(char::is_uppercase) {
            return Err(ReferenceError::Uppercase(remote.to_string()));
        }
        let (named, digest) = match remainder.split_once('@') {
            Some((named, digest)) => (named.to_string(), Some(parse_digest(digest)?)),
            None => (remainder, None),
        };
        let last = named.rfind('/').map_or(0, |i| i + 1);
        let (path, tag) = match named[last..].rfind(':') {
            Some(i) => (&named[..last + i], Some(&named[last + i + 1..])),
            None => (named.as_str(), None),
        };
        if !is_domain(&domain) || !is_path(path) || tag.is_some_and(|t| !is_tag(t)) {
            return Err(ReferenceError::Format);
        }
        if path.len() > 255 {
            return Err(ReferenceError::TooLong);
        }
        Ok(Reference { domain, path: path.to_string(), tag: tag.map(str::to_string), digest })
    }

    /// The registry that it names, as `docker.io`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository inside its registry, as `library/busybox`.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// `docker.io/library/busybox`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// `busybox`.
    pub fn familiar_name(&self) -> String {
        if self.domain != DEFAULT_DOMAIN {
            return self.name();
        }
        match self.path.strip_prefix(OFFICIAL) {
            Some(short) if !short.contains('/') => short.to_string(),
            _ => self.path.clone(),
        }
    }

    /// `busybox:latest`: short, with the tag and digest that it has.
    pub fn familiar(&self) -> String {
        self.familiar_name() + &self.suffix()
    }

    fn suffix(&self) -> String {
        let mut suffix = String::new();
        if let Some(tag) = &self.tag {
            suffix.push(':');
            suffix.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            suffix.push_str(&format!("@{digest}"));
        }
        suffix
    }

    /// Whether it has neither tag nor digest.
    pub fn is_name_only(&self) -> bool {
        self.tag.is_none() && self.digest.is_none()
    }

    /// With `latest` where it has neither tag nor digest.
    #[must_use]
    pub fn with_default_tag(mut self) -> Reference {
        if self.is_name_only() {
            self.tag = Some(DEFAULT_TAG.to_string());
        }
        self
    }

    /// The same repository with this tag alone.
    #[must_use]
    pub fn with_tag(&self, tag: &str) -> Reference {
        Reference { tag: Some(tag.to_string()), digest: None, ..self.clone() }
    }

    /// The same repository with this digest alone.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Reference {
        Reference { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// The same name with a digest beside its tag.
    #[must_use]
    pub fn also_digest(&self, digest: Digest) -> Reference {
        Reference { digest: Some(digest), ..self.clone() }
    }

    /// The key that it is stored under: one of tag and digest, the digest where it has both.
    pub fn key(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("{}@{digest}", self.name()),
            (None, Some(tag)) => format!("{}:{tag}", self.name()),
            (None, None) => format!("{}:{DEFAULT_TAG}", self.name()),
        }
    }
}

/// In full: `docker.io/library/busybox:latest`.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name(), self.suffix())
    }
}

/// The familiar form of a stored full name, as `busybox:latest`.
pub fn familiar(full: &str) -> String {
    Reference::parse(full).map_or_else(|_| full.to_string(), |r| r.familiar())
}

/// Whether a text is a tag: letters, digits, `_`, `.` and `-`, 128 at most.
pub fn is_tag(tag: &str) -> bool {
    let word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    let bytes = tag.as_bytes();
    !bytes.is_empty()
        && bytes.len() <= 128
        && word(bytes[0])
        && bytes.iter().all(|&c| word(c) || c == b'.' || c == b'-')
}

/// Whether a text is a full id: 64 lower-case hexadecimal digits.
pub fn is_full_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
}

/// The first part is a registry where it looks like a host; else the registry is Docker's.
fn split_domain(text: &str) -> (String, String) {
    let (domain, remainder) = match text.split_once('/') {
        None => return (DEFAULT_DOMAIN.to_string(), format!("{OFFICIAL}{text}")),
        Some((first, rest)) if first == LEGACY_DOMAIN => (DEFAULT_DOMAIN, rest),
        Some((first, rest))
            if first == "localhost" || first.contains(['.', ':']) || first.chars().any(char::is_uppercase) =>
        {
            (first, rest)
        }
        Some(_) => (DEFAULT_DOMAIN, text),
    };
    if domain == DEFAULT_DOMAIN && !remainder.contains('/') {
        return (domain.to_string(), format!("{OFFICIAL}{remainder}"));
    }
    (domain.to_string(), remainder.to_string())
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) => {
                let valid = !address.is_empty() && address.bytes().all(|c| c.is_ascii_hexdigit() || c == b':');
                return valid && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
            }
            None => return false,
        },
        None => match domain.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (domain, None),
        },
    };
    port.is_none_or(is_port) && host.split('.').all(is_domain_component)
}

fn is_port(port: &str) -> bool {
    !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit())
}

fn is_domain_component(part: &str) -> bool {
    let bytes = part.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    first.is_ascii_alphanumeric()
        && last.is_ascii_alphanumeric()
        && bytes.iter().all(|c| c.is_ascii_alphanumeric() || *c == b'-')
}

/// Components of lower-case letters and digits, divided by one `.`, one or two `_`, or any number of `-`.
fn is_path(path: &str) -> bool {
    path.split('/').all(|part| {
        let bytes = part.as_bytes();
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        if !bytes.first().is_some_and(|c| plain(*c)) || !bytes.last().is_some_and(|c| plain(*c)) {
            return false;
        }
        bytes
            .split(|c| plain(*c))
            .filter(|separator| !separator.is_empty())
            .all(|separator| matches!(separator, b"." | b"_" | b"__") || separator.iter().all(|c| *c == b'-'))
    })
}

fn parse_digest(text: &str) -> Result<Digest, ReferenceError> {
    let (algorithm, hex) = text.split_once(':').ok_or(ReferenceError::Format)?;
    let letters = |c: u8| c.is_ascii_alphanumeric() || b"-_+.".contains(&c);
    if algorithm.is_empty()
        || !algorithm.bytes().all(letters)
        || hex.len() < 32
        || !hex.bytes().all(|c| c.is_ascii_hexdigit())
    {
        return Err(ReferenceError::Format);
    }
    if algorithm != "sha256" {
        return Err(ReferenceError::DigestAlgorithm);
    }
    if hex.len() != 64 {
        return Err(ReferenceError::DigestLength);
    }
    Digest::from_hex(hex).ok_or(ReferenceError::Format)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn full_and_familiar_forms() {
        for (typed, full, familiar) in [
            ("busybox", "docker.io/library/busybox", "busybox"),
            ("busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"),
            ("team/app", "docker.io/team/app", "team/app"),
            ("docker.io/busybox", "docker.io/library/busybox", "busybox"),
            ("index.docker.io/library/busybox", "docker.io/library/busybox", "busybox"),
            ("localhost/app", "localhost/app", "localhost/app"),
            ("localhost:5000/team/app:2", "localhost:5000/team/app:2", "localhost:5000/team/app:2"),
            ("UPPER/case", "UPPER/case", "UPPER/case"),
            ("[::1]:5000/app", "[::1]:5000/app", "[::1]:5000/app"),
            ("a/b/c_d__e-f---g.h", "docker.io/a/b/c_d__e-f---g.h", "a/b/c_d__e-f---g.h"),
            ("ghcr.io/x/y:V1.0_a-b", "ghcr.io/x/y:V1.0_a-b", "ghcr.io/x/y:V1.0_a-b"),
        ] {
            let reference = Reference::parse(typed).unwrap_or_else(|e| panic!("{typed}: {e}"));
            assert_eq!(reference.to_string(), full, "{typed}");
            assert_eq!(reference.familiar(), familiar, "{typed}");
            assert_eq!(Reference::parse(full), Ok(reference), "{typed}");
        }
        let both = Reference::parse(&format!("busybox:1@sha256:{HEX}")).unwrap();
        assert_eq!(both.tag(), Some("1"));
        assert_eq!(both.key(), format!("docker.io/library/busybox@sha256:{HEX}"));
    }

    #[test]
    fn what_is_refused_and_how() {
        let format = "invalid reference format";
        for (typed, error) in [
            ("", format),
            (":", format),
            ("bad:tag:tag", format),
            ("busybox:", format),
            ("busybox:.x", format),
            ("-busybox", format),
            ("busy box", format),
            ("a//b", format),
            ("a/b/", format),
            ("a..b", format),
            ("a___b", format),
            ("busybox@sha256:abc", format),
            ("-x.com/app", format),
            ("x.com:port/app", format),
            ("BadName", "invalid reference format: repository name (library/BadName) must be lowercase"),
            ("team/App:1", "invalid reference format: repository name (team/App) must be lowercase"),
            ("x@md5:d41d8cd98f00b204e9800998ecf8427e", "unsupported digest algorithm"),
            ("x@sha256:d41d8cd98f00b204e9800998ecf8427e", "invalid checksum digest length"),
        ] {
            assert_eq!(Reference::parse(typed).map_err(|e| e.to_string()), Err(error.to_string()), "{typed:?}");
        }
        assert_eq!(
            Reference::parse(HEX).unwrap_err().to_string(),
            format!("invalid repository name ({HEX}), cannot specify 64-byte hexadecimal strings")
        );
        assert_eq!(Reference::parse(&"a".repeat(256)), Err(ReferenceError::TooLong));
    }
}
