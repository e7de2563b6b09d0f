//! `Shared` arrays on their way to the nodes: once to each, however many tasks refer to one.
//!
//! ```text
//!   program ──Give: where it lies──► bridge ──the engine's own store──► node: runtime.py with arrays.py
//!                                                                         │  memory without a name, for all slots
//!                                                                         ▼
//!                                      worker process ◄──descriptor── slot: Give, where it lies
//! ```
//!
//! Batches refer to arrays by their ids. When the last clone in the program is gone, that is told the same way:
//! `Forget`. What a task makes goes with its result, as bytes.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Weak};

use super::bridge::Bridge;
use super::frames::Kind;
use crate::shared::{Forget, Object};
use crate::wire::attachments::{Id, not_sent_along};

/// Where an array lies: in a file that some process of this machine has open.
///
/// ```text
///   id     length   device   inode   path: /proc/PID/fd/N
///   16 B   8 B      8 B      8 B
/// ```
///
/// The process may close it meanwhile and open another one by the same number, so it says which file is meant.
#[derive(Debug, PartialEq)]
pub(super) struct Place<'p> {
    id: Id,
    len: u64,
    device: u64,
    inode: u64,
    path: &'p [u8],
}

impl<'p> Place<'p> {
    fn from_bytes(bytes: &'p [u8]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk()?;
        let (len, rest) = rest.split_first_chunk()?;
        let (device, rest) = rest.split_first_chunk()?;
        let (inode, path) = rest.split_first_chunk()?;
        Some(Self {
            id: Id::from_bytes(*id),
            len: u64::from_le_bytes(*len),
            device: u64::from_le_bytes(*device),
            inode: u64::from_le_bytes(*inode),
            path,
        })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.id.to_bytes().to_vec();
        for number in [self.len, self.device, self.inode] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.path);
        bytes
    }

    fn open(&self) -> Result<Arc<Object>, String> {
        let path = Path::new(OsStr::from_bytes(self.path));
        let cannot = |error| format!("its memory at {} cannot be opened: {error}", path.display());
        let file = File::open(path).map_err(cannot)?;
        let metadata = file.metadata().map_err(cannot)?;
        if (metadata.dev(), metadata.ino()) != (self.device, self.inode) {
            return Err(not_sent_along());
        }
        Object::from_parent(self.id, file.into(), self.len)
    }
}

impl Bridge {
    /// Gives these to the bridge, which has them until they are forgotten.
    pub(super) fn give(self: &Arc<Self>, arrays: &[Arc<Object>]) {
        if arrays.is_empty() {
            return;
        }
        // Kept until all is sent: a batch of another call may refer to the same ones.
        let mut given = self.given.lock();
        for array in arrays {
            let id = array.id();
            if !given.insert(id) {
                continue;
            }
            let this: Weak<Self> = Arc::downgrade(self);
            array.tell_when_gone(this);
            let descriptor = array.descriptor().as_raw_fd();
            let path = format!("/proc/{}/fd/{descriptor}", std::process::id());
            let (device, inode) = array.file();
            let place = Place {
                id,
                len: array.bytes().len() as u64,
                device,
                inode,
                path: path.as_bytes(),
            };
            self.send(Kind::Give, 0, &[&place.to_bytes()]);
        }
    }
}

impl Forget for Bridge {
    fn forget(&self, id: Id) {
        if self.given.lock().remove(&id) {
            self.send(Kind::Forget, 0, &[&id.to_bytes()]);
        }
    }
}

/// The arrays that a slot has.
#[derive(Default)]
pub(super) struct Arrays(HashMap<Id, Result<Arc<Object>, String>>);

impl Arrays {
    pub(super) fn take_in(&mut self, place: &[u8]) {
        if let Some(place) = Place::from_bytes(place) {
            // One that was not forgotten would be taken for the new one.
            self.0.remove(&place.id);
            self.0.insert(place.id, place.open());
        }
    }

    pub(super) fn forget(&mut self, id: &[u8]) {
        if let Ok(id) = id.try_into() {
            self.0.remove(&Id::from_bytes(id));
        }
    }

    /// Those with these ids.
    pub(super) fn all(&self, ids: &[Id]) -> Result<Vec<Arc<Object>>, String> {
        let one = |id: &Id| {
            let known = self.0.get(id).cloned();
            known.unwrap_or_else(|| Err(not_sent_along()))
        };
        ids.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_lies_elsewhere_is_not_taken() {
        let object = Object::blank(0).and_then(Object::seal).unwrap();
        let path = format!("/proc/self/fd/{}", object.descriptor().as_raw_fd());
        let (device, inode) = object.file();
        let id = Id::random().unwrap();
        let mut place = Place {
            id,
            len: 0,
            device,
            inode,
            path: path.as_bytes(),
        };
        let mut arrays = Arrays::default();
        arrays.take_in(&place.to_bytes());
        let all = arrays.all(&[id]).unwrap();
        assert!(Arc::ptr_eq(&all[0], &object));
        place.inode += 1;
        arrays.take_in(&place.to_bytes());
        assert!(arrays.all(&[id]).is_err());
        arrays.forget(&id.to_bytes());
        assert!(arrays.all(&[id]).is_err());
    }

    proptest! {
        #[test]
        fn places_come_out_as_they_went_in(bytes in prop::collection::vec(any::<u8>(), 0..99)) {
            match Place::from_bytes(&bytes) {
                Some(place) => prop_assert_eq!(place.to_bytes(), bytes),
                None => prop_assert!(bytes.len() < 40),
            }
        }
    }
}
