//! [`Parallel`]: what a user calls.

#[cfg(feature = "stream")]
mod asynchronous;
mod drivers;
mod habit;
mod handle;
mod inside;
mod open;
mod queue;
mod stream;
mod submit;
mod try_run;
mod wait;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use self::drivers::Drivers;
use self::queue::Submissions;
use crate::backend::{AnyBackend, Backend, Threads};
use crate::cancel::CancelToken;
use crate::config;
use crate::current::call_around;
use crate::delayed::{Delayed, Task, delayed};
use crate::error::{Error, Outcome};
use crate::jobs::NJobs;
use crate::observe::{Observer, Observers};
use crate::work::{BatchSize, OnFailure, Plan, PreDispatch, Work};

#[cfg(feature = "stream")]
pub use self::asynchronous::{IterStream, IterUnorderedStream};
pub use self::handle::Handle;
pub use self::stream::{Iter, IterUnordered};
pub use self::try_run::TryError;
pub use self::wait::{wait_first, wait_first_timeout};

/// No batch shall last longer, whatever its backend says: times are added up.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A loop over independent pieces of work, run in parallel: joblib's `Parallel`.
///
/// Say how many jobs, and where if not on threads, and give it tasks. It may be shared and called
/// from several threads at once; its workers stay warm between calls and go when it is dropped.
///
/// ```
/// use parallel::{Parallel, delayed};
///
/// let parallel = Parallel::new(3);
/// assert_eq!(parallel.run((0..10u64).map(|i| delayed(|i| i * i, i)))?, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
/// assert_eq!(parallel.map(|x| x + 1, 0..3)?, [1, 2, 3]);
/// # Ok::<(), parallel::Error>(())
/// ```
#[derive(Debug)]
pub struct Parallel<B = Threads> {
    n_jobs: NJobs,
    batch_size: BatchSize,
    pre_dispatch: PreDispatch,
    cancel_token: Option<CancelToken>,
    observers: Observers,
    // Dropped in this order: the backend's workers go last.
    submissions: Submissions,
    drivers: Drivers,
    backend: Arc<B>,
}

impl Parallel {
    /// `n_jobs` workers, on threads: -1 is one for each CPU, -2 one fewer, and so on, at least one. More
    /// than 1024 nobody gets.
    ///
    /// `n_jobs` bounds one call. Calls made at the same time from several threads each bring a worker
    /// of their own and share the others.
    ///
    /// The CPUs are those that this process may run on, as many as its cgroups allow, no more than
    /// the environment variable `PARALLEL_MAX_CPUS`; inside a task, that task's share of them.
    #[must_use]
    pub fn new(n_jobs: impl Into<NJobs>) -> Self {
        Self {
            n_jobs: n_jobs.into(),
            batch_size: BatchSize::Auto,
            pre_dispatch: PreDispatch::Auto,
            cancel_token: None,
            observers: Observers::default(),
            submissions: Submissions::default(),
            drivers: Drivers::default(),
            backend: Arc::new(Threads::new()),
        }
    }
}

impl Parallel<AnyBackend> {
    /// As the user of the program chooses: what a library writes. Where tasks run is up to the innermost
    /// [`config`](crate::config) scope around this place that says so, else to the environment variable
    /// `PARALLEL_BACKEND`, else they run on threads. Likewise the number of jobs: the scope's, else
    /// `PARALLEL_N_JOBS`, else one for each CPU.
    ///
    /// What code asks for explicitly, with [`n_jobs`](Self::n_jobs) and [`backend`](Self::backend), wins.
    /// So does a task's share of the CPUs: inside of a task, only a scope that is entered there says how
    /// many jobs; otherwise there is one for each CPU of the share.
    ///
    /// Workers are shared with all calls that follow the same choice, and so are warm also if this is
    /// made anew for each. A choice that makes no sense is an error of each call.
    ///
    /// ```
    /// use parallel::{Parallel, config, delayed};
    ///
    /// fn squares() -> Result<Vec<u64>, parallel::Error> {
    ///     Parallel::configured().run((0..3u64).map(|i| delayed(|i| i * i, i)))
    /// }
    ///
    /// assert_eq!(squares()?, [0, 1, 4]);
    /// // The user of `squares` wants worker processes, which end a task that takes too long.
    /// assert_eq!(config().backend("processes:timeout=5s").scope(squares)?, [0, 1, 4]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    #[must_use]
    pub fn configured() -> Self {
        let (n_jobs, backend) = config::chosen();
        Parallel::new(n_jobs).backend(backend)
    }
}

// Where a task borrows what must be owned, the compiler shows the line with the bound on `B` and no more
// of what it means. So these lines carry a comment that says what to do: it is part of the message.
impl<B> Parallel<B> {
    /// Runs the tasks elsewhere.
    ///
    /// ```
    /// use parallel::{Parallel, Processes, delayed};
    ///
    /// let parallel = Parallel::new(2).backend(Processes::new());
    /// assert_eq!(parallel.run((0..3u64).map(|i| delayed(|i| i * i, i)))?, [0, 1, 4]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    #[must_use]
    pub fn backend<C>(self, backend: C) -> Parallel<C> {
        Parallel {
            n_jobs: self.n_jobs,
            batch_size: self.batch_size,
            pre_dispatch: self.pre_dispatch,
            cancel_token: self.cancel_token,
            observers: self.observers,
            submissions: Submissions::default(),
            drivers: Drivers::default(),
            backend: Arc::new(backend),
        }
    }

    /// Sets the number of jobs, as [`new`](Parallel::new) does.
    ///
    /// ```
    /// use parallel::Parallel;
    ///
    /// assert_eq!(Parallel::configured().n_jobs(2).effective_n_jobs()?, 2);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    #[must_use]
    pub fn n_jobs(mut self, n_jobs: impl Into<NJobs>) -> Self {
        self.n_jobs = n_jobs.into();
        self
    }

    /// How many tasks are handed to a worker at a time; by default as many as their measured run time
    /// makes worth while.
    ///
    /// ```
    /// use parallel::{BatchSize, Parallel, delayed};
    ///
    /// let parallel = Parallel::new(2).batch_size(BatchSize::Fixed(16));
    /// assert_eq!(parallel.run((0..99).map(|i| delayed(|i| i, i)))?.len(), 99);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    #[must_use]
    pub fn batch_size(mut self, batch_size: impl Into<BatchSize>) -> Self {
        self.batch_size = batch_size.into();
        self
    }

    /// How far the input may be pulled ahead of the results that were handed over: an exact bound on how
    /// much is alive at once, for inputs or results that are large.
    ///
    /// [`iter`](Self::iter), [`iter_unordered`](Self::iter_unordered) and [`for_each`](Self::for_each) hand
    /// results over as they come. [`run`](Self::run), [`outcomes`](Self::outcomes) and [`map`](Self::map) do
    /// at the end, so there a task counts until it has an outcome.
    ///
    /// ```
    /// use parallel::{Parallel, PreDispatch, delayed};
    ///
    /// let parallel = Parallel::new(2).pre_dispatch(PreDispatch::Tasks(4));
    /// let mut outcomes = parallel.iter((0..).map(|i: u64| delayed(|i| i, i)));
    /// assert_eq!(outcomes.next().unwrap()?, 0);
    /// // At most five numbers were taken from the input so far.
    /// # Ok::<(), parallel::TaskError>(())
    /// ```
    #[must_use]
    pub fn pre_dispatch(mut self, pre_dispatch: impl Into<PreDispatch>) -> Self {
        self.pre_dispatch = pre_dispatch.into();
        self
    }

    /// By what calls can be stopped from outside.
    ///
    /// What has an outcome by then keeps it. [`run`](Self::run) fails with
    /// [`Failure::Cancelled`](crate::Failure::Cancelled); [`outcomes`](Self::outcomes) and the streams end
    /// with it, for what was pulled from the input and, if there is more, for the next one.
    ///
    /// See [`CancelToken`] for an example.
    #[must_use]
    pub fn cancel_token(mut self, token: CancelToken) -> Self {
        self.cancel_token = Some(token);
        self
    }

    /// Has someone told what happens in each call. May be called more than once. The observer is dropped with the
    /// `Parallel`, or with the last of its streams and handles.
    ///
    /// See [`Event`](crate::Event) for what is told.
    ///
    /// ```
    /// use parallel::{Event, Parallel, delayed};
    ///
    /// let parallel = Parallel::new(2).observer(|event: &Event| eprintln!("{event:?}"));
    /// assert_eq!(parallel.run([delayed(|i| i + 1, 1)])?, [2]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observers.add(observer);
        self
    }

    /// How many jobs that are, here and now: joblib's `effective_n_jobs`. What the backend makes of them is not known here:
    /// `Sequential` runs one task of a call at a time, and -1 is every slot of a cluster, not every CPU of this machine.
    ///
    /// # Errors
    /// [`Error::NoJobs`] if `n_jobs` is 0; [`Error::Backend`] if it is up to the environment, to
    /// `PARALLEL_N_JOBS` or to `PARALLEL_MAX_CPUS`, and that is no number.
    ///
    /// ```
    /// use parallel::{Parallel, cpu_share};
    ///
    /// assert_eq!(Parallel::new(3).effective_n_jobs()?, 3);
    /// assert_eq!(Parallel::new(-1).effective_n_jobs()?, cpu_share());
    /// assert!(Parallel::new(0).effective_n_jobs().is_err());
    /// # Ok::<(), parallel::Error>(())
    /// ```
    pub fn effective_n_jobs(&self) -> Result<usize, Error> {
        self.n_jobs.resolve()
    }

    /// Runs all tasks and gives their results in the order of the input. Stops at the first failure:
    /// nothing more starts, and the error is that of the lowest index among the failures seen.
    ///
    /// The input is pulled as it is needed. On threads, tasks may borrow.
    ///
    /// # Errors
    /// [`Error::Task`] with the task's index if one failed or the input iterator panicked;
    /// [`Error::NoJobs`] if `n_jobs` is 0; [`Error::Backend`] if the tasks could not be run at all.
    ///
    /// ```
    /// use parallel::{Error, Parallel, delayed};
    ///
    /// let parallel = Parallel::new(2);
    /// let halves = parallel.run([2, 4, 6].map(|i| delayed(|i| i / 2, i)))?;
    /// assert_eq!(halves, [1, 2, 3]);
    ///
    /// match parallel.run([2, 0, 6].map(|i| delayed(|i| 12 / i, i))) {
    ///     Err(Error::Task(error)) => assert_eq!(error.index(), 1),
    ///     other => panic!("{other:?}"),
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    pub fn run<I>(&self, tasks: I) -> Result<Vec<<I::Item as Task>::Output>, Error>
    where
        I: IntoIterator,
        I::IntoIter: Send,
        I::Item: Task,
        B: Backend<I::Item>, // In other processes: owned arguments only, no captures, no borrows.
    {
        let (lanes, work) = self.work(tasks, OnFailure::Stop)?;
        let driven = self.backend.drive(lanes, &work);
        work.into_values(driven)
    }

    /// Runs every task to an outcome of its own: a failure costs one element.
    ///
    /// # Errors
    /// [`Error::NoJobs`] and [`Error::Backend`], as for [`run`](Self::run). If the input iterator
    /// panics, the last outcome says so, and those before it are kept.
    ///
    /// ```
    /// use parallel::{Parallel, delayed};
    ///
    /// let outcomes = Parallel::new(2).outcomes([2, 0, 6].map(|i| delayed(|i| 12 / i, i)))?;
    /// let texts: Vec<String> = outcomes
    ///     .into_iter()
    ///     .map(|outcome| match outcome {
    ///         Ok(value) => value.to_string(),
    ///         Err(error) => format!("task {} failed", error.index()),
    ///     })
    ///     .collect();
    /// assert_eq!(texts, ["6", "task 1 failed", "2"]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    pub fn outcomes<I>(&self, tasks: I) -> Result<Vec<Outcome<<I::Item as Task>::Output>>, Error>
    where
        I: IntoIterator,
        I::IntoIter: Send,
        I::Item: Task,
        B: Backend<I::Item>, // In other processes: owned arguments only, no captures, no borrows.
    {
        let (lanes, work) = self.work(tasks, OnFailure::GoOn)?;
        let driven = self.backend.drive(lanes, &work);
        work.into_outcomes(driven)
    }

    /// Calls `f` on each input: `multiprocessing.Pool.map`.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    ///
    /// ```
    /// use parallel::Parallel;
    ///
    /// assert_eq!(Parallel::new(2).map(|x| x * x, 0..4u64)?, [0, 1, 4, 9]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    pub fn map<F, I, R>(&self, f: F, inputs: I) -> Result<Vec<R>, Error>
    where
        F: FnOnce(I::Item) -> R + Copy + Send,
        I: IntoIterator,
        I::IntoIter: Send,
        B: Backend<Delayed<F, I::Item>>, // In other processes: owned inputs only, no captures.
    {
        self.run(inputs.into_iter().map(move |input| delayed(f, input)))
    }

    /// The tasks as work for the backend, and the number of lanes it may use.
    fn work<'a, I>(
        &self,
        tasks: I,
        on_failure: OnFailure,
    ) -> Result<(usize, Work<'a, I::Item>), Error>
    where
        I: IntoIterator,
        I::IntoIter: Send + 'a,
        I::Item: Task,
        B: Backend<I::Item>,
    {
        let plan = self.plan::<I::Item>(on_failure)?;
        Ok((plan.lanes, Work::new(tasks.into_iter(), plan)))
    }

    /// How a call goes.
    fn plan<T: Task>(&self, on_failure: OnFailure) -> Result<Plan, Error>
    where
        B: Backend<T>,
    {
        let mut plan = self.plan_for(self.n_jobs.resolve_among(self.backend.slots())?, on_failure);
        plan.batch_time = self.backend.batch_time().min(LONGEST);
        plan.backend = std::any::type_name::<B>();
        Ok(plan)
    }

    fn plan_for(&self, lanes: usize, on_failure: OnFailure) -> Plan {
        let own_token = self.cancel_token.clone();
        Plan {
            lanes,
            n_jobs: self.n_jobs,
            batch_size: self.batch_size,
            batch_time: Duration::ZERO,
            on_failure,
            pre_dispatch: self.pre_dispatch,
            cancel_tokens: own_token.into_iter().chain(call_around()).collect(),
            worker: None,
            telling: self.observers.telling(),
            backend: "",
        }
    }
}
