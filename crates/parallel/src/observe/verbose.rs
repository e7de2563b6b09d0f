//! Lines on how far a call is: joblib's `verbose`.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Observer;
use super::event::Event;
use super::screen::above_bars;
use super::tally::{Tally, short};

/// From this level on, lines go to standard output: joblib's `Parallel._print`.
const TO_STDOUT: u32 = 50;

/// Above this level there is a line for each task.
const EACH: u32 = 10;

/// Prints lines, the more the higher the level.
#[derive(Debug)]
pub(crate) struct Verbose {
    level: u32,
    calls: Mutex<HashMap<u64, Tally>>,
}

impl Verbose {
    pub(crate) fn new(level: u32) -> Self {
        Self {
            level,
            calls: Mutex::default(),
        }
    }

    /// What is to be said of an event.
    fn line(&self, event: &Event, now: Instant) -> Option<String> {
        let mut calls = self.calls.lock();
        match event {
            // Each submitted task is a call of one.
            Event::RunStarted { tasks: Some(1), .. } if self.level <= EACH => None,
            Event::RunStarted { run, tasks, n_jobs } => {
                calls.insert(*run, Tally::new(*tasks, *n_jobs, now));
                None
            }
            Event::TaskFinished { run, .. } => {
                let tally = calls.get_mut(run)?;
                tally.count(event);
                // The last one is followed by the line on the end.
                let last = tally.tasks == Some(tally.done);
                let due = !last && is_due(tally.done, self.level);
                due.then(|| under_way(tally, now.saturating_duration_since(tally.begun)))
            }
            Event::RunFinished { run, totals } => {
                let mut tally = calls.remove(run)?;
                tally.count(event);
                Some(at_the_end(&tally, totals.wall))
            }
            _ => None,
        }
    }
}

impl Observer for Verbose {
    fn event(&self, event: &Event) {
        let Some(line) = self.line(event, Instant::now()) else {
            return;
        };
        // In one write. Whether anybody reads it changes nothing.
        let _ = above_bars(|| {
            if self.level < TO_STDOUT {
                io::stderr().write_all(line.as_bytes())
            } else {
                io::stdout().write_all(line.as_bytes())
            }
        });
    }
}

/// Whether there is a line when so many tasks are done: joblib's `_verbosity_filter`, in which the lines
/// get further apart as the square of their number.
fn is_due(done: usize, level: u32) -> bool {
    if level > EACH || done == 1 {
        return true;
    }
    let lag = 0.5 * f64::from(11 - level).powi(2);
    let lines = |done: usize| (done as f64 / lag).sqrt().floor();
    lines(done - 1) != lines(done)
}

fn under_way(tally: &Tally, elapsed: Duration) -> String {
    let remaining = match tally.remaining(elapsed) {
        Some(remaining) => format!(" remaining: {}", short(remaining)),
        None => String::new(),
    };
    format!(
        "{} | elapsed: {}{remaining}\n",
        done(tally, tally.tasks),
        short(elapsed)
    )
}

fn at_the_end(tally: &Tally, wall: Duration) -> String {
    // Of how many it was is only known now, if nothing can have stopped the call before.
    let tasks = tally.tasks.or((tally.failed == 0).then_some(tally.done));
    let how = if tally.some_left() {
        "stopped"
    } else {
        "finished"
    };
    format!("{} | elapsed: {} {how}\n", done(tally, tasks), short(wall))
}

fn done(tally: &Tally, tasks: Option<usize>) -> String {
    let of = match tasks {
        Some(tasks) => format!("out of {tasks}"),
        None => "tasks".to_owned(),
    };
    let failed = match tally.failed {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    let (n_jobs, done) = (tally.n_jobs, tally.done);
    format!("[Parallel(n_jobs={n_jobs})]: Done {done} {of}{failed}")
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::event::Totals;
    use super::*;
    use crate::error::Failure;

    const SECOND: Duration = Duration::from_secs(1);

    /// The lines on a call whose tasks take a tenth of a second each.
    fn lines(level: u32, tasks: Option<usize>, done: usize, failing: &[usize]) -> Vec<String> {
        let verbose = Verbose::new(level);
        let begun = Instant::now();
        let started = Event::RunStarted {
            run: 7,
            tasks,
            n_jobs: 3,
        };
        let finished = (0..done).map(|index| {
            let failure = failing.contains(&index).then_some(Failure::Cancelled);
            let event = Event::TaskFinished {
                run: 7,
                index,
                attempt: 1,
                worker: 0,
                started: begun,
                run_time: SECOND,
                wait_time: Duration::ZERO,
                failure,
            };
            (event, SECOND / 10 * (index as u32 + 1))
        });
        let wall = SECOND / 10 * done as u32;
        let failed = failing.iter().filter(|index| **index < done).count();
        let totals = Totals {
            succeeded: done - failed,
            failed,
            wall,
            ..Totals::default()
        };
        let ended = Event::RunFinished { run: 7, totals };
        [(started, Duration::ZERO)]
            .into_iter()
            .chain(finished)
            .chain([(ended, wall)])
            .filter_map(|(event, after)| verbose.line(&event, begun + after))
            .collect()
    }

    #[test]
    fn lines_have_joblibs_shape() {
        assert_eq!(
            lines(10, Some(8), 8, &[]),
            [
                "[Parallel(n_jobs=3)]: Done 1 out of 8 | elapsed: 0.1s remaining: 0.7s\n",
                "[Parallel(n_jobs=3)]: Done 2 out of 8 | elapsed: 0.2s remaining: 0.6s\n",
                "[Parallel(n_jobs=3)]: Done 5 out of 8 | elapsed: 0.5s remaining: 0.3s\n",
                "[Parallel(n_jobs=3)]: Done 8 out of 8 | elapsed: 0.8s finished\n",
            ]
        );
    }

    #[test]
    fn an_unknown_number_of_tasks_is_told_at_the_end() {
        let lines = lines(1, None, 60, &[]);
        assert_eq!(
            lines,
            [
                "[Parallel(n_jobs=3)]: Done 1 tasks | elapsed: 0.1s\n",
                "[Parallel(n_jobs=3)]: Done 50 tasks | elapsed: 5.0s\n",
                "[Parallel(n_jobs=3)]: Done 60 out of 60 | elapsed: 6.0s finished\n",
            ]
        );
    }

    #[test]
    fn failures_and_an_early_end_are_told() {
        assert_eq!(
            lines(11, Some(900), 2, &[1]),
            [
                "[Parallel(n_jobs=3)]: Done 1 out of 900 | elapsed: 0.1s remaining: 1.5min\n",
                "[Parallel(n_jobs=3)]: Done 2 out of 900, 1 failed | elapsed: 0.2s remaining: 1.5min\n",
                "[Parallel(n_jobs=3)]: Done 2 out of 900, 1 failed | elapsed: 0.2s stopped\n",
            ]
        );
        let lines = lines(1, None, 2, &[1]);
        assert_eq!(
            lines[1],
            "[Parallel(n_jobs=3)]: Done 2 tasks, 1 failed | elapsed: 0.2s finished\n"
        );
    }

    #[test]
    fn what_was_lost_on_its_way_is_counted_at_the_end() {
        let verbose = Verbose::new(10);
        let begun = Instant::now();
        let started = Event::RunStarted {
            run: 7,
            tasks: Some(9),
            n_jobs: 3,
        };
        assert!(verbose.line(&started, begun).is_none());
        let totals = Totals {
            succeeded: 7,
            failed: 2,
            wall: SECOND,
            ..Totals::default()
        };
        let line = verbose.line(&Event::RunFinished { run: 7, totals }, begun);
        assert_eq!(
            line.unwrap(),
            "[Parallel(n_jobs=3)]: Done 9 out of 9, 2 failed | elapsed: 1.0s finished\n"
        );
    }

    #[test]
    fn one_task_is_worth_a_line_where_each_task_is() {
        assert!(lines(10, Some(1), 1, &[]).is_empty());
        assert_eq!(
            lines(11, Some(1), 1, &[]),
            ["[Parallel(n_jobs=3)]: Done 1 out of 1 | elapsed: 0.1s finished\n"]
        );
    }

    #[test]
    fn the_higher_the_level_the_more_lines() {
        let lines = |level| (1..=1000).filter(|done| is_due(*done, level)).count();
        let numbers: Vec<_> = (1..=11).map(lines).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
        assert_eq!((numbers[0], numbers[9], numbers[10]), (5, 44, 1000));
    }
}
