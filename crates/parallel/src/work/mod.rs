//! The heart: the work of one call, from which every backend pulls.
//!
//! ```text
//!  caller's iterator ──► Source or Feed ──take()──► lane ──► runs it here, or sends it away
//!                          ▲     ▲                   │
//!            Sizing ───────┘   Window                └─finish()──► Results ───► Vec
//!                                ▲                                 Delivery ──► iterator, callback
//!                                └──────── handed over ────────────────┘
//! ```
//!
//! `Work` owns what is the same wherever tasks run: laziness ([`source`], [`feed`]), how many at a time
//! ([`batch`]), on how many lanes ([`lanes`]), how far ahead ([`window`]), order ([`order`], [`results`], [`delivery`]), what a failure
//! does, when to stop ([`stopping`]), what lanes do for each other ([`sharing`]), what is taken from them ([`hand`]), and what is given back ([`end`]). For a backend that runs tasks of
//! another type it can be seen as if it had such ([`converted`]). Each part has a lock of its own. Only the
//! source's is held while a user's code runs, the iterator, and while another one is taken: the sizes', and
//! that of the places for results ([`room`]).

mod batch;
mod begin;
mod converted;
mod delivery;
mod end;
mod feed;
mod hand;
mod lanes;
mod order;
mod results;
mod room;
mod rota;
mod run;
mod runs;
mod sharing;
mod source;
pub(crate) mod spans;
mod stopping;
mod stream;
mod watching;
mod window;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use parking_lot::Mutex;
use tracing::Span;

use self::batch::Sizing;
use self::delivery::Delivery;
use self::feed::Fed;
use self::hand::Hands;
use self::lanes::Lanes;
use self::results::{Results, Run};
use self::room::{Room, Row};
use self::sharing::Sharing;
use self::source::Source;
use self::stopping::Stopping;
use self::window::Window;
use crate::cancel::Watch;
use crate::current::Stop;
use crate::delayed::Task;
use crate::error::{Failure, TaskError};
use crate::observe::Event;
use crate::spin;

pub use self::batch::BatchSize;
use self::begin::ahead;
pub(crate) use self::begin::{OnFailure, Plan};
pub(crate) use self::converted::{Conversion, Origin};
pub(crate) use self::delivery::Handing;
pub(crate) use self::end::Pairs;
pub(crate) use self::hand::InHand;
pub(crate) use self::sharing::AtMany;
pub use self::source::Batch;
pub(crate) use self::stopping::Bell;
pub(crate) use self::stream::Cursor;
pub(crate) use self::watching::{Ran, Watching};
pub use self::window::PreDispatch;

/// Where tasks come from.
enum Input<'a, T> {
    /// Whoever takes them pulls them.
    Source(Mutex<Source<'a, T>>),
    /// A thread of its own pulls them.
    Feed(Box<dyn Fed<T> + 'a>),
}

/// Where results go to.
enum Output<R> {
    /// They are kept until the end, in a room whose places are given out as the tasks are.
    Kept(Mutex<Results<R>>, Mutex<Room<R>>),
    /// The caller takes them as they come.
    Handed(Delivery<R>),
}

/// The tasks of one call, and what comes of them.
///
/// A [`Backend`](crate::Backend) is handed one and [`take`](Self::take)s batches from it, on as many
/// threads as it likes, until there are none left; for each task it tells the outcome with
/// [`finish`](Self::finish). Everything else is done here.
pub struct Work<'a, T: Task> {
    /// If this is a view of other work, that is asked, and not what is here.
    origin: Option<Box<dyn Origin<T> + 'a>>,
    input: Input<'a, T>,
    sizing: Mutex<Sizing>,
    output: Output<T::Output>,
    /// Permits for tasks that are on their way, if they are bounded.
    window: Option<Arc<Window>>,
    /// How many lanes it has, and how many tasks each may have on their way.
    lanes: Lanes,
    /// How many there are at most, if that is known.
    at_most: Option<usize>,
    on_failure: OnFailure,
    /// Which results end the call as failures do.
    ends_call: Option<fn(&T::Output) -> bool>,
    stopping: Arc<Stopping>,
    /// Unless the size of the batches is fixed.
    sharing: Option<Arc<Sharing>>,
    hands: Hands<T>,
    _watches: Vec<Watch>,
    /// That of the call, or else the one that the call was made in: where its tasks run, and what is said
    /// of them.
    span: Span,
    /// If anybody wants to know.
    watching: Option<Watching>,
    /// The number of its only worker, if it is to have a certain one.
    worker: Option<usize>,
    /// How many lanes have run here.
    lanes_here: AtomicUsize,
}

impl<'a, T: Task> Work<'a, T> {
    /// The next tasks to run; `None` when none are left, or nothing more shall start.
    ///
    /// Waits while another thread is in the caller's iterator, or until there is room for more results.
    /// Each task is handed out once.
    pub fn take(&self) -> Option<Batch<T>> {
        self.next_batch(true, &mut |_| {})
    }

    /// The same for a lane that has tasks whose outcomes it has not told: does not wait until others
    /// have, and leaves to others what they could begin with sooner.
    pub(crate) fn take_now(&self) -> Option<Batch<T>> {
        self.next_batch(false, &mut |_| {})
    }

    /// The next tasks. Those who `claim` something for them do so in the order of their indices.
    fn next_batch(&self, wait: bool, claim: &mut dyn FnMut(&Batch<T>)) -> Option<Batch<T>> {
        if let Some(origin) = &self.origin {
            return origin.take(wait);
        }
        if self.stopped() {
            return None;
        }
        let source = match &self.input {
            Input::Source(source) => source,
            Input::Feed(feed) => return feed.take(&self.sizing, wait, &self.stopping),
        };
        let permits = match &self.window {
            None => usize::MAX,
            Some(window) => {
                let most = self.sizing.lock().next(None);
                let permits = if wait {
                    window.acquire(most)
                } else {
                    window.try_acquire(most)
                };
                if permits == 0 {
                    return None;
                }
                permits
            }
        };
        let (batch, panic) = {
            let mut source = spin::lock(source);
            if self.stopped() {
                return None;
            }
            let pulled = source.take(&self.sizing, !wait, permits);
            if let Some(batch) = &pulled.0 {
                claim(batch);
            }
            pulled
        };
        if let Some(window) = &self.window {
            let used = batch.as_ref().map_or(0, Batch::len) + usize::from(panic.is_some());
            window.release(permits - used);
        }
        if let Some(panic) = panic {
            // The iterator gave one task fewer than were pulled: its own place is the last one.
            let index = source.lock().pulled() - 1;
            self.fail(TaskError::new(index, 0, panic.of_source()));
        }
        batch
    }

    /// Tells the outcome of a task. Only the first one that is told counts.
    pub fn finish(&self, index: usize, outcome: Result<T::Output, Failure>) {
        match outcome {
            Ok(value) => {
                if let Some(watching) = self.watching() {
                    watching.finished(index, Ran::not(), None);
                }
                self.succeed(index, vec![value]);
            }
            Err(failure) => self.fail(TaskError::new(index, 1, failure)),
        }
    }

    /// The results of consecutive tasks.
    pub(crate) fn succeed(&self, first: usize, values: Vec<T::Output>) {
        if let Some(origin) = &self.origin {
            return origin.succeed(first, values);
        }
        let ends = self.ends_call.is_some_and(|ends| values.iter().any(ends));
        match &self.output {
            Output::Kept(results, _) => {
                let tasks = values.len();
                let repeated = results.lock().add_values(first, values);
                self.let_in(if repeated.is_none() { tasks } else { 0 });
                // A user's drop runs without the lock.
                drop(repeated);
            }
            Output::Handed(delivery) => drop(delivery.add(first, Run::Values(values))),
        }
        if ends {
            self.stop();
        }
    }

    /// The failure of a task.
    pub(crate) fn fail(&self, error: TaskError) {
        self.fail_after(error, Ran::not());
    }

    /// The failure of a task that ran there and then.
    pub(crate) fn fail_after(&self, mut error: TaskError, ran: Ran) {
        if let Some(origin) = &self.origin {
            origin.fail(error, ran);
            if self.stops_at_failure() {
                self.stop();
            }
            return;
        }
        if self.stopping.cancelled_inside() {
            error.of_call_inside();
        }
        if let Some(watching) = &self.watching {
            watching.finished(error.index(), ran, Some(error.failure().clone()));
        }
        spans::failed(&error);
        match &self.output {
            Output::Kept(results, _) => {
                let new = results.lock().add_failure(error);
                self.let_in(usize::from(new));
            }
            Output::Handed(delivery) => drop(delivery.add(error.index(), Run::Failure(error))),
        }
        if self.stops_at_failure() {
            self.stop();
        }
    }

    /// So many tasks are on their way no more: others may be pulled.
    fn let_in(&self, tasks: usize) {
        if let Some(window) = &self.window
            && tasks > 0
        {
            window.release(tasks);
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
        match &self.input {
            Input::Source(source) => {
                let tasks = batch.len();
                source.lock().give_back(batch);
                self.let_in(tasks);
            }
            Input::Feed(feed) => feed.give_back(batch),
        }
    }

    /// Tells how long a number of tasks ran, from the start of the first to the end of the last. The
    /// size of the next batches follows from it; without it, they have one task each.
    pub fn measured(&self, tasks: usize, run_time: Duration) {
        if let Some(origin) = &self.origin {
            return origin.measured(tasks, run_time);
        }
        let mut sizing = self.sizing.lock();
        let before = sizing.next(None);
        sizing.measured(tasks, run_time);
        let size = sizing.next(None);
        drop(sizing);
        if size != before {
            if let Some(watching) = &self.watching {
                watching.tell(|run| Event::BatchSize { run, tasks: size });
            }
            spans::batch_size(size);
            self.widen(size);
        }
    }

    /// Whether nothing more shall start, not even the rest of a batch that was taken.
    #[inline]
    pub fn stopped(&self) -> bool {
        self.stopping.stopped()
    }

    /// Has `wake` called once when nothing more shall start: at once if it is so already, never if it
    /// does not come to that.
    pub fn on_stop(&self, wake: impl FnOnce() + Send + 'static) {
        self.stopping.on_stop(Box::new(wake));
    }

    /// Nothing more shall start.
    pub(crate) fn stop(&self) {
        self.stopping.stop();
    }

    /// The same, because somebody wants it so.
    pub(crate) fn cancel(&self) {
        self.stopping.cancel();
    }

    /// Whether it was stopped because somebody wanted it so.
    pub(crate) fn cancelled(&self) -> bool {
        self.stopping.cancelled()
    }

    /// By what tasks see that the call has been stopped.
    pub(crate) fn stopping(&self) -> Arc<dyn Stop> {
        Arc::clone(&self.stopping) as _
    }

    /// The numbers that its workers have, so many at a time.
    pub(crate) fn workers(&self, lanes: usize) -> Range<usize> {
        match (&self.origin, self.worker) {
            (Some(origin), _) => origin.workers(lanes),
            (None, Some(worker)) => worker..worker + 1,
            (None, None) => 0..lanes,
        }
    }

    /// What tasks are told their worker is, if that is not its own number: where it is one of a
    /// cluster's, it has another one among those.
    pub(crate) fn known_as(&self) -> Option<usize> {
        self.origin.as_ref()?.known_as()
    }

    /// Whom to tell what happens, if anybody wants to know.
    #[inline]
    pub(crate) fn watching(&self) -> Option<&Watching> {
        match &self.origin {
            None => self.watching.as_ref(),
            Some(origin) => origin.watching(),
        }
    }

    /// Where its tasks run, for `tracing`.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// Whether every task that there is has been taken.
    pub(crate) fn all_taken(&self) -> bool {
        self.stopped()
            || match (&self.origin, &self.input) {
                (Some(origin), _) => origin.all_taken(),
                (None, Input::Source(source)) => source.lock().is_empty(),
                (None, Input::Feed(feed)) => feed.is_empty(),
            }
    }
}
