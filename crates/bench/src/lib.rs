//! The tasks that the benchmarks run.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// So many tasks a call: with a million, a call's milliseconds are a task's nanoseconds.
pub const MILLION: u64 = 1_000_000;

/// So many jobs, and threads for rayon: as many as there are CPUs.
#[must_use]
pub fn jobs() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Gives back its argument.
#[inline]
#[must_use]
pub fn noop(i: u64) -> u64 {
    black_box(i)
}

/// Works for so many steps, each of which needs the one before it.
///
/// A CPU overlaps what is short and independent: a row of tasks of ten nanoseconds takes less than
/// ten each.
pub fn spin(steps: u64) -> u64 {
    let mut x = black_box(steps);
    for _ in 0..steps {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    }
    black_box(x)
}

/// How many steps of [`spin`] take `time` on this machine: the fastest of many tries counts.
#[must_use]
pub fn steps_for(time: Duration) -> u64 {
    const STEPS: u64 = 1_000_000;
    let fastest = (0..50).map(|_| timed(STEPS)).min().unwrap_or_default();
    let steps = time.as_secs_f64() / fastest.as_secs_f64() * STEPS as f64;
    steps.round() as u64
}

fn timed(steps: u64) -> Duration {
    let start = Instant::now();
    spin(steps);
    start.elapsed()
}
