//! The heart: the work of one call, from which every backend pulls.
//!
//! ```text
//!  caller's iterator ──► Source ──take()──► lane ──► runs it here, or sends it away
//!                          ▲                 │
//!            Sizing ───────┘                 └─finish()──► Results ──► Vec
//! ```
//!
//! `Work` owns what is the same wherever tasks run: laziness ([`source`]), how many at a time
//! ([`batch`]), order ([`order`], [`results`]), what a failure does, and when to stop. For a backend that
//! runs tasks of another type it can be seen as if it had such ([`converted`]). Each part has a
//! lock of its own. Only the source's is held while a user's code runs, the iterator, and while another
//! one is taken, the sizes'.

mod batch;
mod converted;
mod order;
mod results;
mod run;
mod source;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use self::batch::Sizing;
use self::converted::Origin;
use self::results::Results;
use self::source::Source;
use crate::delayed::Task;
use crate::error::{BackendError, Error, Failure, Outcome, TaskError};
use crate::observe::{Event, Observers};
use crate::panics;

pub use self::batch::BatchSize;
pub(crate) use self::converted::Conversion;
pub use self::source::Batch;

/// A batch holds no more than so many bytes of tasks or of results: a second-level cache has room
/// for both.
const BATCH_BYTES: usize = 1 << 17;

/// What the failure of one task does to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnFailure {
    Stop,
    GoOn,
}

/// How one call shall go.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) lanes: usize,
    pub(crate) batch_size: BatchSize,
    /// How long a batch shall last.
    pub(crate) batch_time: Duration,
    pub(crate) on_failure: OnFailure,
    pub(crate) observers: Observers,
}

/// The tasks of one call, and what comes of them.
///
/// A [`Backend`](crate::Backend) is handed one and [`take`](Self::take)s batches from it, on as many
/// threads as it likes, until there are none left; for each task it tells the outcome with
/// [`finish`](Self::finish). Everything else is done here.
pub struct Work<'a, T: Task> {
    /// If this is a view of other work, that is asked, and not what is here.
    origin: Option<Box<dyn Origin<T> + 'a>>,
    source: Mutex<Source<'a, T>>,
    sizing: Mutex<Sizing>,
    results: Mutex<Results<T::Output>>,
    on_failure: OnFailure,
    /// Shared with tasks that ask whether they are still wanted.
    stopped: Arc<AtomicBool>,
    observers: Observers,
    /// How many lanes have run here.
    lanes_here: AtomicUsize,
    /// Who wants to be told when `stopped` is set.
    on_stop: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
}

impl<'a, T: Task> Work<'a, T> {
    pub(crate) fn new(tasks: impl Iterator<Item = T> + Send + 'a, plan: Plan) -> Self {
        let widest = size_of::<T>().max(size_of::<T::Output>()).max(1);
        let largest = BATCH_BYTES / widest;
        let at_least = panics::catch(|| tasks.size_hint().0).unwrap_or(0);
        Self {
            origin: None,
            sizing: Mutex::new(Sizing::new(
                plan.batch_size,
                plan.batch_time,
                plan.lanes,
                largest,
            )),
            source: Mutex::new(Source::new(tasks)),
            results: Mutex::new(Results::new(at_least)),
            on_failure: plan.on_failure,
            stopped: Arc::default(),
            observers: plan.observers,
            lanes_here: AtomicUsize::new(0),
            on_stop: Mutex::new(Vec::new()),
        }
    }

    /// The next tasks to run; `None` when none are left, or nothing more shall start.
    ///
    /// Waits while another thread is in the caller's iterator. Each task is handed out once.
    pub fn take(&self) -> Option<Batch<T>> {
        if let Some(origin) = &self.origin {
            return origin.take();
        }
        let (batch, panic) = {
            let mut source = self.source.lock();
            if self.stopped() {
                return None;
            }
            let remaining = source.at_most();
            let size = self.sizing.lock().next(remaining);
            source.pull(size)
        };
        if let Some(panic) = panic {
            // The iterator gave one task fewer than were pulled: its own place is the last one.
            let index = self.source.lock().pulled() - 1;
            self.fail(TaskError::new(index, 0, panic.of_source()));
        }
        batch
    }

    /// How many of `lanes` can have something to do at all.
    pub fn lanes_needed(&self, lanes: usize) -> usize {
        if let Some(origin) = &self.origin {
            return origin.lanes_needed(lanes);
        }
        let at_most = self.source.lock().at_most();
        at_most.map_or(lanes, |tasks| lanes.min(tasks)).max(1)
    }

    /// Tells the outcome of a task. Only the first one that is told counts.
    pub fn finish(&self, index: usize, outcome: Result<T::Output, Failure>) {
        match outcome {
            Ok(value) => self.succeed(index, vec![value]),
            Err(failure) => self.fail(TaskError::new(index, 1, failure)),
        }
    }

    /// The results of consecutive tasks.
    pub(crate) fn succeed(&self, first: usize, values: Vec<T::Output>) {
        if let Some(origin) = &self.origin {
            return origin.succeed(first, values);
        }
        let repeated = self.results.lock().add_values(first, values);
        // A user's drop runs without the lock.
        drop(repeated);
    }

    /// The failure of a task.
    pub(crate) fn fail(&self, error: TaskError) {
        if let Some(origin) = &self.origin {
            return origin.fail(error);
        }
        self.results.lock().add_failure(error);
        if self.stops_at_failure() {
            self.stop();
        }
    }

    /// Whether the failure of a task ends the call.
    pub(crate) fn stops_at_failure(&self) -> bool {
        self.on_failure == OnFailure::Stop
    }

    /// Gives back what was taken and cannot be run here, for another lane to take.
    pub fn give_back(&self, batch: Batch<T>) {
        if let Some(origin) = &self.origin {
            return origin.give_back(batch);
        }
        self.source.lock().give_back(batch);
    }

    /// Tells how long a number of tasks ran, from the start of the first to the end of the last. The
    /// size of the next batches follows from it; without it, they have one task each.
    pub fn measured(&self, tasks: usize, run_time: Duration) {
        if let Some(origin) = &self.origin {
            return origin.measured(tasks, run_time);
        }
        self.sizing.lock().measured(tasks, run_time);
    }

    /// Whether nothing more shall start, not even the rest of a batch that was taken.
    #[inline]
    pub fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Has `wake` called once when nothing more shall start: at once if it is so already, never if it
    /// does not come to that.
    pub fn on_stop(&self, wake: impl FnOnce() + Send + 'static) {
        if let Some(origin) = &self.origin {
            return origin.on_stop(Box::new(wake));
        }
        let mut waiting = self.on_stop.lock();
        if self.stopped() {
            drop(waiting);
            wake();
        } else {
            waiting.push(Box::new(wake));
        }
    }

    /// Nothing more shall start.
    pub(crate) fn stop(&self) {
        let waiting = {
            let mut waiting = self.on_stop.lock();
            self.stopped.store(true, Ordering::Relaxed);
            std::mem::take(&mut *waiting)
        };
        for wake in waiting {
            wake();
        }
    }

    /// Tells those who want to know what happened.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        self.observers.tell(event);
    }

    /// Whether every task that there is has been taken.
    pub(crate) fn all_taken(&self) -> bool {
        if let Some(origin) = &self.origin {
            return origin.all_taken();
        }
        self.stopped() || self.source.lock().is_empty()
    }

    /// All results, in order.
    pub(crate) fn into_values(
        self,
        driven: Result<(), BackendError>,
    ) -> Result<Vec<T::Output>, Error> {
        self.ended(driven)?.into_values().map_err(Error::Task)
    }

    /// All outcomes, in order.
    pub(crate) fn into_outcomes(
        self,
        driven: Result<(), BackendError>,
    ) -> Result<Vec<Outcome<T::Output>>, Error> {
        Ok(self.ended(driven)?.into_outcomes())
    }

    /// The results, if they can be trusted: the backend did its part, or a task's failure, which comes
    /// first, is told instead.
    fn ended(self, driven: Result<(), BackendError>) -> Result<Results<T::Output>, Error> {
        let stopped = self.stopped();
        let (source, results) = (self.source.into_inner(), self.results.into_inner());
        if stopped {
            return Ok(results);
        }
        driven?;
        let (pulled, complete) = (source.pulled(), results.complete_up_to());
        if complete < pulled || !source.is_empty() {
            return Err(Error::Backend(BackendError::new(format!(
                "the backend returned without an outcome for task {complete}: it must take tasks until \
                 there are none, and finish each"
            ))));
        }
        Ok(results)
    }
}
