//! With what a storm's `Parallel` is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parallel::{BatchSize, Event, Output, Parallel, Processes};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::deeds::task_that_flooded;

/// The settings of one `Parallel`, and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setup {
    pub(crate) jobs: i32,
    batch_size: BatchSize,
    pub(crate) retries: u32,
    retry_panics: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) memory_limit: Option<usize>,
    lines: bool,
    max_tasks_per_worker: Option<u64>,
    idle_timeout: Option<Duration>,
    /// So often it is called, one time after the other.
    pub(crate) waves: u32,
    /// By so many at the same time.
    pub(crate) callers: u32,
    /// How long it takes until the next worker is hit from outside, at most.
    pub(crate) hit_within: Option<Duration>,
}

impl Setup {
    pub(crate) fn draw(rng: &mut ChaCha8Rng) -> Self {
        Self {
            jobs: rng.random_range(1..=6),
            batch_size: [BatchSize::Auto, 1.into(), 7.into(), 64.into()][rng.random_range(0..4)],
            retries: rng.random_range(0..=2),
            retry_panics: rng.random_bool(0.3),
            timeout: some(rng, 0.6, |rng| millis(rng.random_range(150..400))),
            memory_limit: some(rng, 0.5, |_| 256 << 20),
            lines: rng.random_bool(0.4),
            max_tasks_per_worker: some(rng, 0.3, |rng| rng.random_range(1..200)),
            idle_timeout: some(rng, 0.3, |rng| millis(rng.random_range(0..50))),
            waves: rng.random_range(1..=4),
            callers: [1, 1, 2, 3][rng.random_range(0..4)],
            hit_within: some(rng, 0.8, |rng| {
                millis([3, 20, 100, 300][rng.random_range(0..4)])
            }),
        }
    }

    /// The `Parallel`. Lines that are told of another task than the one that printed them are counted.
    pub(crate) fn build(&self, misattributed: &Arc<AtomicU64>) -> Parallel<Processes> {
        // Each panic would read the whole executable's debug information for its backtrace.
        let mut processes = Processes::new()
            .env("RUST_BACKTRACE", "0")
            .retries(self.retries)
            .retry_panics(self.retry_panics)
            .output(if self.lines {
                Output::Lines
            } else {
                Output::Null
            });
        if let Some(limit) = self.timeout {
            processes = processes.timeout(limit);
        }
        if let Some(bytes) = self.memory_limit {
            processes = processes.memory_limit(bytes);
        }
        if let Some(tasks) = self.max_tasks_per_worker {
            processes = processes.max_tasks_per_worker(tasks);
        }
        if let Some(time) = self.idle_timeout {
            processes = processes.idle_timeout(time);
        }
        let misattributed = Arc::clone(misattributed);
        Parallel::new(self.jobs)
            .batch_size(self.batch_size)
            .observer(move |event: &Event| {
                if let Event::Line { task, text, .. } = event
                    && let Some(flooded) = task_that_flooded(text)
                    && *task != Some(flooded)
                {
                    misattributed.fetch_add(1, Ordering::Relaxed);
                }
            })
            .backend(processes)
    }
}

fn some<V>(
    rng: &mut ChaCha8Rng,
    chance: f64,
    draw: impl FnOnce(&mut ChaCha8Rng) -> V,
) -> Option<V> {
    // Drawn in any case, so that what comes after it does not depend on it.
    let (taken, value) = (rng.random_bool(chance), draw(rng));
    taken.then_some(value)
}

fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}
