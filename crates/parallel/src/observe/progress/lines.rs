//! How far a call is, where there is no terminal.

use std::io::{self, Write};
use std::time::Duration;

use super::super::event::Event;
use super::super::tally::{Tally, short};
use super::troubles;

/// So many lines are told of a call whose number of tasks is known.
const LINES: usize = 10;

/// Prints a line if it is time for one.
pub(super) fn event(event: &Event, tally: &Tally) {
    if matches!(event, Event::TaskFinished { .. }) && is_due(tally) {
        print(&under_way(tally, tally.begun.elapsed()));
    }
}

/// In one write. Whether anybody reads it changes nothing.
pub(super) fn print(line: &str) {
    let _ = io::stderr().write_all(line.as_bytes());
}

fn is_due(tally: &Tally) -> bool {
    match tally.tasks {
        // The last one is followed by the line on the end.
        Some(tasks) => tally.done < tasks && tally.done.is_multiple_of(tasks.div_ceil(LINES)),
        None => tally.done.is_power_of_two(),
    }
}

fn under_way(tally: &Tally, elapsed: Duration) -> String {
    let rate = tally.done as f64 / elapsed.as_secs_f64();
    let left = match tally.remaining(elapsed) {
        Some(left) => format!(", {} left", short(left)),
        None => String::new(),
    };
    format!("{}, {rate:.1}/s{left}{}\n", done(tally), troubles(tally))
}

/// What is said of a call that has ended.
pub(super) fn at_the_end(tally: &Tally, wall: Duration) -> String {
    let stopped = if tally.some_left() { ", stopped" } else { "" };
    let (done, wall, troubles) = (done(tally), short(wall), troubles(tally));
    format!("{done} in {wall}{troubles}{stopped}\n")
}

fn done(tally: &Tally) -> String {
    match tally.tasks {
        Some(tasks) => format!("{} of {tasks} done", tally.done),
        None => format!("{} done", tally.done),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::time::Instant;

    fn due(tasks: Option<usize>, up_to: usize) -> Vec<usize> {
        let mut tally = Tally::new(tasks, 2, Instant::now());
        let due = (1..=up_to).filter(|done| {
            tally.done = *done;
            is_due(&tally)
        });
        due.collect()
    }

    #[test]
    fn lines_are_sparse() {
        assert_eq!(due(Some(100), 100), [10, 20, 30, 40, 50, 60, 70, 80, 90]);
        assert_eq!(due(Some(3), 3), [1, 2]);
        assert_eq!(due(None, 20), [1, 2, 4, 8, 16]);
        assert_eq!(due(Some(1_000_007), 1_000_007).len(), 9);
    }

    #[test]
    fn lines_say_how_far_it_is() {
        let mut tally = Tally::new(Some(100), 2, Instant::now());
        tally.done = 25;
        let second = Duration::from_secs(1);
        assert_eq!(
            under_way(&tally, second),
            "25 of 100 done, 25.0/s, 3.0s left\n"
        );
        (tally.failed, tally.retried) = (2, 1);
        assert_eq!(
            at_the_end(&tally, second),
            "25 of 100 done in 1.0s, 2 failed, 1 retried, stopped\n"
        );
        tally.tasks = None;
        assert_eq!(
            under_way(&tally, second),
            "25 done, 25.0/s, 2 failed, 1 retried\n"
        );
    }
}
