//! The same work, for a backend that runs tasks of another type.
//!
//! ```text
//!  Work<T> ──take()──► there ──► Work<U> ──► backend
//!     ▲ ◄──give_back()── back ◄────┤
//!     └────finish()── result ◄─────┘
//! ```
//!
//! It is a view: what is asked of it is asked of the work behind it. So laziness, the size of batches,
//! order and stopping are what they are there.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::{Batch, BatchSize, InHand, OnFailure, Plan, PreDispatch, Ran, Watching, Work};
use crate::cancel::CancelToken;
use crate::delayed::Task;
use crate::error::{Failure, TaskError};
use crate::panics;

/// How tasks become those of another type, and what comes of them what would have come of the first.
pub(crate) trait Conversion<T: Task>: Send + Sync {
    /// What they become.
    type Task: Task;

    fn there(&self, task: T) -> Self::Task;

    /// The task that it was made of; `None` if it comes from somewhere else.
    fn back(&self, task: Self::Task) -> Option<T>;

    fn result(&self, result: <Self::Task as Task>::Output) -> Result<T::Output, Failure>;
}

/// The work behind one that is a view.
pub(crate) trait Origin<U: Task>: Send + Sync {
    fn take(&self, wait: bool) -> Option<Batch<U>>;
    fn give_back(&self, batch: Batch<U>);
    /// The hand of a new lane, if it is of use there.
    fn hand(&self) -> Option<Box<dyn InHand<U> + '_>> {
        None
    }
    fn lanes_needed(&self, lanes: usize) -> usize;
    fn is_stream(&self) -> bool;
    /// Whether a result can end the call, which is not known of what stands for it here.
    fn ends_by_result(&self) -> bool {
        false
    }
    fn all_taken(&self) -> bool;
    fn succeed(&self, first: usize, values: Vec<U::Output>);
    fn fail(&self, error: TaskError, ran: Ran);
    fn watching(&self) -> Option<&Watching>;
    fn workers(&self, lanes: usize) -> Range<usize>;
    /// What tasks are told their worker is, if that is not its own number.
    fn known_as(&self) -> Option<usize> {
        None
    }
    fn measured(&self, tasks: usize, run_time: Duration);
}

impl<T: Task + Send> Work<'_, T>
where
    T::Output: Send,
{
    /// A view of this work in which its tasks are of another type.
    pub(crate) fn converted<'c, C: Conversion<T> + 'c>(&'c self, by: C) -> Work<'c, C::Task> {
        let origin = Box::new(Behind { work: self, by });
        let mut view = Work::behind(origin, self.on_failure, None);
        view.span = self.span.clone();
        view.stopping = Arc::clone(&self.stopping);
        view.sharing = self.sharing.clone();
        view
    }
}

impl<'a, U: Task + 'a> Work<'a, U> {
    /// A view of whatever work is behind it.
    pub(crate) fn behind(
        origin: Box<dyn Origin<U> + 'a>,
        on_failure: OnFailure,
        cancel_token: Option<CancelToken>,
    ) -> Self {
        let plan = Plan {
            lanes: 1,
            n_jobs: 1.into(),
            batch_size: BatchSize::Auto,
            batch_time: Duration::ZERO,
            on_failure,
            pre_dispatch: PreDispatch::Auto,
            cancel_tokens: cancel_token.into_iter().collect(),
            worker: None,
            // What happens is told of the work behind it.
            telling: None,
            backend: "",
        };
        let mut view = Work::new(std::iter::empty(), plan);
        view.origin = Some(origin);
        view
    }
}

struct Behind<'c, 'a, T: Task, C> {
    work: &'c Work<'a, T>,
    by: C,
}

impl<T: Task, C: Conversion<T>> Behind<'_, '_, T, C> {
    /// To make a result of bytes is a user's code.
    fn result(&self, value: <C::Task as Task>::Output) -> Result<T::Output, Failure> {
        let result = panics::catch(|| self.by.result(value));
        result.unwrap_or_else(|panic| Err(panic.of_task()))
    }
}

impl<T: Task + Send, C: Conversion<T>> Origin<C::Task> for Behind<'_, '_, T, C>
where
    T::Output: Send,
{
    fn take(&self, wait: bool) -> Option<Batch<C::Task>> {
        let batch = self.work.next_batch(wait, &mut |_| {})?;
        let there = |task| self.by.there(task);
        Some(Batch {
            first: batch.first,
            tasks: batch.tasks.into_iter().map(there).collect(),
        })
    }

    fn give_back(&self, batch: Batch<C::Task>) {
        let back = |task| self.by.back(task);
        // What was never taken here cannot be given back. The backend is told that it is missing.
        if let Some(tasks) = batch.tasks.into_iter().map(back).collect() {
            let first = batch.first;
            self.work.give_back(Batch { first, tasks });
        }
    }

    fn hand(&self) -> Option<Box<dyn InHand<C::Task> + '_>> {
        Some(Box::new(HandBehind {
            hand: self.work.hand(),
            behind: self,
            running: 0,
        }))
    }

    fn lanes_needed(&self, lanes: usize) -> usize {
        self.work.lanes_needed(lanes)
    }

    fn is_stream(&self) -> bool {
        self.work.is_stream()
    }

    fn ends_by_result(&self) -> bool {
        self.work.ends_call.is_some()
    }

    fn all_taken(&self) -> bool {
        self.work.all_taken()
    }

    fn succeed(&self, first: usize, values: Vec<<C::Task as Task>::Output>) {
        let (mut first, mut results) = (first, Vec::with_capacity(values.len()));
        for value in values {
            match self.result(value) {
                Ok(result) => results.push(result),
                Err(failure) => {
                    let failed = first + results.len();
                    self.work.succeed(first, std::mem::take(&mut results));
                    self.work.fail(TaskError::new(failed, 1, failure));
                    first = failed + 1;
                }
            }
        }
        if !results.is_empty() {
            self.work.succeed(first, results);
        }
    }

    fn fail(&self, error: TaskError, ran: Ran) {
        self.work.fail_after(error, ran);
    }

    fn watching(&self) -> Option<&Watching> {
        self.work.watching()
    }

    fn workers(&self, lanes: usize) -> Range<usize> {
        self.work.workers(lanes)
    }

    fn measured(&self, tasks: usize, run_time: Duration) {
        self.work.measured(tasks, run_time);
    }
}

/// What a lane has in hand of the work behind.
struct HandBehind<'h, 'c, 'a, T: Task, C> {
    hand: Box<dyn InHand<T> + 'h>,
    behind: &'h Behind<'c, 'a, T, C>,
    /// The index of the task that runs.
    running: usize,
}

impl<T: Task + Send, C: Conversion<T>> HandBehind<'_, '_, '_, T, C>
where
    T::Output: Send,
{
    fn result(&mut self, value: <C::Task as Task>::Output) -> Option<T::Output> {
        match self.behind.result(value) {
            Ok(value) => {
                if self.behind.work.ends_call.is_some_and(|ends| ends(&value)) {
                    self.behind.work.stop();
                    self.hand.discard();
                }
                Some(value)
            }
            Err(failure) => {
                self.hand.hand_over();
                let error = TaskError::new(self.running, 1, failure);
                self.behind.work.fail(error);
                None
            }
        }
    }
}

impl<T: Task + Send, C: Conversion<T>> InHand<C::Task> for HandBehind<'_, '_, '_, T, C>
where
    T::Output: Send,
{
    fn take(&mut self) -> Option<usize> {
        self.hand.take()
    }

    fn next(&mut self, value: Option<<C::Task as Task>::Output>) -> Option<(usize, C::Task)> {
        let value = value.and_then(|value| self.result(value));
        let (index, task) = self.hand.next(value)?;
        self.running = index;
        Some((index, self.behind.by.there(task)))
    }

    fn hand_over(&mut self) {
        self.hand.hand_over();
    }

    fn share(&mut self) {
        self.hand.share();
    }

    fn discard(&mut self) {
        self.hand.discard();
    }
}
