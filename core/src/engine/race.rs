//! Waiting for whichever comes first, and for all of many.

use std::future::Future;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

/// Which of two futures was ready first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First<A, B> {
    Left(A),
    Right(B),
}

/// Waits for the first of two; the other is dropped. Where both are ready, the left one wins.
pub async fn race<A, B>(left: impl Future<Output = A>, right: impl Future<Output = B>) -> First<A, B> {
    let (mut left, mut right) = (pin!(left), pin!(right));
    poll_fn(|cx| {
        if let Poll::Ready(value) = left.as_mut().poll(cx) {
            return Poll::Ready(First::Left(value));
        }
        right.as_mut().poll(cx).map(First::Right)
    })
    .await
}

/// Work that is done beside other work.
pub type Work<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Does all of it at once, in turns; the results in the order of the work.
pub async fn together<T>(work: Vec<Work<'_, T>>) -> Vec<T> {
    let mut work: Vec<(Option<Work<'_, T>>, Option<T>)> = work.into_iter().map(|w| (Some(w), None)).collect();
    poll_fn(|cx| {
        for (running, done) in &mut work {
            if let Some(Poll::Ready(value)) = running.as_mut().map(|w| w.as_mut().poll(cx)) {
                (*running, *done) = (None, Some(value));
            }
        }
        if work.iter().any(|(running, _)| running.is_some()) { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    work.into_iter().filter_map(|(_, done)| done).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::task::{Context, Waker};

    #[test]
    fn all_are_asked_until_each_is_done() {
        let turns = &Cell::new(0);
        let after = |wanted: u32| -> Work<'_, u32> {
            Box::pin(poll_fn(move |_| if turns.get() >= wanted { Poll::Ready(wanted) } else { Poll::Pending }))
        };
        let mut all = pin!(together(vec![after(2), after(0), after(1)]));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(all.as_mut().poll(&mut cx).is_pending());
        turns.set(1);
        assert!(all.as_mut().poll(&mut cx).is_pending());
        turns.set(2);
        assert_eq!(all.as_mut().poll(&mut cx), Poll::Ready(vec![2, 0, 1]));
    }
}
