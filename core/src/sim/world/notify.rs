//! Waiting for a condition that other tasks bring about: a bell that wakes everybody who waits on it.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Poll, Waker};

#[derive(Default)]
pub struct Notify {
    waiting: RefCell<Vec<Waker>>,
}

impl Notify {
    /// Wakes everybody who waits, to look again.
    pub fn ring(&self) {
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits until `look` finds something. It is called at once and after each ring.
    pub async fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        poll_fn(|cx| match look() {
            Some(found) => Poll::Ready(found),
            None => {
                let mut waiting = self.waiting.borrow_mut();
                if !waiting.iter().any(|w| w.will_wake(cx.waker())) {
                    waiting.push(cx.waker().clone());
                }
                Poll::Pending
            }
        })
        .await
    }
}

/// Which of two futures was ready first; the other is dropped. The left one is asked first.
pub enum Either<A, B> {
    Left(A),
    Right(B),
}

pub async fn race<A, B>(left: impl Future<Output = A>, right: impl Future<Output = B>) -> Either<A, B> {
    let (mut left, mut right) = (pin!(left), pin!(right));
    poll_fn(|cx| {
        if let Poll::Ready(found) = left.as_mut().poll(cx) {
            return Poll::Ready(Either::Left(found));
        }
        right.as_mut().poll(cx).map(Either::Right)
    })
    .await
}
