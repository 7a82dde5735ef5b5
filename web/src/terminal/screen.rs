//! What the terminal shows: the escape sequences of programs turned into lines of styled text.
//!
//! Programs write as to any terminal; the crate `vte` parses. Lines are kept as text for people and screen
//! readers, not as a grid of cells: what has scrolled by stays and can be selected and copied.

use std::collections::VecDeque;
use std::rc::Rc;
use vte::{Params, Parser, Perform};

/// Lines kept; older ones are dropped.
const KEPT: usize = 2000;
/// The rows that programs may move about in.
pub const ROWS: usize = 40;

/// How a piece of text looks. Colours are those of the 16-colour palette.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    pub colour: Option<u8>,
    pub bold: bool,
    pub dim: bool,
    pub underlined: bool,
    pub inverse: bool,
}

/// One line: characters with their styles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    cells: Vec<(char, Style)>,
}

impl Line {
    /// The line as runs of text of one style.
    pub fn runs(&self) -> Vec<(Style, String)> {
        let mut runs: Vec<(Style, String)> = Vec::new();
        for (character, style) in &self.cells {
            match runs.last_mut() {
                Some((last, text)) if last == style => text.push(*character),
                _ => runs.push((*style, character.to_string())),
            }
        }
        runs
    }

    pub fn text(&self) -> String {
        self.cells.iter().map(|(c, _)| *c).collect()
    }

    fn put(&mut self, column: usize, character: char, style: Style) {
        if self.cells.len() <= column {
            self.cells.resize(column + 1, (' ', Style::default()));
        }
        self.cells[column] = (character, style);
    }
}

#[derive(Default)]
struct Page {
    lines: VecDeque<Rc<Line>>,
    /// How many lines were dropped from the front: a line's number never changes.
    dropped: usize,
    row: usize,
    column: usize,
    style: Style,
}

/// A terminal's contents. Feed it bytes, read its lines.
#[derive(Default)]
pub struct Screen {
    parser: Parser,
    page: Page,
}

impl Screen {
    pub fn feed(&mut self, bytes: &[u8]) {
        self.parser.advance(&mut self.page, bytes);
    }

    /// The lines with their numbers, which stay the same as older lines are dropped. The last one is where
    /// output goes on: while a prompt waits, it is the prompt.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = (usize, &Rc<Line>)> {
        self.page.lines.iter().enumerate().map(|(i, line)| (i + self.page.dropped, line))
    }

    pub fn clear(&mut self) {
        self.page.clear();
    }
}

impl Page {
    fn clear(&mut self) {
        self.dropped += self.lines.len();
        self.lines.clear();
        self.row = 0;
        self.column = 0;
    }

    fn line(&mut self) -> &mut Line {
        while self.lines.len() <= self.row {
            self.lines.push_back(Rc::default());
        }
        Rc::make_mut(&mut self.lines[self.row])
    }

    fn new_line(&mut self) {
        self.row += 1;
        self.line();
        while self.lines.len() > KEPT {
            self.lines.pop_front();
            self.dropped += 1;
            self.row = self.row.saturating_sub(1);
        }
    }

    /// The row that a program calls 0: programs only reach the last screenful.
    fn top(&self) -> usize {
        self.lines.len().saturating_sub(ROWS)
    }

    fn erase_line(&mut self, mode: u16) {
        let column = self.column;
        let line = self.line();
        match mode {
            0 => line.cells.truncate(column),
            1 => (0..=column.min(line.cells.len().saturating_sub(1))).for_each(|c| line.put(c, ' ', Style::default())),
            _ => line.cells.clear(),
        }
    }

    fn erase_page(&mut self, mode: u16) {
        match mode {
            0 => {
                self.erase_line(0);
                self.lines.truncate(self.row + 1);
            }
            2 | 3 => self.clear(),
            _ => {}
        }
    }

    fn restyle(&mut self, params: &Params) {
        let mut codes = params.iter().flat_map(|p| p.iter().copied());
        let mut any = false;
        while let Some(code) = codes.next() {
            any = true;
            match code {
                0 => self.style = Style::default(),
                1 => self.style.bold = true,
                2 => self.style.dim = true,
                4 => self.style.underlined = true,
                7 => self.style.inverse = true,
                22 => (self.style.bold, self.style.dim) = (false, false),
                24 => self.style.underlined = false,
                27 => self.style.inverse = false,
                30..=37 => self.style.colour = Some(code as u8 - 30),
                90..=97 => self.style.colour = Some(code as u8 - 90 + 8),
                39 => self.style.colour = None,
                // Colours of larger palettes are passed over with their arguments.
                38 | 48 => {
                    let arguments = match codes.next() {
                        Some(5) => 1,
                        Some(2) => 3,
                        _ => 0,
                    };
                    (0..arguments).for_each(|_| _ = codes.next());
                }
                _ => {}
            }
        }
        if !any {
            self.style = Style::default();
        }
    }
}

impl Perform for Page {
    fn print(&mut self, character: char) {
        let (column, style) = (self.column, self.style);
        self.line().put(column, character, style);
        self.column += 1;
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' => self.new_line(),
            b'\r' => self.column = 0,
            8 => self.column = self.column.saturating_sub(1),
            b'\t' => self.column = (self.column / 8 + 1) * 8,
            _ => {}
        }
        // A line exists from the moment the cursor is in it.
        self.line();
    }

    fn csi_dispatch(&mut self, params: &Params, _intermediates: &[u8], _ignore: bool, action: char) {
        let arg = |index: usize| params.iter().nth(index).and_then(|p| p.first().copied()).unwrap_or(0);
        let count = usize::from(arg(0).max(1)).min(KEPT);
        match action {
            'm' => self.restyle(params),
            'A' => self.row = self.row.saturating_sub(count).max(self.top()),
            'B' => (0..count.min(ROWS)).for_each(|_| {
                self.row += 1;
                self.line();
            }),
            'C' => self.column = (self.column + count).min(500),
            'D' => self.column = self.column.saturating_sub(count),
            'G' => self.column = count.min(500) - 1,
            'H' | 'f' => {
                self.row = self.top() + (count - 1).min(ROWS - 1);
                self.column = usize::from(arg(1).max(1)).min(500) - 1;
                self.line();
            }
            'J' => self.erase_page(arg(0)),
            'K' => self.erase_line(arg(0)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: &[&str]) {
        let mut screen = Screen::default();
        screen.feed(input.as_bytes());
        let lines: Vec<String> = screen.lines().map(|(_, line)| line.text()).collect();
        assert_eq!(lines, expected, "{input:?}");
    }

    #[test]
    fn bytes_to_lines() {
        check("a\r\nb", &["a", "b"]);
        check("abc\rX", &["Xbc"]);
        check("abc\x08\x08X", &["aXc"]);
        check("one\r\ntwo\r\x1b[A\x1b[2Kthree\r\n", &["three", "two"]);
        check("gone\x1b[2J\x1b[Hhere", &["here"]);
        check("a\tb", &["a       b"]);
        check("<b>&amp;</b>", &["<b>&amp;</b>"]);
        check("\x1b[31mred\x1b[0m", &["red"]);
        check(
            "\x1b[9999999C\x1b[99999B.",
            &std::iter::repeat_n("", 40)
                .chain([" ".repeat(500).as_str().to_owned() + "."].iter().map(String::as_str))
                .collect::<Vec<_>>()[..],
        );
    }

    #[test]
    fn styles_are_runs() {
        let mut screen = Screen::default();
        screen.feed(b"\x1b[1;32mok\x1b[0m rest");
        let (_, line) = screen.lines().next().unwrap();
        let style = Style { colour: Some(2), bold: true, ..Style::default() };
        assert_eq!(line.runs(), [(style, "ok".to_string()), (Style::default(), " rest".to_string())]);
    }

    #[test]
    fn old_lines_are_dropped_and_numbers_stay() {
        let mut screen = Screen::default();
        for i in 0..KEPT + 10 {
            screen.feed(format!("{i}\r\n").as_bytes());
        }
        let (number, line) = screen.lines().next().unwrap();
        assert_eq!((number, line.text()), (11, "11".to_string()));
    }
}
