//! What came of the tasks, put back in order as it comes in.

use super::order::Order;
use crate::error::{Outcome, TaskError};

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

/// Results in order of their indices; failures beside them, so that the usual case, none, is a plain
/// vector of results.
#[derive(Debug)]
pub(super) struct Results<R> {
    order: Order<Run<R>>,
    values: Vec<R>,
    failures: Vec<TaskError>,
    /// The lowest of the failures that have come in, whether or not their turn has come.
    first_failure: Option<TaskError>,
}

impl<R> Results<R> {
    /// `expected` is a hint, and may be wrong.
    pub(super) fn new(expected: usize) -> Self {
        let mut values = Vec::new();
        // A hint that lies must not end the program; without the space, the vector grows by itself.
        let _ = values.try_reserve_exact(expected);
        Self {
            order: Order::new(),
            values,
            failures: Vec::new(),
            first_failure: None,
        }
    }

    /// The results of the tasks from `first` on. Gives them back if one of them was there before: the
    /// first one stands.
    pub(super) fn add_values(&mut self, first: usize, values: Vec<R>) -> Option<Vec<R>> {
        match self.order.insert(first, values.len(), Run::Values(values)) {
            Ok(()) => {
                self.release();
                None
            }
            Err(Run::Values(repeated)) => Some(repeated),
            Err(Run::Failure(_)) => None,
        }
    }

    /// Whether that is new: the first outcome of a task stands.
    pub(super) fn add_failure(&mut self, error: TaskError) -> bool {
        let index = error.index();
        let lowest = self.first_failure.as_ref().map(TaskError::index);
        if self
            .order
            .insert(index, 1, Run::Failure(error.clone()))
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
        while let Some(run) = self.order.pop() {
            match run {
                // The usual first batch: no copy.
                Run::Values(values) if self.values.capacity() == 0 => self.values = values,
                Run::Values(mut values) => self.values.append(&mut values),
                Run::Failure(error) => self.failures.push(error),
            }
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
    pub(super) fn into_pairs(self) -> Vec<(usize, Outcome<R>)> {
        let mut pairs = Vec::with_capacity(self.values.len() + self.failures.len());
        let early = self.order.into_early();
        let mut in_order = outcomes(self.values, self.failures).enumerate();
        pairs.extend(in_order.by_ref());
        for (first, run) in early {
            match run {
                Run::Values(values) => pairs.extend((first..).zip(values.into_iter().map(Ok))),
                Run::Failure(error) => pairs.push((first, Err(error))),
            }
        }
        pairs
    }

    /// All results, or the lowest failure.
    pub(super) fn into_values(self) -> Result<Vec<R>, TaskError> {
        match self.first_failure {
            None => Ok(self.values),
            Some(error) => Err(error),
        }
    }

    /// Every task's own outcome.
    pub(super) fn into_outcomes(self) -> Vec<Outcome<R>> {
        outcomes(self.values, self.failures).collect()
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
