//! Lanes that run out of tasks while others have more in hand than they should.
//!
//! ```text
//!   a lane takes a batch                   a lane without one
//!   many += 1, before it does              nothing is left to take: many > 0, so it waits,
//!     task, task, a task that lasts …      but not for long: then it interrupts
//!     is interrupted: gives back a part ─► takes it
//!   many -= 1 ───────────────────────────► none has many any more: leaves
//! ```
//!
//! The size of a batch follows from the tasks before it. Where those that come are of another kind, and
//! nobody knows how many there are, the last batches may be a thousand times as long as they should be. A lane
//! with a single task has nothing to give, and nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::stopping::{Bell, Stopping};
use super::{Batch, Work};
use crate::delayed::Task;
use crate::{jobs, spin};

/// Who has nothing interrupts after such a part of the time that a batch shall last for: on threads 10 µs, ten times
/// what it costs to give a part and to take it, and in processes 50.
const SOON: u32 = 20;

/// A caller sleeps, and a worker is not heard of, for so many times as long as a batch shall last, before batches are
/// taken apart; longer where lanes share CPUs, and are slower for it.
const PATIENCE: u32 = 10;

/// What lanes know of each other.
#[derive(Debug)]
pub(super) struct Sharing {
    /// Who has nothing interrupts the others after this.
    soon: Duration,
    /// After such a time, batches of a stream have lasted too long.
    patience: Option<Duration>,
    /// How often a lane was about to take tasks.
    begun: AtomicUsize,
    /// Lanes at a batch of many tasks. Falls under the lock only, so that nobody sleeps over it.
    many: AtomicUsize,
    /// Parts that were given back and nobody has come for. Rises under the lock only.
    given: AtomicUsize,
    /// Lanes that wait.
    waiting: Mutex<usize>,
    changed: Condvar,
}

/// A lane is at a batch of many tasks until this is dropped.
pub(crate) struct AtMany<'s>(&'s Sharing);

impl Sharing {
    /// For lanes whose batches shall last so long.
    pub(super) fn new(batch_time: Duration) -> Self {
        Self {
            soon: batch_time / SOON,
            patience: None,
            begun: AtomicUsize::new(0),
            many: AtomicUsize::new(0),
            given: AtomicUsize::new(0),
            waiting: Mutex::new(0),
            changed: Condvar::new(),
        }
    }

    /// The same for so many lanes of a stream.
    pub(super) fn of_stream(batch_time: Duration, lanes: usize) -> Self {
        let at_a_cpu = u32::try_from(lanes.div_ceil(jobs::cpu_count()));
        let times = PATIENCE.saturating_mul(at_a_cpu.unwrap_or(u32::MAX));
        Self {
            patience: Some(batch_time.saturating_mul(times)),
            ..Self::new(batch_time)
        }
    }

    /// A lane is about to take tasks.
    fn begin(&self) -> AtMany<'_> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.many.fetch_add(1, Ordering::Relaxed);
        AtMany(self)
    }

    /// There was nothing left to take. Waits until another lane gives a part of what it has, or none will:
    /// whether to look again.
    pub(super) fn wait(&self, stopping: &Stopping) -> bool {
        if !self.decided() {
            *self.waiting.lock() += 1;
            let interrupted = self.look(stopping);
            let mut waiting = self.waiting.lock();
            if !interrupted && !self.decided() {
                self.changed.wait_for(&mut waiting, self.soon);
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
        spin::look(&mut || {
            if !interrupted && start.elapsed() >= self.soon {
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

/// Splits off parts of so many tasks, of which the first has this index, until no more than that are left.
pub(super) fn parts<T>(first: usize, tasks: &mut Vec<T>, part: usize) -> Vec<Batch<T>> {
    let mut parts = Vec::new();
    while tasks.len() > part {
        let keep = tasks.len() - part.min(tasks.len() - part);
        parts.push(Batch {
            first: first + keep,
            tasks: tasks.split_off(keep),
        });
    }
    parts
}

/// What lanes do by it.
impl<T: Task> Work<'_, T> {
    /// A lane is about to take tasks, which may be many, until what is returned is dropped. It says so before, or
    /// another one could find nothing, and nobody who has anything, and leave.
    pub(crate) fn at_many(&self) -> Option<AtMany<'_>> {
        self.sharing.as_deref().map(Sharing::begin)
    }

    /// How many batches lanes have begun, unless their size is fixed.
    pub(crate) fn batches(&self) -> Option<Box<dyn Fn() -> usize + Send + Sync>> {
        let sharing = Arc::clone(self.sharing.as_ref()?);
        Some(Box::new(move || sharing.begun.load(Ordering::Relaxed)))
    }

    /// So many lanes run, and share what remains; the others may never begin.
    pub(crate) fn begin_with(&self, lanes: usize) {
        self.sizing.lock().begin_with(lanes);
    }

    /// Another one does.
    pub(crate) fn lane_joins(&self) {
        self.sizing.lock().lane_joins();
    }

    /// Whether lanes give parts of what they have to those that have nothing.
    pub(crate) fn shares(&self) -> bool {
        self.sharing.is_some()
    }

    /// Where neither a result nor a task shall wait for another task: for how long they do at most.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.sharing.as_ref()?.patience
    }

    /// There is nothing left to take. Whether another lane has given a part of what it had.
    pub(crate) fn others_share(&self) -> bool {
        let sharing = self.sharing.as_ref().filter(|_| !self.stopped());
        sharing.is_some_and(|sharing| sharing.wait(&self.stopping))
    }

    /// Has lanes that do not look at [`interrupted`](Self::interrupted) before each task wait by this bell.
    pub(crate) fn set_bell(&self, bell: impl Bell + 'static) {
        self.stopping.set_bell(bell);
    }

    /// Whether a lane that has many tasks shall give a part of them.
    pub(crate) fn interrupted(&self) -> bool {
        self.stopping.interrupted()
    }

    /// How many of so many tasks one lane has that shares them with all that wait.
    pub(crate) fn part_of(&self, tasks: usize) -> usize {
        let waiting = self.sharing.as_deref().map_or(0, Sharing::waiting);
        if waiting == 0 {
            self.stopping.resume();
        }
        tasks.div_ceil(waiting + 1)
    }

    /// Gives back these for the lanes that wait.
    pub(crate) fn give_parts(&self, parts: Vec<Batch<T>>) {
        let given = parts.len();
        parts.into_iter().for_each(|part| self.give_back(part));
        self.stopping.resume();
        if let Some(sharing) = &self.sharing {
            sharing.give(given);
        }
    }
}
