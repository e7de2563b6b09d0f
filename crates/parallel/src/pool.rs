//! Threads that stay, and help whoever calls.
//!
//! ```text
//!  caller                                   helper (for each stream, and for all other calls at a time)
//!    │ post a call: lanes to start            │ looks for a moment, then sleeps
//!    │ wake helpers, unless some look ──────► │ comes
//!    │ lane 0, here                           │ takes a lane that is not started: started += 1,
//!    │                                        │ and wakes the next helper if there are more
//!    │                                        │ lane i, there
//!    │ withdraw the call: nothing more        │ ended += 1
//!    │ starts; wait until ended = started ◄── │ wakes the caller, sleeps again
//!    ▼
//! ```
//!
//! No more helpers are woken at once, and no more look, than there are other CPUs: of many lanes that have little to
//! do, most are never started. Those beyond the CPUs are [held] back while the others keep these busy.
//!
//! A lane that no helper has started when the caller is through with its own is never started: a
//! small call costs no waiting for a thread to wake up. And a caller waits only for lanes of its own
//! call, each of which has a thread that runs it, so calls from inside calls cannot wait in a circle.
//!
//! A stream keeps its helpers also while it has nothing for them to do. So each has its own, and there are others for
//! the calls beside it.
//!
//! The promise of the one `unsafe` here: a call borrows what its lanes use, and does not return, by
//! whatever way, while a helper may still touch it. All changes of a call's state are made under the
//! pool's one lock; `tests::loom` tries every order of them.
#![allow(unsafe_code)]

use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use self::asleep::Asleep;
use self::held::{Chore, Held};
pub(crate) use self::held::{Gauge, Pulse};
use crate::spin;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard, lock, thread, wait, wait_until};

/// How the lanes of a call are.
pub(crate) enum Lanes {
    /// They go on while they have nothing to do: all begin at once, and other calls shall not wait for them.
    Steady,
    /// They end when nothing is left to do. Those beyond the CPUs are held back where it is told how far they have come.
    UntilDone(Option<Gauge>),
}

/// Threads that are started when they are first needed and end when the pool is dropped.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

struct Shared {
    cpus: usize,
    state: Mutex<State>,
    /// A call was posted, or the pool closes.
    news: Condvar,
    /// A lane ended which somebody waits for.
    lane_ended: Condvar,
    /// How many calls were posted: for helpers that look.
    posted: AtomicUsize,
    /// How many lanes have ended: for callers that look.
    ended: AtomicUsize,
}

#[derive(Default)]
struct State {
    /// In the order in which helpers come to them.
    calls: Vec<Call>,
    next_id: u64,
    asleep: Asleep,
    /// Helpers that look for a call.
    looking: usize,
    helpers: usize,
    closing: bool,
}

/// A call whose lanes may be started or are running.
struct Call {
    id: u64,
    lane: Lane,
    lanes: usize,
    /// Whether its lanes go on while they have nothing to do.
    keeps_helpers: bool,
    /// The lanes that may still be started.
    open: Range<usize>,
    /// Those of them that shall not be yet.
    held: Option<Held>,
    running: usize,
    /// The first panic of a lane. Lanes catch what users do, so this is a defect of ours.
    panic: Option<Box<dyn Any + Send>>,
}

/// The function of a call's lanes, its lifetime forgotten.
#[derive(Clone, Copy)]
struct Lane(&'static (dyn Fn(usize) + Sync));

impl Pool {
    pub(crate) fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                cpus: cpus(),
                state: Mutex::new(State::default()),
                news: Condvar::new(),
                lane_ended: Condvar::new(),
                posted: AtomicUsize::new(0),
                ended: AtomicUsize::new(0),
            }),
            threads: Mutex::new(Vec::new()),
        }
    }

    /// How many of so many lanes begin at once where not all do.
    pub(crate) fn at_once(&self, lanes: usize) -> usize {
        lanes.min(self.shared.cpus)
    }

    /// Runs `lane(0)` here and `lane(1)` to `lane(lanes - 1)` on helpers, as far as they come to it
    /// before `lane(0)` returns. All that were started have ended when this returns.
    pub(crate) fn run(&self, lanes: usize, how: Lanes, lane: &(dyn Fn(usize) + Sync)) {
        if lanes <= 1 {
            return lane(0);
        }
        let call = self.post(lanes, how, lane);
        lane(0);
        drop(call);
    }

    /// Offers the lanes from 1 on to the helpers. They end with what is returned.
    fn post<'a>(
        &'a self,
        lanes: usize,
        how: Lanes,
        lane: &'a (dyn Fn(usize) + Sync + 'a),
    ) -> Posted<'a> {
        // SAFETY: only the lifetime changes. The reference is used by helpers that took a lane out of
        // `open` of this call, and dropping `Posted<'a>` (which cannot outlive `lane`, and which `run`
        // does not leak) empties `open` and waits until every such helper is through with it.
        let lane = Lane(unsafe {
            std::mem::transmute::<&'a (dyn Fn(usize) + Sync + 'a), &'static (dyn Fn(usize) + Sync)>(
                lane,
            )
        });
        let mut state = lock(&self.shared.state);
        let id = state.next_id;
        state.next_id += 1;
        let keeps_helpers = matches!(how, Lanes::Steady);
        let held = match how {
            Lanes::UntilDone(Some(gauge)) if lanes > self.shared.cpus => {
                Some(Held::beyond(self.shared.cpus, gauge))
            }
            Lanes::UntilDone(_) | Lanes::Steady => None,
        };
        state.calls.push(Call {
            id,
            lane,
            lanes,
            keeps_helpers,
            open: 1..lanes,
            held,
            running: 0,
            panic: None,
        });
        let wanted = state.helpers_wanted();
        let missing = wanted.saturating_sub(state.helpers);
        // The others are woken by those.
        let wake = (lanes - 1)
            .min((self.shared.cpus - 1).max(1))
            .saturating_sub(state.looking)
            .min(state.asleep.count());
        state.asleep.make_way(wake);
        self.shared.posted.fetch_add(1, Ordering::Release);
        drop(state);
        for _ in 0..wake {
            self.shared.news.notify_one();
        }
        if missing > 0 {
            self.hire(wanted);
        }
        Posted { pool: self, id }
    }

    /// Starts helpers until there are `wanted` of them. Where the system gives no more threads, fewer
    /// must do: the caller's own lane does all the work if need be.
    fn hire(&self, wanted: usize) {
        let mut threads = lock(&self.threads);
        while threads.len() < wanted {
            let shared = Arc::clone(&self.shared);
            lock(&self.shared.state).helpers += 1;
            let helper = threads.len() + 1;
            match spawn(helper, move || help(&shared, helper)) {
                Some(thread) => threads.push(thread),
                None => {
                    lock(&self.shared.state).helpers -= 1;
                    break;
                }
            }
        }
    }
}

#[cfg(not(loom))]
use crate::jobs::cpu_count as cpus;

#[cfg(loom)]
fn cpus() -> usize {
    2
}

#[cfg(not(loom))]
fn spawn(number: usize, body: impl FnOnce() + Send + 'static) -> Option<thread::JoinHandle<()>> {
    let name = format!("parallel-{number}");
    thread::Builder::new().name(name).spawn(body).ok()
}

#[cfg(loom)]
fn spawn(_number: usize, body: impl FnOnce() + Send + 'static) -> Option<thread::JoinHandle<()>> {
    Some(thread::spawn(body))
}

/// A call in progress. Dropping it withdraws what was not started and waits for what was, also when
/// the caller's own lane unwinds.
struct Posted<'a> {
    pool: &'a Pool,
    id: u64,
}

impl Drop for Posted<'_> {
    fn drop(&mut self) {
        let shared = &*self.pool.shared;
        let mut state = lock(&shared.state);
        state.call(self.id).open = 0..0;
        if state.call(self.id).running > 0 {
            let ended = shared.ended.load(Ordering::Relaxed);
            drop(state);
            spin::look(&mut || shared.ended.load(Ordering::Acquire) != ended);
            state = lock(&shared.state);
        }
        while state.call(self.id).running > 0 {
            state = wait(&shared.lane_ended, state);
        }
        let id = self.id;
        let at = state.calls.iter().position(|call| call.id == id);
        let call = at.map(|at| state.calls.remove(at));
        drop(state);
        if let Some(panic) = call.and_then(|call| call.panic)
            && !thread::panicking()
        {
            resume_unwind(panic);
        }
    }
}

impl State {
    fn call(&mut self, id: u64) -> &mut Call {
        let call = self.calls.iter_mut().find(|call| call.id == id);
        call.expect("a call stays posted until its caller removes it")
    }

    fn helpers_wanted(&self) -> usize {
        let (mut kept, mut shared) = (0, 0);
        for call in &self.calls {
            let helpers = call.lanes - 1;
            if call.keeps_helpers {
                kept += helpers;
            } else {
                shared = helpers.max(shared);
            }
        }
        kept + shared
    }

    /// Whether there is something to do for another helper.
    fn any_open(&self) -> bool {
        self.startable().is_some() || self.any_unwatched()
    }

    /// Takes a lane that nobody has started.
    fn start_lane(&mut self) -> Option<(u64, usize, Lane)> {
        let place = self.startable()?;
        let call = &mut self.calls[place];
        call.running += 1;
        call.open.next().map(|number| (call.id, number, call.lane))
    }
}

impl Call {
    /// If all the lanes that may still be started are held back.
    fn held(&self) -> Option<&Held> {
        let held = self.held.as_ref();
        held.filter(|held| !self.open.is_empty() && self.open.start >= held.cpus)
    }
}

/// What a helper does until the pool closes.
fn help(shared: &Shared, helper: usize) {
    let mut in_vain = false;
    let mut state = lock(&shared.state);
    loop {
        if let Some((id, number, lane)) = state.start_lane() {
            in_vain = false;
            state.resign(helper);
            let next = state.asleep.count() > 0 && state.any_open();
            drop(state);
            if next {
                shared.news.notify_one();
            }
            let result = catch_unwind(AssertUnwindSafe(|| (lane.0)(number)));
            state = lane_ended(shared, id, result.err());
        } else if state.closing {
            return;
        } else if !in_vain && state.looking < shared.cpus - 1 {
            state.looking += 1;
            let posted = shared.posted.load(Ordering::Relaxed);
            drop(state);
            in_vain = !spin::look(&mut || shared.posted.load(Ordering::Acquire) != posted);
            state = lock(&shared.state);
            state.looking -= 1;
        } else {
            state = match state.chore(helper) {
                Chore::Look(id, gauge) => {
                    drop(state);
                    let pulse = held::look(&gauge);
                    let mut state = lock(&shared.state);
                    state.review(id, helper, pulse);
                    state
                }
                Chore::Sleep(alarm) => {
                    state.asleep.add(helper);
                    state = match alarm {
                        Some(time) => wait_until(&shared.news, &shared.state, state, time),
                        None => wait(&shared.news, state),
                    };
                    state.asleep.remove(helper);
                    state
                }
            };
        }
    }
}

fn lane_ended(
    shared: &Shared,
    id: u64,
    panic: Option<Box<dyn Any + Send>>,
) -> MutexGuard<'_, State> {
    let mut state = lock(&shared.state);
    let call = state.call(id);
    call.running -= 1;
    call.panic = call.panic.take().or(panic);
    shared.ended.fetch_add(1, Ordering::Release);
    if call.running == 0 && call.open.is_empty() {
        // More than one caller may wait, each for lanes of its own.
        shared.lane_ended.notify_all();
    }
    state
}

impl Drop for Pool {
    fn drop(&mut self) {
        lock(&self.shared.state).closing = true;
        self.shared.posted.fetch_add(1, Ordering::Release);
        self.shared.news.notify_all();
        for thread in lock(&self.threads).drain(..) {
            // A task may hold the last handle of its own pool: that helper ends after this.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let helpers = lock(&self.shared.state).helpers;
        f.debug_struct("Pool")
            .field("helpers", &helpers)
            .finish_non_exhaustive()
    }
}

mod asleep;
mod held;
#[cfg(test)]
mod tests;
