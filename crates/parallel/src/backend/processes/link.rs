//! One side's end of the connection between a program and a worker: two rings, and a pipe each way as
//! the bell for the side that sleeps.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::huge_pages;
use super::memory::{Memory, Ring};
use super::ring::{self, Consumer, Corrupt, DATA, Producer, SPACE};
use crate::spin::Spin;
use crate::sync::atomic::AtomicU32;
use crate::wire::inbox::Inbox;

/// The two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Parent,
    Worker,
}

/// The end of the connection at one side.
#[derive(Debug)]
pub(super) struct Link {
    side: Side,
    memory: Arc<Memory>,
    out: Producer<Ring>,
    into: Consumer<Ring>,
    hear: OwnedFd,
    tell: OwnedFd,
}

impl Link {
    /// The end of a new connection. `hear` is the pipe by which this side is woken, `tell` the one by
    /// which it wakes the other.
    pub(super) fn new(side: Side, memory: Arc<Memory>, hear: OwnedFd, tell: OwnedFd) -> Self {
        let (out, into) = match side {
            Side::Parent => (Ring::to_worker(&memory), Ring::to_parent(&memory)),
            Side::Worker => (Ring::to_parent(&memory), Ring::to_worker(&memory)),
        };
        Self {
            side,
            memory,
            out: Producer::new(out),
            into: Consumer::new(into),
            hear,
            tell,
        }
    }

    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Another handle of what wakes the other side.
    pub(super) fn teller(&self) -> io::Result<OwnedFd> {
        self.tell.try_clone()
    }

    /// What becomes readable when this side is to wake up, and ends when the other side has.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.hear.as_fd()
    }

    /// Writes what there is room for. The other side learns of it by [`announce`](Self::announce).
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<usize, Corrupt> {
        self.out.write(bytes)
    }

    /// Wakes the other side if it sleeps until something comes.
    pub(super) fn announce(&self) {
        self.ring(DATA);
    }

    /// Reads what there is, or of a parcel a piece, and wakes the other side if it sleeps until there is
    /// room.
    pub(super) fn read(&mut self, inbox: &mut Inbox) -> Result<usize, Corrupt> {
        let len = match inbox.incoming() {
            None => self.into.read(inbox.space())?,
            Some(incoming) => {
                let len = self.into.read_over(incoming.space())?;
                if let Some((start, bytes)) = incoming.new_memory() {
                    huge_pages::advise(start, bytes);
                }
                incoming.advance(len);
                len
            }
        };
        if len > 0 {
            self.ring(SPACE);
        }
        Ok(len)
    }

    /// Looks for one of `events` before sleeping, longer while the other side is midway in something large; whether
    /// one is there.
    pub(super) fn look(&self, spin: &mut Spin, midway: bool, events: u32) -> Result<bool, Corrupt> {
        if midway {
            spin.midway(|| self.any(events))
        } else {
            spin.until(|| self.any(events))
        }
    }

    /// Says that this side sleeps from now on until one of `events`. False if one is there already.
    pub(super) fn fall_asleep(&self, events: u32) -> Result<bool, Corrupt> {
        ring::wish(self.wish_of(self.side), events);
        let any = self.any(events)?;
        if any {
            self.wake_up();
        }
        Ok(!any)
    }

    /// Whether one of `events` is there.
    pub(super) fn any(&self, events: u32) -> Result<bool, Corrupt> {
        Ok(events & DATA != 0 && self.into.available()? > 0
            || events & SPACE != 0 && self.out.free()? > 0)
    }

    /// Says that this side is awake.
    pub(super) fn wake_up(&self) {
        ring::no_wish(self.wish_of(self.side));
    }

    fn ring(&self, events: u32) {
        let other = match self.side {
            Side::Parent => Side::Worker,
            Side::Worker => Side::Parent,
        };
        if ring::must_ring(self.wish_of(other), events) {
            // Room for one byte there always is: a side is rung for once for each sleep. If the other
            // side is gone, whoever waits for it finds that out.
            let _ = rustix::io::write(&self.tell, &[1]);
        }
    }

    fn wish_of(&self, side: Side) -> &AtomicU32 {
        let control = self.memory.control();
        match side {
            Side::Parent => &control.parent_wish.0,
            Side::Worker => &control.worker_wish.0,
        }
    }
}
