//! Descriptors on their way between a program and a worker, over the socket that is the worker's lifeline.
//!
//! ```text
//!  ┌──────┬────────┬───────────────────────┐
//!  │ kind │ number │ id, length │ …        │   one packet, with a descriptor for each id that is given
//!  │ 1 B  │  8 B   │ 16 B, 8 B  │          │
//!  └──────┴────────┴───────────────────────┘
//! ```
//!
//! A packet is a whole, and comes before what is written into a ring after it was sent. It stays when its
//! sender dies.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::shared::Object;
use crate::wire::attachments::Id;

/// So many ids are in one packet at most.
pub(super) const MOST: usize = 64;

const HEAD: usize = 1 + 8;
const ENTRY: usize = Id::BYTES + 8;

pub(super) const GIVE: u8 = 1;
const FORGET: u8 = 2;

/// What came in.
pub(super) enum Packet {
    /// Objects for the frame of this number, or for all frames.
    Give { number: u64, objects: Vec<Given> },
    /// These are needed no more.
    Forget(Vec<Id>),
}

pub(super) struct Given {
    pub(super) id: Id,
    pub(super) len: u64,
    fd: Option<OwnedFd>,
}

impl Given {
    /// Its descriptor, or why there is none.
    pub(super) fn descriptor(&mut self) -> Result<OwnedFd, String> {
        self.fd.take().ok_or_else(|| {
            "its descriptor did not arrive, since too many are open or on their way: raise the limit \
             (`ulimit -n`), or share fewer and larger arrays"
                .to_owned()
        })
    }
}

/// Sends objects, `MOST` at most. Where the system refuses to let so many descriptors be on their way, the
/// ids go alone.
pub(super) fn give(
    socket: impl AsFd,
    number: u64,
    objects: &[Arc<Object>],
    flags: SendFlags,
) -> Result<(), Errno> {
    let entries = objects
        .iter()
        .map(|object| (object.id(), object.bytes().len() as u64));
    let bytes = packet(GIVE, number, entries);
    let fds: Vec<BorrowedFd<'_>> = objects.iter().map(|object| object.descriptor()).collect();
    match send(&socket, &bytes, &fds, flags) {
        Err(Errno::TOOMANYREFS) => send(&socket, &bytes, &[], flags),
        sent => sent,
    }
}

/// Tells that objects are needed no more, `MOST` at most.
pub(super) fn forget(socket: impl AsFd, ids: &[Id]) -> Result<(), Errno> {
    let bytes = packet(FORGET, 0, ids.iter().map(|id| (*id, 0)));
    send(socket, &bytes, &[], SendFlags::DONTWAIT)
}

pub(super) fn packet(kind: u8, number: u64, entries: impl Iterator<Item = (Id, u64)>) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(number.to_le_bytes());
    for (id, len) in entries {
        bytes.extend(id.to_bytes());
        bytes.extend(len.to_le_bytes());
    }
    bytes
}

pub(super) fn send(
    socket: impl AsFd,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        let fits = control.push(SendAncillaryMessage::ScmRights(fds));
        debug_assert!(fits, "the space is made for it");
    }
    let flags = flags | SendFlags::NOSIGNAL;
    loop {
        match sendmsg(&socket, &[IoSlice::new(bytes)], &mut control, flags) {
            Err(Errno::INTR) => {}
            sent => return sent.map(drop),
        }
    }
}

/// The next packet; `None` at the end.
pub(super) fn receive(socket: impl AsFd, flags: RecvFlags) -> Result<Option<Packet>, Errno> {
    let mut bytes = [0; HEAD + MOST * ENTRY];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = flags | RecvFlags::CMSG_CLOEXEC;
    let len = loop {
        match recvmsg(
            &socket,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut control,
            flags,
        ) {
            Err(Errno::INTR) => {}
            received => break received?.bytes,
        }
    };
    let mut fds = control.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => fds.collect(),
        _ => Vec::new(),
    });
    let Some((head, entries)) = bytes[..len].split_first_chunk::<HEAD>() else {
        return if len == 0 {
            Ok(None)
        } else {
            Err(Errno::PROTO)
        };
    };
    let [kind, number @ ..] = *head;
    let number = u64::from_le_bytes(number);
    let entries = entries.chunks_exact(ENTRY).filter_map(|entry| {
        let (id, len) = entry.split_first_chunk::<{ Id::BYTES }>()?;
        let len = u64::from_le_bytes(*len.first_chunk()?);
        Some((Id::from_bytes(*id), len))
    });
    match kind {
        GIVE => {
            let objects = entries.map(|(id, len)| Given {
                id,
                len,
                fd: fds.next(),
            });
            let objects = objects.collect();
            Ok(Some(Packet::Give { number, objects }))
        }
        FORGET => Ok(Some(Packet::Forget(entries.map(|(id, _)| id).collect()))),
        _ => Err(Errno::PROTO),
    }
}
