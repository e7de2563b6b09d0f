//! Tasks that were submitted, and the threads that see to them.
//!
//! ```text
//!   submit ──► waiting ──► a thread, or who joins the first of them ──► outcome ──► handle
//!                            as the worker of a number that is free        └──► callback, aside
//! ```
//!
//! There is a thread for each job, started when there is something for it to do. One that calls a user back counts as none
//! meanwhile: others see to what is submitted then, and who drops the `Parallel` does not wait for it.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::drivers::spawn;
use super::habit::{ALARM, Habit};
use super::open::Open;
use super::stream::no_thread;
use super::submit::{Place, Telling, tell};
use crate::panics;

/// Tasks that were submitted. Their threads end when this has been dropped and all is done.
#[derive(Default)]
pub(super) struct Submissions {
    pub(super) queue: Arc<Queue>,
    pub(super) open: Arc<Open>,
}

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    news: Condvar,
    threads: Mutex<Threads>,
    /// A thread has come to its end, or calls a user back.
    left: Condvar,
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
    habit: Habit,
    closing: bool,
}

#[derive(Default)]
struct Threads {
    working: Vec<JoinHandle<()>>,
    /// They are about to end, or have.
    ended: Vec<JoinHandle<()>>,
}

impl State {
    /// A worker, unless as many run as may.
    fn hire(&mut self) -> Option<usize> {
        self.idle.pop().or_else(|| {
            let worker = self.hired;
            (worker < self.jobs).then(|| {
                self.hired += 1;
                worker
            })
        })
    }

    /// The first in line, to be run as the worker of this number, unless as many run as may.
    fn next(&mut self) -> Option<(Arc<Place>, usize)> {
        if self.waiting.is_empty() {
            return None;
        }
        let worker = self.hire()?;
        Some((self.waiting.pop_front()?, worker))
    }

    /// Whether those that there are will not come soon to all that waits.
    fn is_short(&self) -> bool {
        self.asleep < self.waiting.len()
    }

    fn none_run(&self) -> bool {
        self.idle.len() == self.hired
    }
}

impl Threads {
    /// Takes out the thread that this is, if it is one of them.
    fn take_this(&mut self) -> Option<JoinHandle<()>> {
        let here = thread::current().id();
        let place = self.working.iter().position(|t| t.thread().id() == here)?;
        Some(self.working.swap_remove(place))
    }
}

impl Submissions {
    pub(super) fn add(&self, place: Arc<Place>, jobs: usize) {
        let mut state = self.queue.state.lock();
        state.waiting.push_back(place);
        state.jobs = jobs;
        let (short, waiting) = (state.is_short(), state.waiting.len());
        let wake = state.habit.submitted(waiting);
        drop(state);
        if !wake {
            return;
        }
        self.queue.news.notify_one();
        if short && let Err(error) = self.queue.staff(jobs) {
            if !self.queue.threads.lock().working.is_empty() {
                // They will come to it.
                return;
            }
            let (error, waiting) = (no_thread(&error), {
                let mut state = self.queue.state.lock();
                std::mem::take(&mut state.waiting)
            });
            for place in waiting {
                self.queue.conclude(place.run(Err(&error)));
            }
        }
    }
}

impl Queue {
    /// Starts a thread, unless there is one for each job.
    fn staff(self: &Arc<Self>, jobs: usize) -> io::Result<()> {
        let mut threads = self.threads.lock();
        if threads.working.len() < jobs {
            let queue = Arc::clone(self);
            let thread = spawn("parallel-submit", move || queue.work_off())?;
            threads.working.push(thread);
        }
        Ok(())
    }

    /// Runs tasks until there will be none.
    fn work_off(self: &Arc<Self>) {
        let mut state = self.state.lock();
        loop {
            if let Some((place, worker)) = state.next() {
                drop(state);
                self.run(&place, worker);
                state = self.state.lock();
            } else if state.closing && state.waiting.is_empty() {
                break;
            } else {
                self.sleep(&mut state);
            }
        }
        drop(state);
        // Others may wait until one of those that ran is through.
        self.news.notify_all();
        let mut threads = self.threads.lock();
        let this = threads.take_this();
        threads.ended.extend(this);
        self.left.notify_all();
    }

    /// Until there may be something to do.
    fn sleep(&self, state: &mut MutexGuard<'_, State>) {
        state.asleep += 1;
        if state.habit.fall_asleep() {
            let late = self.news.wait_for(state, ALARM).timed_out();
            let waits = !state.waiting.is_empty();
            state.habit.wake_up(late, waits);
        } else {
            self.news.wait(state);
        }
        state.asleep -= 1;
    }

    /// For who waits for a task, and will not run it.
    pub(super) fn hurry(&self) {
        if self.state.lock().habit.broken() {
            self.news.notify_one();
        }
    }

    /// Runs the task of this place, if nobody has begun with it, as the worker of this number, which is free again then.
    fn run(self: &Arc<Self>, place: &Place, worker: usize) {
        let telling = place.run(Ok(worker));
        // Before its handle learns of it, who may be the last to hold this open.
        let mut state = self.state.lock();
        state.idle.push(worker);
        let more = !state.waiting.is_empty();
        drop(state);
        if more {
            self.news.notify_one();
        }
        self.conclude(telling);
    }

    /// Tells an outcome, and does what is left then, which is the user's and no task, and may take any time.
    fn conclude(self: &Arc<Self>, telling: Option<Telling>) {
        let Some((ticket, aside)) = telling.and_then(tell) else {
            return;
        };
        let this = self.threads.lock().take_this();
        if this.is_some() {
            self.left.notify_all();
            let state = self.state.lock();
            let (short, jobs) = (state.is_short(), state.jobs);
            drop(state);
            if short {
                // It may wait for what was submitted. Where there is no thread to be had, this one comes back to that.
                let _ = self.staff(jobs);
            }
        }
        let _ = panics::catch(aside);
        self.threads.lock().working.extend(this);
        drop(ticket);
    }

    /// Runs a task here that this thread waits for, if it is the first in line: most are through before another
    /// thread is awake. No more run than there are jobs, and none before one that was submitted earlier, for which it
    /// may wait.
    pub(super) fn help(self: &Arc<Self>, place: &Arc<Place>) {
        let mut state = self.state.lock();
        let first = state.waiting.front();
        let first = first.is_some_and(|first| Arc::ptr_eq(first, place));
        state.habit.joined(first);
        let next = first.then(|| state.next()).flatten();
        drop(state);
        if let Some((place, worker)) = next {
            self.run(&place, worker);
        }
    }

    /// Runs a task here at once, for who is the worker of this number somewhere: one that is free here runs it, or, where
    /// none is, whoever waits for it does so in its own place.
    pub(super) fn run_for(self: &Arc<Self>, place: &Place, number: usize) {
        if !place.is_full() {
            return;
        }
        let mut state = self.state.lock();
        let (worker, jobs) = (state.hire(), state.jobs);
        drop(state);
        match worker {
            Some(worker) => self.run(place, worker),
            None => {
                let number = number.min(jobs.saturating_sub(1));
                self.conclude(place.run(Ok(number)));
            }
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
        if !all_done {
            // Those who still have something to do hold on to the backend themselves.
            return;
        }
        // What a task gives may have been the last to hold this: then one of the threads is this one, and ends after this.
        let here = thread::current().id();
        let mut threads = self.queue.threads.lock();
        while threads.working.iter().any(|t| t.thread().id() != here) {
            self.queue.left.wait(&mut threads);
        }
        let ended = std::mem::take(&mut threads.ended);
        drop(threads);
        for thread in ended {
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
