//! What came of the tasks, put back in order as it comes in.

use super::order::Order;
use crate::error::{Outcome, TaskError};

/// What stands for a run of indices: a result for each, or one failure.
#[derive(Debug)]
enum Run<R> {
    Values(Vec<R>),
    Failure(TaskError),
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

    pub(super) fn add_failure(&mut self, error: TaskError) {
        let index = error.index();
        let lowest = self.first_failure.as_ref().map(TaskError::index);
        if self
            .order
            .insert(index, 1, Run::Failure(error.clone()))
            .is_err()
        {
            return;
        }
        if lowest.is_none_or(|lowest| index < lowest) {
            self.first_failure = Some(error);
        }
        self.release();
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

    /// How many tasks have an outcome, as do all before them.
    pub(super) fn complete_up_to(&self) -> usize {
        self.order.released()
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
        let total = self.values.len() + self.failures.len();
        let mut values = self.values.into_iter();
        let mut failures = self.failures.into_iter().peekable();
        (0..total)
            .map_while(|index| match failures.next_if(|e| e.index() == index) {
                Some(error) => Some(Err(error)),
                None => values.next().map(Ok),
            })
            .collect()
    }
}
