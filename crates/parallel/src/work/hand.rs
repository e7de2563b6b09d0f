//! What lanes have in hand, which others may take from them.
//!
//! ```text
//!   lane                       hand                        a caller who has waited for long
//!   takes a batch ───────────► tasks
//!   runs one ◄── the next ──── tasks ─── all the others ──► gives them back, for whoever is free
//!            ─── its result ─► values ── all that there are ► has them
//!   no task is left: values ─► the caller
//! ```
//!
//! Tasks go in batches since that is quicker, and a batch may last: those in it may be of another kind than those
//! before them, and one may wait for what its caller does with a result of the same batch. So in a stream
//! neither a result nor a task waits for a task that runs. A caller who has slept for some time reclaims what is
//! in all hands. It has an alarm only while there may be something: the lane that next takes many tasks into an empty
//! hand calls for one.
//!
//! A hand is locked for each task, by its lane alone most of the time (5 ns). Who reclaims counts as a lane at
//! many tasks ([`super::sharing`]), so that no lane leaves while something is on its way. Batches of a size that
//! is fixed stay together.

use std::vec::IntoIter;

use super::sharing::parts;
use super::{Batch, Output, Work};
use crate::delayed::Task;
use crate::panics;
use crate::sync::{Arc, Mutex, lock};

/// What a lane takes its tasks from, and puts their results into.
pub(crate) trait InHand<T: Task> {
    /// Takes a batch, when there is one; of how many tasks.
    fn take(&mut self) -> Option<usize>;

    /// The next task and its index. Puts in the result of the one before.
    fn next(&mut self, value: Option<T::Output>) -> Option<(usize, T)>;

    /// Hands over the results that there are.
    fn hand_over(&mut self);

    /// Gives a part of the tasks to lanes that wait for some.
    fn share(&mut self);

    /// Drops the tasks, which nobody wants any more.
    fn discard(&mut self);
}

/// What one lane has in hand.
struct Hand<T: Task>(Mutex<Held<T>>);

struct Held<T: Task> {
    /// The index of the next task.
    next: usize,
    tasks: IntoIter<T>,
    /// Results of tasks side by side.
    values: Vec<T::Output>,
    first_value: usize,
    /// Whether the caller sleeps without an alarm, or is about to.
    calls: bool,
}

impl<T: Task> Hand<T> {
    fn new() -> Self {
        Self(Mutex::new(Held {
            next: 0,
            tasks: IntoIter::default(),
            values: Vec::new(),
            first_value: 0,
            calls: true,
        }))
    }

    /// Puts a batch into it, when it is empty. Whether the caller is to be called.
    fn fill(&self, batch: Batch<T>) -> bool {
        let mut held = lock(&self.0);
        let many = batch.len() > 1;
        held.next = batch.first;
        held.tasks = batch.tasks.into_iter();
        many && std::mem::take(&mut held.calls)
    }

    fn next(&self, value: Option<(usize, T::Output)>) -> Option<(usize, T)> {
        let mut held = lock(&self.0);
        if let Some((index, value)) = value {
            if held.values.is_empty() {
                held.first_value = index;
                let more = held.tasks.len();
                held.values.reserve(more + 1);
            }
            held.values.push(value);
        }
        let task = held.tasks.next()?;
        held.next += 1;
        Some((held.next - 1, task))
    }

    /// Takes the results, and the index of the first.
    fn take_values(&self) -> (usize, Vec<T::Output>) {
        let mut held = lock(&self.0);
        (held.first_value, std::mem::take(&mut held.values))
    }

    /// Has the tasks given to whoever is free, before their lane can find that it has none: it would begin with later
    /// ones, and those may wait for these.
    fn give_tasks(&self, give: impl FnOnce(Batch<T>)) {
        let mut held = lock(&self.0);
        held.calls = true;
        if held.tasks.len() > 0 {
            give(Batch {
                first: held.next,
                tasks: std::mem::take(&mut held.tasks).collect(),
            });
        }
    }
}

/// All the hands of a call.
pub(super) struct Hands<T: Task>(Mutex<Vec<Arc<Hand<T>>>>);

impl<T: Task> Default for Hands<T> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

/// One of them, of a lane.
struct OfLane<'w, 'a, T: Task> {
    work: &'w Work<'a, T>,
    hand: Arc<Hand<T>>,
    /// The index of the task that runs.
    running: usize,
}

impl<T: Task> Work<'_, T> {
    /// The hand of a new lane.
    pub(crate) fn hand(&self) -> Box<dyn InHand<T> + '_> {
        let behind = self.origin.as_ref().and_then(|origin| origin.hand());
        if let Some(hand) = behind {
            return hand;
        }
        let hand = Arc::new(Hand::new());
        lock(&self.hands.0).push(Arc::clone(&hand));
        Box::new(OfLane {
            work: self,
            hand,
            running: 0,
        })
    }

    /// Takes what all lanes have in hand: gives results to the caller, and tasks back.
    pub(super) fn reclaim(&self) {
        let _at_many = self.at_many();
        let hands = lock(&self.hands.0).clone();
        for hand in hands {
            hand.give_tasks(|tasks| self.give_parts(vec![tasks]));
            self.deliver(&hand);
        }
    }

    fn deliver(&self, hand: &Hand<T>) {
        let (first, values) = hand.take_values();
        if !values.is_empty() {
            self.succeed(first, values);
        }
    }

    /// For who watches over a caller that sleeps elsewhere: reclaims for it, until the end of the call.
    #[cfg(feature = "stream")]
    pub(crate) fn watch_over(&self) {
        if let Output::Handed(delivery) = &self.output {
            while delivery.wait_until_late() {
                self.reclaim();
            }
        }
    }
}

impl<T: Task> InHand<T> for OfLane<'_, '_, T> {
    fn take(&mut self) -> Option<usize> {
        let batch = self.work.next_batch(true, &mut |_| {})?;
        let tasks = batch.len();
        if self.hand.fill(batch)
            && let Some(patience) = self.work.patience()
            && let Output::Handed(delivery) = &self.work.output
        {
            delivery.set_alarm(patience);
        }
        Some(tasks)
    }

    fn next(&mut self, value: Option<T::Output>) -> Option<(usize, T)> {
        let (index, task) = self.hand.next(value.map(|value| (self.running, value)))?;
        self.running = index;
        Some((index, task))
    }

    fn hand_over(&mut self) {
        self.work.deliver(&self.hand);
    }

    fn share(&mut self) {
        let mut held = lock(&self.hand.0);
        let part = self.work.part_of(held.tasks.len());
        if self.work.stopped() || part == held.tasks.len() {
            return;
        }
        let mut tasks = std::mem::take(&mut held.tasks).collect();
        let parts = parts(held.next, &mut tasks, part);
        held.tasks = tasks.into_iter();
        self.work.give_parts(parts);
    }

    fn discard(&mut self) {
        let tasks = std::mem::take(&mut lock(&self.hand.0).tasks);
        panics::discard(tasks.collect());
    }
}

impl<T: Task> Drop for OfLane<'_, '_, T> {
    fn drop(&mut self) {
        lock(&self.work.hands.0).retain(|hand| !Arc::ptr_eq(hand, &self.hand));
    }
}

#[cfg(test)]
#[path = "hand_tests.rs"]
mod tests;
