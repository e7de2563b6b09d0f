//! Single tasks, each with a handle: `submit`.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use super::Parallel;
use super::drivers::spawn;
use super::handle::{Handle, Promise, Shared};
use crate::backend::Backend;
use crate::cancel::CancelToken;
use crate::context::Context;
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
        let shared = Arc::new(Shared::default());
        let handle = Handle {
            shared: Arc::clone(&shared),
            cancel: cancel.clone(),
        };
        let mut plan = match self.plan::<T>(OnFailure::GoOn) {
            Ok(plan) => plan,
            Err(error) => {
                shared.set(Err(not_run(&error)));
                return handle;
            }
        };
        let (lanes, context) = (plan.lanes, Context::here());
        let outer = plan.cancel_token.replace(cancel.clone());
        let promise = Promise::new(shared);
        let job = move |backend: &B| {
            let inner = cancel.clone();
            let _watch = outer.map(|outer| outer.watch(move || inner.cancel()));
            if cancel.is_cancelled() {
                return;
            }
            let work = Work::new(std::iter::once(task), plan);
            let driven = context.enter(|| backend.drive(lanes, &work));
            let outcome = match work.into_outcomes(driven) {
                Ok(mut outcomes) => outcomes.pop(),
                Err(error) => Some(Err(not_run(&error))),
            };
            promise.keep(outcome);
        };
        self.submissions.add(&self.backend, lanes, Box::new(job));
        handle
    }
}

fn not_run(error: &Error) -> TaskError {
    let message = error.to_string();
    TaskError::new(0, 0, Failure::Backend { message })
}

type Job<B> = Box<dyn FnOnce(&B) + Send>;

/// Tasks that were submitted, and the threads that see to them: one for each job, started when there is
/// something for it to do. They end when this has been dropped and all is done.
pub(super) struct Submissions<B> {
    queue: Arc<Queue<B>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Queue<B> {
    state: Mutex<Jobs<B>>,
    news: Condvar,
}

struct Jobs<B> {
    waiting: VecDeque<Job<B>>,
    asleep: usize,
    running: usize,
    closing: bool,
}

impl<B> Default for Submissions<B> {
    fn default() -> Self {
        let jobs = Jobs {
            waiting: VecDeque::new(),
            asleep: 0,
            running: 0,
            closing: false,
        };
        let queue = Queue {
            state: Mutex::new(jobs),
            news: Condvar::new(),
        };
        Self {
            queue: Arc::new(queue),
            threads: Mutex::default(),
        }
    }
}

impl<B: Send + Sync + 'static> Submissions<B> {
    fn add(&self, backend: &Arc<B>, most: usize, job: Job<B>) {
        let mut state = self.queue.state.lock();
        state.waiting.push_back(job);
        let enough = state.asleep >= state.waiting.len();
        drop(state);
        self.queue.news.notify_one();
        let mut threads = self.threads.lock();
        if enough || threads.len() >= most {
            return;
        }
        let (queue, backend) = (Arc::clone(&self.queue), Arc::clone(backend));
        match spawn("parallel-submit", move || queue.work_off(&*backend)) {
            Ok(thread) => threads.push(thread),
            // Others will come to it; if there are none, it is told by what becomes of the task.
            Err(_) if !threads.is_empty() => {}
            Err(_) => self.queue.state.lock().waiting.clear(),
        }
    }
}

impl<B> Queue<B> {
    fn work_off(&self, backend: &B) {
        let mut state = self.state.lock();
        loop {
            match state.waiting.pop_front() {
                None if state.closing => return,
                Some(job) => {
                    state.running += 1;
                    drop(state);
                    // A panic of a backend is that of one task; its promise is broken and so kept.
                    let _ = panics::catch(|| job(backend));
                    state = self.state.lock();
                    state.running -= 1;
                }
                None => {
                    state.asleep += 1;
                    self.news.wait(&mut state);
                    state.asleep -= 1;
                }
            }
        }
    }
}

impl<B> Drop for Submissions<B> {
    fn drop(&mut self) {
        let mut state = self.queue.state.lock();
        state.closing = true;
        let all_done = state.running == 0 && state.waiting.is_empty();
        drop(state);
        self.queue.news.notify_all();
        // Those who still have something to do hold on to the backend themselves.
        for thread in self.threads.get_mut().drain(..).filter(|_| all_done) {
            let _ = thread.join();
        }
    }
}

impl<B> fmt::Debug for Submissions<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.queue.state.lock().waiting.len();
        f.debug_struct("Submissions")
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}
