//! Which batches are on their way by which number. Pure.
//!
//! ```text
//!   number 0    batch 7 ──► batch 9      sent ahead: it begins when batch 7 has ended
//!   number 1    batch 8                  is busy
//!   number 2                             is idle
//! ```
//!
//! A slot that has answered would wait for the next batch for as long as an answer and a batch travel. The engine
//! lets the one that was sent ahead begin at once, and no two of a number run at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

pub(super) struct Lanes {
    /// Those that may be used. Others may be on their way yet.
    numbers: Range<usize>,
    /// By number: how many are on their way, and the last one of them.
    on_their_way: BTreeMap<usize, (usize, u64)>,
    idle: BTreeSet<usize>,
    /// Those that have one on its way, and that: the first one was sent first.
    busy: BTreeSet<(u64, usize)>,
}

impl Lanes {
    pub(super) fn new(numbers: Range<usize>) -> Self {
        let mut lanes = Self {
            numbers: 0..0,
            on_their_way: BTreeMap::new(),
            idle: BTreeSet::new(),
            busy: BTreeSet::new(),
        };
        lanes.set(numbers);
        lanes
    }

    /// From now on these numbers may be used, and no others.
    pub(super) fn set(&mut self, numbers: Range<usize>) {
        for number in numbers.clone() {
            self.on_their_way.entry(number).or_default();
        }
        self.numbers = numbers;
        for number in Vec::from_iter(self.on_their_way.keys().copied()) {
            self.change(number, |as_it_is| as_it_is);
        }
    }

    /// A number by which nothing is on its way.
    pub(super) fn idle(&self) -> Option<usize> {
        self.idle.first().copied()
    }

    /// A number by which one batch is on its way, and that.
    pub(super) fn busy(&self) -> Option<(usize, u64)> {
        let (batch, number) = *self.busy.first()?;
        Some((number, batch))
    }

    pub(super) fn all_idle(&self) -> bool {
        self.idle.len() == self.on_their_way.len()
    }

    pub(super) fn sent(&mut self, number: usize, batch: u64) {
        self.change(number, |(count, _)| (count + 1, batch));
    }

    pub(super) fn landed(&mut self, number: usize) {
        self.change(number, |(count, last)| (count.saturating_sub(1), last));
    }

    fn change(&mut self, number: usize, change: impl FnOnce((usize, u64)) -> (usize, u64)) {
        let Some(lane) = self.on_their_way.get_mut(&number) else {
            return;
        };
        self.idle.remove(&number);
        self.busy.remove(&(lane.1, number));
        *lane = change(*lane);
        match (*lane, self.numbers.contains(&number)) {
            ((0, _), true) => drop(self.idle.insert(number)),
            ((0, _), false) => drop(self.on_their_way.remove(&number)),
            ((1, last), true) => drop(self.busy.insert((last, number))),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_two_batches_at_most_and_idle_ones_come_first() {
        let mut lanes = Lanes::new(3..5);
        assert!(lanes.all_idle() && lanes.busy().is_none());
        assert_eq!(lanes.idle(), Some(3));
        lanes.sent(3, 10);
        assert_eq!((lanes.idle(), lanes.busy()), (Some(4), Some((3, 10))));
        lanes.sent(4, 11);
        lanes.sent(3, 12);
        assert_eq!((lanes.idle(), lanes.busy()), (None, Some((4, 11))));
        lanes.sent(4, 13);
        assert_eq!((lanes.idle(), lanes.busy()), (None, None));
        lanes.landed(3);
        assert_eq!((lanes.idle(), lanes.busy()), (None, Some((3, 12))));
        lanes.landed(3);
        assert_eq!((lanes.idle(), lanes.busy()), (Some(3), None));
        lanes.landed(4);
        lanes.landed(4);
        assert!(lanes.all_idle());
    }

    #[test]
    fn numbers_come_and_go_and_what_is_on_its_way_by_one_that_went_lands() {
        let mut lanes = Lanes::new(0..2);
        lanes.sent(0, 10);
        lanes.sent(1, 11);
        lanes.set(0..3);
        assert_eq!((lanes.idle(), lanes.busy()), (Some(2), Some((0, 10))));
        lanes.set(0..1);
        assert_eq!((lanes.idle(), lanes.busy()), (None, Some((0, 10))));
        lanes.landed(0);
        assert_eq!((lanes.idle(), lanes.all_idle()), (Some(0), false));
        lanes.landed(1);
        assert_eq!((lanes.idle(), lanes.all_idle()), (Some(0), true));
        lanes.sent(0, 12);
        lanes.set(0..2);
        lanes.landed(0);
        assert!(lanes.all_idle());
        lanes.sent(0, 13);
        assert_eq!(lanes.idle(), Some(1));
    }
}
