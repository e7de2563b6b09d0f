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
    /// By number: how many are on their way, and the last one of them.
    on_their_way: BTreeMap<usize, (usize, u64)>,
    idle: BTreeSet<usize>,
    /// Those that have one on its way, and that: the first one was sent first.
    busy: BTreeSet<(u64, usize)>,
}

impl Lanes {
    pub(super) fn new(numbers: Range<usize>) -> Self {
        Self {
            on_their_way: numbers.clone().map(|number| (number, (0, 0))).collect(),
            idle: numbers.collect(),
            busy: BTreeSet::new(),
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
        match *lane {
            (0, _) => {
                self.idle.insert(number);
            }
            (1, last) => {
                self.busy.insert((last, number));
            }
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
}
