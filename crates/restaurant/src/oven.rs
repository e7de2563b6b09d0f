//! Work for a CPU, and how much of it was done.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The CPU time that this thread has had.
///
/// Unlike the time on the wall it does not grow while somebody else is at the stove.
///
/// ```
/// use restaurant::oven::cpu_time;
///
/// let before = cpu_time();
/// assert!(cpu_time() >= before);
/// ```
#[must_use]
pub fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Keeps this thread's CPU busy until it has worked for `time`. Not a sleep: two of these on one CPU
/// take twice as long.
///
/// ```
/// use restaurant::oven::{cpu_time, heat};
/// use std::time::{Duration, Instant};
///
/// let before = cpu_time();
/// heat(Duration::from_millis(2));
/// assert!(cpu_time() - before >= Duration::from_millis(2));
/// ```
pub fn heat(time: Duration) {
    if time.is_zero() {
        return;
    }
    let end = cpu_time() + time;
    let mut crumbs = 1_u64;
    while cpu_time() < end {
        // About a microsecond, so that asking for the time is the smaller part.
        for _ in 0..500 {
            crumbs = black_box(crumbs.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1));
        }
    }
}

/// Measures what a dish takes its cook.
///
/// ```
/// use restaurant::oven::{Watch, heat};
/// use std::time::Duration;
///
/// let cook_time = Duration::from_millis(2);
/// let watch = Watch::start(cook_time);
/// heat(cook_time);
/// assert!(watch.elapsed() >= cook_time);
/// ```
#[derive(Debug)]
pub struct Watch(Clock);

#[derive(Debug)]
enum Clock {
    Cpu(Duration),
    /// Asking for the CPU time twice costs as much as a fifth of a dish that is not heated.
    Wall(Instant),
}

impl Watch {
    /// For a dish whose ingredients take `cook_time` each. CPU time is measured where there is any
    /// worth to speak of.
    #[must_use]
    pub fn start(cook_time: Duration) -> Self {
        Self(if cook_time.is_zero() {
            Clock::Wall(Instant::now())
        } else {
            Clock::Cpu(cpu_time())
        })
    }

    /// The time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        match self.0 {
            Clock::Cpu(start) => cpu_time() - start,
            Clock::Wall(start) => start.elapsed(),
        }
    }
}
