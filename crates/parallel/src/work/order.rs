//! Index in, next in order out. Pure.

use super::runs::Runs;

/// Holds what came early until everything before it is there.
///
/// What comes are runs of consecutive indices, each with something that stands for all of them.
#[derive(Debug)]
pub(super) struct Order<C> {
    next: usize,
    early: Runs<C>,
}

impl<C> Order<C> {
    pub(super) fn new() -> Self {
        Self {
            next: 0,
            early: Runs::default(),
        }
    }

    /// How many indices have come out.
    pub(super) fn released(&self) -> usize {
        self.next
    }

    /// Puts in what stands for the indices `first..first + len`.
    ///
    /// Gives it back if some of these indices were there before: each comes once.
    pub(super) fn insert(&mut self, first: usize, len: usize, run: C) -> Result<(), C> {
        if first < self.next || self.early.overlap(first..first + len) {
            return Err(run);
        }
        if len > 0 {
            self.early.insert(first, len, run);
        }
        Ok(())
    }

    /// The indices below `end` that have neither come out nor are waiting.
    pub(super) fn missing(&self, end: usize) -> Vec<usize> {
        let mut missing = Vec::new();
        let mut next = self.next;
        for waiting in self.early.ranges() {
            missing.extend(next..waiting.start.min(end).max(next));
            next = waiting.end;
        }
        missing.extend(next..end.max(next));
        missing
    }

    /// What came early and still waits, each with its first index.
    pub(super) fn into_early(mut self) -> impl Iterator<Item = (usize, C)> {
        std::iter::from_fn(move || self.early.pop()).map(|(indices, run)| (indices.start, run))
    }

    /// Takes out what comes next, if it is there.
    pub(super) fn pop(&mut self) -> Option<C> {
        if self.early.ranges().next()?.start != self.next {
            return None;
        }
        let (indices, run) = self.early.pop()?;
        self.next = indices.end;
        Some(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn waits_for_the_gap_to_close() {
        let mut order = Order::new();
        order.insert(2, 1, 'c').unwrap();
        assert_eq!(order.pop(), None);
        order.insert(0, 2, 'a').unwrap();
        assert_eq!((order.pop(), order.pop()), (Some('a'), Some('c')));
        assert_eq!(order.pop(), None);
        assert_eq!(order.released(), 3);
    }

    #[test]
    fn what_is_missing_is_known() {
        let mut order = Order::new();
        order.insert(0, 2, ()).unwrap();
        order.pop();
        order.insert(3, 1, ()).unwrap();
        order.insert(6, 2, ()).unwrap();
        assert_eq!(order.missing(10), [2, 4, 5, 8, 9]);
        assert_eq!(order.missing(5), [2, 4]);
        assert_eq!(order.missing(1), [0_usize; 0]);
    }

    #[test]
    fn nothing_comes_twice() {
        let mut order = Order::new();
        order.insert(4, 3, ()).unwrap();
        for first in 2..7 {
            assert!(order.insert(first, 3, ()).is_err(), "{first}");
        }
        order.insert(0, 4, ()).unwrap();
        order.pop();
        assert!(order.insert(3, 1, ()).is_err());
    }

    proptest! {
        #[test]
        fn any_arrival_comes_out_in_order(lengths in prop::collection::vec(1..5usize, 0..40), seed: u64) {
            let mut runs = Vec::new();
            let mut end = 0;
            for len in lengths {
                runs.push((end, len));
                end += len;
            }
            let expected = runs.clone();
            // Fisher–Yates, driven by a linear congruence: any permutation will do.
            let mut state = seed;
            for i in (1..runs.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                runs.swap(i, (state >> 33) as usize % (i + 1));
            }
            let mut order = Order::new();
            let mut out = Vec::new();
            for (first, len) in runs {
                order.insert(first, len, (first, len)).unwrap();
                while let Some(run) = order.pop() {
                    out.push(run);
                }
            }
            prop_assert_eq!(out, expected);
            prop_assert_eq!(order.released(), end);
        }
    }
}
