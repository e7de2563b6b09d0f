//! Tasks that were pulled from the input and that no lane has taken yet.
//!
//! ```text
//!   input ──► the thread that pulls ──► ready ──► lanes
//!               one at a time, with a permit        as many as make a batch, or what there is
//! ```
//!
//! Who wakes whom is up to the [`Rota`]. A lane that finds little looks for a moment before it takes that, and one that finds
//! nothing before it sleeps: each time that it takes some, it keeps the lock from who brings them.
//!
//! A stream has a thread of its own that pulls its input. So an input may wait, even for the results of the
//! tasks that it gave before: what it gave is run meanwhile, and no lane is stuck in it.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use parking_lot::Mutex as PlainMutex;

use super::batch::Sizing;
use super::rota::{Rota, Since};
use super::runs::Runs;
use super::source::Batch;
use super::stopping::Stopping;
use crate::panics;
use crate::spin;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread::{self, Thread, ThreadId};
use crate::sync::{Mutex, MutexGuard, lock, park_for};

/// How large a batch shall be. Nobody sleeps while it is locked.
type SizingLock = PlainMutex<Sizing>;

/// Where pulled tasks wait. How many there can be is bounded by the permits of the window.
///
/// A lane that finds none parks. Whoever stops the call from outside wakes it too, who knows nothing of
/// the type of the tasks: hence no condition variable.
pub(super) struct Feed<T> {
    state: Mutex<State<T>>,
    /// Whether the state is worth a look: a lane that looks for tasks shall not keep the lock from who brings them.
    news: AtomicBool,
    /// Whether more can come before those that are here have been run.
    flows: bool,
}

struct State<T> {
    ready: VecDeque<T>,
    /// The index of the first that is ready.
    first: usize,
    /// Tasks that a lane took and could not run.
    returned: Runs<Vec<T>>,
    rota: Rota,
    /// Lanes that are woken when the call is stopped.
    known: Vec<ThreadId>,
    /// How many tasks came in, a panic of the input counted as one.
    pulled: usize,
    ended: bool,
    /// Whether that is because the input had no more to give.
    exhausted: bool,
}

/// A lane looks only each so many-th time that it could, some 5 µs after the last one: to take each task as it comes
/// costs who brings them more than to wait for it, since they fetch the lock from each other each time.
const EVERY: u32 = if cfg!(loom) { 1 } else { 8 };

/// Tasks that run for less than this, in all, are few: to take them costs who brings more of them as much.
const FEW: Duration = Duration::from_micros(5);

/// Why no more tasks come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The input has no more.
    Exhausted,
    /// It panicked instead of giving a task.
    Panicked,
    /// Nobody wants more of it.
    Unwanted,
}

/// A [`Feed`] as [`Work`](super::Work) has it: what is behind it is compiled for tasks that are streamed, and not for all.
pub(super) trait Fed<T>: Send + Sync {
    /// A task has been pulled, the last one as far as the input knows. Gives it back if nobody wants it any
    /// more.
    fn push(&self, task: T, last: bool) -> Result<(), T>;

    /// No more tasks come.
    fn end(&self, how: Ended);

    /// Nothing that waits shall be run. It is dropped.
    fn clear(&self);

    /// Takes the next batch, of this size. Waits for one if `wait`, until it is stopped.
    fn take(&self, sizing: &SizingLock, wait: bool, stopping: &Stopping) -> Option<Batch<T>>;

    fn give_back(&self, batch: Batch<T>);

    fn pulled(&self) -> usize;

    /// Whether the input had no more to give.
    fn is_exhausted(&self) -> bool;

    /// Whether there is nothing left to hand out, now and later.
    fn is_empty(&self) -> bool;
}

impl<T> Feed<T> {
    /// Whether it `flows`: more tasks can come before those that are there have been run.
    pub(super) fn new(flows: bool) -> Self {
        Self {
            state: Mutex::new(State {
                ready: VecDeque::new(),
                first: 0,
                returned: Runs::default(),
                rota: Rota::default(),
                known: Vec::new(),
                pulled: 0,
                ended: false,
                exhausted: false,
            }),
            news: AtomicBool::new(false),
            flows,
        }
    }

    /// Looks for tasks until there are some, or it is time to sleep; whether there are.
    fn look(&self, stopping: &Stopping) -> bool {
        spin::look_each(EVERY, &mut || {
            self.news.load(Ordering::Acquire) || stopping.stopped()
        })
    }

    /// Takes of what there is, as a whole if it is all of it: who brings more shall not wait while tasks are copied.
    fn take_ready(
        &self,
        mut state: MutexGuard<'_, State<T>>,
        sizing: &SizingLock,
        me: ThreadId,
    ) -> Batch<T> {
        let there = state.ready.len();
        let (n, run_time) = {
            let sizing = sizing.lock();
            let n = sizing.next(state.ended.then_some(there)).min(there);
            (n, sizing.run_time(n))
        };
        let first = state.first;
        state.first += n;
        if n < there {
            let tasks = state.ready.drain(..n).collect();
            self.tell(state);
            return Batch { first, tasks };
        }
        let tasks = std::mem::take(&mut state.ready);
        state.rota.takes_all(me, run_time);
        self.tell(state);
        let tasks = tasks.into();
        Batch { first, tasks }
    }

    /// Wakes a lane if there is something for it, and none is on its way.
    fn tell(&self, mut state: MutexGuard<'_, State<T>>) {
        let any = !state.ready.is_empty() || !state.returned.is_empty();
        let news = any || state.ended;
        if self.news.load(Ordering::Relaxed) != news {
            self.news.store(news, Ordering::Release);
        }
        // What was given back has waited already.
        let waiting = if state.returned.is_empty() {
            state.ready.len()
        } else {
            usize::MAX
        };
        if any && let Some(lane) = state.rota.whom_to_wake(waiting) {
            drop(state);
            lane.unpark();
        }
    }
}

impl<T: Send> Fed<T> for Feed<T> {
    fn push(&self, task: T, last: bool) -> Result<(), T> {
        let mut state = lock(&self.state);
        if state.ended {
            return Err(task);
        }
        state.ready.push_back(task);
        state.pulled += 1;
        state.exhausted |= last;
        self.tell(state);
        Ok(())
    }

    fn end(&self, how: Ended) {
        let mut state = lock(&self.state);
        state.pulled += usize::from(how == Ended::Panicked);
        state.exhausted |= how != Ended::Unwanted;
        state.ended = true;
        self.news.store(true, Ordering::Release);
        let asleep = state.rota.wake_all();
        drop(state);
        asleep.iter().for_each(Thread::unpark);
    }

    fn clear(&self) {
        self.end(Ended::Unwanted);
        let mut state = lock(&self.state);
        let ready = std::mem::take(&mut state.ready);
        state.first += ready.len();
        let mut returned = std::mem::take(&mut state.returned);
        drop(state);
        panics::discard(ready.into());
        while let Some((_, tasks)) = returned.pop() {
            panics::discard(tasks);
        }
    }

    fn take(&self, sizing: &SizingLock, wait: bool, stopping: &Stopping) -> Option<Batch<T>> {
        let me = thread::current();
        let (mut since, mut in_vain) = (Since::Away, false);
        loop {
            let mut state = lock(&self.state);
            if stopping.stopped() {
                return None;
            }
            let is_work = state.ended || !state.returned.is_empty();
            if let Some(time) = state.rota.comes_back(me.id(), since, is_work) {
                drop(state);
                park_for(time);
                continue;
            }
            if !wait && !state.returned.is_empty() {
                // A lane that has some would put it behind a task that may wait for it, while the others begin later ones.
                return None;
            }
            if let Some(batch) = state.take_returned(sizing) {
                self.tell(state);
                return Some(batch);
            }
            let may_look = wait && !state.ended && !in_vain && state.rota.is_nobody_coming();
            let may_be_more = may_look && self.flows && since != Since::Looked;
            let is_enough = !(state.ready.is_empty() || may_be_more && state.is_few(sizing));
            if !wait && !state.is_enough_for_all(sizing) {
                self.tell(state);
                return None;
            }
            if is_enough {
                return Some(self.take_ready(state, sizing, me.id()));
            }
            if state.ended || !wait {
                return None;
            }
            if may_look {
                state.rota.looks();
                drop(state);
                (since, in_vain) = (Since::Looked, !self.look(stopping));
                continue;
            }
            let alarm = state.rota.falls_asleep(me.clone());
            let known = state.known.contains(&me.id());
            if !known {
                state.known.push(me.id());
            }
            drop(state);
            if !known {
                let me = me.clone();
                stopping.on_stop(Box::new(move || me.unpark()));
            }
            // Returns at once if it was woken since.
            match alarm {
                Some(time) => park_for(time),
                None => thread::park(),
            }
            (since, in_vain) = (Since::Slept, false);
        }
    }

    fn give_back(&self, batch: Batch<T>) {
        if batch.is_empty() {
            return;
        }
        let mut state = lock(&self.state);
        let Batch { first, tasks } = batch;
        state.returned.insert(first, tasks.len(), tasks);
        self.tell(state);
    }

    fn pulled(&self) -> usize {
        lock(&self.state).pulled
    }

    fn is_exhausted(&self) -> bool {
        lock(&self.state).exhausted
    }

    fn is_empty(&self) -> bool {
        let state = lock(&self.state);
        state.ended && state.ready.is_empty() && state.returned.is_empty()
    }
}

impl<T> State<T> {
    /// A batch of the first of those that a lane could not run.
    fn take_returned(&mut self, sizing: &SizingLock) -> Option<Batch<T>> {
        let (Range { start: first, .. }, mut tasks) = self.returned.pop()?;
        let n = sizing.lock().next(self.ended.then_some(tasks.len()));
        if n < tasks.len() {
            let rest = tasks.split_off(n);
            self.returned.insert(first + n, rest.len(), rest);
        }
        Some(Batch { first, tasks })
    }

    /// Whether each lane can have some of what is left, as far as that is known.
    fn is_enough_for_all(&self, sizing: &SizingLock) -> bool {
        let left = self.ended.then_some(self.ready.len());
        sizing.lock().is_enough_for_all(left)
    }

    fn is_few(&self, sizing: &SizingLock) -> bool {
        let (there, sizing) = (self.ready.len(), sizing.lock());
        there < sizing.next(None) && sizing.run_time(there) < FEW
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
