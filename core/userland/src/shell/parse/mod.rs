//! Reading a script: characters to tokens (`lexer`), words to pieces (`word`), tokens to commands (`command`).
//!
//! One command is read at a time, because what a command does (`alias`, `exit`) can change how the next
//! is read, and because a script on standard input is shared with the commands it runs. An error says
//! whether more input could mend it: that is how the prompt knows to ask for another line.

mod command;
pub(in crate::shell) use command::{is_name, is_reserved};
mod lexer;
mod word;

use super::syntax::{List, Redirect, Word};
use crate::sorted::Map as BTreeMap;
use lexer::Spanned;
use std::cell::OnceCell;
use std::rc::Rc;

/// How deep commands and expansions may be nested: hostile scripts must not exhaust the stack.
const MAX_DEPTH: usize = 120;
/// How often `((` may turn out to be something else: nested, each would double the work.
const MAX_RETRIES: usize = 200;

/// Why a text is no script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// As `unexpected "fi"`.
    pub message: String,
    pub line: usize,
    /// The text may be the beginning of a right one.
    pub incomplete: bool,
}

type Parsed<T> = Result<T, SyntaxError>;

/// How a text is read.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    pub aliases: BTreeMap<String, String>,
    pub extended_globs: bool,
    /// The number of the first line.
    pub line: usize,
    /// No more will come: what is open at the end is an error, an open here-document is closed.
    pub last: bool,
}

/// A here-document whose body begins after the current line.
struct Pending {
    delimiter: String,
    strip_tabs: bool,
    quoted: bool,
    body: Rc<OnceCell<Word>>,
}

pub struct Parser {
    text: Vec<char>,
    at: usize,
    line: usize,
    depth: usize,
    manner: Manner,
    ahead: Option<Spanned>,
    pending: Vec<Pending>,
    /// Aliases in the midst of which the reader is: name, and how much text is left where it ends.
    active: Vec<(String, usize)>,
    /// The last alias ended with a blank, so the next word may be one, too.
    alias_next: bool,
    /// How often a text that was no arithmetic has been read again as commands.
    retries: usize,
}

impl Parser {
    pub fn new(text: &str, manner: Manner) -> Parser {
        Parser {
            text: text.chars().collect(),
            at: 0,
            line: manner.line,
            depth: 0,
            manner,
            ahead: None,
            pending: Vec::new(),
            active: Vec::new(),
            alias_next: false,
            retries: 0,
        }
    }

    /// The next complete command: what stands on a line and all that its compounds and here-documents
    /// reach over. `None` at the end.
    pub fn next(&mut self) -> Parsed<Option<List>> {
        self.complete_command()
    }

    /// What has not been read yet.
    pub fn rest(&self) -> String {
        self.text[self.start_of_next()..].iter().collect()
    }

    /// The line that is read next.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Whether nothing but blanks follows.
    pub fn at_end(&self) -> bool {
        self.text[self.start_of_next()..].iter().all(|c| c.is_whitespace())
    }

    /// Aliases may have changed since the last command.
    pub fn set_manner(&mut self, manner: Manner) {
        self.manner = manner;
    }

    fn start_of_next(&self) -> usize {
        self.ahead.as_ref().map_or(self.at, |token| token.start)
    }

    fn peek_char(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).copied()
    }

    fn error<T>(&self, message: impl Into<String>) -> Parsed<T> {
        Err(SyntaxError { message: message.into(), line: self.line, incomplete: false })
    }

    fn incomplete<T>(&self, message: impl Into<String>) -> Parsed<T> {
        Err(SyntaxError { message: message.into(), line: self.line, incomplete: !self.manner.last })
    }

    /// Whether what was read as arithmetic may be read as commands: not where the text just ended.
    fn may_try_again(&mut self) -> bool {
        self.retries += 1;
        self.at < self.text.len() && self.retries < MAX_RETRIES
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Parser) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return self.error("nested too deeply");
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }
}

/// A text as a word of its own, as the body of a here-document or a prompt: `$`, backquotes and
/// backslashes count, quotes do not.
pub fn expandable(text: &str) -> Parsed<Word> {
    let mut parser = Parser::new(text, Manner { last: true, ..Manner::default() });
    parser.document()
}

/// The redirections of a command, with `more` put behind them.
fn with(mut redirects: Vec<Redirect>, more: Vec<Redirect>) -> Vec<Redirect> {
    redirects.extend(more);
    redirects
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Parsed<usize> {
        let mut parser = Parser::new(text, Manner { line: 1, last: true, ..Manner::default() });
        let mut count = 0;
        while let Some(list) = parser.next()? {
            count += list.0.len();
        }
        Ok(count)
    }

    #[test]
    fn right_scripts() {
        let table = [
            ("", 0),
            ("a; b & c", 3),
            ("a | b && c || d\ne", 2),
            ("if a; then b; elif c; then d; else e; fi", 1),
            ("for i in 1 2; do x; done; for i; do y; done; for i do y; done", 3),
            ("case x in a|b) c;; (d) e; esac", 1),
            ("echo $(case x in x) echo hi;; esac)", 1),
            ("echo $(echo a # comment )\n)", 1),
            ("f() { a; }; function g { b; }", 2),
            ("cat <<A <<-B; echo\nx\nA\n\ty\n\tB\nz", 3),
            ("echo $((1 + (2 * 3))) $( (a); (b) )", 1),
            ("((x = 1)); [[ a == b* && ( -f c || ! d < e ) ]]", 2),
            ("x=(1 2 [5]=3) y+=z a[1]=b cmd", 1),
            ("a 2>&1 >f <g &>h 3<>i <<<j", 1),
        ];
        for (text, commands) in table {
            assert_eq!(all(text), Ok(commands), "{text}");
        }
    }

    #[test]
    fn wrong_scripts_say_what_and_whether_more_could_help() {
        let table = [
            ("fi", "unexpected \"fi\"", false),
            ("a; fi", "unexpected \"fi\"", false),
            ("if", "unexpected end of file (expecting \"then\")", true),
            ("( a", "unexpected end of file (expecting \")\")", true),
            ("echo $(a", "unexpected end of file (expecting \")\")", true),
            ("echo \"a", "unterminated quoted string", true),
            ("a | | b", "unexpected \"|\"", false),
            ("a |", "unexpected end of file", true),
            ("f() {", "unexpected end of file (expecting \"}\")", true),
            ("a &&", "unexpected end of file", true),
            ("echo )", "unexpected \")\"", false),
        ];
        for (text, message, incomplete) in table {
            let mut parser = Parser::new(text, Manner { line: 1, ..Manner::default() });
            let error = loop {
                match parser.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("{text} is taken for right"),
                    Err(error) => break error,
                }
            };
            assert_eq!((error.message.as_str(), error.incomplete), (message, incomplete), "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_crash() {
        for (open, close) in [("( ", ")"), ("$(", ")"), ("{ ", "; }"), ("${x:-", "}"), ("$((", "))"), ("! ", "")] {
            let text = format!("echo {}", open.repeat(5000) + &close.repeat(5000));
            let _ = all(&text);
            let text = open.repeat(5000) + &close.repeat(5000);
            let _ = all(&text);
        }
    }
}
