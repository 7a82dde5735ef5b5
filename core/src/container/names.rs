//! The rules of container names, and names for containers that were given none.

/// Whether a name is `[a-zA-Z0-9][a-zA-Z0-9_.-]+`, as Docker wants it.
pub fn is_valid(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && name.len() >= 2
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

const ADJECTIVES: [&str; 64] = [
    "able", "agile", "amber", "ample", "artful", "awake", "bold", "brave", "breezy", "bright", "brisk", "calm",
    "candid", "careful", "cheerful", "clever", "cosy", "curious", "daring", "deft", "eager", "earnest", "fair",
    "fearless", "fond", "frank", "fresh", "gentle", "glad", "golden", "graceful", "handy", "happy", "hardy", "honest",
    "humble", "keen", "kind", "lively", "lucid", "mellow", "merry", "mild", "modest", "neat", "nimble", "patient",
    "placid", "plucky", "polite", "proud", "quick", "quiet", "ready", "serene", "sharp", "silver", "steady", "sunny",
    "tidy", "trusty", "upbeat", "warm", "witty",
];

/// People who computed, engineered, navigated and wrote.
const SURNAMES: [&str; 64] = [
    "abbe",
    "ampere",
    "aristotle",
    "babbage",
    "banneker",
    "bell",
    "bohr",
    "boole",
    "brunel",
    "cavendish",
    "celsius",
    "cerf",
    "church",
    "clarke",
    "codd",
    "copernicus",
    "coulomb",
    "crick",
    "dalton",
    "dijkstra",
    "dirac",
    "earhart",
    "edison",
    "euler",
    "faraday",
    "fermat",
    "floyd",
    "fourier",
    "franklin",
    "galois",
    "gauss",
    "germain",
    "godel",
    "hamming",
    "hertz",
    "herschel",
    "hilbert",
    "hoare",
    "huygens",
    "joule",
    "kepler",
    "lamarr",
    "leibniz",
    "linnaeus",
    "lovelace",
    "maxwell",
    "mendel",
    "napier",
    "nash",
    "newton",
    "ohm",
    "pascal",
    "planck",
    "ramanujan",
    "ritchie",
    "shannon",
    "somerville",
    "tesla",
    "thompson",
    "turing",
    "volta",
    "watt",
    "wilkes",
    "zuse",
];

/// An adjective and a surname, as `calm_turing`, from some random bytes; `attempt` adds a digit after
/// some names were taken.
pub fn random(entropy: [u8; 2], attempt: u32) -> String {
    let name = format!(
        "{}_{}",
        ADJECTIVES[usize::from(entropy[0]) % ADJECTIVES.len()],
        SURNAMES[usize::from(entropy[1]) % SURNAMES.len()]
    );
    if attempt < 5 { name } else { format!("{name}{}", attempt % 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        for good in ["one", "a1", "web-1.x_y", "0x"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["", "a", "bad name", "-x", "_x", "ä1", "a/b"] {
            assert!(!is_valid(bad), "{bad}");
        }
        for byte in 0..=255 {
            assert!(is_valid(&random([byte, 255 - byte], 7)));
        }
    }
}
