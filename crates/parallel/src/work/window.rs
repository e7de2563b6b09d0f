//! How many tasks may be on their way at the same time.
//!
//! A permit is taken before a task is pulled from the input, and given back when its result is handed to
//! the caller. So the number of permits is an exact bound, and who waits for one sleeps.

use parking_lot::{Condvar, Mutex};

/// How far the input may be pulled ahead of the results that were handed over: joblib's `pre_dispatch`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PreDispatch {
    /// As far as keeps the workers busy: two tasks for each worker where they take long, some batches
    /// for each where they are tiny. `run`, `outcomes` and `map`, which hand all over at the end, pull
    /// a batch when a worker is free for it.
    #[default]
    Auto,
    /// At most so many tasks, exactly. 0 is taken as 1.
    Tasks(usize),
    /// At most so many tasks for each worker. 0 is taken as 1.
    PerJob(usize),
    /// The whole input.
    All,
}

/// A plain number is a number of tasks, as joblib's.
impl From<usize> for PreDispatch {
    fn from(tasks: usize) -> Self {
        Self::Tasks(tasks)
    }
}

impl PreDispatch {
    /// The bound for so many workers, if there is a fixed one.
    pub(super) fn bound(self, lanes: usize) -> Option<usize> {
        match self {
            Self::Auto => None,
            Self::Tasks(tasks) => Some(tasks.max(1)),
            Self::PerJob(tasks) => Some(tasks.max(1).saturating_mul(lanes)),
            Self::All => Some(usize::MAX),
        }
    }
}

/// Permits for tasks on their way.
#[derive(Debug)]
pub(super) struct Window {
    state: Mutex<State>,
    room: Condvar,
}

#[derive(Debug)]
struct State {
    limit: usize,
    out: usize,
    waiting: usize,
    closed: bool,
}

impl Window {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            state: Mutex::new(State {
                limit,
                out: 0,
                waiting: 0,
                closed: false,
            }),
            room: Condvar::new(),
        }
    }

    /// Takes up to `most` permits. Waits until there is one; none are given once it is closed.
    pub(super) fn acquire(&self, most: usize) -> usize {
        let mut state = self.state.lock();
        while !state.closed && state.out >= state.limit {
            state.waiting += 1;
            self.room.wait(&mut state);
            state.waiting -= 1;
        }
        state.take(most)
    }

    /// Takes up to `most` permits, or none if there are none now.
    pub(super) fn try_acquire(&self, most: usize) -> usize {
        self.state.lock().take(most)
    }

    /// Gives permits back.
    pub(super) fn release(&self, permits: usize) {
        let mut state = self.state.lock();
        state.out = state.out.saturating_sub(permits);
        self.tell(&state);
    }

    /// Changes how many there are.
    pub(super) fn set_limit(&self, limit: usize) {
        let mut state = self.state.lock();
        state.limit = limit;
        self.tell(&state);
    }

    /// Nobody gets a permit any more, and nobody waits for one.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        self.tell(&state);
    }

    fn tell(&self, state: &State) {
        if state.waiting > 0 && (state.closed || state.out < state.limit) {
            self.room.notify_all();
        }
    }
}

impl State {
    fn take(&mut self, most: usize) -> usize {
        if self.closed {
            return 0;
        }
        let permits = self.limit.saturating_sub(self.out).min(most);
        self.out += permits;
        permits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::with_deadline;

    #[test]
    fn there_are_never_more_out_than_the_limit() {
        let window = Window::new(5);
        assert_eq!(window.acquire(3), 3);
        assert_eq!(window.acquire(3), 2);
        assert_eq!(window.try_acquire(3), 0);
        window.release(1);
        assert_eq!(window.try_acquire(3), 1);
        window.set_limit(2);
        window.release(3);
        assert_eq!(window.try_acquire(3), 0);
        window.release(1);
        assert_eq!(window.try_acquire(3), 1);
    }

    #[test]
    fn who_waits_is_woken_by_a_permit_and_by_the_end() {
        with_deadline(|| {
            let window = Window::new(1);
            assert_eq!(window.acquire(1), 1);
            std::thread::scope(|scope| {
                let first = scope.spawn(|| window.acquire(1));
                window.release(1);
                assert_eq!(first.join().unwrap(), 1);
                let second = scope.spawn(|| window.acquire(1));
                window.close();
                assert_eq!(second.join().unwrap(), 0);
            });
        });
    }
}
