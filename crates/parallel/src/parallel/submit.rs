//! Single tasks, each with a handle: `submit`.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex};

use super::Parallel;
use super::drivers::spawn;
use super::handle::{Handle, Promise, Shared};
use crate::backend::Backend;
use crate::cancel::CancelToken;
use crate::context::{self, Context};
use crate::current::current;
use crate::delayed::Task;
use crate::error::{Error, Failure, TaskError};
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
        let handle = Handle {
            shared: Arc::clone(&shared),
            cancel: cancel.clone(),
            place: Arc::clone(&place),
            queue: Arc::clone(&self.submissions.queue),
        };
        let mut plan = match self.plan::<T>(OnFailure::GoOn) {
            Ok(plan) => plan,
            Err(error) => {
                shared.set(Err(not_run(&error)));
                return handle;
            }
        };
        let (lanes, context) = (plan.lanes, Context::here());
        let outer = std::mem::replace(&mut plan.cancel_tokens, vec![cancel.clone()]);
        let watches = outer.iter().map(|outer| {
            let (cancel, place) = (cancel.clone(), Arc::downgrade(&place));
            outer.watch(move || {
                cancel.cancel();
                // What the task would have used is the user's to drop.
                let _ = panics::catch(|| drop(place.upgrade().map(|place| place.take())));
            })
        });
        let watches: Vec<_> = watches.collect();
        let caller = tracing::Span::current();
        let (promise, backend) = (Promise::new(shared), Arc::clone(&self.backend));
        let job = move |worker| {
            plan.worker = Some(worker);
            let work = caller.in_scope(|| Work::new(std::iter::once(task), plan));
            let driven = context.enter(|| backend.drive(lanes, &work));
            drop((watches, backend));
            let outcome = match work.into_outcomes(driven) {
                // A call that is cancelled tells so for what would have come next, too.
                Ok(outcomes) => outcomes.into_iter().next(),
                Err(error) => Some(Err(not_run(&error))),
            };
            Box::new(|| promise.keep(outcome)) as Telling
        };
        place.put(Box::new(job));
        self.submissions.add(place, lanes);
        handle
    }
}

fn not_run(error: &Error) -> TaskError {
    let message = error.to_string();
    TaskError::new(0, 0, Failure::Backend { message })
}

/// Runs a task, as the worker of this number, and gives what is left to do: to tell its outcome.
type Job = Box<dyn FnOnce(usize) -> Telling + Send>;
type Telling = Box<dyn FnOnce() + Send>;

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

    /// Inside of a task: runs this one here if nobody has begun with it. Who waits for it may hold up all
    /// those who would, and would wait for ever.
    fn help(&self) {
        if let Some(job) = self.take() {
            run(job, number());
        }
    }

    /// The same for one who cannot run it himself, since he does not wait for its end: on a thread of its
    /// own. While he waits, no more run than there are jobs.
    pub(super) fn rush(&self) {
        if !context::in_task() {
            return;
        }
        if let Some(job) = self.take() {
            let place = Self::default();
            place.put(job);
            let place = Arc::new(place);
            let there = Arc::clone(&place);
            let worker = number();
            let run_all = move |place: &Self| {
                let job = place.take().into_iter();
                job.for_each(|job| run(job, worker));
            };
            let run_there = move || run_all(&there);
            if spawn("parallel-submit", run_there).is_err() {
                // There are no threads: better late than never.
                run_all(&place);
            }
        }
    }
}

/// The number of the worker that waits here.
fn number() -> usize {
    current().map_or(0, |task| task.worker())
}

/// Runs a task in place of the one that waits for it, with the same number, and tells its outcome.
fn run(job: Job, worker: usize) {
    // A panic of a backend is that of one task; its promise is broken and so kept.
    let _ = panics::catch(|| job(worker)());
}

/// Tasks that were submitted, and the threads that see to them: one for each job, started when there is
/// something for it to do. They end when this has been dropped and all is done.
#[derive(Default)]
pub(super) struct Submissions {
    queue: Arc<Queue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Arc<Place>>,
    asleep: usize,
    /// How many may run at a time.
    jobs: usize,
    /// The workers from this number on have never run anything.
    hired: usize,
    /// Of the others, those that run nothing.
    idle: Vec<usize>,
    closing: bool,
}

impl State {
    /// The first in line, to be run as the worker of this number, unless as many run as may.
    fn next(&mut self) -> Option<(Arc<Place>, usize)> {
        if self.waiting.is_empty() {
            return None;
        }
        if self.idle.is_empty() && self.hired < self.jobs {
            self.idle.push(self.hired);
            self.hired += 1;
        }
        let worker = self.idle.pop()?;
        Some((self.waiting.pop_front()?, worker))
    }

    fn none_run(&self) -> bool {
        self.idle.len() == self.hired
    }
}

impl Submissions {
    fn add(&self, place: Arc<Place>, jobs: usize) {
        let mut state = self.queue.state.lock();
        state.waiting.push_back(place);
        state.jobs = jobs;
        let enough = state.asleep >= state.waiting.len();
        drop(state);
        self.queue.news.notify_one();
        let mut threads = self.threads.lock();
        if enough || threads.len() >= jobs {
            return;
        }
        let queue = Arc::clone(&self.queue);
        match spawn("parallel-submit", move || queue.work_off()) {
            Ok(thread) => threads.push(thread),
            // Others will come to it; if there are none, it is cancelled.
            Err(_) if !threads.is_empty() => {}
            Err(_) => {
                let waiting = std::mem::take(&mut self.queue.state.lock().waiting);
                waiting.iter().for_each(|place| drop(place.take()));
            }
        }
    }
}

impl Queue {
    /// Runs tasks until there will be none.
    fn work_off(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some((place, worker)) = state.next() {
                drop(state);
                self.run(&place, worker);
                state = self.state.lock();
            } else if state.closing && state.waiting.is_empty() {
                // Others may wait until one of those that ran is through.
                self.news.notify_all();
                return;
            } else {
                state.asleep += 1;
                self.news.wait(&mut state);
                state.asleep -= 1;
            }
        }
    }

    /// Runs the task of this place, if nobody has begun with it, as the worker of this number.
    fn run(&self, place: &Place, worker: usize) {
        // A panic of a backend is that of one task; its promise is broken and so kept.
        let telling = panics::catch(|| place.take().map(|job| job(worker)));
        // Before its handle learns of it, who may be the last to hold this open.
        let mut state = self.state.lock();
        state.idle.push(worker);
        let more = !state.waiting.is_empty();
        drop(state);
        if more {
            self.news.notify_one();
        }
        if let Ok(Some(tell)) = telling {
            // What nobody waits for is dropped here, and a user's drop may panic.
            let _ = panics::catch(tell);
        }
    }

    /// Runs a task here that this thread waits for, if it is the first in line: most are through before another
    /// thread is awake. No more run than there are jobs, and none before one that was submitted earlier, for which it
    /// may wait.
    pub(super) fn help(&self, place: &Arc<Place>) {
        if context::in_task() {
            return place.help();
        }
        let mut state = self.state.lock();
        let first = state.waiting.front();
        let next = match first.is_some_and(|first| Arc::ptr_eq(first, place)) {
            true => state.next(),
            false => None,
        };
        drop(state);
        if let Some((place, worker)) = next {
            self.run(&place, worker);
        }
    }
}

impl Drop for Submissions {
    fn drop(&mut self) {
        let mut state = self.queue.state.lock();
        state.closing = true;
        let all_done = state.none_run() && state.waiting.is_empty();
        drop(state);
        self.queue.news.notify_all();
        // Those who still have something to do hold on to the backend themselves. What a task gives may have been the
        // last to hold this: then one of the threads is this one, and ends after this.
        let here = thread::current().id();
        let others = |thread: &JoinHandle<()>| all_done && thread.thread().id() != here;
        for thread in self.threads.get_mut().drain(..).filter(others) {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Submissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.queue.state.lock().waiting.len();
        f.debug_struct("Submissions")
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}
