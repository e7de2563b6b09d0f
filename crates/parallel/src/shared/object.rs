//! The memory of an array, which several processes have as one.
//!
//! ```text
//!   memfd_create ─► write ─► seal: SHRINK GROW WRITE SEAL ─► map, for reading only
//!                              the descriptor ──► another process: are the seals there? ─► map
//! ```
//!
//! The promise of the `unsafe` here: memory that is handed out as `&[u8]` does not change and stays as
//! long as the object. Of a sealed memfd the kernel sees to that, for whoever may hold a descriptor of
//! it, and the seals are looked at where it is mapped, whoever it came from. Of a file its user does, as
//! [`Shared::map_file`](crate::Shared::map_file) says.
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Weak};

use memmap2::{Mmap, MmapOptions};
use parking_lot::Mutex;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};
use rustix::process::{Resource, getrlimit};

use crate::wire::attachments::Id;

/// With these nobody changes the contents or the length any more, nor takes the seals off.
const SEALS: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::WRITE)
    .union(SealFlags::SEAL);

/// The memory of one array.
pub(crate) struct Object {
    id: Id,
    map: Mmap,
    /// By which other processes map it too.
    file: File,
    kind: Kind,
    /// Who wants to know of its end.
    told: Mutex<Vec<Weak<dyn Forget>>>,
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

enum Kind {
    Sealed(Inode),
    Mapped { path: PathBuf, stamp: Stamp },
}

/// Wants to know when this process has an object no more.
pub(crate) trait Forget: Send + Sync {
    fn forget(&self, id: Id);
}

/// What the kernel calls a memfd: no process can make two that are called alike.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Inode {
    device: u64,
    number: u64,
}

/// What changes when a file is written to.
#[derive(PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    len: u64,
    seconds: i64,
    nanos: i64,
}

impl Stamp {
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            len: metadata.len(),
            seconds: metadata.mtime(),
            nanos: metadata.mtime_nsec(),
        })
    }
}

/// Sealed objects that this process has, so that it maps none of them twice.
static SEALED: LazyLock<Mutex<HashMap<Inode, Weak<Object>>>> = LazyLock::new(Mutex::default);

impl Object {
    /// A memfd to write an array into, of so many bytes or more.
    ///
    /// It fails if by it the descriptors of this process would become scarce: others need some too.
    pub(crate) fn blank(len: u64) -> io::Result<File> {
        if !Self::fits(len) {
            return Err(io::Error::other("files may not be as large"));
        }
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = memfd_create("parallel-shared", flags)?;
        // The lowest number that is free: about as many as are open.
        let open = u64::try_from(fd.as_raw_fd()).unwrap_or_default();
        let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        if open > most - most / 4 {
            return Err(io::Error::other("too many descriptors are open"));
        }
        Ok(File::from(fd))
    }

    /// Whether a memfd, which is a file, may have so many bytes. To write one too many ends the program.
    pub(crate) fn fits(len: u64) -> bool {
        let most = getrlimit(Resource::Fsize).current;
        most.is_none_or(|most| len <= most)
    }

    /// Makes an object of a memfd that has been written.
    pub(crate) fn seal(file: File) -> io::Result<Arc<Self>> {
        fcntl_add_seals(&file, SEALS)?;
        Self::sealed(file, Id::random()?)
    }

    /// An object with these contents, which others have under this id.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn new(id: Id, bytes: &[u8]) -> io::Result<Arc<Self>> {
        use std::io::Write;
        let mut file = Self::blank(bytes.len() as u64)?;
        file.write_all(bytes)?;
        fcntl_add_seals(&file, SEALS)?;
        Self::sealed(file, id)
    }

    /// The object of a memfd that must have been sealed: the one that this process has already, if so.
    fn sealed(file: File, id: Id) -> io::Result<Arc<Self>> {
        let metadata = file.metadata()?;
        let inode = Inode {
            device: metadata.dev(),
            number: metadata.ino(),
        };
        if let Some(known) = SEALED.lock().get(&inode).and_then(Weak::upgrade) {
            return Ok(known);
        }
        let object = Arc::new(Self {
            id,
            map: map_sealed(&file)?,
            file,
            kind: Kind::Sealed(inode),
            told: Mutex::default(),
        });
        SEALED.lock().insert(inode, Arc::downgrade(&object));
        Ok(object)
    }

    /// An object that anybody sent, by its descriptor: its id there says nothing here, so it gets a new one.
    pub(crate) fn from_stranger(fd: OwnedFd, len: u64) -> Result<Arc<Self>, String> {
        let object = Id::random().and_then(|id| Self::sealed(File::from(fd), id));
        checked(object, len)
    }

    /// An object that the process sent which started this one: a sealed memfd, or a file that its user
    /// mapped.
    pub(crate) fn from_parent(id: Id, fd: OwnedFd, len: u64) -> Result<Arc<Self>, String> {
        let file = File::from(fd);
        let object = if fcntl_get_seals(&file).is_ok_and(|seals| seals.contains(SEALS)) {
            Self::sealed(file, id)
        } else {
            let path = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
            Self::mapped(file, id, path.unwrap_or_default())
        };
        checked(object, len)
    }

    /// A file that its user promises not to change. It must not be empty.
    pub(crate) fn of_file(file: File, path: &Path) -> io::Result<Arc<Self>> {
        Self::mapped(file, Id::random()?, path.to_owned())
    }

    fn mapped(file: File, id: Id, path: PathBuf) -> io::Result<Arc<Self>> {
        let stamp = Stamp::of(&file)?;
        // SAFETY: whoever maps a file promises that it does not change as long as it is mapped, here and
        // in the processes to which it is sent. It is mapped with the length that it has.
        let map = unsafe { MmapOptions::new().map(&file) }?;
        Ok(Arc::new(Self {
            id,
            map,
            file,
            kind: Kind::Mapped { path, stamp },
            told: Mutex::default(),
        }))
    }

    pub(crate) fn id(&self) -> Id {
        self.id
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// By which another process maps it.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// What the kernel calls the file that it lies in: device and inode.
    pub(crate) fn file(&self) -> (u64, u64) {
        match &self.kind {
            Kind::Sealed(inode) => (inode.device, inode.number),
            Kind::Mapped { stamp, .. } => (stamp.device, stamp.inode),
        }
    }

    /// Whether it is a file: who gets it must trust whoever mapped it.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.kind, Kind::Mapped { .. })
    }

    /// Looks whether the file is as it was when it was mapped. What is sealed always is.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Kind::Mapped { path, stamp } = &self.kind else {
            return Ok(());
        };
        match Stamp::of(&self.file) {
            Ok(now) if now == *stamp => Ok(()),
            _ => Err(format!(
                "the file {} has been changed since it was mapped: write a new file and rename it over the \
                 old one, or read it with `Shared::read_file`",
                path.display()
            )),
        }
    }

    /// Tells `whom` when the last clone of this is gone.
    pub(crate) fn tell_when_gone(&self, whom: Weak<dyn Forget>) {
        let mut told = self.told.lock();
        told.retain(|whom| whom.strong_count() > 0);
        told.push(whom);
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        if let Kind::Sealed(inode) = self.kind {
            let mut sealed = SEALED.lock();
            // Another one may have been made of the same memfd meanwhile.
            let this = |known: &Weak<Self>| std::ptr::eq(known.as_ptr(), self);
            if sealed.get(&inode).is_some_and(this) {
                sealed.remove(&inode);
            }
        }
        for whom in self.told.get_mut().drain(..) {
            if let Some(whom) = whom.upgrade() {
                whom.forget(self.id);
            }
        }
    }
}

/// Maps a memfd, which must have been sealed.
fn map_sealed(file: &File) -> io::Result<Mmap> {
    let seals = fcntl_get_seals(file).unwrap_or(SealFlags::empty());
    if !seals.contains(SEALS) {
        return Err(io::Error::other(
            "it is not sealed: it could be changed or cut off",
        ));
    }
    // SAFETY: with these seals there is no mapping by which it could be written, nor will there be one,
    // and its length stays as it is; see memfd_create(2).
    unsafe { MmapOptions::new().map(file) }
}

/// An object that came, if it has the length that was told.
fn checked(object: io::Result<Arc<Object>>, len: u64) -> Result<Arc<Object>, String> {
    let object = object.map_err(|error| format!("its memory cannot be mapped: {error}"))?;
    let there = object.bytes().len() as u64;
    if there == len {
        Ok(object)
    } else {
        Err(format!("its memory has {there} bytes and not {len}"))
    }
}
