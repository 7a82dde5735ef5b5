//! Ids of 64 hexadecimal digits, and finding them by what a person types of them.

/// What looking for a prefix came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    One(&'a str),
    None,
    /// More than one id begins like this.
    Ambiguous,
}

/// Looks for the one id (64 digits, or `sha256:` and 64 digits) that begins with `prefix`, which may have the
/// algorithm in front, too. An id typed in full is found even among longer ones.
pub fn find_by_prefix<'a>(ids: impl IntoIterator<Item = &'a str>, prefix: &str) -> Found<'a> {
    let digits = prefix.strip_prefix("sha256:").unwrap_or(prefix);
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase()) {
        return Found::None;
    }
    let mut found = Found::None;
    for id in ids {
        let hex = id.strip_prefix("sha256:").unwrap_or(id);
        if hex == digits {
            return Found::One(id);
        }
        if hex.starts_with(digits) {
            found = match found {
                Found::None => Found::One(id),
                _ => Found::Ambiguous,
            };
        }
    }
    found
}

/// The first 12 digits of an id, its algorithm left out.
pub fn short_id(id: &str) -> &str {
    let hex = id.strip_prefix("sha256:").unwrap_or(id);
    hex.get(..12).unwrap_or(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        let ids = ["sha256:aa11", "sha256:aa22", "bb33"];
        let find = |prefix| find_by_prefix(ids, prefix);
        assert_eq!(find("aa"), Found::Ambiguous);
        assert_eq!(find("aa1"), Found::One("sha256:aa11"));
        assert_eq!(find("sha256:aa2"), Found::One("sha256:aa22"));
        assert_eq!(find("b"), Found::One("bb33"));
        assert_eq!(find(""), Found::None);
        assert_eq!(find("sha256:"), Found::None);
        assert_eq!(find("xyz"), Found::None);
        assert_eq!(short_id("sha256:0123456789abcdef"), "0123456789ab");
        assert_eq!(short_id("01"), "01");
    }
}
