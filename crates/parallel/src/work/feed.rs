//! Tasks that were pulled from the input and that no lane has taken yet.
//!
//! ```text
//!   input ──► the thread that pulls ──► ready ──► lanes
//!               one at a time, with a permit        as many as make a batch, or what there is
//! ```
//!
//! A lane that finds nothing looks for a moment and then sleeps, one at a time; `model` has loom try every order:
//!
//! ```text
//!   who brings                             a lane, `coming`: looks          another one
//!   under the lock: puts it there,         takes the lock, has come,        sleeps until it is woken
//!   wakes one that sleeps,                 takes what there is, and wakes   by either, which makes it
//!   unless one is coming                   one if it leaves any             the one that is coming
//! ```
//!
//! A stream has a thread of its own that pulls its input. So an input may wait, even for the results of the
//! tasks that it gave before: what it gave is run meanwhile, and no lane is stuck in it.

use std::collections::VecDeque;

use super::source::Batch;
use super::stopping::Stopping;
use crate::spin;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread::{self, Thread, ThreadId};
use crate::sync::{Mutex, MutexGuard, lock};

/// Where pulled tasks wait. How many there can be is bounded by the permits of the window.
///
/// A lane that finds none parks. Whoever stops the call from outside wakes it too, who knows nothing of
/// the type of the tasks: hence no condition variable.
pub(super) struct Feed<T> {
    state: Mutex<State<T>>,
    /// Whether the state is worth a look: a lane that looks for tasks shall not keep the lock from who brings them.
    news: AtomicBool,
}

struct State<T> {
    ready: VecDeque<T>,
    /// The index of the first that is ready.
    first: usize,
    /// Tasks that a lane took and could not run.
    returned: Vec<Batch<T>>,
    /// Lanes that sleep and that nobody has woken yet.
    hungry: Vec<Thread>,
    /// Whether one is on its way: it has been woken, or has not gone to sleep yet and looks. It wakes the next one, if
    /// there is more than it takes: a source that gives a task now and then pays for one lane to wake up, not for
    /// one a task, and one that gives many for none.
    coming: bool,
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

/// A lane has looked, and nothing came.
const IN_VAIN: bool = false;

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
                coming: false,
                known: Vec::new(),
                pulled: 0,
                ended: false,
                exhausted: false,
            }),
            news: AtomicBool::new(false),
        }
    }

    /// A task has been pulled, the last one as far as the input knows. Gives it back if nobody wants it any
    /// more.
    pub(super) fn push(&self, task: T, last: bool) -> Result<(), T> {
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

    /// No more tasks come.
    pub(super) fn end(&self, how: Ended) {
        let mut state = lock(&self.state);
        state.pulled += usize::from(how == Ended::Panicked);
        state.exhausted |= how != Ended::Unwanted;
        state.ended = true;
        self.news.store(true, Ordering::Release);
        let hungry = std::mem::take(&mut state.hungry);
        drop(state);
        hungry.iter().for_each(Thread::unpark);
    }

    /// Nothing that waits shall be run. It is given to the caller, to drop it.
    pub(super) fn clear(&self) -> impl Sized + use<T> {
        self.end(Ended::Unwanted);
        let mut state = lock(&self.state);
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
        let (mut slept, mut looked) = (false, None);
        loop {
            let mut state = lock(&self.state);
            // Whoever has woken it: a task may have left a call of `unpark` behind. Who is awake is not hungry,
            // and would be woken in vain in place of one that sleeps.
            if slept && !state.remove_hungry(thread::current().id()) {
                state.coming = false;
            }
            if looked.is_some() {
                state.coming = false;
            }
            if stopping.stopped() {
                return None;
            }
            if let Some(batch) = state.returned.pop() {
                self.tell(state);
                return Some(batch);
            }
            if !state.ready.is_empty() {
                let remaining = state.ended.then_some(state.ready.len());
                let n = n(remaining).min(state.ready.len());
                let first = state.first;
                state.first += n;
                let tasks = state.ready.drain(..n).collect();
                self.tell(state);
                return Some(Batch { first, tasks });
            }
            if state.ended {
                return None;
            }
            if !wait {
                return None;
            }
            if looked.take() != Some(IN_VAIN) && !state.coming {
                state.coming = true;
                drop(state);
                let mut times = 0_u32;
                let news = || {
                    times += 1;
                    let looks = times.is_multiple_of(EVERY);
                    looks && (self.news.load(Ordering::Acquire) || stopping.stopped())
                };
                looked = Some(spin::look(news));
                continue;
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
        let mut state = lock(&self.state);
        state.returned.push(batch);
        self.tell(state);
    }

    /// Wakes a lane if there is something for it, and none is on its way.
    fn tell(&self, mut state: MutexGuard<'_, State<T>>) {
        let any = !state.ready.is_empty() || !state.returned.is_empty();
        let news = any || state.ended;
        if self.news.load(Ordering::Relaxed) != news {
            self.news.store(news, Ordering::Release);
        }
        if any
            && !state.coming
            && let Some(lane) = state.hungry.pop()
        {
            state.coming = true;
            drop(state);
            lane.unpark();
        }
    }

    pub(super) fn pulled(&self) -> usize {
        lock(&self.state).pulled
    }

    /// Whether the input had no more to give.
    pub(super) fn is_exhausted(&self) -> bool {
        lock(&self.state).exhausted
    }

    /// Whether there is nothing left to hand out, now and later.
    pub(super) fn is_empty(&self) -> bool {
        let state = lock(&self.state);
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

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use crate::sync::Arc;

    fn lane(feed: &Arc<Feed<i32>>) -> thread::JoinHandle<Vec<i32>> {
        let feed = Arc::clone(feed);
        thread::spawn(move || {
            let stopping = Stopping::default();
            let batches = std::iter::from_fn(|| feed.take(|_| 1, true, &stopping));
            batches.flat_map(|batch| batch.tasks).collect()
        })
    }

    fn model(body: impl Fn() + Send + Sync + 'static) {
        let mut builder = ::loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(body);
    }

    /// Each task is taken once, and nobody sleeps for ever, over a task or over the end.
    #[test]
    fn loom_finds_no_task_that_is_lost() {
        model(|| {
            let feed = Arc::new(Feed::new());
            let lanes = [lane(&feed), lane(&feed)];
            feed.push(1, false).unwrap();
            feed.push(2, false).unwrap();
            feed.end(Ended::Exhausted);
            let mut taken: Vec<_> = lanes.map(|lane| lane.join().unwrap()).concat();
            taken.sort_unstable();
            assert_eq!(taken, [1, 2]);
        });
    }

    /// What is there wakes a lane without more that comes, nor an end.
    #[test]
    fn loom_finds_no_lane_asleep_over_a_task() {
        model(|| {
            let feed = Arc::new(Feed::new());
            let lane = {
                let feed = Arc::clone(&feed);
                thread::spawn(move || feed.take(|_| 1, true, &Stopping::default()).unwrap().tasks)
            };
            feed.push(1, false).unwrap();
            assert_eq!(lane.join().unwrap(), [1]);
        });
    }
}

#[cfg(all(test, not(loom)))]
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
        lock(&feed.state).coming = true;
        thread::scope(|scope| {
            let lane = scope.spawn(|| take(&feed, 1, true));
            while lock(&feed.state).hungry.is_empty() {
                thread::yield_now();
            }
            feed.push(7, false).unwrap();
            lane.thread().unpark();
            assert_eq!(lane.join().unwrap(), Some((0, vec![7])));
        });
        assert!(lock(&feed.state).hungry.is_empty());
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
