//! What the tasks do: nothing, or work for a time that was measured beforehand.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Gives back its argument.
#[inline]
pub(crate) fn noop(i: u64) -> u64 {
    black_box(i)
}

/// Gives back its argument, which may be large.
pub(crate) fn echo<T>(value: T) -> T {
    value
}

/// Works for so many steps, each of which needs the one before it.
///
/// A CPU overlaps what is short and independent: a row of tasks of ten nanoseconds takes less than
/// ten each.
#[inline]
pub(crate) fn spin(steps: u64) -> u64 {
    let mut x = black_box(steps);
    for _ in 0..steps {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    }
    black_box(x)
}

/// As [`spin`], and tells how long that took here.
pub(crate) fn timed_spin(steps: u64) -> Duration {
    let start = Instant::now();
    spin(steps);
    start.elapsed()
}

/// How many steps of [`spin`] take `time` on this machine.
pub(crate) fn steps_for(time: Duration) -> u64 {
    let steps = time.as_secs_f64() / seconds_for_a_step();
    steps.round() as u64
}

/// The fastest of many tries counts: the others were disturbed.
fn seconds_for_a_step() -> f64 {
    const STEPS: u64 = 100_000;
    static SECONDS: OnceLock<f64> = OnceLock::new();
    *SECONDS.get_or_init(|| {
        let fastest = (0..500).map(|_| timed_spin(STEPS)).min();
        fastest.unwrap_or_default().as_secs_f64() / STEPS as f64
    })
}

/// The seconds that one of `n` takes, done all together.
pub(crate) fn each<R>(n: u64, all: impl FnOnce() -> R) -> f64 {
    let start = Instant::now();
    let result = all();
    let time = start.elapsed();
    // What it gives may be large; that it goes is not part of the call.
    drop(black_box(result));
    time.as_secs_f64() / n as f64
}

/// The seconds that one of `n` calls takes, done one after the other.
pub(crate) fn repeated<R>(n: u64, mut call: impl FnMut() -> R) -> f64 {
    each(n, || {
        for _ in 0..n {
            black_box(call());
        }
    })
}
