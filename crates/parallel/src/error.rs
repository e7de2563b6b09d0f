//! What can go wrong, and what is told about it.
//!
//! Two levels. [`Error`] is the end of a whole call; [`TaskError`] is the outcome of one task, which
//! costs nobody else anything unless the caller asked, with `run`, to stop at the first.

use std::fmt;

pub use crate::failure::{Failure, PanicBacktrace};

/// What became of one task: its result, or why there is none.
pub type Outcome<R> = Result<R, TaskError>;

/// Why a whole call gave no results.
///
/// ```
/// use parallel::{Error, Parallel, delayed};
///
/// let error = Parallel::new(0).run((0..3).map(|i| delayed(|i| i, i))).unwrap_err();
/// assert!(matches!(error, Error::NoJobs));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `n_jobs` was 0, which joblib refuses too: it names no number of workers.
    #[error("n_jobs is 0: ask for a number of workers, or for -1 to use every CPU")]
    NoJobs,
    /// A task failed, and [`run`](crate::Parallel::run) stops at the first failure.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// What was waited for is not there yet, of a [`Handle`](crate::Handle) or a stream. The work goes on.
    #[error("there is no outcome yet: the work goes on; wait again, or cancel it")]
    StillRunning,
    /// The backend could not go on; no task is to blame.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// Why a backend could not run what it was given.
///
/// A backend of your own makes one with [`BackendError::new`] (says what and what to do) and
/// [`BackendError::with_source`] (and why).
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct BackendError {
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl BackendError {
    /// An error that `message` tells completely.
    ///
    /// ```
    /// let error = parallel::BackendError::new("the kitchen is closed: come back at six");
    /// assert_eq!(error.to_string(), "the kitchen is closed: come back at six");
    /// ```
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    /// The same, with the error that caused it, whose text is added to the message.
    ///
    /// ```
    /// use std::io;
    /// let why = io::Error::other("no gas");
    /// let error = parallel::BackendError::with_source("cannot light the oven", why);
    /// assert_eq!(error.to_string(), "cannot light the oven: no gas");
    /// ```
    pub fn with_source(
        message: impl fmt::Display,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let source = source.into();
        Self {
            message: format!("{message}: {source}"),
            source: Some(source),
        }
    }
}

/// One task's failure: which task, at which attempt, and what happened.
///
/// ```
/// use parallel::{Failure, Parallel, delayed};
///
/// let outcomes = Parallel::new(2).outcomes((0..4u32).map(|i| delayed(|i| 12 / i, i))).unwrap();
/// let error = outcomes[0].as_ref().unwrap_err();
/// assert_eq!(error.index(), 0);
/// assert!(matches!(error.failure(), Failure::Panicked { message, .. } if message.contains("zero")));
/// assert_eq!(outcomes[3].as_ref().unwrap(), &4);
/// ```
#[derive(Clone, thiserror::Error)]
pub struct TaskError(Box<Inner>);

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (index, attempt) = (self.0.index, self.0.which_attempt());
        write!(f, "task {index}{attempt} ")?;
        self.0.failure.tell(f)?;
        if let Some(host) = &self.0.host {
            write!(f, " (on {host})")?;
        }
        self.0.failure.tell_last_words(f)
    }
}

/// Boxed, so that an `Outcome` of a small result stays small.
#[derive(Clone)]
struct Inner {
    index: usize,
    attempts: u32,
    failure: Failure,
    history: Vec<Failure>,
    host: Option<String>,
}

impl Inner {
    fn which_attempt(&self) -> String {
        match self.attempts {
            0 | 1 => String::new(),
            attempt => format!(" (attempt {attempt})"),
        }
    }
}

impl TaskError {
    pub(crate) fn new(index: usize, attempts: u32, failure: Failure) -> Self {
        Self(Box::new(Inner {
            index,
            attempts,
            failure,
            history: Vec::new(),
            host: None,
        }))
    }

    /// The same, with what happened at the attempts before the last one.
    pub(crate) fn with_history(mut self, history: Vec<Failure>) -> Self {
        self.0.history = history;
        self
    }

    /// The same, of a task that ran on this machine.
    #[cfg(target_os = "linux")]
    pub(crate) fn on_host(mut self, host: String) -> Self {
        self.0.host = Some(host);
        self
    }

    /// Calls inside of the tasks were cancelled with theirs: who panics over the error of one was cancelled.
    pub(crate) fn of_call_inside(&mut self) {
        if matches!(self.0.failure, Failure::Panicked { .. }) {
            self.0.failure = Failure::Cancelled;
        }
    }

    /// The machine on which the task ran, if that was a node of a cluster.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.0.host.as_deref()
    }

    /// The task's place in the input, counted from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.0.index
    }

    /// How often the task was started; 0 if it never was, or if it was cancelled on a cluster that was too late to tell.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// What happened at the last attempt.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        &self.0.failure
    }

    /// What happened at the attempts before the last one, the first one first; see
    /// `Processes::retries`.
    #[must_use]
    pub fn history(&self) -> &[Failure] {
        &self.0.history
    }
}

/// As if it were one struct.
impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskError")
            .field("index", &self.index())
            .field("attempts", &self.attempts())
            .field("failure", self.failure())
            .field("history", &self.history())
            .field("host", &self.host())
            .finish()
    }
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
