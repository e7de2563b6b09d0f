//! What a new worker is given: over the socket that is its standard input, one message with the
//! descriptors that connect it.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// The environment variable that makes this executable a worker.
pub(super) const MARK: &str = "PARALLEL_WORKER";

/// Changes with everything that the two sides must agree on.
const VERSION: u64 = 2;

/// The version, the shares, and whether it is timed.
const BYTES: usize = 24;

const DESCRIPTORS: usize = 3;

/// What a worker must know and have.
#[derive(Debug)]
pub(super) struct Hello<Fd> {
    /// Into how many shares the CPUs are divided where its tasks run.
    pub(super) shares: u64,
    /// Whether it shall note when it starts each task.
    pub(super) timed: bool,
    pub(super) memory: Fd,
    /// The worker's end of the bell that wakes it.
    pub(super) hear: Fd,
    /// The worker's end of the bell that wakes the parent.
    pub(super) tell: Fd,
}

impl Hello<BorrowedFd<'_>> {
    pub(super) fn send(&self, socket: impl AsFd) -> io::Result<()> {
        let mut bytes = [0; BYTES];
        let numbers = [VERSION, self.shares, u64::from(self.timed)];
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        let fds = [self.memory, self.hear, self.tell];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fits = control.push(SendAncillaryMessage::ScmRights(&fds));
        debug_assert!(fits, "the space is made for it");
        let flags = SendFlags::NOSIGNAL;
        sendmsg(socket, &[IoSlice::new(&bytes)], &mut control, flags)?;
        Ok(())
    }
}

impl Hello<OwnedFd> {
    pub(super) fn receive(socket: impl AsFd) -> io::Result<Self> {
        let mut bytes = [0; BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let len = recvmsg(socket, &mut parts, &mut control, flags)?.bytes;
        let mut fds = control.drain().flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => fds.collect(),
            _ => Vec::new(),
        });
        let (Some(memory), Some(hear), Some(tell)) = (fds.next(), fds.next(), fds.next()) else {
            return Err(io::Error::other("the message brought too few descriptors"));
        };
        drop(fds);
        let number = |at: usize| {
            let mut half = [0; 8];
            half.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(half)
        };
        if len != bytes.len() || number(0) != VERSION {
            return Err(io::Error::other("the message is of another version"));
        }
        Ok(Self {
            shares: number(8),
            timed: number(16) != 0,
            memory,
            hear,
            tell,
        })
    }
}
