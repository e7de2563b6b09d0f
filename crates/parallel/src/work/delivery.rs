//! Results on their way to a caller who takes them as they come.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
#[cfg(feature = "stream")]
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::order::Order;
use super::results::Run;
use crate::error::BackendError;
use crate::panics;
use crate::spin;

/// In which order results are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handing {
    /// That of the input.
    InOrder,
    /// As they come.
    AsFinished,
}

/// There is nothing yet for a caller who waits no longer.
#[derive(Debug)]
pub(crate) struct NotYet;

/// Where results wait for their caller. How many there can be is bounded by the permits of the window.
#[derive(Debug)]
pub(super) struct Delivery<R> {
    handing: Handing,
    state: Mutex<State<R>>,
    /// A result can be handed over, or there will be no more.
    news: Condvar,
    /// Whether the state is worth a look: a caller who looks for results shall not keep the lock from who brings them.
    any: AtomicBool,
    /// There is an alarm, or there will be no more: for who watches over a caller that does not sleep here.
    #[cfg(feature = "stream")]
    watch: Condvar,
}

#[derive(Debug)]
struct State<R> {
    /// What is there of each index, and in order what cannot be handed over yet.
    order: Order<Option<Run<R>>>,
    /// The next index that comes out of `order`.
    released: usize,
    /// What can be handed over, with the first index of each.
    out: VecDeque<(usize, Run<R>)>,
    /// Of a caller who waits otherwise than by sleeping.
    waker: Option<Waker>,
    asleep: bool,
    /// For how long it may sleep while there is something that shall not wait for longer.
    alarm: Option<Duration>,
    closed: bool,
    error: Option<BackendError>,
}

impl<R> Delivery<R> {
    pub(super) fn new(handing: Handing) -> Self {
        Self {
            handing,
            state: Mutex::new(State {
                order: Order::new(),
                released: 0,
                out: VecDeque::new(),
                waker: None,
                asleep: false,
                alarm: None,
                closed: false,
                error: None,
            }),
            news: Condvar::new(),
            any: AtomicBool::new(false),
            #[cfg(feature = "stream")]
            watch: Condvar::new(),
        }
    }

    /// The outcomes of the tasks from `first` on. Gives them back if one of them was there before, or
    /// nobody wants them any more.
    pub(super) fn add(&self, first: usize, run: Run<R>) -> Option<Run<R>> {
        let mut state = self.state.lock();
        if state.closed {
            return Some(run);
        }
        let len = run.len();
        match self.handing {
            Handing::InOrder => {
                if let Err(run) = state.order.insert(first, len, Some(run)) {
                    return run;
                }
            }
            Handing::AsFinished => {
                if state.order.insert(first, len, None).is_err() {
                    return Some(run);
                }
                state.out.push_back((first, run));
            }
        }
        while let Some(run) = state.order.pop() {
            let first = state.released;
            state.released = state.order.released();
            if let Some(run) = run {
                state.out.push_back((first, run));
            }
        }
        if !state.out.is_empty() {
            self.tell(state);
        }
        None
    }

    /// There will be no more, for this reason if it is no good one.
    pub(super) fn close(&self, error: Option<BackendError>) {
        let mut state = self.state.lock();
        if !state.closed {
            state.closed = true;
            state.error = error;
        }
        #[cfg(feature = "stream")]
        self.watch.notify_all();
        self.tell(state);
    }

    fn tell(&self, mut state: parking_lot::MutexGuard<'_, State<R>>) {
        let (asleep, waker) = (state.asleep, state.waker.take());
        self.any.store(true, Ordering::Release);
        drop(state);
        if asleep {
            self.news.notify_one();
        }
        if let Some(waker) = waker {
            // It is the user's.
            let _ = panics::catch(|| waker.wake());
        }
    }

    /// A lane has something that shall not wait for longer than this.
    pub(super) fn set_alarm(&self, patience: Duration) {
        let mut state = self.state.lock();
        state.alarm = Some(patience);
        if state.asleep {
            self.news.notify_one();
        }
        #[cfg(feature = "stream")]
        self.watch.notify_one();
    }

    /// Waits until it is late. Not so when there will be no more results.
    #[cfg(feature = "stream")]
    pub(super) fn wait_until_late(&self) -> bool {
        let mut state = self.state.lock();
        self.watch
            .wait_while(&mut state, |state| state.alarm.is_none() && !state.closed);
        if let Some(patience) = state.alarm {
            self.watch
                .wait_while_for(&mut state, |state| !state.closed, patience);
        }
        state.alarm = None;
        !state.closed
    }

    /// What is handed over next. Waits until there is something, or for no longer than the deadline; `None` when there
    /// will be no more. Calls `late` when there was an alarm, and it has waited for long, or will no longer.
    pub(super) fn next(
        &self,
        deadline: Option<Instant>,
        late: impl Fn(),
    ) -> Result<Option<(usize, Run<R>)>, NotYet> {
        let mut in_vain = false;
        loop {
            let mut state = self.state.lock();
            if let Some(next) = state.out.pop_front() {
                return Ok(Some(next));
            }
            if state.closed {
                return Ok(None);
            }
            if !in_vain {
                self.any.store(false, Ordering::Relaxed);
                drop(state);
                in_vain = !spin::look(&mut || self.any.load(Ordering::Acquire));
                continue;
            }
            state.asleep = true;
            let alarm = state.alarm.map(|patience| Instant::now() + patience);
            let until = alarm.into_iter().chain(deadline).min();
            let timed_out = match until {
                Some(until) => self.news.wait_until(&mut state, until).timed_out(),
                None => {
                    self.news.wait(&mut state);
                    false
                }
            };
            state.asleep = false;
            if !timed_out {
                continue;
            }
            // Who asks again and again, and waits for less than the alarm each time, has waited for long too.
            let is_late = state.alarm.take().is_some();
            let nothing = state.out.is_empty() && !state.closed;
            drop(state);
            if is_late {
                late();
            }
            if nothing && until == deadline {
                return Err(NotYet);
            }
        }
    }

    /// The same for a caller who is to be woken by its waker.
    #[cfg(feature = "stream")]
    pub(super) fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<(usize, Run<R>)>> {
        let ready = |state: &mut State<R>| match state.out.pop_front() {
            Some(next) => Poll::Ready(Some(next)),
            None if state.closed => Poll::Ready(None),
            None => Poll::Pending,
        };
        let next = ready(&mut self.state.lock());
        if next.is_ready() {
            return next;
        }
        // Wakers are the user's, and are cloned and dropped without the lock.
        let waker = context.waker().clone();
        let mut state = self.state.lock();
        let next = ready(&mut state);
        let unused = match next {
            Poll::Ready(_) => Some(waker),
            Poll::Pending => state.waker.replace(waker),
        };
        drop(state);
        drop(unused);
        next
    }

    /// The indices below `end` that have no outcome.
    pub(super) fn missing(&self, end: usize) -> Vec<usize> {
        self.state.lock().order.missing(end)
    }

    /// How many tasks have an outcome, as do all before them.
    pub(super) fn complete_up_to(&self) -> usize {
        self.state.lock().released
    }

    /// What ended it too early, for the one who asks first.
    pub(super) fn take_error(&self) -> Option<BackendError> {
        self.state.lock().error.take()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Drops what was not handed over.
    pub(super) fn clear(&self) {
        let mut state = self.state.lock();
        let early = std::mem::replace(&mut state.order, Order::new()).into_early();
        let out = std::mem::take(&mut state.out);
        drop(state);
        let runs = out.into_iter().map(|(_, run)| run);
        let early = early.filter_map(|(_, run)| run);
        for run in runs.chain(early) {
            if let Run::Values(values) = run {
                panics::discard(values);
            }
        }
    }
}
