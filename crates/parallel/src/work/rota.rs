//! Which of the lanes that have nothing to do sees to what comes next.
//!
//! ```text
//!   who brings                              the lane that is coming         another one
//!   under the lock: puts it there,          looks, or was woken: takes      sleeps until it is woken
//!   wakes one that sleeps, unless           what there is, wakes one        by either, which makes it
//!   one is coming, or will be back          if it leaves any, and may       the one that is coming, or
//!   soon and not much has come              say that it is back soon        by its alarm
//! ```
//!
//! To be woken costs a lane little and who wakes it much, some microseconds: a source that gives tasks that are through
//! in less would have most of its time go there. So a lane that took such tasks says that it is back soon, and
//! nobody is woken meanwhile. It may be wrong: one of the tasks may even wait for one that comes. So it says so only while
//! another one sleeps that has an alarm, the guard, and its word holds for two alarms at most. A lane that falls asleep
//! when no such tasks have been taken lately has no alarm.
//!
//! [`super::feed`] has loom try every order.

use std::time::Duration;

use crate::sync::thread::{Thread, ThreadId};

/// Who is away for less is back before another one would be awake: it takes up to 50 µs.
const SOON: Duration = Duration::from_micros(25);

/// For that time at most, and some of the system's, tasks wait for a lane that is not back soon.
const ALARM: Duration = Duration::from_millis(1);

/// If it has to be for more tasks, they wait no longer.
const MUCH: usize = 128;

/// Lanes that sleep, and who is coming.
#[derive(Debug, Default)]
pub(super) struct Rota {
    /// Nobody has woken them yet.
    asleep: Vec<Thread>,
    /// Whether one has been woken that is not here yet, or has not gone to sleep yet and looks.
    is_one_coming: bool,
    guard: Option<Guard>,
    /// Whether tasks that are soon through have been taken since the guard fell asleep. If so, there is to be one.
    brief: bool,
}

/// The one of those that sleep that has an alarm.
#[derive(Debug)]
struct Guard {
    lane: ThreadId,
    /// Who is back soon. Here, since no such word may outlast the guard.
    word_of: Option<ThreadId>,
}

/// What a lane has done since it was seen last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// It was away with the tasks that it took.
    Away,
    Looked,
    Slept,
}

impl Rota {
    /// A lane is back. If it is to sleep on, for how long: while there `is_work` for it in any case, it is not.
    pub(super) fn comes_back(
        &mut self,
        lane: ThreadId,
        since: Since,
        is_work: bool,
    ) -> Option<Duration> {
        match since {
            Since::Away => self.takes_word_back(lane),
            Since::Looked => self.is_one_coming = false,
            Since::Slept => match self.asleep.iter().position(|other| other.id() == lane) {
                None => self.is_one_coming = false,
                // Its alarm has woken it, or a task that left a call of `unpark` behind. Who is awake must not be woken
                // in place of one that sleeps.
                Some(_) if self.sleeps_on(lane, is_work) => return Some(ALARM),
                Some(place) => drop(self.asleep.remove(place)),
            },
        }
        None
    }

    fn takes_word_back(&mut self, lane: ThreadId) {
        if let Some(guard) = &mut self.guard {
            guard.word_of.take_if(|other| *other == lane);
        }
    }

    /// Whether the guard, whose alarm has gone off, stays it: not if the word that it has is older than its sleep.
    fn sleeps_on(&mut self, lane: ThreadId, is_work: bool) -> bool {
        let is_seen_to = !is_work && !self.is_nobody_coming();
        let guard = self.guard.take_if(|guard| guard.lane == lane);
        let stays = guard.is_some() && is_seen_to && std::mem::take(&mut self.brief);
        if stays {
            self.guard = guard;
        }
        stays
    }

    pub(super) fn is_nobody_coming(&self) -> bool {
        !self.is_one_coming && self.word().is_none()
    }

    fn word(&self) -> Option<ThreadId> {
        self.guard.as_ref()?.word_of
    }

    /// A lane looks, and then comes.
    pub(super) fn looks(&mut self) {
        self.is_one_coming = true;
    }

    /// A lane has taken all that there is, and is away for so long.
    pub(super) fn takes_all(&mut self, lane: ThreadId, run_time: Duration) {
        if run_time > SOON {
            return;
        }
        self.brief = true;
        if self.is_nobody_coming()
            && let Some(guard) = &mut self.guard
        {
            guard.word_of = Some(lane);
        }
    }

    /// A lane sleeps, until it is woken, or for no longer than this.
    pub(super) fn falls_asleep(&mut self, lane: Thread) -> Option<Duration> {
        let is_guard = self.guard.is_none() && std::mem::take(&mut self.brief);
        if is_guard {
            self.guard = Some(Guard {
                lane: lane.id(),
                word_of: None,
            });
        }
        self.asleep.push(lane);
        is_guard.then_some(ALARM)
    }

    /// Who is to be woken now that there are so many tasks, if anybody.
    pub(super) fn whom_to_wake(&mut self, tasks: usize) -> Option<Thread> {
        let is_back_soon = self.word().is_some();
        if self.is_one_coming || is_back_soon && tasks <= MUCH {
            return None;
        }
        let lane = self.asleep.pop()?;
        self.is_one_coming = true;
        self.guard.take_if(|guard| guard.lane == lane.id());
        if let Some(guard) = &mut self.guard {
            guard.word_of = None;
        }
        Some(lane)
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn does_any_sleep(&self) -> bool {
        !self.asleep.is_empty()
    }

    /// All that sleep, to be woken.
    pub(super) fn wake_all(&mut self) -> Vec<Thread> {
        self.guard = None;
        std::mem::take(&mut self.asleep)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::thread;

    const BRIEF: Duration = Duration::from_micros(1);

    fn lanes() -> [Thread; 3] {
        [(); 3].map(|()| thread::spawn(thread::current).join().unwrap())
    }

    /// With a guard, which is the second lane, and the word of the first.
    fn with_word() -> (Rota, [Thread; 3]) {
        let (mut rota, lanes) = (Rota::default(), lanes());
        rota.takes_all(lanes[0].id(), BRIEF);
        assert!(rota.is_nobody_coming(), "there is no guard");
        assert_eq!(rota.falls_asleep(lanes[1].clone()), Some(ALARM));
        assert_eq!(rota.falls_asleep(lanes[2].clone()), None);
        rota.takes_all(lanes[0].id(), BRIEF);
        (rota, lanes)
    }

    #[test]
    fn nobody_is_woken_while_one_is_back_soon_unless_for_much() {
        let (mut rota, lanes) = with_word();
        assert!(rota.whom_to_wake(MUCH).is_none());
        rota.comes_back(lanes[0].id(), Since::Away, false);
        assert_eq!(rota.whom_to_wake(1).unwrap().id(), lanes[2].id());
        assert!(rota.whom_to_wake(1).is_none(), "one is coming");

        let (mut rota, _) = with_word();
        assert!(rota.whom_to_wake(MUCH + 1).is_some());
    }

    #[test]
    fn who_takes_what_lasts_gives_no_word() {
        let (mut rota, lanes) = with_word();
        rota.comes_back(lanes[0].id(), Since::Away, false);
        rota.takes_all(lanes[0].id(), 2 * SOON);
        assert!(rota.whom_to_wake(1).is_some());
    }

    #[test]
    fn a_word_holds_for_two_alarms_at_most() {
        let (mut rota, lanes) = with_word();
        let guard = &lanes[1];
        let sleeps_on = rota.comes_back(guard.id(), Since::Slept, false);
        assert_eq!(sleeps_on, Some(ALARM), "the word is newer");
        assert!(rota.whom_to_wake(1).is_none());
        assert_eq!(rota.comes_back(guard.id(), Since::Slept, false), None);
        assert_eq!(rota.falls_asleep(guard.clone()), None);
        assert!(rota.whom_to_wake(1).is_some());
    }

    #[test]
    fn no_word_outlasts_the_guard() {
        let (mut rota, lanes) = with_word();
        let leaves = rota.comes_back(lanes[1].id(), Since::Slept, true);
        assert_eq!(leaves, None, "there is work for it");
        assert_eq!(rota.whom_to_wake(1).unwrap().id(), lanes[2].id());
    }
}
