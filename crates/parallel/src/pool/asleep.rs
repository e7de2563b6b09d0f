//! Helpers that sleep, of whom none shall wake up in its caller's way.
//!
//! ```text
//!   caller, on CPU 0                          helper, which fell asleep on CPU 0
//!   is the next to wake up asleep here?
//!   keeps it off CPU 0, and wakes it ───────► wakes up on CPU 1,
//!                                             may use CPU 0 again
//! ```
//!
//! Linux looks for no idle CPU when it wakes a thread while they have all been busy lately (`nr_idle_scan` in its
//! `kernel/sched/fair.c`): the thread goes on where it was. If its caller has come to that CPU meanwhile, the two share it
//! for some milliseconds, and the other CPU has nothing to do.

use self::cpus::{Cpus, Thread};

/// Helpers that sleep, or are about to wake up, in the order in which they are woken.
#[derive(Default)]
pub(super) struct Asleep(Vec<Sleeper>);

struct Sleeper {
    helper: usize,
    thread: Thread,
    /// Where it fell asleep.
    cpu: Option<usize>,
    /// Where else it may run, if it is kept off that one.
    kept_off: Option<Cpus>,
}

impl Asleep {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The helper of this number, whose thread this is, falls asleep.
    pub(super) fn add(&mut self, helper: usize) {
        self.0.push(Sleeper {
            helper,
            thread: cpus::this_thread(),
            cpu: cpus::here(),
            kept_off: None,
        });
    }

    /// It has woken up, on this thread.
    pub(super) fn remove(&mut self, helper: usize) {
        let place = self.0.iter().position(|sleeper| sleeper.helper == helper);
        let kept_off = place.and_then(|place| self.0.remove(place).kept_off);
        if let Some(cpus) = kept_off {
            cpus::allow(&cpus);
        }
    }

    /// So many are about to be woken by this thread: keeps one that sleeps on its CPU off that.
    pub(super) fn make_way(&mut self, wake: usize) {
        if wake > 0
            && let Some(here) = cpus::here()
        {
            self.keep_off(here, wake);
        }
    }

    fn keep_off(&mut self, cpu: usize, wake: usize) {
        let mut first = self.0.iter_mut().take(wake);
        if let Some(sleeper) = first.find(|s| s.cpu == Some(cpu) && s.kept_off.is_none()) {
            sleeper.kept_off = cpus::keep_off(cpu, sleeper.thread);
        }
    }
}

#[cfg(all(target_os = "linux", not(loom)))]
mod cpus {
    use rustix::thread::{gettid, sched_getaffinity, sched_getcpu, sched_setaffinity};

    pub(super) use rustix::thread::{CpuSet as Cpus, Pid as Thread};

    pub(super) fn this_thread() -> Thread {
        gettid()
    }

    /// The CPU that this thread is on.
    pub(super) fn here() -> Option<usize> {
        Some(sched_getcpu())
    }

    /// Lets the thread run on its other CPUs only. Gives those that it had, if there are others.
    pub(super) fn keep_off(cpu: usize, thread: Thread) -> Option<Cpus> {
        let before = sched_getaffinity(Some(thread)).ok()?;
        let mut others = before;
        others.unset(cpu);
        let done = others.count() > 0 && sched_setaffinity(Some(thread), &others).is_ok();
        done.then_some(before)
    }

    /// Lets this thread run on these.
    pub(super) fn allow(cpus: &Cpus) {
        // It may fail only if none of them is there any more; then it stays where it may be.
        let _ = sched_setaffinity(None, cpus);
    }
}

/// Nobody knows where they are.
#[cfg(not(all(target_os = "linux", not(loom))))]
mod cpus {
    pub(super) type Thread = ();
    pub(super) type Cpus = std::convert::Infallible;

    pub(super) fn this_thread() -> Thread {}

    pub(super) fn here() -> Option<usize> {
        None
    }

    pub(super) fn keep_off(_cpu: usize, _thread: Thread) -> Option<Cpus> {
        None
    }

    pub(super) fn allow(cpus: &Cpus) {
        match *cpus {}
    }
}

#[cfg(all(test, target_os = "linux", not(loom)))]
mod tests {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    use super::*;
    use crate::pool::{Lanes, Pool};
    use crate::sync::{Condvar, Mutex, lock, thread, wait};

    fn may_use() -> CpuSet {
        sched_getaffinity(None).unwrap()
    }

    fn each_of(cpus: CpuSet) -> Vec<usize> {
        let numbers = 0..CpuSet::MAX_CPU;
        numbers.filter(|&cpu| cpus.is_set(cpu)).collect()
    }

    #[test]
    fn who_sleeps_on_the_callers_cpu_is_kept_off_it_until_it_wakes_up() {
        let all = may_use();
        let cpu = each_of(all)[0];
        let mut asleep = Asleep::default();
        for helper in 1..=3 {
            asleep.add(helper);
            asleep.0[helper - 1].cpu = (helper > 1).then_some(cpu);
        }
        asleep.keep_off(cpu, 1);
        assert_eq!(
            may_use(),
            all,
            "the first sleeps elsewhere, and no other is woken"
        );
        asleep.keep_off(cpu, 3);
        let mut others = all;
        others.unset(cpu);
        assert_eq!(may_use(), if all.count() > 1 { others } else { all });
        asleep.remove(2);
        assert_eq!(may_use(), all);
        assert!(asleep.0.iter().all(|sleeper| sleeper.kept_off.is_none()));
        assert_eq!(asleep.count(), 2);
    }

    /// A caller that goes from CPU to CPU wakes its helper, which may go everywhere.
    #[test]
    fn a_helper_that_is_awake_may_use_all_cpus() {
        let (all, pool) = (may_use(), Pool::new());
        let (seen, news) = (Mutex::new(None), Condvar::new());
        let both_lanes = || {
            pool.run(2, Lanes::UntilDone(None), &|lane| {
                let mut cpus = lock(&seen);
                if lane == 1 {
                    *cpus = Some(may_use());
                    news.notify_one();
                }
                while cpus.is_none() {
                    cpus = wait(&news, cpus);
                }
            });
        };
        both_lanes();
        for cpu in each_of(all).into_iter().cycle().take(100) {
            let mut here = CpuSet::new();
            here.set(cpu);
            sched_setaffinity(None, &here).unwrap();
            while lock(&pool.shared.state).asleep.count() == 0 {
                thread::yield_now();
            }
            *lock(&seen) = None;
            both_lanes();
            assert_eq!(*lock(&seen), Some(all));
        }
    }
}
