//! How many tasks make a batch. Pure: times go in, numbers come out.
//!
//! Handing out tasks costs the same for one task as for many, so tiny tasks go in large batches; but
//! a batch is also what a worker is late by at the end, so it shall not last long. The size follows
//! the measured run time: it starts at 1, grows by a factor at most, shrinks at once, and ends
//! fine-grained, though not finer than pays off, when the number of tasks is known (guided self-scheduling:
//! Polychronopoulos and Kuck, *Guided Self-Scheduling*, IEEE Transactions on Computers C-36, 1987).

use std::time::Duration;

/// How many tasks are handed to a worker at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchSize {
    /// As many as keep the cost of handing out small beside the measured run time of the tasks.
    #[default]
    Auto,
    /// So many, but for the last batch. 0 is taken as 1.
    Fixed(usize),
}

/// Joblib takes a plain number too.
impl From<usize> for BatchSize {
    fn from(tasks: usize) -> Self {
        Self::Fixed(tasks)
    }
}

/// From one measurement to the next. 1, 8, 64, 512 …: four steps to thousands, and never much more
/// than eight times the work that was seen to be short.
const GROWTH: usize = 8;

/// A lane takes this part of its fair share of what remains, so that lanes end together.
const SHARE_OF_REST: usize = 2;

/// At the end a batch is no smaller than such a part of the size, unless it would be more than a lane's fair share:
/// smaller ones cost more to hand out than lanes that end at different times.
const LEAST: usize = 10;

/// Where a batch shall last for so long it travels far, and the way costs more still.
const FAR: Duration = Duration::from_millis(100);

/// There, at the end, it is no smaller than such a part of the size in any case.
const LEAST_FAR: usize = 5;

/// The size that the next batch shall have.
#[derive(Debug)]
pub(super) struct Sizing {
    fixed: Option<usize>,
    target: Duration,
    lanes: usize,
    largest: usize,
    /// As many as last for `target`, be it more than the largest.
    size: usize,
}

impl Sizing {
    /// For so many lanes, and batches that last for `target` and have no more than `largest` tasks,
    /// unless a number is given.
    pub(super) fn new(
        batch_size: BatchSize,
        target: Duration,
        lanes: usize,
        largest: usize,
    ) -> Self {
        Self {
            fixed: match batch_size {
                BatchSize::Auto => None,
                BatchSize::Fixed(tasks) => Some(tasks.max(1)),
            },
            target,
            lanes,
            largest: largest.max(1),
            size: 1,
        }
    }

    /// So many lanes run; the others may never begin.
    pub(super) fn begin_with(&mut self, lanes: usize) {
        self.lanes = lanes.max(1);
    }

    /// Another one does.
    pub(super) fn lane_joins(&mut self) {
        self.lanes += 1;
    }

    /// The size for the next batch, when so many tasks remain, if that is known.
    pub(super) fn next(&self, remaining: Option<usize>) -> usize {
        if let Some(fixed) = self.fixed {
            return fixed;
        }
        let share = |of: usize| remaining.map_or(usize::MAX, |n| n / self.lanes.saturating_mul(of));
        let least = if self.target >= FAR {
            self.size / LEAST_FAR
        } else {
            share(1).min(self.size / LEAST)
        };
        let size = self.size.min(share(SHARE_OF_REST)).max(least);
        size.clamp(1, self.largest)
    }

    /// Whether there is a batch for each lane, when so many tasks remain.
    pub(super) fn is_enough_for_all(&self, remaining: Option<usize>) -> bool {
        remaining.is_none_or(|n| n.div_ceil(self.next(remaining)) >= self.lanes)
    }

    /// How long so many tasks will run, by what others have.
    pub(super) fn run_time(&self, tasks: usize) -> Duration {
        self.target.mul_f64(tasks as f64 / self.size as f64)
    }

    /// Takes into account that `tasks` ran in `run_time`.
    pub(super) fn measured(&mut self, tasks: usize, run_time: Duration) {
        if tasks == 0 {
            return;
        }
        let ideal = self.target.as_nanos() * tasks as u128 / run_time.as_nanos().max(1);
        let ideal = usize::try_from(ideal).unwrap_or(usize::MAX);
        // A small batch that comes late says nothing against a size that has grown since.
        let reachable = tasks.saturating_mul(GROWTH).max(self.size);
        self.size = ideal.min(reachable).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TARGET: Duration = Duration::from_micros(50);

    fn auto(lanes: usize) -> Sizing {
        Sizing::new(BatchSize::Auto, TARGET, lanes, 4096)
    }

    #[test]
    fn who_goes_ahead_leaves_a_batch_for_each_lane() {
        let mut sizing = auto(3);
        assert!(sizing.is_enough_for_all(None));
        for (remaining, enough) in [(0, false), (2, false), (3, true), (100, true)] {
            assert_eq!(
                sizing.is_enough_for_all(Some(remaining)),
                enough,
                "{remaining}"
            );
        }
        sizing.fixed = Some(10);
        for (remaining, enough) in [(20, false), (21, true)] {
            assert_eq!(
                sizing.is_enough_for_all(Some(remaining)),
                enough,
                "{remaining}"
            );
        }
    }

    #[test]
    fn starts_at_one_grows_fast_and_shrinks_at_once() {
        let mut sizing = auto(2);
        assert_eq!(sizing.next(None), 1);
        for expected in [8, 64, 512] {
            let tasks = sizing.next(None);
            sizing.measured(tasks, Duration::from_nanos(10) * tasks as u32);
            assert_eq!(sizing.next(None), expected);
        }
        sizing.measured(512, Duration::from_micros(10) * 512);
        assert_eq!(sizing.next(None), 5);
    }

    #[test]
    fn long_tasks_go_one_by_one() {
        let mut sizing = auto(2);
        sizing.measured(1, Duration::from_secs(1));
        assert_eq!(sizing.next(Some(1_000_000)), 1);
    }

    #[test]
    fn ends_fine_grained() {
        let mut sizing = auto(2);
        for _ in 0..6 {
            let tasks = sizing.next(None);
            sizing.measured(tasks, Duration::from_micros(1) * tasks as u32);
        }
        assert_eq!(sizing.next(None), 50);
        let sizes = [200, 100, 40, 12, 6, 3, 0].map(|n| sizing.next(Some(n)));
        assert_eq!(sizes, [50, 25, 10, 5, 3, 1, 1]);
    }

    #[test]
    fn what_remains_is_for_those_that_run() {
        let mut sizing = auto(64);
        sizing.measured(50, TARGET);
        sizing.begin_with(2);
        assert_eq!(sizing.next(Some(100)), 25);
        assert_eq!(sizing.next(Some(40)), 10);
        sizing.lane_joins();
        assert_eq!(sizing.next(Some(30)), 5);
    }

    #[test]
    fn no_batch_is_larger_than_the_largest() {
        let mut sizing = auto(2);
        for _ in 0..6 {
            sizing.measured(sizing.next(None), Duration::ZERO);
        }
        assert_eq!(sizing.next(None), 4096);
        assert_eq!(sizing.next(Some(1 << 13)), 3276);
        assert_eq!(sizing.next(Some(400)), 200);
    }

    #[test]
    fn what_travels_far_does_not_go_one_by_one() {
        let mut sizing = Sizing::new(BatchSize::Auto, FAR, 2, 4096);
        sizing.measured(8, Duration::from_millis(16));
        assert_eq!(sizing.next(Some(1000)), 50);
        assert_eq!(sizing.next(Some(80)), 20);
        assert_eq!(sizing.next(Some(3)), 10);
        sizing.measured(1, Duration::from_secs(1));
        assert_eq!(sizing.next(Some(3)), 1);
    }

    #[test]
    fn a_fixed_size_is_kept() {
        let mut sizing = Sizing::new(BatchSize::Fixed(7), TARGET, 2, 3);
        sizing.measured(7, Duration::from_secs(9));
        assert_eq!(sizing.next(Some(5)), 7);
        assert_eq!(Sizing::new(BatchSize::Fixed(0), TARGET, 2, 3).next(None), 1);
    }

    proptest! {
        #[test]
        fn the_size_stays_within_its_bounds(
            lanes in 1..100usize,
            largest in 1..10_000usize,
            steps in prop::collection::vec((0..20_000usize, 0..u64::MAX, prop::option::of(0..usize::MAX)), 0..50),
        ) {
            let mut sizing = Sizing::new(BatchSize::Auto, TARGET, lanes, largest);
            for (tasks, nanos, remaining) in steps {
                let before = sizing.next(None);
                sizing.measured(tasks, Duration::from_nanos(nanos));
                let size = sizing.next(remaining);
                prop_assert!((1..=largest).contains(&size));
                prop_assert!(size <= before.max(tasks.saturating_mul(GROWTH)));
                if let Some(n) = remaining {
                    prop_assert!(size <= (n / lanes).max(1));
                }
            }
        }
    }
}
