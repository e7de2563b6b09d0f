//! Lanes beyond the CPUs, which are held back while those before them keep all CPUs busy.
//!
//! ```text
//!   call of 64 lanes            helper that finds none but held ones
//!     lanes 0 and 1 begin         watches: notes the CPU time that was used, sleeps with an alarm
//!     …                           was all of it used since?   ─ yes ─► sleeps for longer
//!                                                             ─ no ──► sleeps for as long as at first
//!                                 and since then, neither?    ───────► lets the others begin: tasks wait
//! ```
//!
//! Where tasks compute, more lanes than CPUs bring nothing, and each costs a thread that wakes up, and in processes a
//! worker that does. Where tasks wait, it is all the lanes that were asked for which bring something. Tasks that look
//! for each other's doings, and never sleep over it, use the CPUs too: so no lane is held for longer than [`MOST`].

use std::sync::Arc;
use std::time::{Duration, Instant};

#[cfg(all(target_os = "linux", not(loom)))]
use rustix::time::{ClockId, clock_gettime};

use super::State;

/// CPU time used so far, by whoever works for a call beside this process; `None` if that is not known.
pub(crate) type CpuTime = Arc<dyn Fn() -> Option<Duration> + Send + Sync>;

/// The first look: two batches on threads later.
const FIRST: Duration = if cfg!(loom) {
    // There is no time.
    Duration::ZERO
} else {
    Duration::from_micros(400)
};

/// From look to look the time doubles, up to this.
const LONGEST: Duration = Duration::from_millis(10);

/// After that, lanes begin whatever the CPUs do.
const MOST: Duration = Duration::from_millis(100);

/// Of the CPU time that there was, so much is all of it: threads wake up late, and others want some.
const ALL: f64 = 0.75;

/// The lanes of a call that are held back.
pub(super) struct Held {
    /// The first of them. Their numbers are in the order in which they begin.
    pub(super) from: usize,
    cpus: usize,
    beside: Option<CpuTime>,
    watch: Option<Watch>,
}

/// How busy the CPUs are.
struct Watch {
    /// Who has the alarm, if anybody.
    helper: Option<usize>,
    begun: Instant,
    last: Instant,
    /// The CPU time that had been used then.
    used: Option<Duration>,
    due: Instant,
    /// Whether not all had been used.
    left_over: bool,
}

/// What a helper that has nothing else to do is to do for a call.
pub(super) enum Chore {
    /// Look at how much CPU time has been used, and tell.
    Look(u64, Option<CpuTime>),
    /// Sleep, until then at most.
    Sleep(Option<Instant>),
}

impl Held {
    /// Those of so many CPUs' lanes that are too many.
    pub(super) fn beyond(cpus: usize, beside: Option<CpuTime>) -> Self {
        Self {
            from: cpus,
            cpus,
            beside,
            watch: None,
        }
    }

    fn is_watched(&self) -> bool {
        let watch = self.watch.as_ref();
        watch.is_some_and(|watch| watch.helper.is_some())
    }

    /// What was found out at a look: whether the lanes shall begin.
    fn review(&mut self, helper: usize, now: Instant, used: Option<Duration>) -> bool {
        let Some(watch) = &mut self.watch else {
            self.watch = Some(Watch {
                helper: Some(helper),
                begun: now,
                last: now,
                used,
                due: now + FIRST,
                left_over: false,
            });
            return false;
        };
        if now < watch.due {
            watch.helper = watch.helper.or(Some(helper));
            return false;
        }
        let (since, held) = (now - watch.last, now - watch.begun);
        let Some(used_since) = used
            .zip(watch.used)
            .and_then(|(now, then)| now.checked_sub(then))
        else {
            return true;
        };
        let left_over = used_since < since.mul_f64(self.cpus as f64 * ALL);
        let pause = if left_over {
            FIRST
        } else {
            (2 * since).clamp(FIRST, LONGEST)
        };
        let begin = left_over && watch.left_over || held >= MOST;
        *watch = Watch {
            helper: Some(helper),
            begun: watch.begun,
            last: now,
            used,
            due: now + pause,
            left_over,
        };
        begin
    }
}

impl State {
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
        let mut alarm = None;
        for call in &self.calls {
            let Some(held) = call.held() else { continue };
            match &held.watch {
                Some(watch) if watch.helper.is_some_and(|other| other != helper) => {}
                Some(watch) if watch.helper.is_some() && now < watch.due => alarm = Some(watch.due),
                _ if alarm.is_none() => return Chore::Look(call.id, held.beside.clone()),
                _ => {}
            }
        }
        Chore::Sleep(alarm)
    }

    /// This helper has found out how much CPU time has been used.
    pub(super) fn review(&mut self, id: u64, helper: usize, used: Option<Duration>) {
        // The call may be over.
        if let Some(call) = self.calls.iter_mut().find(|call| call.id == id)
            && let Some(held) = &mut call.held
            && held.review(helper, Instant::now(), used)
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

/// What has been used by this process, and beside it.
#[cfg(all(target_os = "linux", not(loom)))]
pub(super) fn cpu_time(beside: Option<CpuTime>) -> Option<Duration> {
    let here = clock_gettime(ClockId::ProcessCPUTime);
    let here = Duration::new(here.tv_sec.try_into().ok()?, here.tv_nsec.try_into().ok()?);
    Some(here + beside.map_or(Some(Duration::ZERO), |beside| beside())?)
}

/// Nobody knows.
#[cfg(not(all(target_os = "linux", not(loom))))]
pub(super) fn cpu_time(_: Option<CpuTime>) -> Option<Duration> {
    None
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::{Lanes, Pool};
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Looks so many milliseconds apart, at which so much CPU time has been used; whether the lanes begin at each.
    fn looks<const N: usize>(looks: [(u64, Option<u64>); N]) -> [bool; N] {
        let (mut held, start) = (Held::beyond(2, None), Instant::now());
        assert!(!held.review(1, start, Some(Duration::ZERO)));
        looks.map(|(now, used)| {
            let now = start + Duration::from_millis(now);
            held.review(1, now, used.map(Duration::from_millis))
        })
    }

    #[test]
    fn lanes_begin_when_cpu_time_is_left_over_twice() {
        assert_eq!(looks([(1, Some(2)), (4, Some(8))]), [false, false]);
        assert_eq!(looks([(1, Some(0)), (2, Some(1))]), [false, true]);
        assert_eq!(
            looks([(1, Some(0)), (2, Some(2)), (3, Some(2))]),
            [false, false, false]
        );
        assert_eq!(looks([(1, None)]), [true]);
    }

    #[test]
    fn lanes_begin_after_some_time_whatever_is_used() {
        assert_eq!(looks([(50, Some(100)), (100, Some(200))]), [false, true]);
    }

    #[test]
    fn who_looks_before_it_is_due_learns_nothing() {
        assert_eq!(looks([(0, Some(0)), (1, Some(2))]), [false, false]);
    }

    /// They use the CPUs, and would go on to do so.
    #[test]
    fn lanes_that_look_for_each_other_without_sleeping_all_begin() {
        let pool = Pool::new();
        let lanes = pool.at_once(usize::MAX) + 2;
        let begun = AtomicUsize::new(0);
        pool.run(lanes, Lanes::UntilDone(None), |_| {
            begun.fetch_add(1, Ordering::Relaxed);
            while begun.load(Ordering::Relaxed) < lanes {
                std::hint::spin_loop();
            }
        });
    }

    #[test]
    fn a_watch_goes_over_to_another_helper() {
        let mut held = Held::beyond(2, None);
        let now = Instant::now();
        held.review(1, now, None);
        assert!(held.is_watched());
        held.watch.as_mut().unwrap().helper = None;
        held.review(2, now, None);
        assert_eq!(held.watch.unwrap().helper, Some(2));
    }
}
