//! Tasks that may fail by themselves: `try_run`.

use std::error;
use std::fmt;

use super::Parallel;
use crate::backend::Backend;
use crate::delayed::Task;
use crate::error::{Error, Failure, TaskError};
use crate::work::{OnFailure, Pairs};

impl<B> Parallel<B> {
    /// Runs tasks that return a `Result`, gives their values in the order of the input, and stops at the
    /// first that returns an `Err`, as at one that fails otherwise: nothing more starts.
    ///
    /// # Errors
    /// Of the errors seen, the one of the lowest index: [`TryError::Returned`] with what the task returned;
    /// [`TryError::Failed`] for what [`run`](Self::run) fails with. Both keep the values that were done.
    ///
    /// ```
    /// use parallel::{Parallel, TryError, delayed};
    ///
    /// let parallel = Parallel::new(2);
    /// let parse = |text: &str| text.parse::<u32>();
    /// let numbers = parallel.try_run(["1", "2", "3"].map(|text| delayed(parse, text))).unwrap();
    /// assert_eq!(numbers, [1, 2, 3]);
    ///
    /// match parallel.try_run(["1", "two", "3"].map(|text| delayed(parse, text))) {
    ///     Err(TryError::Returned { index, error, done }) => {
    ///         assert_eq!(index, 1);
    ///         assert_eq!(error.to_string(), "invalid digit found in string");
    ///         assert!(done.iter().all(|(index, value)| *value as usize == index + 1));
    ///     }
    ///     other => panic!("{other:?}"),
    /// }
    /// ```
    pub fn try_run<I, V, E>(&self, tasks: I) -> Result<Vec<V>, TryError<V, E>>
    where
        I: IntoIterator,
        I::IntoIter: Send,
        I::Item: Task<Output = Result<V, E>>,
        B: Backend<I::Item>, // In other processes: owned arguments only, no captures, no borrows.
    {
        let failed = |error| TryError::Failed {
            error,
            done: Vec::new(),
        };
        let (lanes, work) = self.work(tasks, OnFailure::Stop).map_err(failed)?;
        let work = work.until(Result::is_err);
        let driven = self.backend.drive(lanes, &work);
        let (outcomes, broken) = work.into_pairs(driven);
        sort_out(outcomes, broken)
    }
}

/// Finds what ended a call, and keeps the values.
fn sort_out<V, E>(
    outcomes: Pairs<Result<V, E>>,
    broken: Option<Error>,
) -> Result<Vec<V>, TryError<V, E>> {
    let mut done = Vec::with_capacity(outcomes.len());
    let (mut returned, mut failure) = (None, None);
    // They come in the order of their indices, so the first ones are the lowest.
    for (index, outcome) in outcomes {
        match outcome {
            Ok(Ok(value)) => done.push((index, value)),
            Ok(Err(error)) => {
                returned.get_or_insert((index, error));
            }
            Err(error) => {
                failure.get_or_insert(error);
            }
        }
    }
    // The lowest index is told, but for what was only cancelled since.
    if let Some((index, error)) = returned
        && failure.as_ref().is_none_or(|failure: &TaskError| {
            failure.index() > index || matches!(failure.failure(), Failure::Cancelled)
        })
    {
        return Err(TryError::Returned { index, error, done });
    }
    match failure.map(Error::Task).or(broken) {
        Some(error) => Err(TryError::Failed { error, done }),
        None => Ok(done.into_iter().map(|(_, value)| value).collect()),
    }
}

/// Why [`Parallel::try_run`] has not all values.
#[non_exhaustive]
pub enum TryError<V, E> {
    /// A task returned an error.
    Returned {
        /// The task's place in the input.
        index: usize,
        /// What it returned.
        error: E,
        /// The values that were done by then, each with its index, in order.
        done: Vec<(usize, V)>,
    },
    /// A task failed otherwise, or no task could be run.
    Failed {
        /// As from [`Parallel::run`].
        error: Error,
        /// The values that were done by then, each with its index, in order.
        done: Vec<(usize, V)>,
    },
}

impl<V, E> TryError<V, E> {
    /// The place in the input of the task that ended the call, if it was one.
    pub fn index(&self) -> Option<usize> {
        match self {
            Self::Returned { index, .. } => Some(*index),
            Self::Failed {
                error: Error::Task(error),
                ..
            } => Some(error.index()),
            Self::Failed { .. } => None,
        }
    }

    /// What the task returned, if it is what ended the call.
    pub fn error(&self) -> Option<&E> {
        match self {
            Self::Returned { error, .. } => Some(error),
            Self::Failed { .. } => None,
        }
    }

    /// The values that were done, each with its index, in order.
    pub fn done(&self) -> &[(usize, V)] {
        match self {
            Self::Returned { done, .. } | Self::Failed { done, .. } => done,
        }
    }

    /// The same, to keep.
    pub fn into_done(self) -> Vec<(usize, V)> {
        match self {
            Self::Returned { done, .. } | Self::Failed { done, .. } => done,
        }
    }
}

impl<V, E: fmt::Display> fmt::Display for TryError<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned { index, error, .. } => {
                write!(f, "task {index} returned an error: {error}")
            }
            Self::Failed { error, .. } => error.fmt(f),
        }
    }
}

/// The values are counted, not shown.
impl<V, E: fmt::Debug> fmt::Debug for TryError<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = format_args!("{} values", self.done().len()).to_string();
        match self {
            Self::Returned { index, error, .. } => f
                .debug_struct("Returned")
                .field("index", index)
                .field("error", error)
                .field("done", &done)
                .finish(),
            Self::Failed { error, .. } => f
                .debug_struct("Failed")
                .field("error", error)
                .field("done", &done)
                .finish(),
        }
    }
}

impl<V, E: error::Error + 'static> error::Error for TryError<V, E> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Returned { error, .. } => Some(error),
            Self::Failed { error, .. } => error.source(),
        }
    }
}
