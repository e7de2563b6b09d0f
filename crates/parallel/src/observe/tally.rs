//! How far a call is, for whoever shows it.

use std::time::{Duration, Instant};

use super::event::Event;

/// What came of a call so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    pub(super) begun: Instant,
    pub(super) n_jobs: usize,
    /// How many tasks it has, if that is known.
    pub(super) tasks: Option<usize>,
    /// How many have an outcome.
    pub(super) done: usize,
    pub(super) failed: usize,
    pub(super) retried: usize,
}

impl Tally {
    /// Of a call that begins.
    pub(super) fn new(tasks: Option<usize>, n_jobs: usize, begun: Instant) -> Self {
        Self {
            begun,
            n_jobs,
            tasks,
            done: 0,
            failed: 0,
            retried: 0,
        }
    }

    /// Counts what happened.
    pub(super) fn count(&mut self, event: &Event) {
        match event {
            Event::TaskFinished { failure, .. } => {
                self.done += 1;
                self.failed += usize::from(failure.is_some());
            }
            Event::Retried { .. } => self.retried += 1,
            // Some may have been lost on their way.
            Event::RunFinished { totals, .. } => {
                self.done = totals.succeeded + totals.failed;
                self.failed = totals.failed;
                self.retried = totals.retried;
            }
            _ => {}
        }
    }

    /// Whether there are tasks that have no outcome.
    pub(super) fn some_left(&self) -> bool {
        self.tasks.is_some_and(|tasks| self.done < tasks)
    }

    /// How long the rest will take, if it goes on as it did.
    pub(super) fn remaining(&self, elapsed: Duration) -> Option<Duration> {
        let left = self.tasks?.checked_sub(self.done)?;
        let seconds = elapsed.as_secs_f64() / self.done as f64 * left as f64;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

/// A time, short: joblib's `short_format_time`, without its padding.
pub(super) fn short(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds > 60.0 {
        format!("{:.1}min", seconds / 60.0)
    } else {
        format!("{seconds:.1}s")
    }
}
