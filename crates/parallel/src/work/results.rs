//! What came of the tasks, put back in order as it comes in.

use super::order::Order;
use super::room::Row;
use crate::error::{Outcome, TaskError};
use crate::panics;

/// What stands for a run of indices: a result for each, or one failure.
#[derive(Debug)]
pub(super) enum Run<R> {
    Values(Vec<R>),
    Failure(TaskError),
}

impl<R> Run<R> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Values(values) => values.len(),
            Self::Failure(_) => 1,
        }
    }
}

/// The same for results that are kept.
#[derive(Debug)]
enum Part<R> {
    Values(Vec<R>),
    /// They are where they shall be in the end.
    InPlace(Row<R>),
    Failure(TaskError),
}

/// Results in order of their indices; failures beside them, so that the usual case, none, is a plain
/// vector of results.
#[derive(Debug)]
pub(super) struct Results<R> {
    order: Order<Part<R>>,
    /// The results that come first, as long as all are in their place.
    placed: Option<Row<R>>,
    /// All that are in order, if those are not.
    values: Vec<R>,
    /// How many there may be in all.
    expected: usize,
    failures: Vec<TaskError>,
    /// The lowest of the failures that have come in, whether or not their turn has come.
    first_failure: Option<TaskError>,
}

impl<R> Results<R> {
    /// `expected` is a hint, and may be wrong.
    pub(super) fn new(expected: usize) -> Self {
        Self {
            order: Order::new(),
            placed: None,
            values: Vec::new(),
            expected,
            failures: Vec::new(),
            first_failure: None,
        }
    }

    /// The results of the tasks from `first` on. Gives them back if one of them was there before: the
    /// first one stands.
    pub(super) fn add_values(&mut self, first: usize, values: Vec<R>) -> Option<Vec<R>> {
        match self.order.insert(first, values.len(), Part::Values(values)) {
            Ok(()) => {
                self.release();
                None
            }
            Err(Part::Values(repeated)) => Some(repeated),
            Err(Part::InPlace(_) | Part::Failure(_)) => None,
        }
    }

    /// The same for results that are in their place.
    pub(super) fn add_row(&mut self, first: usize, row: Row<R>) -> Option<Row<R>> {
        match self.order.insert(first, row.len(), Part::InPlace(row)) {
            Ok(()) => {
                self.release();
                None
            }
            Err(Part::InPlace(repeated)) => Some(repeated),
            Err(Part::Values(_) | Part::Failure(_)) => None,
        }
    }

    /// Whether that is new: the first outcome of a task stands.
    pub(super) fn add_failure(&mut self, error: TaskError) -> bool {
        let index = error.index();
        let lowest = self.first_failure.as_ref().map(TaskError::index);
        if self
            .order
            .insert(index, 1, Part::Failure(error.clone()))
            .is_err()
        {
            return false;
        }
        if lowest.is_none_or(|lowest| index < lowest) {
            self.first_failure = Some(error);
        }
        self.release();
        true
    }

    fn release(&mut self) {
        while let Some(part) = self.order.pop() {
            match part {
                Part::Values(values) => self.append(values),
                Part::InPlace(row) => self.place(row),
                Part::Failure(error) => self.failures.push(error),
            }
        }
    }

    fn place(&mut self, row: Row<R>) {
        let apart = match &mut self.placed {
            Some(placed) => placed.append(row).err(),
            None if self.values.is_empty() && self.failures.is_empty() => {
                self.placed = Some(row);
                None
            }
            None => Some(row),
        };
        if let Some(row) = apart {
            self.append(row.into_vec());
        }
    }

    fn append(&mut self, mut values: Vec<R>) {
        if let Some(placed) = self.placed.take() {
            self.values = placed.into_vec();
        }
        if self.values.capacity() == 0 {
            // A hint that lies must not end the program; without the space, the vector grows by itself.
            let _ = self.values.try_reserve_exact(self.expected);
        }
        self.values.append(&mut values);
    }

    /// The results that are in order.
    fn in_order(&mut self) -> Vec<R> {
        match self.placed.take() {
            Some(placed) => {
                let mut values = placed.into_vec();
                // There may have been far more places than results.
                if values.len() < values.capacity() / 2 {
                    values.shrink_to_fit();
                }
                values
            }
            None => std::mem::take(&mut self.values),
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.first_failure.is_some()
    }

    /// How many tasks have an outcome, as do all before them.
    pub(super) fn complete_up_to(&self) -> usize {
        self.order.released()
    }

    /// The indices below `end` that have no outcome.
    pub(super) fn missing(&self, end: usize) -> Vec<usize> {
        self.order.missing(end)
    }

    /// The outcomes that there are, each with its index.
    pub(super) fn into_pairs(mut self) -> Vec<(usize, Outcome<R>)> {
        let values = self.in_order();
        let mut pairs = Vec::with_capacity(values.len() + self.failures.len());
        let early = self.order.into_early();
        let mut in_order = outcomes(values, self.failures).enumerate();
        pairs.extend(in_order.by_ref());
        for (first, part) in early {
            let values = match part {
                Part::Values(values) => values,
                Part::InPlace(row) => row.into_vec(),
                Part::Failure(error) => {
                    pairs.push((first, Err(error)));
                    continue;
                }
            };
            pairs.extend((first..).zip(values.into_iter().map(Ok)));
        }
        pairs
    }

    /// All results, or the lowest failure.
    pub(super) fn into_values(mut self) -> Result<Vec<R>, TaskError> {
        match self.first_failure.take() {
            None => Ok(self.in_order()),
            Some(error) => {
                panics::discard(self.in_order());
                for (_, part) in self.order.into_early() {
                    match part {
                        Part::Values(values) => panics::discard(values),
                        Part::InPlace(row) => panics::discard(row.into_vec()),
                        Part::Failure(_) => {}
                    }
                }
                Err(error)
            }
        }
    }

    /// Every task's own outcome.
    pub(super) fn into_outcomes(mut self) -> Vec<Outcome<R>> {
        outcomes(self.in_order(), self.failures).collect()
    }
}

/// Results and failures that have come in order, each at its place.
fn outcomes<R>(values: Vec<R>, failures: Vec<TaskError>) -> impl Iterator<Item = Outcome<R>> {
    let total = values.len() + failures.len();
    let mut values = values.into_iter();
    let mut failures = failures.into_iter().peekable();
    (0..total).map_while(
        move |index| match failures.next_if(|e| e.index() == index) {
            Some(error) => Some(Err(error)),
            None => values.next().map(Ok),
        },
    )
}

#[cfg(test)]
mod tests {
    use crate::{Parallel, delayed};

    #[test]
    fn an_input_that_may_be_longer_than_it_is_leaves_no_large_vector() {
        for every in [1, 3, 1000, 1_000_000] {
            let tasks = (0..100_000u64).filter(move |i| i % every == 0);
            let expected: Vec<_> = tasks.clone().collect();
            let values = Parallel::new(2)
                .run(tasks.map(|i| delayed(|i| i, i)))
                .unwrap();
            assert!(values.capacity() <= 2 * expected.len() + 1);
            assert_eq!(values, expected);
        }
    }
}
