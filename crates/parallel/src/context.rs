//! What a call inherits from the place where it is made: a share of the CPUs, and what the user chose.
//!
//! ```text
//!  scope of `config()` ──► call ──► its tasks, on this thread, on others, in workers ──► calls inside
//!                                     the backend goes along; the number of jobs does not
//! ```
//!
//! Each thread has a context. Whoever runs tasks on another thread, or in another process, brings that of
//! the call along: [`Context::of_tasks`] makes it, [`Context::enter`] and [`enter_worker`] use it.

use std::cell::RefCell;
use std::mem::ManuallyDrop;

#[cfg(target_os = "linux")]
use serde::{Deserialize, Serialize};

use crate::backend::AnyBackend;
use crate::jobs::NJobs;

/// What a call inherits.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// Into how many shares the calls around this place divide the CPUs.
    shares: usize,
    /// Whether this is inside a task.
    in_task: bool,
    /// What the scopes around this place chose, the innermost that chose at all. Scopes outside of the
    /// task count for the backend only: their number of jobs is what the task is one of.
    backend: Option<AnyBackend>,
    n_jobs: Option<NJobs>,
}

thread_local! {
    /// Not dropped at the end of the thread, by when nothing has entered it: a destructor of another thread-local may make
    /// calls after this.
    static HERE: RefCell<ManuallyDrop<Context>> = const {
        RefCell::new(ManuallyDrop::new(Context { shares: 1, in_task: false, backend: None, n_jobs: None }))
    };
}

fn replace(context: Context) -> Context {
    ManuallyDrop::into_inner(HERE.replace(ManuallyDrop::new(context)))
}

impl Context {
    /// That of this place.
    pub(crate) fn here() -> Self {
        HERE.with_borrow(|here| Self::clone(here))
    }

    /// That of the tasks of a call which is made here, so many of them at a time.
    pub(crate) fn of_tasks(lanes: usize) -> Self {
        let here = Self::here();
        Self {
            shares: here.shares.saturating_mul(lanes),
            in_task: true,
            backend: here.backend,
            n_jobs: None,
        }
    }

    /// The same, with what a scope sets.
    pub(crate) fn with(self, backend: Option<AnyBackend>, n_jobs: Option<NJobs>) -> Self {
        Self {
            backend: backend.or(self.backend),
            n_jobs: n_jobs.or(self.n_jobs),
            ..self
        }
    }

    /// That of a place where the CPUs are divided into so many shares.
    #[cfg(target_os = "linux")]
    pub(crate) fn shared_by(shares: usize) -> Self {
        Self {
            shares,
            in_task: true,
            backend: None,
            n_jobs: None,
        }
    }

    /// Calls `f` in this context.
    pub(crate) fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        /// Puts the outer one back, also when `f` unwinds.
        struct Restore(Option<Context>);
        impl Drop for Restore {
            fn drop(&mut self) {
                if let Some(outer) = self.0.take() {
                    let inner = replace(outer);
                    // It may hold the last handle of a backend, whose workers are let go now.
                    drop(inner);
                }
            }
        }
        let _restore = Restore(Some(replace(self.clone())));
        f()
    }

    pub(crate) fn backend(&self) -> Option<&AnyBackend> {
        self.backend.as_ref()
    }

    pub(crate) fn n_jobs(&self) -> Option<NJobs> {
        self.n_jobs
    }
}

/// Into how many shares the CPUs are divided here.
pub(crate) fn shares() -> usize {
    HERE.with_borrow(|here| here.shares.max(1))
}

/// Whether this is inside a task.
pub(crate) fn in_task() -> bool {
    HERE.with_borrow(|here| here.in_task)
}

/// What of a context goes to a worker process.
#[cfg(target_os = "linux")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Inherited {
    shares: u64,
    /// The name of the backend with its options. One without a name cannot travel.
    backend: Option<String>,
    /// What the worker is called in the call, if that is not its own number.
    worker: Option<u64>,
}

#[cfg(target_os = "linux")]
impl Inherited {
    /// For the tasks of a call which is made here, so many of them at a time.
    pub(crate) fn by_tasks(lanes: usize) -> Self {
        let context = Context::of_tasks(lanes);
        let name = context.backend.as_ref().and_then(AnyBackend::portable_name);
        Self {
            shares: context.shares as u64,
            backend: name.map(str::to_owned),
            worker: None,
        }
    }

    /// Of a worker that has been told nothing but its share.
    pub(crate) fn share_only(shares: u64) -> Self {
        Self {
            shares,
            backend: None,
            worker: None,
        }
    }

    /// The same, for a worker that its tasks know by this number.
    pub(crate) fn known_as(self, worker: Option<usize>) -> Self {
        Self {
            worker: worker.map(|number| number as u64),
            ..self
        }
    }

    /// The number by which tasks know their worker, if it is not its own.
    pub(crate) fn worker(&self) -> Option<usize> {
        usize::try_from(self.worker?).ok()
    }

    pub(crate) fn shares(&self) -> u64 {
        self.shares
    }
}

/// What tasks inherit on this thread from now on: that of a worker process, for the calls that come. The
/// backend stays as it is, and its own workers warm, if the one that was chosen has the same name.
#[cfg(target_os = "linux")]
pub(crate) fn enter_worker(inherited: &Inherited) {
    let before = Context::here();
    let kept = before
        .backend
        .filter(|backend| backend.portable_name() == inherited.backend.as_deref());
    let backend = match (&inherited.backend, kept) {
        (None, _) => None,
        (Some(_), Some(kept)) => Some(kept),
        (Some(name), None) => Some(AnyBackend::from(name.as_str())),
    };
    let before = replace(Context {
        shares: usize::try_from(inherited.shares).unwrap_or(usize::MAX),
        in_task: true,
        backend,
        n_jobs: None,
    });
    drop(before);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::cpu_share;

    #[test]
    fn shares_multiply_down_to_one() {
        let all = cpu_share();
        Context::of_tasks(all * 4).enter(|| {
            assert_eq!((cpu_share(), shares()), (1, all * 4));
            Context::of_tasks(2).enter(|| assert_eq!(shares(), all * 8));
        });
        assert_eq!(cpu_share(), all);
    }

    #[test]
    fn the_number_of_jobs_does_not_go_into_tasks() {
        let chosen = Context::here().with(Some("sequential".into()), Some(3.into()));
        chosen.enter(|| {
            let inside = Context::of_tasks(2);
            assert!(inside.in_task && inside.n_jobs.is_none());
            let name = inside.backend().and_then(AnyBackend::portable_name);
            assert_eq!(name, Some("sequential"));
        });
        assert!(Context::here().backend.is_none());
    }
}
