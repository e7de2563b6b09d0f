//! Whether who submits tasks runs them himself.
//!
//! Who submits a task and joins it at once runs it before another thread is awake. So where that is a habit, nobody is
//! woken, and one of the threads that sleep has an alarm, for the task that is left.
//!
//! ```text
//!   submit, join, submit, join, …    habit
//!   a thread watches: sleeps ──────► alarm, nothing waits: sleeps on, with an alarm if anything came meanwhile
//!                     │                └── a task waits: no habit any more, it runs that
//!                     └── woken by a second task that waits, or by who waits in another way than to join
//! ```

use std::time::Duration;

/// So often in a row it takes to be one.
const HABIT: u8 = 4;

/// So late at most, and once, begins what is submitted and not joined when that had been the habit. Long beside what it
/// costs to wake up, which is some microseconds.
pub(super) const ALARM: Duration = Duration::from_millis(1);

/// What is known of who submits.
#[derive(Debug, Default)]
pub(super) struct Habit {
    in_a_row: u8,
    /// Whether a task has come since a thread last went to sleep.
    came: bool,
    /// Whether a thread that sleeps has an alarm.
    watched: bool,
}

impl Habit {
    /// A task has come, and so many wait now. Whether a thread is to be woken.
    pub(super) fn submitted(&mut self, waiting: usize) -> bool {
        self.came = true;
        !(self.watched && waiting == 1)
    }

    /// A task was joined, before anybody had begun with it or after.
    pub(super) fn joined(&mut self, before: bool) {
        self.in_a_row = if before {
            self.in_a_row.saturating_add(1)
        } else {
            0
        };
    }

    /// A task is waited for by somebody who will not run it. Whether one may wait of which no thread knows.
    pub(super) fn broken(&mut self) -> bool {
        self.in_a_row = 0;
        self.watched
    }

    /// A thread goes to sleep: whether with an alarm.
    pub(super) fn fall_asleep(&mut self) -> bool {
        let came = std::mem::take(&mut self.came);
        let watches = came && !self.watched && self.in_a_row >= HABIT;
        self.watched |= watches;
        watches
    }

    /// The one with the alarm is awake, by it or not, and a task waits or none does.
    pub(super) fn wake_up(&mut self, late: bool, waits: bool) {
        self.watched = false;
        if late && waits {
            self.in_a_row = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One task after the other, so many, each joined before a thread is awake.
    fn after(tasks: u8) -> Habit {
        let mut habit = Habit::default();
        for _ in 0..tasks {
            assert!(habit.submitted(1), "nobody watches yet");
            habit.joined(true);
        }
        habit
    }

    #[test]
    fn nobody_is_woken_where_tasks_are_joined_at_once() {
        assert!(!after(HABIT - 1).fall_asleep());
        let mut habit = after(HABIT);
        assert!(habit.fall_asleep());
        assert!(!habit.submitted(1));
        assert!(habit.submitted(2), "nobody joins two at a time");
    }

    #[test]
    fn a_thread_sleeps_without_an_alarm_when_nothing_comes() {
        let mut habit = after(HABIT);
        assert!(habit.fall_asleep());
        assert!(!habit.fall_asleep(), "one watches");
        assert!(!habit.submitted(1));
        habit.wake_up(true, false);
        assert!(habit.fall_asleep());
        habit.wake_up(true, false);
        assert!(!habit.fall_asleep());
        assert!(habit.submitted(1));
    }

    #[test]
    fn it_is_no_habit_once_a_thread_had_to_see_to_a_task() {
        let by_alarm: fn(&mut Habit) = |habit| habit.wake_up(true, true);
        let by_a_thread: fn(&mut Habit) = |habit| {
            habit.wake_up(false, true);
            habit.joined(false);
        };
        let by_who_waits: fn(&mut Habit) = |habit| {
            assert!(habit.broken());
            habit.wake_up(false, true);
        };
        for seen_to in [by_alarm, by_a_thread, by_who_waits] {
            let mut habit = after(HABIT);
            assert!(habit.fall_asleep());
            assert!(!habit.submitted(1));
            seen_to(&mut habit);
            assert!(!habit.fall_asleep());
            assert!(habit.submitted(1));
        }
    }
}
