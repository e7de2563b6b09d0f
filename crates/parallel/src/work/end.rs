//! What a call ends with whose results are kept.

use super::results::Results;
use super::source::Source;
use super::{Input, Output, Ran, Work};
use crate::delayed::Task;
use crate::error::{BackendError, Error, Failure, Outcome, TaskError};

/// Outcomes, each with the index of its task, in the order of these.
pub(crate) type Pairs<R> = Vec<(usize, Outcome<R>)>;

impl<T: Task> Work<'_, T> {
    /// All results, in order.
    pub(crate) fn into_values(
        self,
        driven: Result<(), BackendError>,
    ) -> Result<Vec<T::Output>, Error> {
        let (results, error) = self.ended(driven);
        error.map_or(Ok(()), Err)?;
        results.into_values().map_err(Error::Task)
    }

    /// All outcomes, in order.
    pub(crate) fn into_outcomes(
        self,
        driven: Result<(), BackendError>,
    ) -> Result<Vec<Outcome<T::Output>>, Error> {
        let (results, error) = self.ended(driven);
        error.map_or(Ok(()), Err)?;
        Ok(results.into_outcomes())
    }

    /// The outcomes that there are, each with its index, and why there are no more.
    pub(crate) fn into_pairs(
        self,
        driven: Result<(), BackendError>,
    ) -> (Pairs<T::Output>, Option<Error>) {
        let (results, error) = self.ended(driven);
        (results.into_pairs(), error)
    }

    /// The results, and why they cannot be trusted to be all: the backend did not do its part. What ended
    /// the call before comes first, and is among the results.
    fn ended(self, driven: Result<(), BackendError>) -> (Results<T::Output>, Option<Error>) {
        let (stopped, cancelled) = (self.stopped(), self.stopping.cancelled());
        let (Input::Source(source), Output::Kept(results, _)) = (self.input, self.output) else {
            unreachable!("the results of streams are handed over as they come");
        };
        let (source, mut results) = (source.into_inner(), results.into_inner());
        if cancelled {
            for index in unfinished(&source, &results) {
                if let Some(watching) = &self.watching {
                    watching.finished(index, Ran::not(), Some(Failure::Cancelled));
                }
                results.add_failure(TaskError::new(index, 0, Failure::Cancelled));
            }
        }
        let error = match driven {
            // A task's failure comes first.
            Err(error) if !cancelled && !results.has_failed() => Some(error),
            _ if stopped => None,
            Err(error) => Some(error),
            Ok(()) => {
                let (pulled, complete) = (source.pulled(), results.complete_up_to());
                let some_left = complete < pulled || !source.is_empty();
                some_left.then(|| incomplete(complete))
            }
        };
        // It is the user's to drop, as are the tasks that were not started.
        source.discard();
        if let Some(watching) = &self.watching {
            watching.end();
        }
        (results, error.map(Error::Backend))
    }
}

/// What has no outcome of all that was pulled, and what would have been pulled next.
fn unfinished<T, R>(source: &Source<'_, T>, results: &Results<R>) -> Vec<usize> {
    let more = !source.has_ended() && source.at_most() != Some(0);
    let end = source.pulled() + usize::from(more);
    results.missing(end)
}

/// The backend has left out a task.
pub(super) fn incomplete(task: usize) -> BackendError {
    BackendError::new(format!(
        "the backend returned without an outcome for task {task}: it must take tasks until there are \
         none, and finish each"
    ))
}
