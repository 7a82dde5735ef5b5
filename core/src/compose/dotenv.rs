//! `.env` and `env_file` files: `NAME=value` lines with quotes, comments and variables. Source: compose-go's dotenv.

use super::template::Variables;
use cutaway_userland::sorted::Map as BTreeMap;

/// The variables of a file, later lines winning. `outside` answers for variables that the file does not set itself.
///
/// # Errors
/// A sentence that names the line.
pub fn parse_env_file(
    contents: &str,
    outside: &dyn Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, String>, String> {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut rest = contents.strip_prefix('\u{feff}').unwrap_or(contents);
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let trimmed = line.trim();
        let trimmed = trimmed.strip_prefix("export ").unwrap_or(trimmed).trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            rest = after;
            continue;
        }
        let name_end = trimmed.find(['=', ':']).unwrap_or(trimmed.len());
        let name = trimmed[..name_end].trim();
        if name.contains(char::is_whitespace) {
            return Err(format!("line {number}: key cannot contain a space"));
        }
        let odd = |c: &char| !(c.is_alphanumeric() || c.is_whitespace() || "_.-[]".contains(*c));
        if let Some(odd) = name.chars().find(odd) {
            let odd = odd.to_string();
            return Err(format!("line {number}: unexpected character {odd:?} in variable name {trimmed:?}"));
        }
        if name_end == trimmed.len() {
            if let Some(value) = outside(name) {
                known.insert(name.to_string(), value);
            }
            rest = after;
            continue;
        }
        // The value may go on over lines where it is quoted, so it is looked for in all that is left.
        let offset = rest.find(&trimmed[name_end..]).map_or(0, |at| at + 1);
        let begun = rest[offset..].trim_start_matches([' ', '\t']);
        let (value, expand, used) = match begun.chars().next() {
            Some(quote @ ('"' | '\'')) => quoted(begun, quote).ok_or_else(|| {
                format!("line {number}: unterminated quoted value {}", begun.lines().next().unwrap_or(""))
            })?,
            _ => {
                let line = begun.split('\n').next().unwrap_or("");
                let bare = line.find(" #").map_or(line, |at| &line[..at]);
                (bare.trim().to_string(), true, line.len())
            }
        };
        let value = if expand {
            let lookup = |name: &str| outside(name).or_else(|| known.get(name).cloned());
            Variables::new(&lookup).fill(&value).unwrap_or(value.clone())
        } else {
            value
        };
        known.insert(name.to_string(), value);
        number += begun[..used].matches('\n').count();
        rest = begun[used..].split_once('\n').map_or("", |(_, after)| after);
    }
    Ok(known)
}

/// The variables of a file whose values are taken as they stand (`format: raw`), as `docker run --env-file` does.
///
/// # Errors
/// In the words of Docker's client.
pub fn parse_raw(contents: &str, outside: &dyn Fn(&str) -> Option<String>) -> Result<BTreeMap<String, String>, String> {
    let mut known = BTreeMap::new();
    let contents = contents.strip_prefix('\u{feff}').unwrap_or(contents);
    for line in contents.lines().map(str::trim_start).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let name = line.split('=').next().unwrap_or(line);
        if name.is_empty() {
            return Err(format!("no variable name on line '{line}'"));
        }
        if name.contains([' ', '\t']) {
            return Err(format!("variable '{name}' contains whitespaces"));
        }
        let value = line.split_once('=').map(|(_, value)| value.to_string()).or_else(|| outside(name));
        known.extend(value.map(|value| (name.to_string(), value)));
    }
    Ok(known)
}

/// A quoted value: its text, whether variables are put in, and how many bytes it took.
fn quoted(text: &str, quote: char) -> Option<(String, bool, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Some((value, quote == '"', at + 1)),
            '\\' if quote == '"' => match chars.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                '$' => value.push_str("$$"),
                c @ ('"' | '\\') => value.push(c),
                c => value.extend(['\\', c]),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let text = "# c\nA=1\nexport B = two # note\nC=\"x $A\\n\"\nD='$A'\nE=\"l1\nl2\"\nF=${A}f\nHOME\nG=\n";
        let known = parse_env_file(text, &|name| (name == "HOME").then(|| "/root".into())).expect("parses");
        for (name, value) in
            [("A", "1"), ("B", "two"), ("C", "x 1\n"), ("D", "$A"), ("E", "l1\nl2"), ("F", "1f"), ("HOME", "/root")]
        {
            assert_eq!(known.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert_eq!(known["G"], "");
        for (text, why) in [
            ("A=\"x\nB=1", "line 1: unterminated quoted value \"x"),
            ("a b=x", "line 1: key cannot contain a space"),
            ("B=1\nA*=1", "line 2: unexpected character \"*\" in variable name \"A*=1\""),
        ] {
            assert_eq!(parse_env_file(text, &|_| None), Err(why.into()), "{text}");
        }
    }

    #[test]
    fn raw_lines() {
        let known = parse_raw(" A=\"x\" # y\n# c\nB\nC\n", &|name| (name == "B").then(|| "b".into()));
        let known: Vec<(String, String)> = known.expect("parses").into_iter().collect();
        assert_eq!(known, [("A".into(), "\"x\" # y".into()), ("B".into(), "b".into())]);
        for (text, why) in
            [("=x", "no variable name on line '=x'"), ("export A=1", "variable 'export A' contains whitespaces")]
        {
            assert_eq!(parse_raw(text, &|_| None), Err(why.into()));
        }
    }
}
