//! What a worker is started with.

use std::ffi::{OsStr, OsString};
use std::process::Command;
use std::sync::Arc;

use rustix::rand::GetRandomFlags;
use tracing::Level;

use super::Processes;
use super::initializer::Initializer;
use super::lines::Nonce;
use super::output::Output;
use crate::context::Inherited;
use crate::delayed::Portable;
use crate::error::BackendError;
use crate::jobs;
use crate::wire::CapturelessAction;

/// Libraries that bring threads of their own ask these how many.
const THREAD_COUNTS: [&str; 8] = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
];

/// What a user set.
#[derive(Clone, Debug, Default)]
pub(super) struct Setup {
    env: Vec<(OsString, OsString)>,
    threads: Option<usize>,
    /// Or why there can be none such.
    pub(super) initializer: Option<Result<Arc<Initializer>, String>>,
    pub(super) output: Output,
    /// Up to which level its tasks tell what they tell `tracing`.
    pub(super) tracing: Option<Level>,
}

/// What a new worker counts on.
#[derive(Clone, Debug)]
pub(super) struct Contract {
    /// What its tasks inherit.
    pub(super) inherited: Inherited,
    /// Whether it shall note when it starts each task.
    pub(super) timed: bool,
    pub(super) memory_limit: Option<u64>,
    pub(super) setup: Setup,
}

impl Processes {
    /// Sets an environment variable for the workers, and for what they start.
    ///
    /// ```
    /// use parallel::{Parallel, Processes, delayed};
    ///
    /// let parallel = Parallel::new(1).backend(Processes::new().env("OVEN", "hot"));
    /// let there = parallel.map(|_| std::env::var("OVEN").unwrap(), 0..1)?;
    /// assert_eq!(there, ["hot"]);
    /// assert!(std::env::var("OVEN").is_err());
    /// # Ok::<(), parallel::Error>(())
    /// ```
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let variable = (name.as_ref().to_owned(), value.as_ref().to_owned());
        self.setup.env.push(variable);
        self
    }

    /// How many threads libraries in a worker shall use that bring threads of their own: it is said to
    /// them in `OMP_NUM_THREADS`, `OPENBLAS_NUM_THREADS`, `MKL_NUM_THREADS`, `BLIS_NUM_THREADS`,
    /// `VECLIB_MAXIMUM_THREADS`, `NUMEXPR_NUM_THREADS`, `NUMBA_NUM_THREADS` and `RAYON_NUM_THREADS`.
    ///
    /// By default it is each worker's fair share of the CPUs, and those of the variables that the
    /// environment sets are left as they are.
    ///
    /// ```
    /// use parallel::{Parallel, Processes, delayed};
    ///
    /// let parallel = Parallel::new(1).backend(Processes::new().threads_per_worker(2));
    /// let there = parallel.map(|_| std::env::var("OMP_NUM_THREADS").unwrap(), 0..1)?;
    /// assert_eq!(there, ["2"]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    #[must_use]
    pub fn threads_per_worker(mut self, threads: usize) -> Self {
        self.setup.threads = Some(threads.max(1));
        self
    }
}

impl Processes {
    /// What each worker does once, before its first task: load what all of them need, say.
    ///
    /// The environment variable `PARALLEL_INDEX` tells it the worker's number.
    ///
    /// It must capture nothing, as the functions of tasks; [`initializer_with`](Self::initializer_with) is for one that
    /// takes arguments. If it panics or ends the worker, the call whose worker it was fails with
    /// [`Error::Backend`](crate::Error::Backend).
    ///
    /// ```
    /// use std::sync::OnceLock;
    /// use parallel::{Parallel, Processes, delayed};
    ///
    /// static MENU: OnceLock<Vec<String>> = OnceLock::new();
    ///
    /// fn read_menu() {
    ///     MENU.set(vec!["Pizza".to_owned()]).unwrap();
    /// }
    ///
    /// let parallel = Parallel::new(2).backend(Processes::new().initializer(read_menu));
    /// let dishes = parallel.map(|i: usize| MENU.get().unwrap()[i].clone(), [0, 0])?;
    /// assert_eq!(dishes, ["Pizza", "Pizza"]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    #[must_use]
    pub fn initializer<F>(mut self, _: F) -> Self
    where
        F: FnOnce() + CapturelessAction,
    {
        self.begin_with(Initializer::of_action::<F>());
        self
    }

    /// [`initializer`](Self::initializer) with arguments: `multiprocessing.Pool`'s `initargs`.
    ///
    /// They are encoded here and now, once for all workers; a large argument is in memory once until each of them has
    /// read it, and a [`Shared`](crate::Shared) array stays so. If they cannot be encoded, the calls fail with
    /// [`Error::Backend`](crate::Error::Backend).
    ///
    /// ```
    /// use std::sync::OnceLock;
    /// use parallel::{Parallel, Processes, delayed};
    ///
    /// static MENU: OnceLock<(Vec<String>, u32)> = OnceLock::new();
    ///
    /// fn open(dishes: Vec<String>, price: u32) {
    ///     MENU.set((dishes, price)).unwrap();
    /// }
    ///
    /// let dishes = vec!["Pizza".to_owned(), "Salad".to_owned()];
    /// let processes = Processes::new().initializer_with(delayed!(open(dishes, 12)));
    /// let prices = Parallel::new(2).backend(processes).map(|i: usize| {
    ///     let (dishes, price) = MENU.get().unwrap();
    ///     format!("{}: {price}", dishes[i])
    /// }, 0..2)?;
    /// assert_eq!(prices, ["Pizza: 12", "Salad: 12"]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    #[must_use]
    pub fn initializer_with<T: Portable<Output = ()>>(mut self, task: T) -> Self {
        self.begin_with(Initializer::of_task(task));
        self
    }
}

impl Contract {
    /// For one of so many workers.
    pub(super) fn new(processes: &Processes, lanes: usize) -> Self {
        Self {
            inherited: Inherited::by_tasks(lanes),
            timed: processes.limits.timeout.is_some(),
            memory_limit: processes.limits.memory.map(|bytes| bytes as u64),
            setup: processes.setup.clone(),
        }
    }

    /// Tasks know their worker by this number.
    pub(super) fn known_as(&mut self, worker: Option<usize>) {
        self.inherited = self.inherited.clone().known_as(worker);
    }

    /// What of it no worker can be started with.
    pub(super) fn check(&self) -> Result<(), BackendError> {
        if let Some(Err(why)) = &self.setup.initializer {
            return Err(BackendError::new(why.as_str()));
        }
        for (name, value) in &self.setup.env {
            let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(BackendError::new(format!(
                    "cannot start a worker process: {name:?} cannot be the name of an environment \
                     variable, which has no `=` and no NUL in it; see `Processes::env`"
                )));
            }
            if value.contains('\0') {
                return Err(BackendError::new(format!(
                    "cannot start a worker process: the environment variable {name} cannot have a value \
                     with NUL in it; see `Processes::env`"
                )));
            }
        }
        Ok(())
    }

    /// Sets up the environment of a worker that is about to be started.
    pub(super) fn equip(&self, command: &mut Command, worker: usize) {
        command.env("PARALLEL_INDEX", worker.to_string());
        let asked = self.setup.threads;
        let shares = usize::try_from(self.inherited.shares()).unwrap_or(usize::MAX);
        let threads = asked
            .unwrap_or_else(|| jobs::share_among(shares))
            .to_string();
        for variable in THREAD_COUNTS {
            if asked.is_some() || std::env::var_os(variable).is_none() {
                command.env(variable, &threads);
            }
        }
        let env = self.setup.env.iter();
        command.envs(env.map(|(name, value)| (name, value)));
    }
    /// With what a new worker shall mark what its tasks print.
    pub(super) fn marks(&self) -> Option<Nonce> {
        (self.setup.output == Output::Lines).then(|| {
            let mut nonce = Nonce::default();
            // As good as never refused; then a task could still hardly print a mark by accident.
            let _ = rustix::rand::getrandom(&mut nonce[1..], GetRandomFlags::empty());
            // No line feed, and no part of any text: the ASCII character that separates records.
            nonce[0] = 0x1e;
            nonce
        })
    }
}
