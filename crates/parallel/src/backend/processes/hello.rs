//! What a new worker is given: over the socket that is its standard input, one message with the
//! descriptors that connect it.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::lines::Nonce;

/// The environment variable that makes this executable a worker.
pub(super) const MARK: &str = "PARALLEL_WORKER";

/// Changes with everything that the two sides must agree on.
const VERSION: u64 = 5;

/// The version and the numbers of [`Terms`], and the nonce.
const BYTES: usize = 5 * 8 + size_of::<Nonce>();

const DESCRIPTORS: usize = 3;

/// What a worker must know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Its number.
    pub(super) worker: usize,
    /// Into how many shares the CPUs are divided where its tasks run.
    pub(super) shares: u64,
    /// Whether it shall note when it starts each task.
    pub(super) timed: bool,
    /// So many bytes of memory it may have.
    pub(super) memory_limit: Option<u64>,
    /// With what to mark what its tasks print, if that is to be told apart.
    pub(super) marks: Option<Nonce>,
}

impl Terms {
    fn to_bytes(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        let numbers = [
            VERSION,
            self.worker as u64,
            self.shares,
            u64::from(self.timed),
            self.memory_limit.unwrap_or(u64::MAX),
        ];
        let (places, nonce) = bytes.split_at_mut(numbers.len() * 8);
        for (place, number) in places.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        nonce.copy_from_slice(&self.marks.unwrap_or_default());
        bytes
    }

    /// `None` if the bytes are of another version.
    fn from_bytes(bytes: &[u8; BYTES]) -> Option<Self> {
        let (numbers, nonce) = bytes.split_last_chunk::<{ size_of::<Nonce>() }>()?;
        let mut numbers = numbers.chunks_exact(8).map(|number| {
            let mut eight = [0; 8];
            eight.copy_from_slice(number);
            u64::from_le_bytes(eight)
        });
        let version = numbers.next()?;
        let terms = Self {
            worker: usize::try_from(numbers.next()?).ok()?,
            shares: numbers.next()?,
            timed: numbers.next()? != 0,
            memory_limit: numbers.next().filter(|limit| *limit != u64::MAX),
            marks: Some(*nonce).filter(|nonce| *nonce != Nonce::default()),
        };
        (version == VERSION).then_some(terms)
    }
}

/// What a worker must know and have.
#[derive(Debug)]
pub(super) struct Hello<Fd> {
    pub(super) terms: Terms,
    pub(super) memory: Fd,
    /// The worker's end of the bell that wakes it.
    pub(super) hear: Fd,
    /// The worker's end of the bell that wakes the parent.
    pub(super) tell: Fd,
}

impl Hello<BorrowedFd<'_>> {
    pub(super) fn send(&self, socket: impl AsFd) -> io::Result<()> {
        let bytes = self.terms.to_bytes();
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
        let terms = Terms::from_bytes(&bytes).filter(|_| len == bytes.len());
        let terms = terms.ok_or_else(|| io::Error::other("the message is of another version"))?;
        Ok(Self {
            terms,
            memory,
            hear,
            tell,
        })
    }
}
