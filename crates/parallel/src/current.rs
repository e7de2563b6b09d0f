//! Where a task is: [`current`].
//!
//! A lane says once which worker it is, how one sees that nobody wants its results any more, and who wants
//! to know of spans; before each task it notes which one that is, which costs a store.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::{Arc, OnceLock, Weak};

use crate::cancel::CancelToken;
use crate::observe::spans::{SpanSink, TaskPlace};

/// Whether nobody wants the results any more.
pub(crate) trait Stop: Send + Sync {
    fn stopped(&self) -> bool;

    /// Stops the call.
    fn cancel(&self);

    /// A token of calls that are made inside of its tasks, cancelled when this one is; `None` if they need none.
    fn inside(&self) -> Option<CancelToken>;
}

/// What the tasks of a lane have in common.
struct Place {
    worker: usize,
    stop: Arc<dyn Stop>,
    /// If anybody wants to know of the spans that the tasks open.
    spans: Option<Arc<dyn SpanSink>>,
}

thread_local! {
    /// `None` at the end of the thread: so it need not be dropped, and can be used by destructors of other thread-locals.
    static PLACE: RefCell<ManuallyDrop<Option<Place>>> = const { RefCell::new(ManuallyDrop::new(None)) };
    /// The task's index.
    static INDEX: Cell<usize> = const { Cell::new(0) };
    /// The number of its attempt; 0 between tasks. By itself, since of most tasks it is the same as of the one before.
    static ATTEMPT: Cell<u32> = const { Cell::new(0) };
}

/// Index and attempt of the task that runs on this thread.
fn task() -> Option<(usize, u32)> {
    let attempt = ATTEMPT.get();
    (attempt > 0).then(|| (INDEX.get(), attempt))
}

/// Where the task that runs on this thread is; `None` if that is no task of a
/// [`Parallel`](crate::Parallel).
///
/// ```
/// use parallel::{Parallel, current, delayed};
///
/// let places = Parallel::new(2).run((0..3).map(|i| {
///     delayed(|_| current().map(|task| (task.index(), task.attempt(), task.worker() < 2)), i)
/// }))?;
/// assert_eq!(places, [Some((0, 1, true)), Some((1, 1, true)), Some((2, 1, true))]);
/// assert!(current().is_none());
/// # Ok::<(), parallel::Error>(())
/// ```
#[must_use]
pub fn current() -> Option<Current> {
    let (index, attempt) = task()?;
    PLACE.with_borrow(|place| {
        place.as_ref().map(|place| Current {
            index,
            attempt,
            worker: place.worker,
            stop: Arc::clone(&place.stop),
        })
    })
}

/// A token that is cancelled with the call whose task runs on this thread, if one does.
pub(crate) fn call_around() -> Option<CancelToken> {
    task()?;
    PLACE.with_borrow(|place| place.as_ref()?.stop.inside())
}

/// The task that runs on this thread, and who wants to know of its spans; `None` if nobody does.
pub(crate) fn watched_task() -> Option<(TaskPlace, Arc<dyn SpanSink>)> {
    let (index, attempt) = task()?;
    PLACE.with_borrow(|place| {
        let place = place.as_ref()?;
        let task = TaskPlace {
            index,
            attempt,
            worker: place.worker,
        };
        Some((task, Arc::clone(place.spans.as_ref()?)))
    })
}

/// Where a task is: what [`current`] gives. May be passed on to threads that the task starts.
#[derive(Clone)]
pub struct Current {
    index: usize,
    attempt: u32,
    worker: usize,
    stop: Arc<dyn Stop>,
}

impl Current {
    /// The task's place in the input, counted from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// How often the task has been started, this time included: 1, or more with
    /// `Processes::retries`.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The number of the worker that runs the task: from 0, less than the number of jobs. No two that run
    /// at the same time in one call have the same.
    ///
    /// A worker process keeps its number for life, and one that replaces it gets the same, so that a GPU
    /// or a port can go with it. Its environment has it too, in `PARALLEL_INDEX`, for what comes
    /// before the first task.
    #[must_use]
    pub fn worker(&self) -> usize {
        self.worker
    }

    /// The name of the machine that runs the task, which on a cluster is one of its nodes.
    ///
    /// ```
    /// use parallel::{Parallel, current};
    ///
    /// let hosts = Parallel::new(2).map(|_| current().unwrap().host().to_owned(), 0..2)?;
    /// // Threads are here.
    /// assert_eq!(hosts[0], hosts[1]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    #[must_use]
    pub fn host(&self) -> &'static str {
        host()
    }

    /// Whether nobody wants the result any more, because the call has been stopped. A long task that
    /// looks now and then can end early; one in a worker process that does not is killed soon.
    ///
    /// ```
    /// use parallel::{Parallel, current, delayed};
    ///
    /// fn stir(round: u32) {
    ///     assert_ne!(round, 0, "burnt");
    ///     let task = current().unwrap();
    ///     while !task.cancelled() {
    ///         std::thread::yield_now();
    ///     }
    /// }
    ///
    /// let error = Parallel::new(2).run((0..2).map(|i| delayed(stir, i))).unwrap_err();
    /// assert!(error.to_string().contains("burnt"));
    /// ```
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.stop.stopped()
    }

    /// Stops the call that the task belongs to, as a [`CancelToken`](crate::CancelToken) does.
    ///
    /// ```
    /// use parallel::{Failure, Parallel, current, delayed};
    ///
    /// fn look_for(needle: u64, i: u64) -> u64 {
    ///     if i == needle {
    ///         current().unwrap().cancel();
    ///     }
    ///     i
    /// }
    ///
    /// let outcomes = Parallel::new(2).outcomes((0..).map(|i| delayed!(look_for(50, i))))?;
    /// let last = outcomes.last().unwrap().as_ref().unwrap_err();
    /// assert!(matches!(last.failure(), Failure::Cancelled));
    /// # Ok::<(), parallel::Error>(())
    /// ```
    pub fn cancel(&self) {
        self.stop.cancel();
    }
}

/// By which a task is known again on its thread.
pub(crate) struct Identity {
    index: usize,
    attempt: u32,
    /// Of its call: the address is nobody else's while this is here.
    stop: Weak<dyn Stop>,
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        (self.index, self.attempt) == (other.index, other.attempt)
            && std::ptr::addr_eq(self.stop.as_ptr(), other.stop.as_ptr())
    }
}

impl Current {
    pub(crate) fn identity(&self) -> Identity {
        Identity {
            index: self.index,
            attempt: self.attempt,
            stop: Arc::downgrade(&self.stop),
        }
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current")
            .field("index", &self.index)
            .field("attempt", &self.attempt)
            .field("worker", &self.worker)
            .field("cancelled", &self.cancelled())
            .finish()
    }
}

/// The name of this machine.
pub(crate) fn host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let name = name.or_else(|| std::env::var("HOSTNAME").ok());
        let name = name.as_deref().map(str::trim).filter(|n| !n.is_empty());
        name.unwrap_or("localhost").to_owned()
    })
}

/// The rest of this thread's time until it is dropped, in which tasks of one lane run. Calls inside of
/// tasks make one inside another.
pub(crate) struct Here {
    outer: (Option<Place>, usize, u32),
}

impl Here {
    pub(crate) fn enter(
        worker: usize,
        stop: Arc<dyn Stop>,
        spans: Option<Arc<dyn SpanSink>>,
    ) -> Self {
        let place = Some(Place {
            worker,
            stop,
            spans,
        });
        let outer = PLACE.replace(ManuallyDrop::new(place));
        Self {
            outer: (
                ManuallyDrop::into_inner(outer),
                INDEX.get(),
                ATTEMPT.replace(0),
            ),
        }
    }

    /// Another call's tasks come next.
    #[cfg(target_os = "linux")]
    pub(crate) fn renew(&self, stop: Arc<dyn Stop>) {
        PLACE.with_borrow_mut(|place| {
            if let Some(place) = &mut **place {
                place.stop = stop;
            }
        });
    }

    /// Tasks know their worker by this number from now on.
    #[cfg(target_os = "linux")]
    pub(crate) fn know_worker_as(&self, worker: usize) {
        PLACE.with_borrow_mut(|place| {
            if let Some(place) = &mut **place {
                place.worker = worker;
            }
        });
    }

    /// The task that runs from now on. Attempts count from 1.
    #[inline]
    pub(crate) fn task(&self, index: usize, attempt: u32) {
        INDEX.with(|it| it.set(index));
        ATTEMPT.with(|it| it.set(attempt));
    }

    /// The same, for one that is started as often as the one before.
    #[inline]
    pub(crate) fn next_task(&self, index: usize) {
        // `LocalKey::set` may not be inlined, which made a no-op task in processes a third longer.
        INDEX.with(|it| it.set(index));
    }

    /// No task runs from now on.
    pub(crate) fn between_tasks(&self) {
        ATTEMPT.with(|it| it.set(0));
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        let outer = ManuallyDrop::new(self.outer.0.take());
        drop(ManuallyDrop::into_inner(PLACE.replace(outer)));
        INDEX.set(self.outer.1);
        ATTEMPT.set(self.outer.2);
    }
}
