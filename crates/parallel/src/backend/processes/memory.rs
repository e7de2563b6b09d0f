//! The memory that a program shares with one worker.
//!
//! ```text
//!  ┌───────────────┬──────────────────┬──────────────────┐
//!  │ control page  │ ring to worker   │ ring to parent   │   one memfd, sealed to its size, so that
//!  └───────────────┴──────────────────┴──────────────────┘   nobody can cut it off under the other
//! ```
//!
//! The promise of the `unsafe` here: what is shared by reference is atomics only, for which any bytes
//! will do, and which both sides may change at any time; the rings' bytes are never shared by
//! reference but copied. A worker that keeps to the protocol does not write bytes that are being
//! copied out. One that has gone mad may: then the copy holds some bytes or others, as good as random,
//! and that is how whoever parses them has to treat them.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::ring::{Line, Positions, Storage};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Bytes in each ring: as fast as four times as many, where a quarter or less is slower for large values.
/// `docs/src/decisions.md` has the figures.
const RING: usize = 1 << 18;

/// Space for the control page. All is one mapping, so nothing needs to begin with a page of its own.
const CONTROL: usize = 4096;

const TOTAL: usize = CONTROL + 2 * RING;

const _: () = assert!(size_of::<Control>() <= CONTROL);

/// What parent and worker tell each other beside the rings.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Control {
    to_worker: Positions,
    to_parent: Positions,
    /// What the parent sleeps for; see `ring`.
    pub(super) parent_wish: Line<AtomicU32>,
    /// What the worker sleeps for.
    pub(super) worker_wish: Line<AtomicU32>,
    claims: Line<AtomicU64>,
    /// When the worker claimed the task that it is at, if it was asked to note that; see `clock`.
    claimed_at: AtomicU64,
    ready: AtomicU32,
    /// How many calls have ended that the worker was sent tasks of.
    calls: AtomicU32,
    /// Whether a task wants its call to be stopped: that call's number, plus one.
    cancel: AtomicU32,
}

impl Control {
    /// The worker: starts the next task, which was sent in `generation`; or finds that this generation
    /// was revoked, and must not start it.
    ///
    /// The number of tasks started and the generation are one word, so that a task is either started or
    /// revoked, and both sides know which.
    pub(super) fn claim(&self, generation: u16) -> bool {
        let word = self.claims.0.load(Ordering::Acquire);
        split(word).0 == generation
            && self
                .claims
                .0
                .compare_exchange(word, word + 1, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
    }

    /// The worker: notes when it is about to claim a task.
    pub(super) fn set_claimed_at(&self, now: Duration) {
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        self.claimed_at.store(nanos, Ordering::Release);
    }

    /// The parent: when the worker claimed the last task that it has started. If it is just about to
    /// claim the next one, this may be that moment.
    pub(super) fn claimed_at(&self) -> Duration {
        Duration::from_nanos(self.claimed_at.load(Ordering::Acquire))
    }

    /// The parent: how many tasks of this generation the worker has started.
    pub(super) fn started(&self) -> u64 {
        split(self.claims.0.load(Ordering::Acquire)).1
    }

    /// The parent: no task that was sent so far shall start from now on. How many had started.
    pub(super) fn revoke(&self, next_generation: u16) -> u64 {
        let word = u64::from(next_generation) << COUNT_BITS;
        split(self.claims.0.swap(word, Ordering::AcqRel)).1
    }

    /// The parent: the same, but only if the worker is still at the task with which it has started so many
    /// of this generation; whether it was.
    pub(super) fn revoke_at(&self, generation: u16, started: u64, next_generation: u16) -> bool {
        let word = u64::from(generation) << COUNT_BITS | started;
        let next = u64::from(next_generation) << COUNT_BITS;
        let claims = &self.claims.0;
        claims
            .compare_exchange(word, next, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// The parent, when it has revoked what had not started: this call has ended.
    pub(super) fn end_call(&self) {
        self.calls.fetch_add(1, Ordering::Release);
    }

    /// The number of the call that goes on. The worker, if it claims a task after that: of which call it is.
    pub(super) fn call(&self) -> u32 {
        self.calls.load(Ordering::Acquire)
    }

    /// The worker: a task of this call wants it to be stopped.
    pub(super) fn ask_to_cancel(&self, call: u32) {
        self.cancel.store(call.wrapping_add(1), Ordering::Release);
    }

    /// The parent: whether a task of the call that goes on wants it to be stopped.
    pub(super) fn cancel_asked(&self) -> bool {
        self.cancel.load(Ordering::Acquire) == self.call().wrapping_add(1)
    }

    /// The worker: it has come up and speaks the protocol.
    pub(super) fn set_ready(&self) {
        self.ready.store(1, Ordering::Release);
    }

    /// The parent: whether the worker ever came up.
    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire) == 1
    }
}

const COUNT_BITS: u32 = 48;

fn split(word: u64) -> (u16, u64) {
    // Exact: sixteen bits are left.
    ((word >> COUNT_BITS) as u16, word & ((1 << COUNT_BITS) - 1))
}

/// The time since the machine started, which all its processes see alike.
pub(super) fn clock() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    // It never is negative.
    Duration::try_from(now).unwrap_or_default()
}

/// A mapping of the shared memory.
#[derive(Debug)]
pub(super) struct Memory {
    map: MmapRaw,
}

impl Memory {
    /// New memory, and the descriptor by which the worker maps it too.
    pub(super) fn create() -> io::Result<(Arc<Self>, OwnedFd)> {
        let fd = memfd_create(
            "parallel-worker",
            MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
        )?;
        if let Some(most) = getrlimit(Resource::Fsize).current
            && most < TOTAL as u64
        {
            // To exceed it ends the program.
            return Err(io::Error::other(format!(
                "files may have {most} bytes at most, and the memory shared with a worker needs {TOTAL}: raise the limit \
                 (`ulimit -f`)"
            )));
        }
        ftruncate(&fd, TOTAL as u64)?;
        fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok((Self::map(&fd)?, fd))
    }

    /// The memory that the parent created.
    pub(super) fn open(fd: OwnedFd) -> io::Result<Arc<Self>> {
        Self::map(&fd)
    }

    fn map(fd: &OwnedFd) -> io::Result<Arc<Self>> {
        let file = File::from(fd.try_clone()?);
        if file.metadata()?.len() != TOTAL as u64 {
            return Err(io::Error::other(
                "the shared memory has another version's size",
            ));
        }
        let map = MmapOptions::new().len(TOTAL).map_raw(&file)?;
        Ok(Arc::new(Self { map }))
    }

    pub(super) fn control(&self) -> &Control {
        // SAFETY: the mapping is longer than `Control` (asserted above), its start is aligned to a
        // page, and it lives as long as `self`. `Control` is made of atomics, valid whatever the bytes.
        unsafe { &*self.map.as_ptr().cast::<Control>() }
    }
}

/// One of the two rings.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    memory: Arc<Memory>,
    start: usize,
}

impl Ring {
    pub(super) fn to_worker(memory: &Arc<Memory>) -> Self {
        Self {
            memory: Arc::clone(memory),
            start: CONTROL,
        }
    }

    pub(super) fn to_parent(memory: &Arc<Memory>) -> Self {
        Self {
            memory: Arc::clone(memory),
            start: CONTROL + RING,
        }
    }

    /// A pointer to `len` bytes of this ring.
    fn bytes(&self, offset: usize, len: usize) -> *mut u8 {
        assert!(offset <= RING && len <= RING - offset);
        self.memory
            .map
            .as_mut_ptr()
            .wrapping_add(self.start + offset)
    }
}

impl Storage for Ring {
    fn positions(&self) -> &Positions {
        let control = self.memory.control();
        if self.start == CONTROL {
            &control.to_worker
        } else {
            &control.to_parent
        }
    }

    fn capacity(&self) -> usize {
        RING
    }

    fn copy_in(&self, offset: usize, bytes: &[u8]) {
        let to = self.bytes(offset, bytes.len());
        // SAFETY: `to` points to so many bytes of the mapping, and `bytes` is memory of this process
        // alone, so they do not overlap. Only the producer calls this, for room that is its own.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) }
    }

    fn copy_out(&self, offset: usize, len: usize, into: &mut Vec<u8>) {
        let from = self.bytes(offset, len);
        into.reserve(len);
        let to = into.spare_capacity_mut().as_mut_ptr().cast::<u8>();
        // SAFETY: `from` points to so many bytes of the mapping, `to` to as many that were reserved.
        unsafe { std::ptr::copy_nonoverlapping(from, to, len) };
        // SAFETY: `len` bytes behind the old length were reserved and have just been written.
        unsafe { into.set_len(into.len() + len) };
    }

    fn copy_over(&self, offset: usize, into: &mut [u8]) {
        let from = self.bytes(offset, into.len());
        // SAFETY: `from` points to so many bytes of the mapping, which `into`, memory of this process alone, does
        // not overlap.
        unsafe { std::ptr::copy_nonoverlapping(from, into.as_mut_ptr(), into.len()) };
    }
}

#[cfg(all(test, loom))]
#[path = "handover_tests.rs"]
mod handover_loom;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_mappings_are_the_same_memory() {
        let (here, fd) = Memory::create().unwrap();
        let there = Memory::open(fd).unwrap();
        Ring::to_worker(&here).copy_in(RING - 3, b"abc");
        let mut bytes = b"x".to_vec();
        Ring::to_worker(&there).copy_out(RING - 2, 2, &mut bytes);
        assert_eq!(bytes, b"xbc");
        assert!(!here.control().is_ready());
        there.control().set_ready();
        assert!(here.control().is_ready());
    }

    #[test]
    fn nobody_can_cut_the_memory_off() {
        let (_memory, fd) = Memory::create().unwrap();
        assert!(ftruncate(&fd, 0).is_err());
    }

    #[test]
    fn a_task_is_either_started_or_revoked() {
        let (memory, _fd) = Memory::create().unwrap();
        let control = memory.control();
        assert!(control.claim(0));
        assert!(control.claim(0));
        assert_eq!(control.started(), 2);
        assert_eq!(control.revoke(1), 2);
        assert!(!control.claim(0));
        assert!(control.claim(1));
        assert_eq!(control.started(), 1);
        assert!(!control.revoke_at(1, 0, 2), "it has moved on");
        assert!(control.revoke_at(1, 1, 2));
        assert!(!control.claim(1));
    }

    #[test]
    fn a_batch_that_is_revoked_is_not_the_end_of_its_call() {
        let (memory, _fd) = Memory::create().unwrap();
        let control = memory.control();
        let call = control.call();
        control.revoke(1);
        assert_eq!(control.call(), call);
        control.ask_to_cancel(call);
        assert!(control.cancel_asked());
        control.end_call();
        assert_ne!(control.call(), call);
        assert!(!control.cancel_asked(), "the next call is another one");
    }

    #[test]
    #[should_panic(expected = "offset <= RING")]
    fn a_place_outside_the_ring_is_refused() {
        let (memory, _fd) = Memory::create().unwrap();
        Ring::to_worker(&memory).copy_in(RING - 1, b"ab");
    }
}
