//! A stream of bytes from one process to another, through memory that both see.
//!
//! ```text
//!              head                tail                  both count bytes since the beginning and
//!               ▼                   ▼                    never go back; a byte's place is its count
//!   ┌───────────┬───────────────────┬──────────┐         modulo the capacity, a power of two
//!   │   free    │      written      │   free   │
//!   └───────────┴───────────────────┴──────────┘
//!     the consumer moves head ──►  the producer moves tail ──►
//! ```
//!
//! One side only writes, the other only reads. The producer copies bytes in and then moves `tail`
//! (release); the consumer sees it (acquire), copies the bytes out and then moves `head` (release),
//! which hands their room back (acquire). Each side keeps its own position to itself and believes the
//! other's only as far as it makes sense.
//!
//! A side with nothing to do sleeps until a bell rings, and only a sleeper is rung for:
//!
//! ```text
//!   sleeper                              the other side
//!   wish = DATA and/or SPACE             moves tail, or head
//!   ── fence ──                          ── fence ──
//!   looks once more; nothing: sleeps     sees the wish: takes it back and rings
//! ```
//!
//! Whichever fence comes first in the one order of all fences, either the sleeper sees what was moved
//! or the other side sees the wish: no wake-up is lost. `tests` has loom try every order.

use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// Positions of both sides, each on a cache line of its own.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Positions {
    tail: Line<AtomicU64>,
    head: Line<AtomicU64>,
}

/// A value that shares no cache line with another one; some processors fetch two at a time.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(super) struct Line<V>(pub(super) V);

/// The memory of a ring. Offsets are less than `capacity`, and a run does not pass the end.
pub(super) trait Storage {
    fn positions(&self) -> &Positions;
    /// A power of two.
    fn capacity(&self) -> usize;
    fn copy_in(&self, offset: usize, bytes: &[u8]);
    fn copy_out(&self, offset: usize, len: usize, into: &mut Vec<u8>);
    /// The same to the place of other bytes.
    fn copy_over(&self, offset: usize, into: &mut [u8]);
}

/// The other side moved its position to where it cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Corrupt;

/// The end that writes.
#[derive(Debug)]
pub(super) struct Producer<S> {
    storage: S,
    tail: u64,
}

/// The end that reads.
#[derive(Debug)]
pub(super) struct Consumer<S> {
    storage: S,
    head: u64,
}

impl<S: Storage> Producer<S> {
    /// The end of a ring into which nothing has been written.
    pub(super) fn new(storage: S) -> Self {
        Self { storage, tail: 0 }
    }

    /// How many bytes can be written now.
    pub(super) fn free(&self) -> Result<usize, Corrupt> {
        let head = self.storage.positions().head.0.load(Ordering::Acquire);
        let capacity = self.storage.capacity();
        let used = usize::try_from(self.tail.wrapping_sub(head)).map_err(|_| Corrupt)?;
        capacity.checked_sub(used).ok_or(Corrupt)
    }

    /// Writes as many of the bytes as there is room for, and says how many.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<usize, Corrupt> {
        let bytes = &bytes[..bytes.len().min(self.free()?)];
        let offset = place(self.tail, self.storage.capacity());
        let (to_the_end, rest) = bytes.split_at(bytes.len().min(self.storage.capacity() - offset));
        self.storage.copy_in(offset, to_the_end);
        if !rest.is_empty() {
            self.storage.copy_in(0, rest);
        }
        self.tail += bytes.len() as u64;
        self.storage
            .positions()
            .tail
            .0
            .store(self.tail, Ordering::Release);
        Ok(bytes.len())
    }
}

impl<S: Storage> Consumer<S> {
    /// The end of a ring from which nothing has been read.
    pub(super) fn new(storage: S) -> Self {
        Self { storage, head: 0 }
    }

    /// How many bytes can be read now.
    pub(super) fn available(&self) -> Result<usize, Corrupt> {
        let tail = self.storage.positions().tail.0.load(Ordering::Acquire);
        let available = usize::try_from(tail.wrapping_sub(self.head)).map_err(|_| Corrupt)?;
        if available > self.storage.capacity() {
            return Err(Corrupt);
        }
        Ok(available)
    }

    /// Appends all there is to `into`, and says how many bytes that were.
    pub(super) fn read(&mut self, into: &mut Vec<u8>) -> Result<usize, Corrupt> {
        let len = self.available()?;
        if len == 0 {
            return Ok(0);
        }
        let offset = place(self.head, self.storage.capacity());
        let to_the_end = len.min(self.storage.capacity() - offset);
        into.reserve(len);
        self.storage.copy_out(offset, to_the_end, into);
        if to_the_end < len {
            self.storage.copy_out(0, len - to_the_end, into);
        }
        self.hand_back(len);
        Ok(len)
    }

    /// Puts what there is to the place of other bytes, as many as there are, and says how many that were.
    pub(super) fn read_over(&mut self, into: &mut [u8]) -> Result<usize, Corrupt> {
        let len = self.available()?.min(into.len());
        let offset = place(self.head, self.storage.capacity());
        let to_the_end = len.min(self.storage.capacity() - offset);
        let (first, rest) = into[..len].split_at_mut(to_the_end);
        self.storage.copy_over(offset, first);
        if !rest.is_empty() {
            self.storage.copy_over(0, rest);
        }
        self.hand_back(len);
        Ok(len)
    }

    /// So many bytes have been copied out.
    fn hand_back(&mut self, len: usize) {
        self.head += len as u64;
        self.storage
            .positions()
            .head
            .0
            .store(self.head, Ordering::Release);
    }
}

fn place(position: u64, capacity: usize) -> usize {
    // Exact: the mask leaves less than `capacity`.
    (position & (capacity as u64 - 1)) as usize
}

/// Something to read has come.
pub(super) const DATA: u32 = 1;
/// Room to write has come.
pub(super) const SPACE: u32 = 2;

/// Says that this side is about to sleep until one of `events`. It must look once more after this.
///
/// A swap, here and below, where a store would do: the checker does not know that a swap comes right
/// after the value that it took, and finds a lost wake-up that cannot be. It costs nothing that a
/// sleeper would feel.
pub(super) fn wish(for_me: &AtomicU32, events: u32) {
    for_me.swap(events, Ordering::AcqRel);
    fence(Ordering::SeqCst);
}

/// Takes a wish back: this side is awake.
pub(super) fn no_wish(for_me: &AtomicU32) {
    for_me.swap(0, Ordering::AcqRel);
}

/// After `events` were brought about: whether the other side sleeps until one of them and must be rung
/// for, which then this side alone does.
pub(super) fn must_ring(for_peer: &AtomicU32, events: u32) -> bool {
    fence(Ordering::SeqCst);
    for_peer.load(Ordering::Relaxed) & events != 0 && for_peer.swap(0, Ordering::AcqRel) != 0
}

#[cfg(all(any(test, fuzzing), not(loom)))]
#[path = "ring_fuzz.rs"]
pub(super) mod fuzz;

#[cfg(test)]
#[path = "ring_tests.rs"]
pub(super) mod tests;
