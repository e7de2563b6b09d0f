//! The caller's iterator: pulled by need, one batch at a time, never after it ended.

use parking_lot::Mutex;

use super::batch::Sizing;
use crate::panics::{self, Panic};

/// So many tasks are taken from the iterator at a time: no batch has more whose size is measured.
const PART: usize = 1 << 17;

/// An iterator of tasks of whatever type, so that `Work` need not name it. One virtual call a batch.
trait Feed<T>: Send {
    /// Moves up to `n` tasks into `tasks`.
    fn fill(&mut self, tasks: &mut Vec<T>, n: usize);

    /// How many are left at most, if known.
    fn at_most(&self) -> Option<usize>;
}

impl<I: Iterator + Send> Feed<I::Item> for I {
    fn fill(&mut self, tasks: &mut Vec<I::Item>, n: usize) {
        // A part at a time: a hint that lies about the least, or a large `n`, must not have it reserve all of that.
        let mut left = n;
        while left > 0 {
            let (before, part) = (tasks.len(), left.min(PART));
            tasks.extend(self.take(part));
            left -= part;
            if tasks.len() - before < part {
                return;
            }
        }
    }

    fn at_most(&self) -> Option<usize> {
        self.size_hint().1
    }
}

/// Consecutive tasks, the first of which has the index `first`.
///
/// Iterate over it for the tasks with their indices.
///
/// ```
/// # use parallel::{Backend, BackendError, Parallel, Task, Work, delayed};
/// # struct Plain;
/// # impl<T: Task> Backend<T> for Plain {
/// fn drive(&self, _lanes: usize, work: &Work<'_, T>) -> Result<(), BackendError> {
///     while let Some(batch) = work.take() {
///         for (index, task) in batch {
///             work.finish(index, Ok(task.call()));
///         }
///     }
///     Ok(())
/// }
/// # }
/// # assert_eq!(Parallel::new(1).backend(Plain).run((0..3).map(|i| delayed(|i| i, i)))?, [0, 1, 2]);
/// # Ok::<(), parallel::Error>(())
/// ```
#[derive(Debug)]
pub struct Batch<T> {
    pub(crate) first: usize,
    pub(crate) tasks: Vec<T>,
}

impl<T> Batch<T> {
    /// How many tasks these are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there are none; a batch that was taken has at least one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

impl<T> IntoIterator for Batch<T> {
    type Item = (usize, T);
    type IntoIter = std::iter::Zip<std::ops::RangeFrom<usize>, std::vec::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        (self.first..).zip(self.tasks)
    }
}

/// What is yet to be handed out.
pub(super) struct Source<'a, T> {
    feed: Box<dyn Feed<T> + 'a>,
    ended: bool,
    pulled: usize,
    /// Tasks that a lane took and could not run.
    returned: Vec<Batch<T>>,
}

/// What a pull gave: the tasks, and the panic that cut them short.
pub(super) type Pulled<T> = (Option<Batch<T>>, Option<Box<Panic>>);

impl<'a, T> Source<'a, T> {
    pub(super) fn new(tasks: impl Iterator<Item = T> + Send + 'a) -> Self {
        Self {
            feed: Box::new(tasks),
            ended: false,
            pulled: 0,
            returned: Vec::new(),
        }
    }

    /// How many tasks came out of the iterator, a panic in it counted as one.
    pub(super) fn pulled(&self) -> usize {
        self.pulled
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// How many tasks the iterator says are left at most. If it panics over that, it says nothing.
    pub(super) fn at_most(&self) -> Option<usize> {
        panics::catch(|| self.feed.at_most()).unwrap_or(None)
    }

    /// Whether there is nothing left to hand out.
    pub(super) fn is_empty(&self) -> bool {
        self.ended && self.returned.is_empty()
    }

    /// Drops the iterator, and what nobody has taken.
    pub(super) fn discard(self) {
        let feed = self.feed;
        let _ = panics::catch(move || drop(feed));
        for batch in self.returned {
            panics::discard(batch.tasks);
        }
    }

    pub(super) fn give_back(&mut self, batch: Batch<T>) {
        if !batch.is_empty() {
            self.returned.push(batch);
        }
    }

    /// The next batch, of no more tasks than there are permits. A lane that goes `ahead`, since it has tasks already, gets
    /// nothing that was given back for one that has none, nor what is not enough for all.
    pub(super) fn take(
        &mut self,
        sizing: &Mutex<Sizing>,
        ahead: bool,
        permits: usize,
    ) -> Pulled<T> {
        let left = self.at_most();
        let size = {
            let sizing = sizing.lock();
            if ahead && !(self.returned.is_empty() && sizing.is_enough_for_all(left)) {
                return (None, None);
            }
            sizing.next(left)
        };
        self.pull(size.min(permits))
    }

    /// The next tasks, `n` at most, of those that were given back first; none when the iterator has ended, or has panicked at once.
    ///
    /// A panic ends the iterator, and takes the index that its task would have had.
    pub(super) fn pull(&mut self, n: usize) -> Pulled<T> {
        if let Some(mut batch) = self.returned.pop() {
            if batch.len() > n {
                let rest = batch.tasks.split_off(n);
                let first = batch.first + n;
                self.give_back(Batch { first, tasks: rest });
            }
            return (Some(batch), None);
        }
        if self.ended {
            return (None, None);
        }
        let first = self.pulled;
        let mut tasks = Vec::new();
        let feed = &mut self.feed;
        let panic = panics::catch(|| feed.fill(&mut tasks, n)).err();
        self.pulled += tasks.len() + usize::from(panic.is_some());
        self.ended = panic.is_some() || tasks.len() < n;
        let batch = Batch { first, tasks };
        ((!batch.is_empty()).then_some(batch), panic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::BatchSize;
    use std::time::Duration;

    #[test]
    fn who_goes_ahead_gets_nothing_that_is_for_others() {
        let sizing = Sizing::new(BatchSize::Fixed(1), Duration::ZERO, 2, 100);
        let (sizing, mut source) = (Mutex::new(sizing), Source::new(0..4));
        let take = |source: &mut Source<'_, i32>, ahead| {
            let (batch, _) = source.take(&sizing, ahead, usize::MAX);
            batch.map(|batch| batch.tasks)
        };
        assert_eq!(take(&mut source, true), Some(vec![0]));
        // Another lane has been interrupted.
        source.give_back(Batch {
            first: 0,
            tasks: vec![0],
        });
        assert_eq!(take(&mut source, true), None);
        assert_eq!(take(&mut source, false), Some(vec![0]));
        for i in [1, 2] {
            assert_eq!(take(&mut source, true), Some(vec![i]));
        }
        assert_eq!(take(&mut source, true), None, "one is left, for two lanes");
        assert_eq!(take(&mut source, false), Some(vec![3]));
    }
}
