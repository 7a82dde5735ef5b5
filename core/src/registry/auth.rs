//! What a registry asks for before it lets a client in. Source: distribution specification, token
//! authentication; RFC 9110 section 11.

/// A `WWW-Authenticate` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    Basic {
        realm: String,
    },
    /// Ask `realm` for a token, for `service` and `scope`.
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

impl Challenge {
    pub fn parse(header: &str) -> Option<Challenge> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        let value = |name: &str| parameter(rest, name);
        match scheme.to_ascii_lowercase().as_str() {
            "basic" => Some(Challenge::Basic { realm: value("realm").unwrap_or_default() }),
            "bearer" => {
                Some(Challenge::Bearer { realm: value("realm")?, service: value("service"), scope: value("scope") })
            }
            _ => None,
        }
    }
}

/// One `name="value"` of a list divided by commas; commas inside quotes belong to the value.
fn parameter(list: &str, name: &str) -> Option<String> {
    let mut quoted = false;
    let parts = list.split(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    let mut pairs = parts.filter_map(|part| part.trim().split_once('='));
    pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim_matches('"').to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges() {
        let header = "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:a/b:pull,push\"";
        assert_eq!(
            Challenge::parse(header),
            Some(Challenge::Bearer {
                realm: "https://auth.docker.io/token".into(),
                service: Some("registry.docker.io".into()),
                scope: Some("repository:a/b:pull,push".into()),
            })
        );
        assert_eq!(Challenge::parse("Basic realm=\"r\""), Some(Challenge::Basic { realm: "r".into() }));
        assert_eq!(Challenge::parse("Bearer service=x"), None);
        assert_eq!(Challenge::parse("Digest realm=x"), None);
    }
}
