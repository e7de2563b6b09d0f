//! Lanes beyond the CPUs, which are held back while those before them keep all CPUs busy.
//!
//! ```text
//!   call of 64 lanes            helper that finds none but held ones
//!     lanes 0 and 1 begin         watches: notes the CPU time that was used, sleeps with an alarm
//!     …                           was all of it used since?   ─ yes ─► sleeps for longer
//!                                                             ─ no ──► sleeps for as long as at first
//!                                 and since then, neither?    ───────► lets the others begin: tasks wait
//!                                 no batch since long?        ───────► the same: tasks last
//! ```
//!
//! Where many short tasks compute, more lanes than CPUs bring nothing, and each costs a thread that wakes up, and in
//! processes a worker that does. Where tasks wait, it is all the lanes that were asked for which bring something. Where they
//! last, those that are left at the end may share CPUs, and nobody notices what it costs to wake up. Short tasks that look for
//! each other's doings, and never sleep over it, use the CPUs too: so no lane is held for longer than [`MOST`].

use std::sync::Arc;
use std::time::{Duration, Instant};

#[cfg(all(target_os = "linux", not(loom)))]
use rustix::time::{ClockId, clock_gettime};

use super::State;

/// How far a call has come.
#[derive(Clone, Copy)]
pub(crate) struct Pulse {
    /// What has been used for it beside this process.
    pub(crate) cpu_time: Duration,
    /// How many batches have been begun.
    pub(crate) batches: usize,
}

/// Tells how far a call has come, if that is known.
pub(crate) type Gauge = Arc<dyn Fn() -> Option<Pulse> + Send + Sync>;

/// The first look: two batches on threads later.
const FIRST: Duration = if cfg!(loom) {
    // There is no time.
    Duration::ZERO
} else {
    Duration::from_micros(400)
};

/// From look to look the time doubles, up to this.
const LONGEST: Duration = Duration::from_millis(10);

/// Where no batch has begun for so long, tasks last: each batch shall last for a millisecond at most.
const LASTS: Duration = Duration::from_millis(5);

/// After that, lanes begin whatever the CPUs do.
const MOST: Duration = Duration::from_millis(100);

/// Of the CPU time that there was, so much is all of it: threads wake up late, and others want some.
const ALL: f64 = 0.75;

/// The lanes of a call that are held back.
pub(super) struct Held {
    /// The number of the first of them: lanes begin in the order of their numbers.
    pub(super) cpus: usize,
    gauge: Gauge,
    watch: Option<Watch>,
}

/// How busy the CPUs are.
struct Watch {
    /// Who has the alarm, if anybody.
    helper: Option<usize>,
    begun: Instant,
    last: Instant,
    /// What was known then, the CPU time of this process included.
    pulse: Option<Pulse>,
    due: Instant,
    /// Whether not all CPU time had been used.
    left_over: bool,
}

/// What a helper that has nothing else to do is to do for a call.
pub(super) enum Chore {
    /// Look how far the call has come, and tell.
    Look(u64, Gauge),
    /// Sleep, until then at most.
    Sleep(Option<Instant>),
}

impl Held {
    /// Those of so many CPUs' lanes that are too many.
    pub(super) fn beyond(cpus: usize, gauge: Gauge) -> Self {
        Self {
            cpus,
            gauge,
            watch: None,
        }
    }

    fn is_watched(&self) -> bool {
        let watch = self.watch.as_ref();
        watch.is_some_and(|watch| watch.helper.is_some())
    }

    /// What was found out at a look: whether the lanes shall begin.
    fn review(&mut self, helper: usize, now: Instant, pulse: Option<Pulse>) -> bool {
        let Some(watch) = &mut self.watch else {
            self.watch = Some(Watch {
                helper: Some(helper),
                begun: now,
                last: now,
                pulse,
                due: now + FIRST,
                left_over: false,
            });
            return false;
        };
        if now < watch.due {
            watch.helper = watch.helper.or(Some(helper));
            return false;
        }
        let (Some(before), Some(pulse)) = (watch.pulse, pulse) else {
            return true;
        };
        let (since, held) = (now - watch.last, now - watch.begun);
        // It falls where a worker has been replaced.
        let used = pulse.cpu_time.saturating_sub(before.cpu_time);
        let left_over = used < since.mul_f64(self.cpus as f64 * ALL);
        let tasks_wait = left_over && watch.left_over;
        let tasks_last = since >= LASTS && pulse.batches == before.batches;
        let pause = if left_over {
            FIRST
        } else {
            (2 * since).clamp(FIRST, LONGEST)
        };
        *watch = Watch {
            helper: Some(helper),
            begun: watch.begun,
            last: now,
            pulse: Some(pulse),
            due: now + pause,
            left_over,
        };
        tasks_wait || tasks_last || held >= MOST
    }
}

impl State {
    /// The first call of which a lane may be started. There are as many helpers as the largest call needs, so what is held
    /// back of one shall find some before the calls after it do; but those that keep helpers have their own.
    pub(super) fn startable(&self) -> Option<usize> {
        let mut is_held = false;
        self.calls.iter().position(|call| {
            let held = call.held().is_some();
            let may_start = !call.open.is_empty() && !held;
            is_held |= held;
            may_start && (call.keeps_helpers || !is_held)
        })
    }

    /// Whether some call has lanes that are held, and nobody who watches.
    pub(super) fn any_unwatched(&self) -> bool {
        let unwatched = |held: &Held| !held.is_watched();
        self.calls
            .iter()
            .any(|call| call.held().is_some_and(unwatched))
    }

    /// What this helper shall do, now that there is no lane to start.
    pub(super) fn chore(&mut self, helper: usize) -> Chore {
        let now = Instant::now();
        let mut alarm: Option<Instant> = None;
        for call in &self.calls {
            let Some(held) = call.held() else { continue };
            match &held.watch {
                Some(watch) if watch.helper.is_some_and(|other| other != helper) => {}
                Some(watch) if watch.helper.is_some() && now < watch.due => {
                    alarm = alarm.into_iter().chain([watch.due]).min();
                }
                _ => return Chore::Look(call.id, Arc::clone(&held.gauge)),
            }
        }
        Chore::Sleep(alarm)
    }

    /// This helper has found out how far the call has come.
    pub(super) fn review(&mut self, id: u64, helper: usize, pulse: Option<Pulse>) {
        // The call may be over.
        if let Some(call) = self.calls.iter_mut().find(|call| call.id == id)
            && let Some(held) = &mut call.held
            && held.review(helper, Instant::now(), pulse)
        {
            call.held = None;
        }
    }

    /// This helper has something else to do.
    pub(super) fn resign(&mut self, helper: usize) {
        let held = self.calls.iter_mut().filter_map(|call| call.held.as_mut());
        for watch in held.filter_map(|held| held.watch.as_mut()) {
            watch.helper = watch.helper.filter(|watcher| *watcher != helper);
        }
    }
}

/// With the CPU time of this process.
#[cfg(all(target_os = "linux", not(loom)))]
pub(super) fn look(gauge: &Gauge) -> Option<Pulse> {
    let here = clock_gettime(ClockId::ProcessCPUTime);
    let here = Duration::new(here.tv_sec.try_into().ok()?, here.tv_nsec.try_into().ok()?);
    let mut pulse = gauge()?;
    pulse.cpu_time += here;
    Some(pulse)
}

/// Nobody knows how busy the CPUs are.
#[cfg(not(all(target_os = "linux", not(loom))))]
pub(super) fn look(_: &Gauge) -> Option<Pulse> {
    None
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::{Call, Lane, Lanes, Pool};
    use super::*;
    use crate::deadline::with_deadline;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn nobody() -> Held {
        Held::beyond(2, Arc::new(|| None))
    }

    fn pulse(cpu_time: u64, batches: usize) -> Option<Pulse> {
        let cpu_time = Duration::from_millis(cpu_time);
        Some(Pulse { cpu_time, batches })
    }

    /// At which of these times, in milliseconds, the lanes begin, if so much CPU time has been used and so many
    /// batches have begun.
    fn looks<const N: usize>(looks: [(u64, Option<Pulse>); N]) -> [bool; N] {
        let (mut held, start) = (nobody(), Instant::now());
        assert!(!held.review(1, start, pulse(0, 0)));
        looks.map(|(now, pulse)| held.review(1, start + Duration::from_millis(now), pulse))
    }

    #[test]
    fn lanes_begin_when_cpu_time_is_left_over_twice() {
        let busy = [(1, pulse(2, 5)), (4, pulse(8, 9))];
        assert_eq!(looks(busy), [false, false]);
        let waiting = [(1, pulse(0, 5)), (2, pulse(1, 9))];
        assert_eq!(looks(waiting), [false, true]);
        let once = [(1, pulse(0, 5)), (2, pulse(2, 9)), (5, pulse(7, 12))];
        assert_eq!(looks(once), [false, false, false]);
        assert_eq!(looks([(1, None)]), [true]);
    }

    #[test]
    fn lanes_begin_where_tasks_last() {
        let lasting = [(1, pulse(2, 2)), (3, pulse(6, 2)), (8, pulse(16, 2))];
        assert_eq!(looks(lasting), [false, false, true]);
    }

    #[test]
    fn lanes_begin_after_some_time_whatever_they_do() {
        let busy = [(50, pulse(100, 50)), (100, pulse(200, 99))];
        assert_eq!(looks(busy), [false, true]);
    }

    #[test]
    fn who_looks_before_it_is_due_learns_nothing() {
        assert_eq!(looks([(0, pulse(0, 0)), (1, pulse(2, 0))]), [false, false]);
    }

    /// They use the CPUs, and would go on to do so.
    #[test]
    fn lanes_that_look_for_each_other_without_sleeping_all_begin() {
        with_deadline(|| {
            let pool = Pool::new();
            let lanes = pool.at_once(usize::MAX) + 2;
            let begun = AtomicUsize::new(0);
            let batches = AtomicUsize::new(0);
            let gauge = move || pulse(0, batches.fetch_add(1, Ordering::Relaxed));
            pool.run(lanes, Lanes::UntilDone(Some(Arc::new(gauge))), &|_| {
                begun.fetch_add(1, Ordering::Relaxed);
                while begun.load(Ordering::Relaxed) < lanes {
                    std::hint::spin_loop();
                }
            });
        });
    }

    #[test]
    fn lanes_that_wait_for_each_other_all_begin() {
        with_deadline(|| {
            let pool = Pool::new();
            let lanes = pool.at_once(usize::MAX) + 2;
            for _ in 0..20 {
                let everybody = Barrier::new(lanes);
                let gauge = Arc::new(|| pulse(0, 0));
                pool.run(lanes, Lanes::UntilDone(Some(gauge)), &|_| {
                    everybody.wait();
                });
            }
        });
    }

    /// Two helpers for two calls that need two each.
    #[test]
    fn lanes_of_callers_that_share_helpers_all_begin() {
        with_deadline(|| {
            let pool = Pool::new();
            let lanes = pool.at_once(usize::MAX) + 1;
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        for _ in 0..100 {
                            let everybody = Barrier::new(lanes);
                            let gauge = Arc::new(|| pulse(0, 0));
                            pool.run(lanes, Lanes::UntilDone(Some(gauge)), &|_| {
                                everybody.wait();
                            });
                        }
                    });
                }
            });
        });
    }

    #[test]
    fn one_helper_watches_all_calls() {
        let mut state = State::default();
        state.calls.extend([7, 8].map(|id| Call {
            id,
            lane: Lane(&|_| ()),
            lanes: 3,
            keeps_helpers: false,
            open: 2..3,
            held: Some(nobody()),
            running: 1,
            panic: None,
        }));
        for call in [7, 8] {
            assert!(state.any_unwatched());
            assert!(matches!(state.chore(1), Chore::Look(id, _) if id == call));
            state.review(call, 1, pulse(0, 0));
        }
        assert!(!state.any_unwatched());
        assert!(matches!(state.chore(1), Chore::Sleep(Some(_))));
        assert!(matches!(state.chore(2), Chore::Sleep(None)));
        state.resign(1);
        assert!(matches!(state.chore(2), Chore::Look(7, _)));
    }

    #[test]
    fn a_watch_goes_over_to_another_helper() {
        let mut held = nobody();
        let now = Instant::now();
        held.review(1, now, None);
        assert!(held.is_watched());
        held.watch.as_mut().unwrap().helper = None;
        held.review(2, now, None);
        assert_eq!(held.watch.unwrap().helper, Some(2));
    }
}
