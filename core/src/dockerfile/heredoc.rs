//! Here-documents: `<<EOF` on a line, and the lines up to `EOF` below it.

/// One here-document, its lines included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// The word that ends it, and its file's name where it is copied.
    pub name: String,
    /// The descriptor before `<<`; 0 where none is.
    pub descriptor: u32,
    /// `<<-`: tabs at the beginning of its lines are left out.
    pub chomp: bool,
    /// Whether variables in it are replaced: not where its name is quoted.
    pub expand: bool,
    /// Each line with its newline.
    pub content: String,
}

impl Heredoc {
    /// The here-document that a word announces, without its lines.
    pub fn of(word: &str) -> Option<Heredoc> {
        let at = word.find("<<")?;
        let descriptor = &word[..at];
        if !descriptor.bytes().all(|c| c.is_ascii_digit()) {
            return None;
        }
        let rest = &word[at + 2..];
        let (chomp, name) = rest.strip_prefix('-').map_or((false, rest), |name| (true, name));
        if name.is_empty() || name.contains('<') {
            return None;
        }
        let bare: String = name.chars().filter(|c| !matches!(c, '"' | '\'' | '\\')).collect();
        if bare.is_empty() || bare.contains(char::is_whitespace) {
            return None;
        }
        Some(Heredoc {
            expand: bare == name,
            name: bare,
            descriptor: descriptor.parse().unwrap_or(0),
            chomp,
            content: String::new(),
        })
    }

    /// All here-documents that a line announces, in order.
    pub fn all(line: &str) -> Vec<Heredoc> {
        words(line).iter().filter_map(|word| Heredoc::of(word)).collect()
    }

    /// Whether a line below ends it.
    pub fn ends_at(&self, line: &str) -> bool {
        self.line(line) == self.name
    }

    /// A line below as it counts.
    pub fn line<'a>(&self, line: &'a str) -> &'a str {
        if self.chomp { line.trim_start_matches('\t') } else { line }
    }
}

/// The words of a line as a shell divides them, quotes kept.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match quote {
            Some(q) => {
                word.push(c);
                if c == q {
                    quote = None;
                } else if c == '\\' && q == '"' {
                    word.extend(chars.next());
                }
            }
            None if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            None => {
                word.push(c);
                match c {
                    '"' | '\'' => quote = Some(c),
                    '\\' => word.extend(chars.next()),
                    _ => {}
                }
            }
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announced_in_words() {
        let names = |line| Heredoc::all(line).into_iter().map(|h| (h.name, h.chomp, h.expand)).collect::<Vec<_>>();
        assert_eq!(names("RUN <<EOF"), [("EOF".into(), false, true)]);
        assert_eq!(names("COPY <<-a <<'b' /x"), [("a".into(), true, true), ("b".into(), false, false)]);
        assert_eq!(names("RUN cat 3<<EOF"), [("EOF".into(), false, true)]);
        for none in ["RUN echo \"<<EOF\"", "RUN cat <<<x", "RUN a<<b", "RUN echo << EOF", "RUN echo $((1<<2))"] {
            assert!(Heredoc::all(none).is_empty(), "{none}");
        }
    }
}
