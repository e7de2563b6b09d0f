//! Tasks that were pulled from the input and that no lane has taken yet.
//!
//! ```text
//!   input ──► the thread that pulls ──► ready ──► lanes
//!               one at a time, with a permit        as many as make a batch, or what there is
//! ```
//!
//! A stream has a thread of its own that pulls its input. So an input may wait, even for the results of the
//! tasks that it gave before: what it gave is run meanwhile, and no lane is stuck in it.

use std::collections::VecDeque;

use std::thread::{self, Thread, ThreadId};

use parking_lot::{Mutex, MutexGuard};

use super::source::Batch;
use super::stopping::Stopping;

/// Where pulled tasks wait. How many there can be is bounded by the permits of the window.
///
/// A lane that finds none parks. Whoever stops the call from outside wakes it too, who knows nothing of
/// the type of the tasks: hence no condition variable.
pub(super) struct Feed<T> {
    state: Mutex<State<T>>,
}

struct State<T> {
    ready: VecDeque<T>,
    /// The index of the first that is ready.
    first: usize,
    /// Tasks that a lane took and could not run.
    returned: Vec<Batch<T>>,
    /// Lanes that sleep and that nobody has woken yet.
    hungry: Vec<Thread>,
    /// Whether one has been woken and is on its way. It wakes the next one, if there is more than it takes: a
    /// source that gives a task now and then pays for one lane to wake up, not for one a task.
    waking: bool,
    /// Lanes that are woken when the call is stopped.
    known: Vec<ThreadId>,
    /// How many tasks came in, a panic of the input counted as one.
    pulled: usize,
    ended: bool,
    /// Whether that is because the input had no more to give.
    exhausted: bool,
}

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

impl<T> Feed<T> {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                ready: VecDeque::new(),
                first: 0,
                returned: Vec::new(),
                hungry: Vec::new(),
                waking: false,
                known: Vec::new(),
                pulled: 0,
                ended: false,
                exhausted: false,
            }),
        }
    }

    /// A task has been pulled, the last one as far as the input knows. Gives it back if nobody wants it any
    /// more.
    pub(super) fn push(&self, task: T, last: bool) -> Result<(), T> {
        let mut state = self.state.lock();
        if state.ended {
            return Err(task);
        }
        state.ready.push_back(task);
        state.pulled += 1;
        state.exhausted |= last;
        wake_one(state);
        Ok(())
    }

    /// No more tasks come.
    pub(super) fn end(&self, how: Ended) {
        let mut state = self.state.lock();
        state.pulled += usize::from(how == Ended::Panicked);
        state.exhausted |= how != Ended::Unwanted;
        state.ended = true;
        let hungry = std::mem::take(&mut state.hungry);
        drop(state);
        hungry.iter().for_each(Thread::unpark);
    }

    /// Nothing that waits shall be run. It is given to the caller, to drop it.
    pub(super) fn clear(&self) -> impl Sized + use<T> {
        self.end(Ended::Unwanted);
        let mut state = self.state.lock();
        let ready = std::mem::take(&mut state.ready);
        state.first += ready.len();
        (ready, std::mem::take(&mut state.returned))
    }

    /// Takes up to `n` tasks; `n` is told how many remain, if that is known. Waits for one if `wait`,
    /// until it is stopped.
    pub(super) fn take(
        &self,
        n: impl Fn(Option<usize>) -> usize,
        wait: bool,
        stopping: &Stopping,
    ) -> Option<Batch<T>> {
        let mut slept = false;
        loop {
            let mut state = self.state.lock();
            // Whoever has woken it: a task may have left a call of `unpark` behind. Who is awake is not hungry,
            // and would be woken in vain in place of one that sleeps.
            if slept && !state.remove_hungry(thread::current().id()) {
                state.waking = false;
            }
            if stopping.stopped() {
                return None;
            }
            if let Some(batch) = state.returned.pop() {
                wake_one(state);
                return Some(batch);
            }
            if !state.ready.is_empty() {
                let remaining = state.ended.then_some(state.ready.len());
                let n = n(remaining).min(state.ready.len());
                let first = state.first;
                state.first += n;
                let tasks = state.ready.drain(..n).collect();
                wake_one(state);
                return Some(Batch { first, tasks });
            }
            if state.ended {
                return None;
            }
            if !wait {
                return None;
            }
            let me = thread::current();
            state.hungry.push(me.clone());
            let known = state.known.contains(&me.id());
            if !known {
                state.known.push(me.id());
            }
            drop(state);
            if !known {
                stopping.on_stop(move || me.unpark());
            }
            // Returns at once if it was woken since.
            thread::park();
            slept = true;
        }
    }

    pub(super) fn give_back(&self, batch: Batch<T>) {
        let mut state = self.state.lock();
        state.returned.push(batch);
        wake_one(state);
    }

    pub(super) fn pulled(&self) -> usize {
        self.state.lock().pulled
    }

    /// Whether the input had no more to give.
    pub(super) fn is_exhausted(&self) -> bool {
        self.state.lock().exhausted
    }

    /// Whether there is nothing left to hand out, now and later.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.state.lock();
        state.ended && state.ready.is_empty() && state.returned.is_empty()
    }
}

impl<T> State<T> {
    /// Whether it was there: if not, it has been woken.
    fn remove_hungry(&mut self, lane: ThreadId) -> bool {
        let place = self.hungry.iter().position(|hungry| hungry.id() == lane);
        place.map(|place| self.hungry.remove(place)).is_some()
    }
}

/// Wakes a lane if there is something for it, and none is on its way.
fn wake_one<T>(mut state: MutexGuard<'_, State<T>>) {
    let any = !state.ready.is_empty() || !state.returned.is_empty();
    if any
        && !state.waking
        && let Some(lane) = state.hungry.pop()
    {
        state.waking = true;
        drop(state);
        lane.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(feed: &Feed<i32>, n: usize, wait: bool) -> Option<(usize, Vec<i32>)> {
        let batch = feed.take(|_| n, wait, &Stopping::default())?;
        Some((batch.first, batch.tasks))
    }

    #[test]
    fn what_is_there_is_taken_without_waiting_for_more() {
        let feed = Feed::new();
        for task in 10..15 {
            feed.push(task, false).unwrap();
        }
        assert_eq!(take(&feed, 3, true), Some((0, vec![10, 11, 12])));
        assert_eq!(take(&feed, 3, true), Some((3, vec![13, 14])));
        assert!(take(&feed, 3, false).is_none());
        feed.give_back(Batch {
            first: 3,
            tasks: vec![13],
        });
        feed.end(Ended::Exhausted);
        assert_eq!(feed.pulled(), 5);
        assert!(!feed.is_empty());
        assert_eq!(take(&feed, 1, true), Some((3, vec![13])));
        assert!(take(&feed, 3, true).is_none());
        assert_eq!(feed.push(15, false), Err(15));
    }

    #[test]
    fn each_task_wakes_a_lane_that_sleeps() {
        let feed = Feed::new();
        thread::scope(|scope| {
            let lanes = [(); 3].map(|()| scope.spawn(|| take(&feed, 1, true)));
            for task in 0..3 {
                feed.push(task, false).unwrap();
            }
            let mut taken: Vec<_> = lanes.map(|lane| lane.join().unwrap().unwrap().0).into();
            taken.sort_unstable();
            assert_eq!(taken, [0, 1, 2]);
        });
    }

    #[test]
    fn a_lane_that_somebody_else_has_woken_is_not_hungry() {
        let feed = Feed::new();
        // Another lane is on its way.
        feed.state.lock().waking = true;
        thread::scope(|scope| {
            let lane = scope.spawn(|| take(&feed, 1, true));
            while feed.state.lock().hungry.is_empty() {
                thread::yield_now();
            }
            feed.push(7, false).unwrap();
            lane.thread().unpark();
            assert_eq!(lane.join().unwrap(), Some((0, vec![7])));
        });
        assert!(feed.state.lock().hungry.is_empty());
    }

    #[test]
    fn who_stops_it_wakes_all_lanes() {
        let (feed, stopping) = (Feed::<i32>::new(), Stopping::default());
        thread::scope(|scope| {
            let lanes = [(); 3].map(|()| scope.spawn(|| feed.take(|_| 1, true, &stopping)));
            stopping.stop();
            for lane in lanes {
                assert!(lane.join().unwrap().is_none());
            }
        });
    }
}
