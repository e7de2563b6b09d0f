//! What the user of a program chooses, and not the library that calls in parallel: [`config`].

pub(crate) mod environment;

use crate::backend::AnyBackend;
use crate::context::Context;
use crate::jobs::NJobs;

/// A choice of where and with how many jobs [`Parallel::configured`](crate::Parallel::configured) runs
/// tasks, to be made for the time of a [`scope`](Config::scope): joblib's `parallel_config`.
///
/// ```
/// use parallel::{Parallel, config};
///
/// /// Does not say where it runs.
/// fn library_call() -> Vec<u64> {
///     Parallel::configured().map(|i: u64| i * i, 0..4).unwrap()
/// }
///
/// let squares = config().backend("processes").n_jobs(2).scope(|| library_call());
/// assert_eq!(squares, [0, 1, 4, 9]);
/// ```
pub fn config() -> Config {
    Config::default()
}

/// What one scope chooses: made by [`config`].
///
/// What it does not choose, the scope around it does, or else the environment.
#[derive(Clone, Debug, Default)]
#[must_use = "a choice is made for a scope: call `.scope(|| …)`"]
pub struct Config {
    backend: Option<AnyBackend>,
    n_jobs: Option<NJobs>,
}

impl Config {
    /// Where tasks run: a name with options, as [`AnyBackend::named`] takes it, or a backend; one of your
    /// own as [`AnyBackend::new`].
    ///
    /// If the name is not known, each call that is made in the scope and uses it gives the error.
    ///
    /// The backend is made here, once: all calls in the scope share it, and its workers stay warm
    /// as long as this choice, or a call that uses it.
    ///
    /// ```
    /// use parallel::{Parallel, config};
    ///
    /// let pids = || Parallel::configured().n_jobs(1).map(|_| std::process::id(), 0..1);
    /// let (first, second) = config().backend("processes").scope(|| (pids(), pids()));
    /// assert_eq!(first?, second?);
    ///
    /// let error = config().backend("proceses").scope(pids).unwrap_err();
    /// assert!(error.to_string().contains("processes"));
    /// # Ok::<(), parallel::Error>(())
    /// ```
    pub fn backend(mut self, backend: impl Into<AnyBackend>) -> Self {
        self.backend = Some(backend.into());
        self
    }

    /// With how many jobs. It is the number of the calls that are made in the scope, not of those
    /// inside of their tasks, which count on their share of the CPUs.
    ///
    /// ```
    /// use parallel::{Parallel, config};
    ///
    /// let inside = config().n_jobs(3).scope(|| Parallel::configured().effective_n_jobs())?;
    /// assert_eq!(inside, 3);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    pub fn n_jobs(mut self, n_jobs: impl Into<NJobs>) -> Self {
        self.n_jobs = Some(n_jobs.into());
        self
    }

    /// Calls `f`, in which [`Parallel::configured`](crate::Parallel::configured) follows this choice: on
    /// this thread, and in the tasks that are called from it, wherever these run.
    ///
    /// Threads that `f` starts by itself do not follow. A backend that has no name, since it was handed
    /// over as such or is [registered](crate::register_backend), stays in this process: calls that are
    /// made inside of tasks in worker processes follow the environment instead.
    ///
    /// ```
    /// use parallel::{Parallel, config};
    ///
    /// let jobs = || Parallel::configured().effective_n_jobs().unwrap();
    /// let both = config().n_jobs(3).scope(|| (jobs(), config().n_jobs(2).scope(jobs), jobs()));
    /// assert_eq!(both, (3, 2, 3));
    /// ```
    pub fn scope<R>(&self, f: impl FnOnce() -> R) -> R {
        Context::here()
            .with(self.backend.clone(), self.n_jobs)
            .enter(f)
    }
}

/// What has been chosen for a call that is made here.
pub(crate) fn chosen() -> (NJobs, AnyBackend) {
    let here = Context::here();
    let n_jobs = here.n_jobs().unwrap_or_else(NJobs::of_environment);
    let backend = here.backend().cloned();
    (n_jobs, backend.unwrap_or_else(AnyBackend::from_env))
}
