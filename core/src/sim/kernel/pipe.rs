//! Pipes: a bounded queue of bytes with counted ends. Named pipes and both directions of a stream socket are
//! made of the same.

use super::executor::Waiters;
use cutaway_userland::Errno;
use cutaway_userland::os::Result;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::task::{Poll, Waker};

/// `PIPE_BUF` aside, what a pipe holds (`pipe(7)`).
pub(crate) const CAPACITY: usize = 65_536;

#[derive(Default)]
pub(crate) struct Pipe {
    bytes: RefCell<VecDeque<u8>>,
    pub readers: Cell<u32>,
    pub writers: Cell<u32>,
    pub changed: Waiters,
}

impl Pipe {
    pub fn new() -> Pipe {
        Pipe::default()
    }

    pub fn len(&self) -> usize {
        self.bytes.borrow().len()
    }

    pub fn add_reader(&self) {
        self.readers.set(self.readers.get() + 1);
        self.changed.wake();
    }

    pub fn add_writer(&self) {
        self.writers.set(self.writers.get() + 1);
        self.changed.wake();
    }

    pub fn drop_reader(&self) {
        self.readers.set(self.readers.get().saturating_sub(1));
        self.changed.wake();
    }

    pub fn drop_writer(&self) {
        self.writers.set(self.writers.get().saturating_sub(1));
        self.changed.wake();
    }

    /// Empty at the end: when nobody can write any more.
    pub fn read(&self, max: usize, waker: &Waker) -> Poll<Vec<u8>> {
        let mut bytes = self.bytes.borrow_mut();
        if bytes.is_empty() {
            if self.writers.get() == 0 || max == 0 {
                return Poll::Ready(Vec::new());
            }
            self.changed.add(waker);
            return Poll::Pending;
        }
        let count = max.min(bytes.len());
        let taken = bytes.drain(..count).collect();
        drop(bytes);
        self.changed.wake();
        Poll::Ready(taken)
    }

    /// Takes as much as there is room for; `EPIPE` when nobody can read any more.
    pub fn write(&self, new: &[u8], waker: &Waker) -> Poll<Result<usize>> {
        if self.readers.get() == 0 {
            return Poll::Ready(Err(Errno::EPIPE));
        }
        let mut bytes = self.bytes.borrow_mut();
        let room = CAPACITY - bytes.len();
        // Up to PIPE_BUF bytes are written whole or not at all.
        if room == 0 || (new.len() <= 4096 && room < new.len()) {
            self.changed.add(waker);
            return Poll::Pending;
        }
        let count = room.min(new.len());
        bytes.extend(&new[..count]);
        drop(bytes);
        self.changed.wake();
        Poll::Ready(Ok(count))
    }

    pub fn readable(&self) -> bool {
        self.len() > 0
    }

    pub fn writable(&self) -> bool {
        self.readers.get() == 0 || self.len() < CAPACITY
    }
}
