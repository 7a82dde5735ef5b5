//! A person's side in other clothes: with its output turned off, for the engine's commands that compose uses inside,
//! with bytes in place of standard input; or with a menu below all that is printed.

use super::menu::Menu;
use crate::engine::Ctx;
use crate::world::{Client, Fault, FileFacts, LocalFut, Ran, Stream, World};
use cutaway_userland::os::{Signal, WindowSize};
use std::cell::RefCell;
use std::rc::Rc;

/// The same engine, with a menu below what is printed as soon as it is opened.
pub(super) fn above<W: World>(ctx: &Ctx<W>, menu: &Rc<Menu>) -> Ctx<W> {
    let client = Quiet { inner: ctx.client.clone(), input: RefCell::default(), printed: Printed::Above(menu.clone()) };
    Ctx { watched: ctx.watched.clone(), client: Rc::new(client) }
}

pub(super) struct Quiet {
    pub inner: Rc<dyn Client>,
    /// What is read in place of standard input.
    pub input: RefCell<Vec<u8>>,
    pub printed: Printed,
}

/// What becomes of what would be printed.
pub(super) enum Printed {
    Kept(RefCell<Vec<u8>>),
    /// All of it goes to standard output.
    Merged,
    /// Each line of standard output is printed in other words.
    Reworded(Box<dyn Fn(&str) -> String>),
    /// Everything else is as it is.
    Above(Rc<Menu>),
}

impl Quiet {
    pub fn kept(&self) -> Vec<u8> {
        match &self.printed {
            Printed::Kept(bytes) => bytes.take(),
            Printed::Merged | Printed::Reworded(_) | Printed::Above(_) => Vec::new(),
        }
    }

    fn is_whole(&self) -> bool {
        matches!(self.printed, Printed::Above(_))
    }
}

impl Client for Quiet {
    fn write(&self, to: Stream, bytes: &[u8]) -> LocalFut<()> {
        match &self.printed {
            Printed::Kept(kept) => kept.borrow_mut().extend_from_slice(bytes),
            Printed::Merged => return self.inner.write(Stream::Out, bytes),
            Printed::Reworded(words) if to == Stream::Out => {
                let text: String = String::from_utf8_lossy(bytes).lines().map(words).collect();
                return self.inner.write(to, text.as_bytes());
            }
            Printed::Reworded(_) => return self.inner.write(to, bytes),
            Printed::Above(menu) => return self.inner.write(to, &menu.around(bytes)),
        }
        Box::pin(async {})
    }
    fn broken(&self) -> bool {
        !matches!(self.printed, Printed::Kept(_)) && self.inner.broken()
    }
    fn read(&self, max: usize) -> LocalFut<Result<Vec<u8>, Fault>> {
        if self.is_whole() {
            return self.inner.read(max);
        }
        let mut input = self.input.borrow_mut();
        let count = max.min(input.len());
        let bytes = input.drain(..count).collect();
        Box::pin(async { Ok(bytes) })
    }
    fn is_tty(&self, stream: Stream) -> bool {
        match self.printed {
            Printed::Merged => stream != Stream::In && self.inner.is_tty(Stream::Out),
            _ => self.is_whole() && self.inner.is_tty(stream),
        }
    }
    fn window_size(&self) -> Option<WindowSize> {
        self.inner.window_size().filter(|_| self.is_whole() || matches!(self.printed, Printed::Merged))
    }
    fn set_raw(&self, raw: bool) {
        if self.is_whole() {
            self.inner.set_raw(raw);
        }
    }
    fn signal(&self) -> LocalFut<Signal> {
        self.inner.signal()
    }
    fn env(&self, name: &str) -> Option<String> {
        self.inner.env(name)
    }
    fn environment(&self) -> Vec<(String, String)> {
        self.inner.environment()
    }
    fn config_folder(&self) -> String {
        self.inner.config_folder()
    }
    fn run_program(&self, name: &str, words: &[&str], input: &[u8]) -> LocalFut<Ran> {
        self.inner.run_program(name, words, input)
    }
    fn cwd(&self) -> String {
        self.inner.cwd()
    }
    fn uid(&self) -> u32 {
        self.inner.uid()
    }
    fn read_file(&self, path: &str) -> LocalFut<Result<Vec<u8>, Fault>> {
        self.inner.read_file(path)
    }
    fn write_file(&self, path: &str, bytes: &[u8], mode: u32) -> LocalFut<Result<(), Fault>> {
        self.inner.write_file(path, bytes, mode)
    }
    fn append_file(&self, path: &str, bytes: &[u8]) -> LocalFut<Result<(), Fault>> {
        self.inner.append_file(path, bytes)
    }
    fn make_directory(&self, path: &str, mode: u32) -> LocalFut<Result<(), Fault>> {
        self.inner.make_directory(path, mode)
    }
    fn make_symlink(&self, target: &str, path: &str) -> LocalFut<Result<(), Fault>> {
        self.inner.make_symlink(target, path)
    }
    fn remove_file(&self, path: &str) -> LocalFut<Result<(), Fault>> {
        self.inner.remove_file(path)
    }
    fn remove_directory(&self, path: &str) -> LocalFut<Result<(), Fault>> {
        self.inner.remove_directory(path)
    }
    fn read_directory(&self, path: &str) -> LocalFut<Result<Vec<String>, Fault>> {
        self.inner.read_directory(path)
    }
    fn facts(&self, path: &str) -> LocalFut<Result<Option<FileFacts>, Fault>> {
        self.inner.facts(path)
    }
}
