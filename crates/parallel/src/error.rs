//! What can go wrong, and what is told about it.
//!
//! Two levels. [`Error`] is the end of a whole call; [`TaskError`] is the outcome of one task, which
//! costs nobody else anything unless the caller asked, with `run`, to stop at the first.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    /// The task that was waited for has no outcome yet; see [`Handle`](crate::Handle). It goes on.
    #[error("the task is still running: wait for it again, or cancel it")]
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

    /// How often the task was started; 0 if it never was.
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

/// What happened to a task that has no result.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Failure {
    /// The task panicked. Its worker lives on.
    Panicked {
        /// What the panic said, or a stand-in if it carried something other than text.
        message: String,
        /// `file:line:column`, unless somebody replaced the panic hook since.
        location: Option<String>,
        /// The call stack, unless `RUST_LIB_BACKTRACE` or `RUST_BACKTRACE` is `0`.
        backtrace: Option<PanicBacktrace>,
    },
    /// The process that ran the task ended: by a signal, or by leaving with an exit code.
    Died {
        /// The signal that ended it, as 11 for `SIGSEGV`.
        signal: Option<i32>,
        /// The exit code with which it left.
        code: Option<i32>,
        /// Whether it was likely the kernel that killed it, because the machine or the container had no
        /// memory left.
        oom_likely: bool,
        /// The last lines that it printed on standard error, ten at most, separated by line feeds.
        last_words: String,
    },
    /// The task wanted more memory than a worker may have, and ended with its worker process; see
    /// `Processes::memory_limit`.
    OutOfMemory,
    /// The task ran for longer than it may, and was ended with the process that ran it; see
    /// `Processes::timeout`.
    TimedOut {
        /// How long a task may run.
        limit: std::time::Duration,
    },
    /// The cluster lost the task: the machine or the process that had it is gone, or the whole cluster is.
    /// Whether the task was started is not known. See `Dask::retries`.
    Lost {
        /// What is known of how it was lost, with the cluster's address.
        message: String,
    },
    /// The call was stopped before the task had a result; see [`CancelToken`](crate::CancelToken).
    Cancelled,
    /// The task was never run, since its backend could not go on.
    Backend {
        /// What the backend said.
        message: String,
    },
    /// A value could not be turned into bytes: the argument on the way there, the result on the way
    /// back.
    Encode {
        /// The type of the value.
        type_name: String,
        /// What the encoder said, and the way out if one is known.
        message: String,
    },
    /// Bytes could not be turned back into a value.
    Decode {
        /// The type that was to be made.
        type_name: String,
        /// What the decoder said, and the way out if one is known.
        message: String,
    },
    /// The input iterator panicked instead of giving the task. What came before it was run.
    Source {
        /// What the panic said.
        message: String,
        /// `file:line:column`, where known.
        location: Option<String>,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(f)?;
        self.tell_last_words(f)
    }
}

impl Failure {
    fn tell_last_words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Died { last_words, .. } if !last_words.is_empty() => {
                write!(f, "; the last lines on its standard error:")?;
                let mut lines = last_words.lines();
                lines.try_for_each(|line| write!(f, "\n    {line}"))
            }
            _ => Ok(()),
        }
    }

    /// What happened, in one line, but for texts of others.
    fn tell(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |location: &Option<String>| match location {
            Some(place) => format!(" at {place}"),
            None => String::new(),
        };
        match self {
            Self::Panicked {
                message, location, ..
            } => write!(f, "panicked{}: {message}", place(location)),
            Self::Died {
                signal,
                code,
                oom_likely,
                ..
            } => {
                match (signal, code) {
                    (Some(signal), _) => write!(
                        f,
                        "killed its worker process: {} (signal {signal})",
                        signal_name(*signal)
                    ),
                    (None, Some(code)) => {
                        write!(f, "ended its worker process with exit code {code}")
                    }
                    (None, None) => write!(f, "lost its worker process"),
                }?;
                if *oom_likely {
                    write!(
                        f,
                        "; likely by the kernel, which has just killed a process because memory ran out: \
                         run fewer jobs at a time, or set a memory limit"
                    )?;
                }
                Ok(())
            }
            Self::OutOfMemory => write!(
                f,
                "wanted more memory than its worker process may have, and ended with it"
            ),
            Self::TimedOut { limit } => {
                write!(
                    f,
                    "ran for longer than {limit:?} and was ended with its worker process"
                )
            }
            Self::Lost { message } => write!(f, "was lost: {message}"),
            Self::Cancelled => write!(f, "was cancelled"),
            Self::Backend { message } => write!(f, "was not run: {message}"),
            Self::Encode { type_name, message } => {
                write!(f, "cannot send a value of type {type_name}: {message}")
            }
            Self::Decode { type_name, message } => {
                write!(f, "cannot receive a value of type {type_name}: {message}")
            }
            Self::Source { message, location } => write!(
                f,
                "was never given: the input iterator panicked{}: {message}",
                place(location)
            ),
        }
    }
}

/// The usual names of the signals that end a process; see signal(7).
fn signal_name(signal: i32) -> &'static str {
    match signal {
        1 => "SIGHUP, hang-up",
        2 => "SIGINT, interrupt",
        3 => "SIGQUIT, quit",
        4 => "SIGILL, illegal instruction",
        5 => "SIGTRAP, trap",
        6 => "SIGABRT, abort",
        7 => "SIGBUS, bad memory access",
        8 => "SIGFPE, arithmetic fault",
        9 => "SIGKILL, killed by another process or by the kernel",
        11 => "SIGSEGV, invalid memory access or stack overflow",
        13 => "SIGPIPE, wrote to a closed pipe",
        14 => "SIGALRM, alarm",
        15 => "SIGTERM, asked to end",
        24 => "SIGXCPU, CPU time limit",
        25 => "SIGXFSZ, file size limit",
        31 => "SIGSYS, forbidden system call",
        _ => "a signal",
    }
}

/// The call stack of a panic. Print it; it names the functions once it is printed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct PanicBacktrace(Stack);

#[derive(Clone)]
enum Stack {
    /// Captured in this process; names are looked up when it is printed, since that is slow.
    Here(std::sync::Arc<std::backtrace::Backtrace>),
    /// Captured in another process, which had to look the names up itself.
    Elsewhere(String),
}

impl PanicBacktrace {
    /// The stack at this place, or `None` if the environment says that backtraces are unwanted.
    pub(crate) fn capture() -> Option<Self> {
        static WANTED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        let wanted = WANTED.get_or_init(|| {
            // The order in which std asks, but wanted unless refused: a panic is an outcome here, and
            // nothing else tells the user where it came from.
            let asked = std::env::var_os("RUST_LIB_BACKTRACE")
                .or_else(|| std::env::var_os("RUST_BACKTRACE"));
            asked.is_none_or(|value| value != "0")
        });
        wanted.then(|| {
            let stack = std::backtrace::Backtrace::force_capture();
            Self(Stack::Here(std::sync::Arc::new(stack)))
        })
    }
}

impl fmt::Display for PanicBacktrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Stack::Here(stack) => stack.fmt(f),
            Stack::Elsewhere(text) => f.write_str(text),
        }
    }
}

/// One line: a `{:?}` of an error should not fill the screen.
impl fmt::Debug for PanicBacktrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PanicBacktrace(..)")
    }
}

impl From<String> for PanicBacktrace {
    fn from(text: String) -> Self {
        Self(Stack::Elsewhere(text))
    }
}

impl From<PanicBacktrace> for String {
    fn from(backtrace: PanicBacktrace) -> Self {
        backtrace.to_string()
    }
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
