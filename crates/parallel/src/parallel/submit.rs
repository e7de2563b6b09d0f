//! Single tasks, each with a handle: `submit`.

use std::sync::Arc;

use parking_lot::Mutex;

use super::Parallel;
use super::handle::{Handle, Promise, Shared};
use super::open::{Ticket, WaitsForItself};
use super::stream::driven;
use crate::backend::Backend;
use crate::cancel::CancelToken;
use crate::context::Context;
use crate::delayed::Task;
use crate::error::{BackendError, Failure, TaskError};
use crate::panics;
use crate::work::{OnFailure, Work};

impl<B> Parallel<B> {
    /// Has one task run, and returns at once: `multiprocessing.Pool`'s `apply_async`,
    /// `concurrent.futures`' `submit`.
    ///
    /// As many run at the same time as there are jobs; the others wait, as many as there are handles.
    /// Its index is 0. Whatever keeps it from running is its outcome.
    ///
    /// It may outlive the `Parallel`, whose workers stay until then.
    ///
    /// ```
    /// use parallel::{Parallel, delayed};
    ///
    /// let parallel = Parallel::new(2);
    /// let handle = parallel.submit(delayed(|i: u32| i + 1, 1));
    /// assert_eq!(handle.join()?, 2);
    /// # Ok::<(), parallel::TaskError>(())
    /// ```
    pub fn submit<T>(&self, task: T) -> Handle<T::Output>
    where
        T: Task + Send + 'static,
        T::Output: Send + 'static,
        B: Backend<T> + 'static, // In other processes: owned arguments only, no captures, no borrows.
    {
        let cancel = CancelToken::new();
        let (shared, place) = (Arc::new(Shared::default()), Arc::new(Place::default()));
        let mut promise = Promise::new(Arc::clone(&shared), self.submissions.open.ticket());
        let handle = Handle {
            shared,
            cancel: cancel.clone(),
            place: Arc::clone(&place),
            queue: Arc::clone(&self.submissions.queue),
        };
        let mut plan = match self.plan::<T>(OnFailure::GoOn) {
            Ok(plan) => plan,
            Err(error) => {
                promise.keep(Some(Err(not_run(&error))));
                return handle;
            }
        };
        let (lanes, context) = (plan.lanes, Context::here());
        let outer = std::mem::replace(&mut plan.cancel_tokens, vec![cancel.clone()]);
        let watches = outer.iter().map(|outer| {
            let (cancel, place) = (cancel.clone(), Arc::downgrade(&place));
            outer.watch(Box::new(move || {
                cancel.cancel();
                // What the task would have used is the user's to drop.
                let _ = panics::catch(|| drop(place.upgrade().map(|place| place.take())));
            }))
        });
        let watches: Vec<_> = watches.collect();
        let caller = tracing::Span::current();
        let backend = Arc::clone(&self.backend);
        let job = move |worker: Result<usize, &BackendError>| {
            promise.begin();
            let outcome = match worker {
                Ok(worker) => {
                    plan.worker = Some(worker);
                    let work = caller.in_scope(|| Work::new(std::iter::once(task), plan));
                    let driven = context.enter(|| driven(&*backend, lanes, &work));
                    drop((watches, backend));
                    match work.into_outcomes(driven) {
                        // A call that is cancelled tells so for what would have come next, too.
                        Ok(outcomes) => outcomes.into_iter().next(),
                        Err(error) => Some(Err(not_run(&error))),
                    }
                }
                Err(error) => {
                    let _ = panics::catch(|| drop(task));
                    Some(Err(not_run(error)))
                }
            };
            Box::new(|| promise.keep(outcome)) as Telling
        };
        place.put(Box::new(job));
        self.submissions.add(place, lanes);
        handle
    }

    /// Waits until all that was submitted is over, what [`on_finished`](Handle::on_finished) calls included, and has the
    /// workers go: `close` and `join` of `multiprocessing.Pool`, `shutdown` of `concurrent.futures`.
    ///
    /// A `Parallel` that is dropped waits for nothing that was submitted. Streams are not waited for either way.
    ///
    /// # Panics
    /// In a task that was submitted to this very `Parallel`, or in what is called with its outcome: it would wait for
    /// itself.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use parallel::{Parallel, delayed};
    ///
    /// let parallel = Parallel::new(2);
    /// let sum = Arc::new(AtomicU32::new(0));
    /// for i in 0..10 {
    ///     let sum = Arc::clone(&sum);
    ///     parallel.submit(delayed(|i: u32| i * i, i)).on_finished(move |outcome| {
    ///         sum.fetch_add(outcome.unwrap(), Ordering::Relaxed);
    ///     });
    /// }
    /// parallel.join();
    /// assert_eq!(sum.load(Ordering::Relaxed), 285);
    /// ```
    pub fn join(self) {
        self.submissions.queue.hurry();
        if let Err(WaitsForItself) = self.submissions.open.wait() {
            panic!(
                "`Parallel::join` was called by what was submitted to the same `Parallel`, and would wait for itself: \
                 call it elsewhere, or drop the `Parallel`"
            );
        }
    }
}

fn not_run(error: &impl std::error::Error) -> TaskError {
    let message = error.to_string();
    TaskError::new(0, 0, Failure::Backend { message })
}

/// Runs a task, as the worker of this number, and gives what is left to do: to tell its outcome. Or tells why nobody can
/// run it.
type Job = Box<dyn FnOnce(Result<usize, &BackendError>) -> Telling + Send>;
pub(super) type Telling = Box<dyn FnOnce() -> Option<Aside> + Send>;
/// What is left to do then, and is the user's: to call who waits for the outcome, or to drop what nobody wants. Then it is
/// over.
pub(super) type Aside = (Ticket, Box<dyn FnOnce() + Send>);

/// Where a task waits until someone runs it. Whoever takes it and does not run it cancels it.
#[derive(Default)]
pub(super) struct Place(Mutex<Option<Job>>);

impl Place {
    fn put(&self, job: Job) {
        *self.0.lock() = Some(job);
    }

    pub(super) fn take(&self) -> Option<Job> {
        self.0.lock().take()
    }

    /// Whether nobody has begun with the task.
    pub(super) fn is_full(&self) -> bool {
        self.0.lock().is_some()
    }

    /// Runs the task, if nobody has begun with it. A panic of what is not the task's is nobody else's.
    pub(super) fn run(&self, worker: Result<usize, &BackendError>) -> Option<Telling> {
        let job = self.take()?;
        panics::catch(|| job(worker)).ok()
    }
}

/// Tells an outcome. What nobody waits for may be dropped by it, and a user's drop may panic.
pub(super) fn tell(telling: Telling) -> Option<Aside> {
    panics::catch(telling).ok().flatten()
}
