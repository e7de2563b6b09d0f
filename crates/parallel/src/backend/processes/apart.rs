//! Batches that are taken apart, since another lane has nothing left, or since they last too long.
//!
//! ```text
//!   queue of the lane   [ runs | sent, not started        | not sent ]
//!   revoked                    └──────────────────────────┘
//!   kept, sent anew            └─────────┘
//!   given back                            └────────────────────────┘
//! ```
//!
//! What was sent is revoked by a new generation, as at the end of a call: the worker throws away what it finds of
//! the old one. What runs is none the wiser, and is answered under the generation that it was sent in.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use super::Crew;
use super::lane::Lane;
use crate::delayed::{Portable, Task};
use crate::error::BackendError;
use crate::wire::frame::Kind;
use crate::work::{Batch, Work};

impl Crew<'_> {
    /// Has lanes that wait for their workers be interrupted when another one has nothing left.
    pub(super) fn take_apart<T: Task>(&mut self, work: &Work<'_, T>) -> Result<(), BackendError> {
        let interrupt = self.processes.counters.signal()?;
        work.set_bell(self.interrupt.insert(interrupt).ringer());
        Ok(())
    }

    /// What a lane listens to that `heeds` the call, and has tasks to give if it has many.
    pub(super) fn signals(&self, heeds: bool, many: bool) -> Vec<BorrowedFd<'_>> {
        let stop = heeds.then(|| self.stop.as_fd());
        let interrupt = self.interrupt.as_ref().filter(|_| heeds && many);
        let interrupt = interrupt.map(|fd| fd.as_fd());
        stop.into_iter().chain(interrupt).collect()
    }
}

impl<T: Portable> Lane<'_, '_, T>
where
    T::Output: Send + 'static,
{
    /// Until when something is to be heard of a worker that has many tasks of a stream: of their results it tells
    /// now and then, and some would wait with it.
    pub(super) fn end_of_patience(&self) -> Option<Instant> {
        let patience = self.at_many.as_ref().and(self.work.patience())?;
        Instant::now().checked_add(patience)
    }

    /// Gives a part of what the worker has not started, if that is wanted.
    pub(super) fn share(&mut self) {
        if self.queue.len() <= 1 {
            self.at_many = None;
        }
        let lasted = std::mem::take(&mut self.lasts).then(|| self.work.patience());
        let wanted = lasted.is_some() || self.work.interrupted();
        if self.at_many.is_none() || !wanted || self.work.stopped() {
            return;
        }
        let part = match lasted {
            Some(_) => 1,
            None => self.work.part_of(self.queue.len()),
        };
        if part == self.queue.len() {
            return;
        }
        // One that is tried again stays with its lane, which alone knows what happened to it before.
        let new = self.queue.iter().rev();
        let new = new.take_while(|queued| queued.history().is_empty()).count();
        let free = self.revoke().max(self.queue.len() - new);
        if let Some(time) = lasted.flatten() {
            // What it has started since it was heard of.
            self.work.measured(self.sent.max(1), time);
        }
        let keep = free.max(part);
        if keep < self.queue.len() {
            self.give(keep, if lasted.is_some() { usize::MAX } else { part });
        } else {
            // The rest is at work, or as good as that.
            self.at_many = None;
        }
    }

    /// Takes back what the worker has not started. From which place in the queue on there is nothing that
    /// must stay.
    fn revoke(&mut self) -> usize {
        if self.parcel_out.is_some() {
            // The worker waits for the rest of it.
            return self.sent + 2;
        }
        let Some(process) = &mut self.process else {
            return 0;
        };
        let started = process.next_generation();
        self.generation = process.generation();
        let sent = self.sent;
        self.sent = self.unanswered(started);
        self.started_before += started;
        // A worker learns of the end of its batch by what it finds revoked, or by a last task.
        self.sent + usize::from(sent == self.sent)
    }

    /// Gives back what is in the queue from this place on, in parts of so many.
    fn give(&mut self, keep: usize, part: usize) {
        let mut parts: Vec<Batch<T>> = Vec::new();
        for queued in self.queue.split_off(keep) {
            self.batches -= usize::from(queued.kind == Kind::TaskLast);
            let (index, task) = (queued.index, queued.task);
            match parts.last_mut() {
                Some(Batch { first, tasks })
                    if tasks.len() < part && *first + tasks.len() == index =>
                {
                    tasks.push(task);
                }
                _ => parts.push(Batch {
                    first: index,
                    tasks: vec![task],
                }),
            }
        }
        if keep > self.sent
            && let Some(last) = self.queue.back_mut()
            && last.kind != Kind::TaskLast
        {
            last.kind = Kind::TaskLast;
            self.batches += 1;
        }
        self.work.give_parts(parts);
    }
}
