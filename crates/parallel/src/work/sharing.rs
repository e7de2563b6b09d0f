//! Lanes that run out of tasks while others have more in hand than they should.
//!
//! ```text
//!   a lane at a batch                      a lane without one
//!   many += 1                              nothing is left to take: many > 0, so it waits,
//!     task, task, a task that lasts …      but not for long: then it interrupts
//!     is interrupted: gives back a part ─► takes it
//!   many -= 1 ───────────────────────────► none has many any more: leaves
//! ```
//!
//! The size of a batch follows from the tasks before it. Where those that come are of another kind, and
//! nobody knows how many there are, the last batches may be a thousand times as long as they should be. A lane
//! with a single task has nothing to give, and nobody waits for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::stopping::Stopping;
use crate::spin;

/// After which who is awake interrupts: ten times what it costs to give a part and to take it.
const SOON: Duration = Duration::from_micros(10);

/// After which who sleeps does. A batch shall last for 50 µs, and to be woken takes as long.
const LATER: Duration = Duration::from_micros(200);

/// What lanes know of each other.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    /// Lanes at a batch of many tasks. Falls under the lock only, so that nobody sleeps over it.
    many: AtomicUsize,
    /// Parts that were given back and nobody has come for. Rises under the lock only.
    given: AtomicUsize,
    /// Lanes that wait.
    waiting: Mutex<usize>,
    changed: Condvar,
}

/// A lane is at a batch of many tasks until this is dropped.
pub(super) struct AtMany<'s>(&'s Sharing);

impl Sharing {
    /// A lane has taken so many tasks.
    pub(super) fn begin(&self, tasks: usize) -> Option<AtMany<'_>> {
        (tasks > 1).then(|| {
            self.many.fetch_add(1, Ordering::Relaxed);
            AtMany(self)
        })
    }

    /// There was nothing left to take. Waits until another lane gives a part of what it has, or none will:
    /// whether to look again.
    pub(super) fn wait(&self, stopping: &Stopping) -> bool {
        if !self.decided() {
            *self.waiting.lock() += 1;
            let interrupted = self.look(stopping);
            let mut waiting = self.waiting.lock();
            if !interrupted && !self.decided() {
                self.changed.wait_for(&mut waiting, LATER);
                stopping.interrupt();
            }
            while !self.decided() {
                self.changed.wait(&mut waiting);
            }
            *waiting -= 1;
        }
        let take_one = |given: usize| given.checked_sub(1);
        let one = (Ordering::Relaxed, Ordering::Relaxed);
        self.given.fetch_update(one.0, one.1, take_one).is_ok()
    }

    /// Whether a lane that waits has something to look for, or nothing to wait for.
    fn decided(&self) -> bool {
        self.given.load(Ordering::Relaxed) > 0 || self.many.load(Ordering::Relaxed) == 0
    }

    /// Looks for a short time, before it sleeps; whether it has interrupted meanwhile.
    fn look(&self, stopping: &Stopping) -> bool {
        let (start, mut interrupted) = (Instant::now(), false);
        spin::look(|| {
            if !interrupted && start.elapsed() >= SOON {
                stopping.interrupt();
                interrupted = true;
            }
            self.decided()
        });
        interrupted
    }

    /// How many lanes wait.
    pub(super) fn waiting(&self) -> usize {
        *self.waiting.lock()
    }

    /// So many parts have been given back.
    pub(super) fn give(&self, parts: usize) {
        let _lock = self.waiting.lock();
        self.given.fetch_add(parts, Ordering::Relaxed);
        self.changed.notify_all();
    }
}

impl Drop for AtMany<'_> {
    fn drop(&mut self) {
        let waiting = self.0.waiting.lock();
        let before = self.0.many.fetch_sub(1, Ordering::Relaxed);
        if before == 1 && *waiting > 0 {
            self.0.changed.notify_all();
        }
    }
}
