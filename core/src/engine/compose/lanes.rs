//! Work of which only so much is done at once (`--parallel`).

use crate::engine::race::{Work, together};
use std::cell::RefCell;

/// Does all of it, at most `most` pieces at a time; the results in the order of the work.
pub(super) async fn lanes<T>(work: Vec<Work<'_, T>>, most: usize) -> Vec<T> {
    let count = most.clamp(1, work.len().max(1));
    let results: RefCell<Vec<Option<T>>> = RefCell::new(work.iter().map(|_| None).collect());
    let left = RefCell::new(work.into_iter().enumerate());
    let (results_of, next) = (&results, &left);
    let lane = || {
        Box::pin(async move {
            loop {
                let taken = next.borrow_mut().next();
                let Some((at, piece)) = taken else { return };
                let result = piece.await;
                results_of.borrow_mut()[at] = Some(result);
            }
        }) as Work<'_, ()>
    };
    together((0..count).map(|_| lane()).collect()).await;
    results.into_inner().into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn no_more_than_allowed_at_once() {
        let (running, most) = (&Cell::new(0), &Cell::new(0));
        let piece = |n: u32| -> Work<'_, u32> {
            Box::pin(async move {
                running.set(running.get() + 1);
                most.set(most.get().max(running.get()));
                let mut asked = false;
                poll_fn(|_| if std::mem::replace(&mut asked, true) { Poll::Ready(()) } else { Poll::Pending }).await;
                running.set(running.get() - 1);
                n
            })
        };
        for (limit, seen) in [(2, 2), (usize::MAX, 5), (0, 1)] {
            most.set(0);
            let mut all = pin!(lanes((0..5).map(piece).collect(), limit));
            let mut cx = Context::from_waker(Waker::noop());
            let done = (0..20).find_map(|_| match all.as_mut().poll(&mut cx) {
                Poll::Ready(done) => Some(done),
                Poll::Pending => None,
            });
            assert_eq!(done, Some(vec![0, 1, 2, 3, 4]));
            assert_eq!(most.get(), seen);
        }
    }
}
