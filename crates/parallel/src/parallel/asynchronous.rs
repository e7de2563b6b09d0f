//! Results as they come, for asynchronous programs. Needs no runtime: the work is done by threads of its
//! own, which wake whoever waits.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::drivers::spawn;
use super::stream::{self, Iter, IterUnordered, no_thread};
use crate::delayed::Task;
use crate::error::Outcome;

impl<T> Iter<T>
where
    T: Task + Send + 'static,
    T::Output: Send + 'static,
{
    /// The same for an asynchronous program: a stream of outcomes in the order of the input. With the
    /// feature `stream`.
    ///
    /// ```
    /// use futures_core::Stream;
    /// use parallel::{Outcome, Parallel, delayed};
    ///
    /// fn squares() -> impl Stream<Item = Outcome<u64>> {
    ///     Parallel::new(2).iter((0..10u64).map(|i| delayed(|i| i * i, i))).into_stream()
    /// }
    /// # let _ = squares();
    /// ```
    pub fn into_stream(self) -> IterStream<T> {
        self.0.watch_over();
        IterStream(self)
    }
}

impl<T> IterUnordered<T>
where
    T: Task + Send + 'static,
    T::Output: Send + 'static,
{
    /// The same for an asynchronous program: a stream of outcomes as they come, with their indices. With the
    /// feature `stream`.
    pub fn into_stream(self) -> IterUnorderedStream<T> {
        self.0.watch_over();
        IterUnorderedStream(self)
    }
}

impl<T> stream::Stream<T>
where
    T: Task + Send + 'static,
    T::Output: Send + 'static,
{
    /// Has a thread reclaim what lanes have in hand: the caller has none to sleep on.
    fn watch_over(&self) {
        let work = Arc::clone(&self.work);
        if let Err(error) = spawn("parallel-watch", move || work.watch_over()) {
            self.work.close(Err(no_thread(&error)));
        }
    }
}

/// The outcomes of a call in the order of its input: what [`Iter::into_stream`] gives.
#[must_use = "to drop it ends the call"]
pub struct IterStream<T: Task>(Iter<T>);

/// The outcomes of a call as they come, with their indices: what [`IterUnordered::into_stream`] gives.
#[must_use = "to drop it ends the call"]
pub struct IterUnorderedStream<T: Task>(IterUnordered<T>);

// Nothing in them is pinned.
impl<T: Task> Unpin for IterStream<T> {}
impl<T: Task> Unpin for IterUnorderedStream<T> {}

impl<T: Task> Stream for IterStream<T> {
    type Item = Outcome<T::Output>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.0.0.poll_next(context);
        next.map(|next| next.map(|(_, outcome)| outcome))
    }
}

impl<T: Task> Stream for IterUnorderedStream<T> {
    type Item = (usize, Outcome<T::Output>);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.0.poll_next(context)
    }
}

impl<T: Task> fmt::Debug for IterStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IterStream").finish_non_exhaustive()
    }
}

impl<T: Task> fmt::Debug for IterUnorderedStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IterUnorderedStream")
            .finish_non_exhaustive()
    }
}
