//! How a call begins.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use parking_lot::Mutex;

use super::batch::{BatchSize, Sizing};
use super::delivery::{Delivery, Handing};
use super::feed::Feed;
use super::hand::Hands;
use super::lanes::Lanes;
use super::results::Results;
use super::room::Room;
use super::sharing::Sharing;
use super::source::Source;
use super::spans;
use super::stopping::Stopping;
use super::watching::Watching;
use super::window::{PreDispatch, Window};
use super::{Input, Output, Work};
use crate::cancel::CancelToken;
use crate::delayed::Task;
use crate::jobs::NJobs;
use crate::observe::Telling;
use crate::panics;

/// A batch holds no more than so many bytes of tasks or of results: a second-level cache has room
/// for both.
const BATCH_BYTES: usize = 1 << 17;

/// The same for a stream, whose tasks go from thread to thread: as many batches as are on their way shall have room in a
/// cache, and all of them together be little memory.
const STREAM_BATCH_BYTES: usize = 1 << 14;

/// How many tasks a stream may pull for each lane ahead of what was handed over, unless that is fixed. Of
/// those that go one by one: one that runs, and one that waits. Of batches: as many, and those whose results
/// wait.
pub(super) fn ahead(batch_size: usize) -> usize {
    match batch_size {
        0 | 1 => 2,
        tasks => tasks.saturating_mul(4),
    }
}

/// Up to so many bytes there is a place for each result that there may be at most. Those that are never written to are
/// no memory.
const MOST_IN_VAIN: usize = 1 << 26;

/// How many places there shall be for results.
fn places<R>(at_least: usize, at_most: Option<usize>) -> usize {
    let within = |most: &usize| most.saturating_mul(size_of::<R>()) <= MOST_IN_VAIN;
    at_most
        .filter(within)
        .map_or(at_least, |most| most.max(at_least))
}

/// What the failure of one task does to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnFailure {
    Stop,
    GoOn,
}

/// How one call shall go.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) lanes: usize,
    /// What was asked for, of which that is made.
    pub(crate) n_jobs: NJobs,
    pub(crate) batch_size: BatchSize,
    /// How long a batch shall last.
    pub(crate) batch_time: Duration,
    pub(crate) on_failure: OnFailure,
    pub(crate) pre_dispatch: PreDispatch,
    /// Its own, and that of the call around it.
    pub(crate) cancel_tokens: Vec<CancelToken>,
    /// The number of its only worker, if it is to have a certain one.
    pub(crate) worker: Option<usize>,
    /// How to tell those who want to know what happens.
    pub(crate) telling: Option<Arc<Telling>>,
    /// The type of the backend.
    pub(crate) backend: &'static str,
}

impl<'a, T: Task> Work<'a, T> {
    /// Work whose results are kept until the end.
    pub(crate) fn new(tasks: impl Iterator<Item = T> + Send + 'a, plan: Plan) -> Self {
        let (at_least, at_most) = panics::catch(|| tasks.size_hint()).unwrap_or((0, None));
        let window = plan.pre_dispatch.bound(plan.lanes);
        let window = window.filter(|limit| *limit < usize::MAX).map(Window::new);
        let input = Input::Source(Mutex::new(Source::new(tasks)));
        let room = Room::new(places::<T::Output>(at_least, at_most));
        let output = Output::Kept(Mutex::new(Results::new(at_least)), Mutex::new(room));
        let known = at_most.filter(|most| *most == at_least);
        Self::with(input, output, window, known, plan)
    }

    /// Work whose results are handed over as they come, and whose input is [pulled](Self::pull_all) by a
    /// thread of its own.
    pub(crate) fn stream(
        handing: Handing,
        (at_least, at_most): (usize, Option<usize>),
        plan: Plan,
    ) -> Self
    where
        T: Send + 'a,
    {
        let grows = plan.pre_dispatch == PreDispatch::Auto;
        let output = Output::Handed(Delivery::new(handing));
        let sharing = Sharing::of_stream(plan.batch_time, plan.lanes);
        let mut work = Self::with(
            Input::Feed(Box::new(Feed::new(grows))),
            output,
            Some(Window::new(1)),
            at_most.filter(|most| *most == at_least),
            plan,
        );
        work.sharing = work.sharing.map(|_| Arc::new(sharing));
        work.at_most = at_most;
        let batch_size = work.sizing.lock().next(None);
        work.widen(batch_size);
        work
    }

    fn with(
        input: Input<'a, T>,
        output: Output<T::Output>,
        window: Option<Window>,
        tasks: Option<usize>,
        plan: Plan,
    ) -> Self {
        let widest = size_of::<T>().max(size_of::<T::Output>()).max(1);
        let largest = match input {
            Input::Source(_) => BATCH_BYTES / widest,
            Input::Feed(_) => STREAM_BATCH_BYTES / widest,
        };
        let sizing = Sizing::new(plan.batch_size, plan.batch_time, plan.lanes, largest);
        let stopping = Arc::new(Stopping::default());
        let window = window.map(Arc::new);
        if let Some(window) = window.clone() {
            stopping.on_stop(Box::new(move || window.close()));
        }
        let lanes = plan.lanes;
        let span = spans::call(tasks, lanes, plan.backend);
        let watching = plan
            .telling
            .map(|telling| Watching::begin(telling, tasks, lanes));
        let watch = |token: &CancelToken| {
            let stopping = Arc::clone(&stopping);
            token.watch(Box::new(move || stopping.cancel()))
        };
        let watches = plan.cancel_tokens.iter().map(watch).collect();
        Self {
            origin: None,
            input,
            sizing: Mutex::new(sizing),
            output,
            window,
            lanes: Lanes::new(plan.n_jobs, lanes, plan.pre_dispatch),
            at_most: None,
            on_failure: plan.on_failure,
            ends_call: None,
            stopping,
            sharing: (plan.batch_size == BatchSize::Auto)
                .then(|| Arc::new(Sharing::new(plan.batch_time))),
            hands: Hands::default(),
            _watches: watches,
            span,
            watching,
            worker: plan.worker,
            lanes_here: AtomicUsize::new(0),
        }
    }

    /// The same, ended by results that `ends_call` as by failures.
    pub(crate) fn until(mut self, ends_call: fn(&T::Output) -> bool) -> Self {
        self.ends_call = Some(ends_call);
        self
    }
}
