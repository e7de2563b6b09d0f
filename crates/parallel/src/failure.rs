//! What can happen to a task.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    /// The lines that come after it.
    pub(crate) fn tell_last_words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
    pub(crate) fn tell(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
