//! How many workers a number of jobs means, and how many CPUs there are to share.

use std::sync::OnceLock;

use crate::config;
use crate::context;
use crate::error::Error;

/// A number of jobs as joblib writes it: a positive one is meant as it stands, up to 1024 or, on a cluster, 65 536; -1 is every CPU, -2
/// every CPU but one, and so on, at least 1.
///
/// Made from any of the usual integers, so that `Parallel::new(3)` and
/// `Parallel::new(vec.len())` both work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NJobs(Wanted);

/// How a number of jobs was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Number(isize),
    /// By the user of the program, in the environment. Read when it is needed, as the CPUs are counted
    /// then: what is wrong with it is an error of the call.
    Environment,
}

/// More workers than this nobody gets, whatever number is asked for: each takes a thread here, and many
/// thousands of them end the program, with a message from the system that says little.
const MOST_JOBS: usize = 1024;

/// The same for slots of a cluster, of which each takes a number here.
const MOST_SLOTS: usize = 1 << 16;

macro_rules! from_integer {
    ($($integer:ty)*) => { $(
        impl From<$integer> for NJobs {
            /// A number beyond `isize` is as good as the largest one.
            fn from(n: $integer) -> Self {
                #[allow(clippy::unnecessary_fallible_conversions, reason = "fallible for some of them")]
                Self(Wanted::Number(isize::try_from(n).unwrap_or(isize::MAX)))
            }
        }
    )* };
}
from_integer!(i32 u32 u64 isize usize);

impl From<i64> for NJobs {
    fn from(n: i64) -> Self {
        let nearest = if n < 0 { isize::MIN } else { isize::MAX };
        Self(Wanted::Number(isize::try_from(n).unwrap_or(nearest)))
    }
}

impl NJobs {
    /// What `PARALLEL_N_JOBS` says: see [`Parallel::configured`](crate::Parallel::configured).
    pub(crate) fn of_environment() -> Self {
        Self(Wanted::Environment)
    }

    /// The number of workers, here and now; `MOST_JOBS` at most.
    ///
    /// # Errors
    /// [`Error::NoJobs`] for 0; [`Error::Backend`] if the environment is asked and says no number.
    pub(crate) fn resolve(self) -> Result<usize, Error> {
        self.resolve_among(None)
    }

    /// The same where so many jobs can be run at a time, whatever CPUs there are here. They take no threads
    /// here, so there may be more of them.
    pub(crate) fn resolve_among(self, slots: Option<usize>) -> Result<usize, Error> {
        let number = match self.0 {
            Wanted::Number(number) => number,
            Wanted::Environment => config::environment::n_jobs()?,
        };
        match (number, slots) {
            (0, _) => Err(Error::NoJobs),
            (n @ 1.., None) => Ok(n.unsigned_abs().min(MOST_JOBS)),
            (n @ 1.., Some(_)) => Ok(n.unsigned_abs().min(MOST_SLOTS)),
            (n, Some(slots)) => Ok(relative_to(n, slots).min(MOST_SLOTS)),
            (n, None) => {
                config::environment::max_cpus()?;
                Ok(relative_to(n, cpu_share()))
            }
        }
    }
}

/// joblib's rule for a negative number of jobs.
fn relative_to(n: isize, cpus: usize) -> usize {
    (cpus + 1).saturating_sub(n.unsigned_abs()).max(1)
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
    share_among(context::shares())
}

/// Each share, if there are so many.
pub(crate) fn share_among(shares: usize) -> usize {
    (cpu_count() / shares.max(1)).max(1)
}

/// The CPUs that this process may use: those it may be scheduled on, no more than its cgroups allow
/// it, no more than `PARALLEL_MAX_CPUS`, at least one.
pub(crate) fn cpu_count() -> usize {
    static QUOTA: OnceLock<Option<usize>> = OnceLock::new();
    let quota = *QUOTA.get_or_init(|| cgroup::quota("/proc/self/cgroup", "/sys/fs/cgroup"));
    // What is wrong with it is an error of the calls that ask for every CPU.
    let wanted = config::environment::max_cpus().unwrap_or(None);
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
}
