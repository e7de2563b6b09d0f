//! How many workers a number of jobs means, and how many CPUs there are to share.

use std::cell::Cell;
use std::sync::OnceLock;

use crate::error::Error;

/// A number of jobs as joblib writes it: a positive one is meant as it stands, -1 is every CPU, -2
/// every CPU but one, and so on, at least 1.
///
/// Made from any of the usual integers, so that `Parallel::new(3)` and
/// `Parallel::new(vec.len())` both work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NJobs(isize);

/// More workers than this nobody gets, whatever number is asked for: each takes a thread here, and many
/// thousands of them end the program, with a message from the system that says little.
const MOST_JOBS: usize = 1024;

macro_rules! from_integer {
    ($($integer:ty)*) => { $(
        impl From<$integer> for NJobs {
            /// A number beyond `isize` is as good as the largest one.
            fn from(n: $integer) -> Self {
                #[allow(clippy::unnecessary_fallible_conversions, reason = "fallible for some of them")]
                Self(isize::try_from(n).unwrap_or(isize::MAX))
            }
        }
    )* };
}
from_integer!(i32 u32 u64 isize usize);

impl From<i64> for NJobs {
    fn from(n: i64) -> Self {
        let nearest = if n < 0 { isize::MIN } else { isize::MAX };
        Self(isize::try_from(n).unwrap_or(nearest))
    }
}

impl NJobs {
    /// The number of workers, here and now; `MOST_JOBS` at most.
    ///
    /// # Errors
    /// [`Error::NoJobs`] for 0.
    pub(crate) fn resolve(self) -> Result<usize, Error> {
        match self.0 {
            0 => Err(Error::NoJobs),
            n @ 1.. => Ok(n.unsigned_abs().min(MOST_JOBS)),
            n => Ok(relative_to(n, cpu_share())),
        }
    }
}

/// joblib's rule for a negative number of jobs.
fn relative_to(n: isize, cpus: usize) -> usize {
    (cpus + 1).saturating_sub(n.unsigned_abs()).max(1)
}

thread_local! {
    /// Into how many shares the calls around this place divide the CPUs.
    static SHARES: Cell<usize> = const { Cell::new(1) };
}

/// The CPUs that a call made at this place may count on: all of them, or, inside a task, that task's
/// share of them.
///
/// ```
/// use parallel::{Parallel, cpu_share, delayed};
///
/// let inside = Parallel::new(cpu_share()).run((0..2).map(|i| delayed(|_| cpu_share(), i)))?;
/// assert_eq!(inside, [1, 1]);
/// # Ok::<(), parallel::Error>(())
/// ```
#[must_use]
pub fn cpu_share() -> usize {
    (cpu_count() / SHARES.get()).max(1)
}

/// Into how many shares the CPUs are divided here.
pub(crate) fn shares() -> usize {
    SHARES.get()
}

/// Calls `f` as something that has one of `shares` shares of the CPUs.
pub(crate) fn with_shares<R>(shares: usize, f: impl FnOnce() -> R) -> R {
    /// Puts the outer value back, also when `f` unwinds.
    struct Restore(usize);
    impl Drop for Restore {
        fn drop(&mut self) {
            SHARES.set(self.0);
        }
    }
    let _restore = Restore(SHARES.replace(shares.max(1)));
    f()
}

/// The CPUs that this process may use: those it may be scheduled on, no more than its cgroups allow
/// it, no more than `PARALLEL_MAX_CPUS`, at least one.
fn cpu_count() -> usize {
    static QUOTA: OnceLock<Option<usize>> = OnceLock::new();
    let quota = *QUOTA.get_or_init(|| cgroup::quota("/proc/self/cgroup", "/sys/fs/cgroup"));
    let wanted = std::env::var("PARALLEL_MAX_CPUS")
        .ok()
        .and_then(|n| n.trim().parse::<usize>().ok());
    [quota, wanted]
        .into_iter()
        .flatten()
        .fold(num_cpus::get(), Ord::min)
        .max(1)
}

/// CPU limits of version 2 cgroups. num_cpus knows those of version 1, and of the innermost group;
/// the limit of a container is usually further out.
mod cgroup {
    use std::fs::read_to_string;
    use std::path::Path;

    /// The tightest CPU limit on the way from this process's group to the root, rounded up.
    pub(super) fn quota(membership: &str, root: &str) -> Option<usize> {
        let membership = read_to_string(membership).ok()?;
        let group = membership.lines().find_map(|l| l.strip_prefix("0::/"))?;
        Path::new(root)
            .join(group)
            .ancestors()
            .take_while(|group| group.starts_with(root))
            .filter_map(|group| cpus(&read_to_string(group.join("cpu.max")).ok()?))
            .min()
    }

    /// `"150000 100000"`, that many microseconds of CPU in each period of so many, is 2 CPUs;
    /// `"max 100000"` is no limit.
    fn cpus(cpu_max: &str) -> Option<usize> {
        let mut fields = cpu_max.split_whitespace();
        let quota: usize = fields.next()?.parse().ok()?;
        let period: usize = fields.next()?.parse().ok()?;
        (period > 0).then(|| quota.div_ceil(period).max(1))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_tightest_group_counts_rounded_up() {
            let dir = std::env::temp_dir().join(format!("parallel-cgroup-{}", std::process::id()));
            let leaf = dir.join("pod/box");
            std::fs::create_dir_all(&leaf).unwrap();
            std::fs::write(dir.join("cpu.max"), "max 100000\n").unwrap();
            std::fs::write(dir.join("pod/cpu.max"), "150000 100000\n").unwrap();
            std::fs::write(leaf.join("cpu.max"), "800000 100000\n").unwrap();
            std::fs::write(dir.join("self"), "1:name=systemd:/\n0::/pod/box\n").unwrap();
            let quota = quota(dir.join("self").to_str().unwrap(), dir.to_str().unwrap());
            std::fs::remove_dir_all(&dir).unwrap();
            assert_eq!(quota, Some(2));
        }

        #[test]
        fn no_limit_is_none() {
            assert_eq!(cpus("max 100000"), None);
            assert_eq!(cpus(""), None);
            assert_eq!(cpus("1000 100000"), Some(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_numbers_count_from_all_cpus() {
        assert_eq!(relative_to(-1, 8), 8);
        assert_eq!(relative_to(-2, 8), 7);
        assert_eq!(relative_to(-8, 8), 1);
        assert_eq!(relative_to(-100, 8), 1);
        assert_eq!(relative_to(isize::MIN, 8), 1);
    }

    #[test]
    fn positive_numbers_are_meant() {
        assert_eq!(NJobs::from(64).resolve().unwrap(), 64);
        assert_eq!(NJobs::from(u64::MAX).resolve().unwrap(), MOST_JOBS);
        assert!(matches!(NJobs::from(0).resolve(), Err(Error::NoJobs)));
    }

    #[test]
    fn shares_multiply_down_to_one() {
        let all = cpu_share();
        with_shares(all * 4, || assert_eq!(cpu_share(), 1));
        assert_eq!(cpu_share(), all);
    }
}
