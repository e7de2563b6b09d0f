//! Whether the kernel is likely to have killed a worker because memory ran out.
//!
//! It does so by SIGKILL, as others do, but it counts. The count is that of the whole machine, also
//! inside of a container, so that it grew since we last looked makes it likely and not certain.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How many processes the kernel had killed for want of memory when we last looked; plus one, so that 0
/// is for never.
static SEEN: AtomicU64 = AtomicU64::new(0);

/// Those that were killed together are found one after the other, all within such a time.
const TOGETHER: Duration = Duration::from_secs(1);

/// When the count was last seen to have grown.
static GREW: Mutex<Option<Instant>> = Mutex::new(None);

/// Looks for the first time, which is to be before any worker dies.
pub(super) fn look() {
    if SEEN.load(Ordering::Relaxed) == 0 {
        grown();
    }
}

/// Whether the kernel has killed a process since we last looked, or just before that.
pub(super) fn grown() -> bool {
    let now = fs::read_to_string("/proc/vmstat").ok();
    let Some(now) = now.as_deref().and_then(count) else {
        return false;
    };
    let seen = SEEN.swap(now + 1, Ordering::Relaxed);
    let mut grew = GREW.lock();
    if seen != 0 && now + 1 > seen {
        *grew = Some(Instant::now());
    }
    grew.is_some_and(|grew| grew.elapsed() < TOGETHER)
}

fn count(vmstat: &str) -> Option<u64> {
    let count = vmstat
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))?;
    count.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found() {
        assert_eq!(count("pgfault 3\noom_kill 12\nnuma_hit 4\n"), Some(12));
        assert_eq!(count("pgfault 3\n"), None);
    }

    #[test]
    fn what_was_there_before_does_not_count() {
        look();
        assert!(!grown());
    }
}
