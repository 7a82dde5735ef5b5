//! What a new image is put together from, as it is typed: names, digests, descriptors; and annotations for it.

use super::failed;
use crate::engine::Result;
use crate::image::wire::Platform;
use crate::name::{Digest, Reference};
use serde_json::{Value, json};

/// One source: a name, or a descriptor that is in a repository to be found out.
pub struct Source {
    pub name: Option<Reference>,
    /// Null, or an object with at least a digest.
    pub descriptor: Value,
}

impl Source {
    /// # Errors
    /// What it is not.
    pub fn parse(text: &str) -> Result<Source> {
        let wrong = |why: String| {
            failed(format!(
                "failed to parse source {text:?}, valid sources are digests, references and descriptors: {why}"
            ))
        };
        if let Some(digest) = Digest::parse(text) {
            return Ok(Source { name: None, descriptor: json!({ "digest": digest }) });
        }
        if let Some(rest) = text.strip_prefix("sha256") {
            let hexadecimal = rest.strip_prefix(':').is_some_and(|hex| hex.bytes().all(|c| c.is_ascii_hexdigit()));
            let kind = if hexadecimal && rest.len() > 1 { "length" } else { "format" };
            return Err(wrong(format!("invalid checksum digest {kind}")));
        }
        match Reference::parse(text) {
            Ok(name) => Ok(Source { name: Some(name), descriptor: Value::Null }),
            Err(error) if !text.starts_with('{') => Err(wrong(error.to_string())),
            Err(_) => {
                let descriptor = serde_json::from_str(text).map_err(|e| wrong(e.to_string()))?;
                Ok(Source { name: None, descriptor })
            }
        }
    }
}

/// What an annotation is put on.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    Index,
    /// The part of a list that names a manifest; of one platform or of all.
    Descriptor(Option<Platform>),
    /// Not to be had here, and why.
    Refused(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Annotation {
    pub place: Place,
    pub key: String,
    pub value: String,
}

/// Reads `[type[platform],…:]key=value`.
///
/// # Errors
/// In buildx's words.
pub fn annotations(texts: &[String]) -> Result<Vec<Annotation>> {
    let wrong = |why: String| failed(format!("failed to parse annotations: {why}"));
    let mut all = Vec::new();
    for text in texts.iter().filter(|text| !text.is_empty()) {
        let Some((key, value)) = text.split_once('=') else {
            return Err(wrong(format!("invalid annotation {text:?}, expected key=value")));
        };
        let Some((types, key)) = key.split_once(':') else {
            let place = Place::Refused("\"\" annotations are not supported yet".into());
            all.push(Annotation { place, key: key.into(), value: value.into() });
            continue;
        };
        for kind in types.split(',') {
            let place = place(kind).map_err(&wrong)?;
            all.push(Annotation { place, key: key.into(), value: value.into() });
        }
    }
    Ok(all)
}

fn place(text: &str) -> std::result::Result<Place, String> {
    let (kind, platform) = match text.split_once('[') {
        Some((kind, rest)) => (kind, rest.strip_suffix(']')),
        None => (text, Some("")),
    };
    let word = !kind.is_empty() && kind.bytes().all(|c| c.is_ascii_lowercase() || c == b'-');
    let plain = |p: &str| p.bytes().all(|c| c.is_ascii_alphanumeric() || b"_/-".contains(&c));
    let Some(platform) = platform.filter(|p| word && plain(p) && (text.ends_with(']') != p.is_empty())) else {
        return Err(format!(
            "invalid annotation type {text:?}, expected type and optional platform in square brackets"
        ));
    };
    let platform = match platform {
        "" => None,
        text => Some(Platform::parse(text).map_err(|e| format!("invalid platform {text:?}: {e}"))?),
    };
    match kind {
        "index" => Ok(Place::Index),
        "manifest-descriptor" => Ok(Place::Descriptor(platform)),
        "manifest" => Ok(Place::Refused("\"manifest\" annotations are not supported yet".into())),
        "index-descriptor" => {
            Ok(Place::Refused("\"index-descriptor\" annotations are invalid while creating an image".into()))
        }
        other => Err(format!("unknown annotation type {other:?}")),
    }
}

/// The platforms of `--platform`.
///
/// # Errors
/// What is none.
pub fn platforms(texts: &[String]) -> Result<Vec<Platform>> {
    let parse = |text: &str| Platform::parse(text).map_err(|e| failed(format!("invalid platform {text:?}: {e}")));
    texts.iter().flat_map(|text| text.split(',')).map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_annotations_are_put_on() {
        let read = |text: &str| annotations(&[text.to_string()]).map_err(|e| e.render(""));
        let found = read("index,manifest-descriptor[linux/amd64]:a=b=c").unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], Annotation { place: Place::Index, key: "a".into(), value: "b=c".into() });
        assert_eq!(found[1].place, Place::Descriptor(Some(Platform::normal("linux", "amd64", ""))));
        assert!(matches!(read("a=b").unwrap()[0].place, Place::Refused(_)));
        for (text, why) in [
            ("a", "invalid annotation \"a\", expected key=value"),
            ("x:a=b", "unknown annotation type \"x\""),
            ("Index:a=b", "invalid annotation type \"Index\", expected type and optional platform in square brackets"),
            (
                "index[]:a=b",
                "invalid annotation type \"index[]\", expected type and optional platform in square brackets",
            ),
        ] {
            assert_eq!(read(text), Err(format!("ERROR: failed to parse annotations: {why}")));
        }
    }
}
