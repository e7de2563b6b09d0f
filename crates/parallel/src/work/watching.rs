//! What is told of a call, if anybody wants to know.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::error::Failure;
use crate::observe::spans::{Record, SpanSink, TaskPlace};
use crate::observe::{Event, Telling, Totals};

/// A call that is watched.
pub(crate) struct Watching {
    telling: Arc<Telling>,
    run: u64,
    /// Whether there was room for its beginning.
    begin_told: bool,
    begun: Instant,
    succeeded: AtomicUsize,
    failed: AtomicUsize,
    retried: AtomicUsize,
}

/// Where and when a task ran.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ran {
    pub(crate) worker: usize,
    pub(crate) attempt: u32,
    /// When its worker took it.
    pub(crate) taken: Instant,
    pub(crate) started: Instant,
    pub(crate) run_time: Duration,
}

impl Ran {
    /// Of a task that did not, or of which nobody told.
    pub(super) fn not() -> Self {
        let now = Instant::now();
        Self {
            worker: 0,
            attempt: 0,
            taken: now,
            started: now,
            run_time: Duration::ZERO,
        }
    }
}

/// Tells of the spans that tasks open, which they may close when the call has ended.
struct Spans {
    telling: Arc<Telling>,
    run: u64,
}

impl SpanSink for Spans {
    fn closed(&self, task: TaskPlace, span: Record) {
        self.telling.tell(span.into_event(self.run, task));
    }
}

impl Watching {
    /// A call begins.
    pub(crate) fn begin(telling: Arc<Telling>, tasks: Option<usize>, n_jobs: usize) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let run = NEXT.fetch_add(1, Ordering::Relaxed);
        let begin_told = telling.tell(Event::RunStarted { run, tasks, n_jobs });
        Self {
            telling,
            run,
            begin_told,
            begun: Instant::now(),
            succeeded: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            retried: AtomicUsize::new(0),
        }
    }

    /// Tells what `event` makes of the number of this call.
    pub(crate) fn tell(&self, event: impl FnOnce(u64) -> Event) {
        self.telling.tell(event(self.run));
    }

    /// The same for several.
    #[cfg(target_os = "linux")]
    pub(crate) fn tell_all<E: Iterator<Item = Event>>(&self, events: impl FnOnce(u64) -> E) {
        for event in events(self.run) {
            self.telling.tell(event);
        }
    }

    /// To whom tasks tell of the spans that they open.
    pub(super) fn spans(&self) -> Arc<dyn SpanSink> {
        Arc::new(Spans {
            telling: Arc::clone(&self.telling),
            run: self.run,
        })
    }

    /// A worker takes part.
    pub(crate) fn worker(&self, worker: usize, pid: Option<u32>) {
        self.tell(|run| Event::WorkerStarted { run, worker, pid });
    }

    /// A task begins.
    pub(crate) fn started(&self, index: usize, attempt: u32, worker: usize) {
        self.tell(|run| Event::TaskStarted {
            run,
            index,
            attempt,
            worker,
        });
    }

    /// A task has an outcome.
    pub(crate) fn finished(&self, index: usize, ran: Ran, failure: Option<Failure>) {
        let count = if failure.is_none() {
            &self.succeeded
        } else {
            &self.failed
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.tell(|run| Event::TaskFinished {
            run,
            index,
            attempt: ran.attempt,
            worker: ran.worker,
            started: ran.started,
            run_time: ran.run_time,
            wait_time: ran.started.saturating_duration_since(ran.taken),
            failure,
        });
    }

    /// A task is to be started again.
    pub(crate) fn retried(&self, index: usize, attempt: u32, worker: usize, failure: Failure) {
        self.retried.fetch_add(1, Ordering::Relaxed);
        self.tell(|run| Event::Retried {
            run,
            index,
            attempt,
            worker,
            failure,
        });
    }

    /// The call ends, and all has been told when this returns.
    pub(crate) fn end(&self) {
        let totals = Totals {
            succeeded: self.succeeded.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            retried: self.retried.load(Ordering::Relaxed),
            wall: self.begun.elapsed(),
        };
        let end = Event::RunFinished {
            run: self.run,
            totals,
        };
        if self.begin_told {
            self.telling.tell_end(end);
        } else {
            self.telling.tell(end);
        }
        self.telling.flush();
    }
}
