//! How long a task may run, and how often it is tried.
//!
//! The worker notes when it claims a task, the lane that waits for it sleeps no longer than that task may
//! run, and looks then: what it finds still at the same task it ends. A task whose result is in the ring
//! by then has made it.

use std::time::{Duration, Instant};

use super::Processes;
use super::lane::Lane;
use super::memory::clock;
use super::process::{Process, dismiss};
use super::supervision::Ended;
use crate::delayed::Portable;
use crate::error::{BackendError, Failure};

/// What a user set.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    pub(super) timeout: Option<Duration>,
    pub(super) retries: u32,
    pub(super) retry_panics: bool,
    pub(super) max_tasks_per_worker: Option<u64>,
    pub(super) memory: Option<usize>,
    pub(super) idle_timeout: Option<Duration>,
}

/// A worker that has been sent tasks and claims none for so long has come to a stop between two tasks,
/// or never came up. To come up takes a few milliseconds.
const STALLED: Duration = Duration::from_secs(10);

/// The same for a worker that has run tasks before.
const IDLED: Duration = Duration::from_secs(1);

impl Processes {
    /// How long a task may run, from its own start, whatever batch it is in.
    ///
    /// One that runs for longer ends with [`Failure::TimedOut`](crate::Failure::TimedOut): its worker is
    /// killed, with all processes that it started in its process group, and replaced. The others in its
    /// batch are none the worse.
    ///
    /// ```
    /// use std::time::Duration;
    /// use parallel::{Failure, Parallel, Processes, delayed};
    ///
    /// fn cook(minutes: u64) -> u64 {
    ///     std::thread::sleep(Duration::from_secs(60 * minutes));
    ///     minutes
    /// }
    ///
    /// let processes = Processes::new().timeout(Duration::from_millis(100));
    /// let outcomes = Parallel::new(2).backend(processes).outcomes([0, 5, 0].map(|m| delayed(cook, m)))?;
    /// assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
    /// let error = outcomes[1].as_ref().unwrap_err();
    /// assert!(matches!(error.failure(), Failure::TimedOut { .. }));
    /// # Ok::<(), parallel::Error>(())
    /// ```
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limits.timeout = Some(limit);
        self
    }

    /// How often a task is started again whose worker died, that ran for too long or wanted too much memory; by default not at
    /// all, so that nothing runs twice. A panic is tried again only with
    /// [`retry_panics`](Self::retry_panics).
    ///
    /// [`TaskError::attempts`](crate::TaskError::attempts) tells how often a task that failed was started,
    /// [`TaskError::history`](crate::TaskError::history) what happened before the last time.
    ///
    /// ```
    /// use parallel::{Parallel, Processes, delayed};
    ///
    /// fn hopeless(_: u32) -> u32 {
    ///     std::process::abort()
    /// }
    ///
    /// let parallel = Parallel::new(1).backend(Processes::new().retries(2));
    /// let outcomes = parallel.outcomes([delayed(hopeless, 7)])?;
    /// let error = outcomes[0].as_ref().unwrap_err();
    /// assert_eq!((error.attempts(), error.history().len()), (3, 2));
    /// # Ok::<(), parallel::Error>(())
    /// ```
    #[must_use]
    pub fn retries(mut self, times: u32) -> Self {
        self.limits.retries = times;
        self
    }

    /// Whether [`retries`](Self::retries) is for panics too. By default it is not: what panicked once
    /// mostly panics again.
    ///
    /// ```
    /// use parallel::{Parallel, Processes, current, delayed};
    ///
    /// fn second_try(_: u32) -> u32 {
    ///     let attempt = current().unwrap().attempt();
    ///     assert!(attempt > 1, "the oven is cold");
    ///     attempt
    /// }
    ///
    /// let parallel = Parallel::new(1).backend(Processes::new().retries(1).retry_panics(true));
    /// assert_eq!(parallel.run([delayed(second_try, 7)])?, [2]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    #[must_use]
    pub fn retry_panics(mut self, yes: bool) -> Self {
        self.limits.retry_panics = yes;
        self
    }
}

impl Processes {
    /// After how many tasks a worker is let go and replaced by a new one: for tasks that leak. By default
    /// it stays as long as its `Parallel`. 0 is taken as 1.
    ///
    /// `multiprocessing.Pool`'s `maxtasksperchild`.
    ///
    /// ```
    /// use parallel::{Parallel, Processes, delayed};
    ///
    /// let parallel = Parallel::new(1).backend(Processes::new().max_tasks_per_worker(2));
    /// let pids = parallel.map(|_| std::process::id(), 0..4)?;
    /// assert!(pids[0] == pids[1] && pids[1] != pids[2] && pids[2] == pids[3]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    #[must_use]
    pub fn max_tasks_per_worker(mut self, tasks: u64) -> Self {
        self.limits.max_tasks_per_worker = Some(tasks.max(1));
        self
    }
}

impl Processes {
    /// How many bytes of memory a worker may have: its heap and whatever else it maps for itself alone,
    /// stacks of threads included; not the program's code, nor files that it maps.
    ///
    /// The kernel enforces it, as a limit of the resource `RLIMIT_DATA`: who asks for more does not get it,
    /// which ends a worker whose task does not expect that. Such a task ends with
    /// [`Failure::OutOfMemory`](crate::Failure::OutOfMemory), and its worker is replaced; nobody else
    /// notices. Each process that a task starts may have as much.
    ///
    /// It is the memory that was asked for that counts, whether or not it is used. What earlier tasks
    /// left behind in a worker counts too.
    ///
    /// ```
    /// use parallel::{Failure, Parallel, Processes, delayed};
    ///
    /// fn knead(bytes: usize) -> usize {
    ///     // Or the compiler finds that no dough is needed to say how much it is.
    ///     std::hint::black_box(vec![1u8; bytes]).len()
    /// }
    ///
    /// let parallel = Parallel::new(2).backend(Processes::new().memory_limit(64 << 20));
    /// let outcomes = parallel.outcomes([1 << 10, 1 << 30, 1 << 20].map(|n| delayed(knead, n)))?;
    /// assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
    /// assert!(matches!(outcomes[1].as_ref().unwrap_err().failure(), Failure::OutOfMemory));
    /// # Ok::<(), parallel::Error>(())
    /// ```
    #[must_use]
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.limits.memory = Some(bytes);
        self
    }
}

impl Limits {
    /// Whether a task may be started again to which this has happened, after all that happened before.
    pub(super) fn retry(&self, failure: &Failure, history: &[Failure]) -> bool {
        match failure {
            Failure::Died { .. } | Failure::TimedOut { .. } | Failure::OutOfMemory => {
                history.len() < self.retries as usize
            }
            Failure::Panicked { .. } => self.retries_panic(history),
            _ => false,
        }
    }

    /// The same for a task that may panic.
    pub(super) fn retries_panic(&self, history: &[Failure]) -> bool {
        self.retry_panics && history.len() < self.retries as usize
    }
}

impl<T: Portable> Lane<'_, '_, T>
where
    T::Output: Send + 'static,
{
    /// How many tasks may be with the worker, so that it does no more than it may in all.
    pub(super) fn most_sent(&self) -> usize {
        let (Some(most), Some(process)) = (self.limits.max_tasks_per_worker, &self.process) else {
            return usize::MAX;
        };
        usize::try_from(most.saturating_sub(process.answered)).unwrap_or(usize::MAX)
    }

    /// Lets the worker go if it has done all that it may.
    pub(super) fn retire(&mut self) {
        if self.most_sent() == 0 && self.sent == 0 {
            dismiss(self.process.take().into_iter().collect());
        }
    }

    /// How many tasks of the last generation the worker has started, if it has not answered for all that it
    /// has started. All but one of the answers may be on their way.
    fn at_work(&self, process: &Process) -> Option<u64> {
        let started = process.link.memory().control().started();
        (self.started_before + started > self.received).then_some(started)
    }

    /// When the time of the task that runs now is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let limit = self.limits.timeout?;
        let process = self.process.as_ref().filter(|process| !process.beginning)?;
        let left = match self.at_work(process) {
            // It is about to start one, which is looked at in time.
            None => limit.min(STALLED),
            Some(_) => end_of_time(process, limit).saturating_sub(clock()),
        };
        Instant::now().checked_add(left)
    }

    /// It is late: ends the worker if the task that it is at has had its time.
    pub(super) fn check_time(&mut self) -> Result<(), BackendError> {
        let (Some(limit), Some(mut process)) = (self.limits.timeout, self.process.take()) else {
            return Ok(());
        };
        let ended = match self.at_work(&process) {
            Some(started) => {
                self.stalled_since = None;
                // It may be through with that task by now and at the next one, which has its own time.
                let late = clock() >= end_of_time(&process, limit);
                (late && process.next_generation_at(started))
                    .then_some(Ended::TimedOut { limit, started })
            }
            None => {
                let since = *self.stalled_since.get_or_insert_with(Instant::now);
                // What it has not started can be started elsewhere; one that is up is at it at once.
                let patience = if process.answered > 0 {
                    limit.max(IDLED).min(STALLED)
                } else {
                    STALLED
                };
                (since.elapsed() >= patience).then_some(Ended::ByItself)
            }
        };
        self.process = Some(process);
        match ended {
            None => Ok(()),
            Some(ended) => {
                self.stalled_since = None;
                self.replace(ended)
            }
        }
    }
}

/// When the time of the task that the worker is at is over, by the clock that both see.
fn end_of_time(process: &Process, limit: Duration) -> Duration {
    let claimed_at = process.link.memory().control().claimed_at();
    claimed_at.saturating_add(limit)
}
