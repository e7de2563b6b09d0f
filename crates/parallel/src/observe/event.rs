//! What can happen in a call.

use std::time::{Duration, Instant};

use crate::error::Failure;

/// Something that happened in a call.
///
/// Calls are told apart by `run`, a number that each has for itself in this process.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A call begins.
    RunStarted {
        /// The call.
        run: u64,
        /// How many tasks it has, if its input says so exactly.
        tasks: Option<usize>,
        /// How many it runs at a time. Where a negative number was asked for on a cluster, it changes with the cluster's slots.
        n_jobs: usize,
    },
    /// A worker begins to take part in a call: a thread, or a process that was started or is warm.
    WorkerStarted {
        /// The call.
        run: u64,
        /// The worker's number.
        worker: usize,
        /// Of a worker process, its number in the system.
        pid: Option<u32>,
    },
    /// A task begins. Of one in a worker process it may be told a little early or late.
    TaskStarted {
        /// The call.
        run: u64,
        /// The task's place in the input.
        index: usize,
        /// How often it has been started, this time included.
        attempt: u32,
        /// The worker's number.
        worker: usize,
    },
    /// A task has an outcome.
    TaskFinished {
        /// The call.
        run: u64,
        /// The task's place in the input.
        index: usize,
        /// How often it was started.
        attempt: u32,
        /// The worker's number.
        worker: usize,
        /// When it began, the last time.
        started: Instant,
        /// How long it ran.
        run_time: Duration,
        /// How long it waited, from when its worker took it to when it began.
        wait_time: Duration,
        /// What went wrong, if it has no result.
        failure: Option<Failure>,
    },
    /// A task that failed is to be started again.
    Retried {
        /// The call.
        run: u64,
        /// The task's place in the input.
        index: usize,
        /// How often it has been started.
        attempt: u32,
        /// The worker's number.
        worker: usize,
        /// What went wrong this time.
        failure: Failure,
    },
    /// A worker process has died or was killed. Another one takes its place and its number, if there is
    /// anything left to do.
    WorkerDied {
        /// The call.
        run: u64,
        /// The worker's number.
        worker: usize,
        /// Its number in the system.
        pid: u32,
        /// How it ended, as the system puts it.
        how: String,
    },
    /// The next batches have so many tasks, but for what remains at the end.
    BatchSize {
        /// The call.
        run: u64,
        /// As many as last for the time that a batch shall last.
        tasks: usize,
    },
    /// A worker process printed a line; see `Output::Lines`.
    Line {
        /// The call.
        run: u64,
        /// The number of the worker.
        worker: usize,
        /// The index of the task that printed it; `None` if no task ran then.
        task: Option<usize>,
        /// Where it was printed to.
        stream: OutputStream,
        /// The line, without its end. What is not UTF-8 in it is replaced by U+FFFD.
        text: String,
    },
    /// A task and what came of it have been carried to a worker process and back; told before the task's
    /// end. How long it ran is told there and does not include this.
    Carried {
        /// The call.
        run: u64,
        /// The index of the task.
        index: usize,
        /// How often the task has been started, this time included.
        attempt: u32,
        /// The number of the worker.
        worker: usize,
        /// In this process its argument was made bytes.
        argument_encoded: Stretch,
        /// In the worker it was made of these.
        argument_decoded: Stretch,
        /// In the worker its result was made bytes; no time if it has none.
        result_encoded: Stretch,
        /// In this process what came of it was made of these.
        result_decoded: Stretch,
    },
    /// A span that a task opened with `tracing` has been closed, before the task's end is told. See
    /// [`SpanLayer`](crate::SpanLayer).
    Span {
        /// The call.
        run: u64,
        /// The index of the task.
        index: usize,
        /// How often the task has been started, this time included.
        attempt: u32,
        /// The number of the worker.
        worker: usize,
        /// What the span is called.
        name: String,
        /// The names and values of its fields.
        fields: Vec<(String, String)>,
        /// How many other spans of the task it lies in.
        depth: usize,
        /// When it was opened.
        started: Instant,
        /// How long it was open.
        run_time: Duration,
    },
    /// A call has ended.
    RunFinished {
        /// The call.
        run: u64,
        /// What became of it.
        totals: Totals,
    },
    /// So many events could not be told, since an observer blocked for too long.
    Lost {
        /// How many.
        events: u64,
    },
}

impl Event {
    /// The call in which it happened; `None` for [`Lost`](Self::Lost).
    #[must_use]
    pub fn run(&self) -> Option<u64> {
        match self {
            Self::RunStarted { run, .. }
            | Self::WorkerStarted { run, .. }
            | Self::TaskStarted { run, .. }
            | Self::TaskFinished { run, .. }
            | Self::Retried { run, .. }
            | Self::WorkerDied { run, .. }
            | Self::BatchSize { run, .. }
            | Self::Line { run, .. }
            | Self::Carried { run, .. }
            | Self::Span { run, .. }
            | Self::RunFinished { run, .. } => Some(*run),
            Self::Lost { .. } => None,
        }
    }
}

/// When something was done, and how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// When it began.
    pub started: Instant,
    /// How long it took.
    pub time: Duration,
}

impl Stretch {
    /// From then until now.
    pub(crate) fn since(started: Instant) -> Self {
        let time = started.elapsed();
        Self { started, time }
    }
}

/// What became of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Tasks that have a result.
    pub succeeded: usize,
    /// Tasks that have none.
    pub failed: usize,
    /// How often a task was started again.
    pub retried: usize,
    /// How long the call took.
    pub wall: Duration,
}

/// Where a line was printed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}
