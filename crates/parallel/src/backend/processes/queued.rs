//! A task in a lane's queue.

use std::sync::Arc;
use std::time::Instant;

use crate::error::Failure;
use crate::observe::Stretch;
use crate::shared::Object;
use crate::wire::frame::Kind;
use crate::work::Batch;

/// In a batch so many times the parent is woken, at even distances, if it sleeps.
const TELLS: usize = 8;

/// A task whose outcome is not known.
pub(super) struct Queued<T> {
    pub(super) index: usize,
    pub(super) task: T,
    /// The kind of frame by which it is sent.
    pub(super) kind: Kind,
    /// Under which it was sent last.
    pub(super) generation: u16,
    /// What most tasks have nothing of: a queue is long, and the shorter for it in memory.
    more: Option<Box<More>>,
}

/// What some tasks have beside what all have.
#[derive(Default)]
pub(super) struct More {
    /// What happened when it was started before.
    pub(super) history: Vec<Failure>,
    /// When it was taken from the work, if anybody wants to know.
    pub(super) taken: Option<Instant>,
    /// When it was encoded, if anybody wants to know.
    pub(super) encoded: Option<Stretch>,
    /// To what it refers, as it was sent last.
    pub(super) objects: Vec<Arc<Object>>,
    /// Why it could not be sent, if something else was that ends its batch.
    pub(super) unsent: Option<Box<Failure>>,
}

impl<T> Queued<T> {
    /// The tasks of a batch, not empty, that was taken from the work; at this time, if anybody wants to know.
    pub(super) fn batch(batch: Batch<T>, taken: Option<Instant>) -> impl Iterator<Item = Self> {
        let (last, distance) = (batch.len() - 1, batch.len().div_ceil(TELLS));
        let mut next_tell = 0;
        batch
            .into_iter()
            .enumerate()
            .map(move |(i, (index, task))| {
                let kind = if i == last {
                    Kind::TaskLast
                } else if i == next_tell {
                    next_tell += distance;
                    Kind::TaskTell
                } else {
                    Kind::Task
                };
                Self::new(index, task, kind, taken)
            })
    }

    fn new(index: usize, task: T, kind: Kind, taken: Option<Instant>) -> Self {
        let mut queued = Self {
            index,
            task,
            kind,
            generation: 0,
            more: None,
        };
        if taken.is_some() {
            queued.more_mut().taken = taken;
        }
        queued
    }

    pub(super) fn more(&self) -> Option<&More> {
        self.more.as_deref()
    }

    pub(super) fn more_mut(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    pub(super) fn history(&self) -> &[Failure] {
        self.more().map_or(&[], |more| &more.history)
    }

    pub(super) fn take_history(&mut self) -> Vec<Failure> {
        let more = self.more.as_mut();
        more.map_or(Vec::new(), |more| std::mem::take(&mut more.history))
    }

    #[inline]
    pub(super) fn take_unsent(&mut self) -> Option<Box<Failure>> {
        self.more.as_mut()?.unsent.take()
    }

    /// The number of the attempt that it is started for next, or was last.
    pub(super) fn attempt(&self) -> u32 {
        // No more than `retries` and one, both `u32`.
        1 + self.history().len() as u32
    }
}
