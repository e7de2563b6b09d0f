//! What stands for a task that was submitted.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::inside;
use super::open::Ticket;
use super::queue::Queue;
use super::submit::{Aside, Place};
use crate::cancel::CancelToken;
use crate::error::{Error, Failure, Outcome, TaskError};
use crate::observe::spans::TARGET;
use crate::panics;

/// A task that was submitted. Also a future, of its outcome.
///
/// To drop it lets the task run on.
#[must_use = "nobody learns what comes of the task otherwise"]
pub struct Handle<R> {
    pub(super) shared: Arc<Shared<R>>,
    pub(super) cancel: CancelToken,
    pub(super) place: Arc<Place>,
    pub(super) queue: Arc<Queue>,
}

impl<R> Handle<R> {
    /// Waits for the outcome. If the task is the first in line, and fewer run than there are jobs, it is run here and
    /// now, as tasks of `run` are. One that another task waits for so is run there if nobody has begun with it.
    ///
    /// # Errors
    /// The task's failure.
    ///
    /// # Panics
    /// If [`join_timeout`](Self::join_timeout) or the future has given the outcome away already.
    pub fn join(self) -> Outcome<R> {
        inside::help(&self.queue, &self.place);
        let mut state = self.shared.state.lock();
        while !state.finished {
            self.shared.finished.wait(&mut state);
        }
        state.take()
    }

    /// Waits for the outcome no longer than this. After a time without it, the task goes on, and may be
    /// waited for again.
    ///
    /// # Errors
    /// [`Error::StillRunning`] if there is none yet; [`Error::Task`] if the task failed.
    ///
    /// # Panics
    /// If an earlier call or the future has given the outcome away already.
    ///
    /// ```
    /// use std::sync::mpsc::channel;
    /// use std::time::Duration;
    /// use parallel::{Error, Parallel, delayed};
    ///
    /// let (send, receive) = channel::<u32>();
    /// let parallel = Parallel::new(2);
    /// let handle = parallel.submit(delayed(move |()| receive.recv().unwrap(), ()));
    /// let early = handle.join_timeout(Duration::from_millis(10));
    /// assert!(matches!(early, Err(Error::StillRunning)));
    /// send.send(7).unwrap();
    /// assert_eq!(handle.join_timeout(Duration::from_secs(60))?, 7);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    pub fn join_timeout(&self, time: Duration) -> Result<R, Error> {
        self.rush();
        let mut state = self.shared.state.lock();
        match Instant::now().checked_add(time) {
            Some(deadline) => {
                while !state.finished {
                    if self
                        .shared
                        .finished
                        .wait_until(&mut state, deadline)
                        .timed_out()
                    {
                        break;
                    }
                }
            }
            None => {
                while !state.finished {
                    self.shared.finished.wait(&mut state);
                }
            }
        }
        if !state.finished {
            return Err(Error::StillRunning);
        }
        Ok(state.take()?)
    }

    /// Has `f` called with the outcome, as soon as there is one: `callback` and `error_callback` of
    /// `multiprocessing.Pool`'s `apply_async`.
    ///
    /// It is called on the thread that is through with the task, which does nothing else meanwhile; here and now if
    /// the task is through already. If it panics, `tracing` is told, and nobody else.
    ///
    /// # Panics
    /// If [`join_timeout`](Self::join_timeout) or the future has given the outcome away already.
    ///
    /// ```
    /// use std::sync::mpsc::channel;
    /// use parallel::{Parallel, delayed};
    ///
    /// let parallel = Parallel::new(2);
    /// let (send, receive) = channel();
    /// parallel
    ///     .submit(delayed(|i: u32| i + 1, 1))
    ///     .on_finished(move |outcome| send.send(outcome).unwrap());
    /// assert_eq!(receive.recv().unwrap()?, 2);
    /// # Ok::<(), parallel::TaskError>(())
    /// ```
    pub fn on_finished(self, f: impl FnOnce(Outcome<R>) + Send + 'static) {
        let mut state = self.shared.state.lock();
        if state.finished {
            let outcome = state.take();
            drop(state);
            call_back(f, outcome);
        } else {
            state.callback = Some(Box::new(f));
            drop(state);
            self.queue.hurry();
        }
    }

    /// For who waits for it, but not until its end.
    pub(super) fn rush(&self) {
        inside::rush(&self.queue, &self.place);
    }

    /// Whether there is an outcome.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.shared.state.lock().finished
    }

    /// Ends the task with [`Failure::Cancelled`], unless it has an outcome: if it waits, it never starts.
    /// If it runs in a worker process, it gets a short grace and is killed; on a thread it runs on until
    /// it asks [`current`](crate::current) whether it is cancelled, or is through, and what it gives then
    /// counts.
    ///
    /// ```
    /// use parallel::{Failure, Parallel, Processes, delayed};
    ///
    /// fn hang(_: u32) {
    ///     std::thread::park();
    /// }
    ///
    /// let parallel = Parallel::new(1).backend(Processes::new());
    /// let handle = parallel.submit(delayed(hang, 0));
    /// handle.cancel();
    /// assert!(matches!(handle.join().unwrap_err().failure(), Failure::Cancelled));
    /// ```
    pub fn cancel(&self) {
        self.cancel.cancel();
        // If it has not begun, it never will. What it would have used is the user's to drop.
        let _ = panics::catch(|| drop(self.place.take()));
    }
}

impl<R> Future for Handle<R> {
    type Output = Outcome<R>;

    /// # Panics
    /// If the outcome has been given away already.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.rush();
        // Wakers are the user's, and are cloned and dropped without the lock.
        let waker = context.waker().clone();
        let mut state = self.shared.state.lock();
        if state.finished {
            return Poll::Ready(state.take());
        }
        // Only the one that polled last is to be woken.
        let before = state.poller.replace(waker);
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl<R> fmt::Debug for Handle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("is_finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

/// Where the outcome of a task is put.
pub(super) struct Shared<R> {
    state: Mutex<State<R>>,
    finished: Condvar,
}

struct State<R> {
    finished: bool,
    outcome: Option<Outcome<R>>,
    /// Who is to be woken besides those who sleep: who waits for the first of several.
    wakers: Vec<Waker>,
    /// Who has polled the future.
    poller: Option<Waker>,
    /// Who is given the outcome.
    callback: Option<Callback<R>>,
}

type Callback<R> = Box<dyn FnOnce(Outcome<R>) + Send>;

/// Hands an outcome to a user's function, whose panic is nobody else's.
fn call_back<R>(f: impl FnOnce(Outcome<R>), outcome: Outcome<R>) {
    if let Err(panic) = panics::catch(|| f(outcome)) {
        let failure = panic.of_task();
        tracing::error!(target: TARGET, "a callback of `on_finished` {failure}");
    }
}

/// A result that nobody has taken goes, and may panic as it does.
impl<R> Drop for Shared<R> {
    fn drop(&mut self) {
        let outcome = self.state.get_mut().outcome.take();
        let _ = panics::catch(|| drop(outcome));
    }
}

impl<R> Default for Shared<R> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                finished: false,
                outcome: None,
                wakers: Vec::new(),
                poller: None,
                callback: None,
            }),
            finished: Condvar::new(),
        }
    }
}

impl<R> Shared<R> {
    /// Who is to be called with it, if someone is: nobody else waits then, since it took the handle.
    fn set(&self, outcome: Outcome<R>) -> Option<(Callback<R>, Outcome<R>)> {
        let mut state = self.state.lock();
        state.finished = true;
        if let Some(callback) = state.callback.take() {
            return Some((callback, outcome));
        }
        state.outcome = Some(outcome);
        let wakers = std::mem::take(&mut state.wakers);
        let wakers = wakers.into_iter().chain(state.poller.take());
        drop(state);
        self.finished.notify_all();
        wakers.for_each(Waker::wake);
        None
    }

    /// Has someone woken when it is finished; false if it is.
    pub(super) fn watch(&self, waker: &Waker) -> bool {
        let mut state = self.state.lock();
        if !state.finished && !state.wakers.iter().any(|other| other.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
        !state.finished
    }

    pub(super) fn unwatch(&self, waker: &Waker) {
        let wakers = &mut self.state.lock().wakers;
        wakers.retain(|other| !other.will_wake(waker));
    }
}

impl<R> State<R> {
    fn take(&mut self) -> Outcome<R> {
        let outcome = self.outcome.take();
        outcome.expect("the outcome of a handle can be taken once")
    }
}

/// That there will be an outcome: if the task is dropped without one, it was cancelled.
pub(super) struct Promise<R>(Option<(Arc<Shared<R>>, Ticket)>);

impl<R> Promise<R> {
    pub(super) fn new(shared: Arc<Shared<R>>, ticket: Ticket) -> Self {
        Self(Some((shared, ticket)))
    }

    /// The task is begun with, on the thread that tells its outcome then.
    pub(super) fn begin(&mut self) {
        if let Some((_, ticket)) = &mut self.0 {
            ticket.begin();
        }
    }

    /// Tells the outcome, and gives what is left to do, and is the user's.
    pub(super) fn keep(mut self, outcome: Option<Outcome<R>>) -> Option<Aside>
    where
        R: Send + 'static,
    {
        let (outcome, (shared, ticket)) = (outcome?, self.0.take()?);
        let aside: Box<dyn FnOnce() + Send> = match shared.set(outcome) {
            Some((callback, outcome)) => Box::new(|| call_back(callback, outcome)),
            // Nobody has the handle any more.
            None => {
                let unwanted = Arc::into_inner(shared)?;
                Box::new(|| drop(unwanted))
            }
        };
        Some((ticket, aside))
    }
}

impl<R> Drop for Promise<R> {
    fn drop(&mut self) {
        if let Some((shared, mut ticket)) = self.0.take() {
            ticket.begin();
            let outcome = Err(TaskError::new(0, 0, Failure::Cancelled));
            if let Some((callback, outcome)) = shared.set(outcome) {
                call_back(callback, outcome);
            }
        }
    }
}
