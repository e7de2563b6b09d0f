//! Work whose results are handed over as they come: the side of the input, and that of the caller.

#[cfg(feature = "stream")]
use std::task::{Context, Poll};
use std::time::Instant;
use std::vec;

use super::delivery::NotYet;
use super::end::incomplete;
use super::feed::Ended;
use super::results::Run;
use super::{Input, Output, Ran, Work};
use crate::delayed::Task;
use crate::error::{BackendError, Failure, Outcome, TaskError};
use crate::panics;

/// The thread that pulls takes so many permits at a time, if there are as many.
const PERMITS: usize = 64;

/// Where the number of permits is not fixed, so many are given back together.
const GIVE_BACK: usize = 16;

impl<T: Task> Work<'_, T> {
    /// Whether lanes wait for an input that a thread of its own pulls, and so may have nothing to do for long.
    pub(crate) fn is_stream(&self) -> bool {
        match &self.origin {
            Some(origin) => origin.is_stream(),
            None => matches!(self.input, Input::Feed(_)),
        }
    }

    /// Pulls the whole input, each task as soon as there is a permit for it. For a thread of its own.
    pub(crate) fn pull_all(&self, mut tasks: impl Iterator<Item = T>) {
        let (Input::Feed(feed), Some(window)) = (&self.input, &self.window) else {
            return;
        };
        let has_permit = |permits: &mut usize| {
            if *permits == 0 {
                *permits = window.acquire(PERMITS);
            }
            *permits > 0
        };
        let mut permits = 0;
        let pulled = panics::catch(|| {
            loop {
                // Who has no more to give needs no permit to say so.
                let says_so = permits == 0 && tasks.size_hint().1 == Some(0);
                if !says_so && !has_permit(&mut permits) {
                    return Ended::Unwanted;
                }
                let Some(task) = tasks.next() else {
                    return Ended::Exhausted;
                };
                // It may have been wrong.
                if says_so && !has_permit(&mut permits) {
                    return Ended::Unwanted;
                }
                permits -= 1;
                if feed.push(task, tasks.size_hint().1 == Some(0)).is_err() {
                    return Ended::Unwanted;
                }
            }
        });
        // The permit of the task that did not come goes to its failure.
        let spare = permits.saturating_sub(usize::from(pulled.is_err()));
        let how = pulled.unwrap_or_else(|panic| {
            // Before the end is known, after which no outcome may be missing.
            self.fail(TaskError::new(feed.pulled(), 0, panic.of_source()));
            Ended::Panicked
        });
        feed.end(how);
        window.release(spare);
        let _ = panics::catch(move || drop(tasks));
    }

    /// The backend is through: no more results will come.
    pub(crate) fn close(&self, driven: Result<(), BackendError>) {
        let (Input::Feed(feed), Output::Handed(delivery)) = (&self.input, &self.output) else {
            return;
        };
        let (pulled, complete) = (feed.pulled(), delivery.complete_up_to());
        let error = match driven {
            Err(error) if !self.stopping.cancelled() => Some(error),
            _ if self.stopped() => None,
            Err(error) => Some(error),
            Ok(()) if complete < pulled || !feed.is_empty() => Some(incomplete(complete)),
            Ok(()) => None,
        };
        self.stop();
        feed.clear();
        if self.stopping.cancelled() {
            // Now that no more are pulled.
            let pulled = feed.pulled();
            let may_be_more = self.at_most.is_none_or(|most| pulled < most);
            let end = pulled + usize::from(may_be_more && !feed.is_exhausted());
            for index in delivery.missing(end) {
                let error = TaskError::new(index, 0, Failure::Cancelled);
                if let Some(watching) = &self.watching {
                    watching.finished(index, Ran::not(), Some(Failure::Cancelled));
                }
                drop(delivery.add(index, Run::Failure(error)));
            }
        }
        if let Some(watching) = &self.watching {
            watching.end();
        }
        delivery.close(error);
    }

    /// Nobody wants the results any more.
    pub(crate) fn abandon(&self) {
        self.stop();
        if let (Input::Feed(feed), Output::Handed(delivery)) = (&self.input, &self.output) {
            delivery.close(None);
            feed.clear();
            delivery.clear();
        }
    }

    /// Whether nobody waits for it any more, or nobody has to.
    pub(crate) fn is_closed(&self) -> bool {
        match &self.output {
            Output::Handed(delivery) => delivery.is_closed(),
            Output::Kept(..) => false,
        }
    }
}

/// How far the caller has come in the results.
#[derive(Debug)]
pub(crate) struct Cursor<R> {
    /// The index of the next of `values`.
    next: usize,
    values: vec::IntoIter<R>,
    /// Handed over, and the permits not given back.
    owed: usize,
    /// The index behind the highest that was handed over.
    end: usize,
    /// Whether a result counts as handed over only when the next one is asked for.
    once_through: bool,
}

impl<R> Cursor<R> {
    /// Hands results over to someone who keeps them.
    pub(crate) fn new() -> Self {
        Self {
            once_through: false,
            next: 0,
            values: Vec::new().into_iter(),
            owed: 0,
            end: 0,
        }
    }

    /// Hands results over to someone who is through with each when he asks for the next.
    pub(crate) fn new_once_through() -> Self {
        Self {
            once_through: true,
            ..Self::new()
        }
    }

    /// The next outcome and its index. Sleeps until there is one.
    #[inline]
    pub(crate) fn next<T: Task<Output = R>>(
        &mut self,
        work: &Work<'_, T>,
    ) -> Option<(usize, Outcome<R>)> {
        // Who has no deadline is never told that there is nothing yet.
        self.next_until(work, None).unwrap_or(None)
    }

    /// The same, but sleeps until this deadline at most.
    #[inline]
    pub(crate) fn next_until<T: Task<Output = R>>(
        &mut self,
        work: &Work<'_, T>,
        deadline: Option<Instant>,
    ) -> Result<Option<(usize, Outcome<R>)>, NotYet> {
        if let Some(next) = self.at_hand(work) {
            return Ok(Some(next));
        }
        let Output::Handed(delivery) = &work.output else {
            return Ok(None);
        };
        loop {
            let (first, run) = match delivery.next(deadline, || work.reclaim())? {
                Some(next) => next,
                None => return Ok(None),
            };
            if let Some(next) = self.unpack(work, first, run) {
                return Ok(Some(next));
            }
        }
    }

    /// The same for a task of an asynchronous program.
    #[cfg(feature = "stream")]
    pub(crate) fn poll_next<T: Task<Output = R>>(
        &mut self,
        work: &Work<'_, T>,
        context: &mut Context<'_>,
    ) -> Poll<Option<(usize, Outcome<R>)>> {
        if let Some(next) = self.at_hand(work) {
            return Poll::Ready(Some(next));
        }
        let Output::Handed(delivery) = &work.output else {
            return Poll::Ready(None);
        };
        loop {
            let (first, run) = match delivery.poll_next(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(next)) => next,
                Poll::Ready(None) => return Poll::Ready(None),
            };
            if let Some(next) = self.unpack(work, first, run) {
                return Poll::Ready(Some(next));
            }
        }
    }

    /// The next outcome of those that were taken together.
    fn at_hand<T: Task<Output = R>>(&mut self, work: &Work<'_, T>) -> Option<(usize, Outcome<R>)> {
        if self.once_through && !work.grows() {
            self.settle(work);
        }
        match self.values.next() {
            Some(value) => {
                let index = self.next;
                self.next += 1;
                self.hand_over(work, index);
                Some((index, Ok(value)))
            }
            None => {
                // Who waits lets the others go on.
                self.settle(work);
                None
            }
        }
    }

    fn unpack<T: Task<Output = R>>(
        &mut self,
        work: &Work<'_, T>,
        first: usize,
        run: Run<R>,
    ) -> Option<(usize, Outcome<R>)> {
        match run {
            Run::Values(values) => {
                self.next = first;
                self.values = values.into_iter();
                self.at_hand(work)
            }
            Run::Failure(error) => {
                self.hand_over(work, first);
                Some((first, Err(error)))
            }
        }
    }

    /// After all others, what stands for all that did not run, if the backend could not go on.
    pub(crate) fn last<T: Task<Output = R>>(
        &self,
        work: &Work<'_, T>,
    ) -> Option<(usize, Outcome<R>)> {
        let message = self.take_error(work)?.to_string();
        let failure = Failure::Backend { message };
        Some((self.end, Err(TaskError::new(self.end, 0, failure))))
    }

    /// Why the backend could not go on, for the one who asks first.
    pub(crate) fn take_error<T: Task<Output = R>>(
        &self,
        work: &Work<'_, T>,
    ) -> Option<BackendError> {
        match &work.output {
            Output::Handed(delivery) => delivery.take_error(),
            Output::Kept(..) => None,
        }
    }

    fn hand_over<T: Task<Output = R>>(&mut self, work: &Work<'_, T>, index: usize) {
        self.end = self.end.max(index + 1);
        self.owed += 1;
        let exact = !work.grows() && !self.once_through;
        if self.owed >= GIVE_BACK || exact {
            self.settle(work);
        }
    }

    /// Gives back the permits of what was handed over.
    fn settle<T: Task<Output = R>>(&mut self, work: &Work<'_, T>) {
        if self.owed > 0
            && let Some(window) = &work.window
        {
            window.release(std::mem::take(&mut self.owed));
        }
    }
}
