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
//! another one sleeps that has an alarm, at which its word is off. That one sleeps without an alarm again when no
//! such tasks have been taken since.
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
    coming: Coming,
    /// The one of those that sleep that has an alarm.
    guard: Option<ThreadId>,
    /// Whether tasks that are soon through have been taken since the last guard fell asleep.
    brief: bool,
}

#[derive(Debug, Default, PartialEq)]
enum Coming {
    #[default]
    Nobody,
    /// A lane has been woken, or has not gone to sleep yet and looks.
    Awake,
    /// This one is back soon.
    Soon(ThreadId),
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
    /// A lane is back. Whether it is to sleep on.
    pub(super) fn is_back(&mut self, lane: ThreadId, since: Since) -> bool {
        let over = match since {
            Since::Away => self.coming == Coming::Soon(lane),
            Since::Looked => true,
            Since::Slept if self.wakes_by_itself(lane) => return self.guard_wakes(lane),
            Since::Slept => true,
        };
        if over {
            self.coming = Coming::Nobody;
        }
        false
    }

    /// Whether nobody has woken it: its alarm has, or a task that left a call of `unpark` behind. Who is awake
    /// must not be woken in place of one that sleeps.
    fn wakes_by_itself(&mut self, lane: ThreadId) -> bool {
        let place = self.asleep.iter().position(|other| other.id() == lane);
        place.map(|place| self.asleep.remove(place)).is_some()
    }

    /// If it was the guard: a word that is older than its sleep is off, and if there are newer ones, it sleeps on.
    fn guard_wakes(&mut self, lane: ThreadId) -> bool {
        if self.guard.take_if(|guard| *guard == lane).is_none() {
            return false;
        }
        if !self.brief && matches!(self.coming, Coming::Soon(_)) {
            self.coming = Coming::Nobody;
        }
        self.brief && !self.is_nobody_coming()
    }

    pub(super) fn is_nobody_coming(&self) -> bool {
        self.coming == Coming::Nobody
    }

    /// A lane looks, and then comes.
    pub(super) fn looks(&mut self) {
        self.coming = Coming::Awake;
    }

    /// A lane has taken all that there is, and is away for so long.
    pub(super) fn takes_all(&mut self, lane: ThreadId, run_time: Duration) {
        if run_time > SOON {
            return;
        }
        self.brief = true;
        if self.guard.is_some() && self.is_nobody_coming() {
            self.coming = Coming::Soon(lane);
        }
    }

    /// A lane sleeps, until it is woken, or for no longer than this.
    pub(super) fn falls_asleep(&mut self, lane: Thread) -> Option<Duration> {
        let is_guard = self.guard.is_none() && std::mem::take(&mut self.brief);
        if is_guard {
            self.guard = Some(lane.id());
        }
        self.asleep.push(lane);
        is_guard.then_some(ALARM)
    }

    /// Who is to be woken now that there are so many tasks, if anybody.
    pub(super) fn whom_to_wake(&mut self, tasks: usize) -> Option<Thread> {
        let is_seen_to = match self.coming {
            Coming::Nobody => false,
            Coming::Awake => true,
            Coming::Soon(_) => tasks <= MUCH,
        };
        if is_seen_to {
            return None;
        }
        let lane = self.asleep.pop()?;
        self.guard.take_if(|guard| *guard == lane.id());
        self.coming = Coming::Awake;
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
        rota.is_back(lanes[0].id(), Since::Away);
        assert_eq!(rota.whom_to_wake(1).unwrap().id(), lanes[2].id());
        assert!(rota.whom_to_wake(1).is_none(), "one is coming");

        let (mut rota, _) = with_word();
        assert!(rota.whom_to_wake(MUCH + 1).is_some());
    }

    #[test]
    fn who_takes_what_lasts_gives_no_word() {
        let (mut rota, lanes) = with_word();
        rota.is_back(lanes[0].id(), Since::Away);
        rota.takes_all(lanes[0].id(), 2 * SOON);
        assert!(rota.whom_to_wake(1).is_some());
    }

    #[test]
    fn a_word_holds_for_two_alarms_at_most() {
        let (mut rota, lanes) = with_word();
        let guard = &lanes[1];
        assert!(rota.is_back(guard.id(), Since::Slept), "the word is newer");
        assert_eq!(rota.falls_asleep(guard.clone()), Some(ALARM));
        assert!(rota.whom_to_wake(1).is_none());
        assert!(!rota.is_back(guard.id(), Since::Slept));
        assert_eq!(rota.falls_asleep(guard.clone()), None);
        assert!(rota.whom_to_wake(1).is_some());
    }
}
