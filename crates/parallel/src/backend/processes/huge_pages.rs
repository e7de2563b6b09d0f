//! Large memory that comes quickly.
//!
//! Memory that nobody has written to is given by the kernel page by page, each when it is first written to. For pages
//! of four kilobytes that takes longer than what is written: `docs/src/decisions.md` has the figures.
//!
//! The promise of the `unsafe` here: none of the memory changes, and nobody else gets it. It is an advice.
#![allow(unsafe_code)]

use rustix::mm::{Advice, madvise};

/// Memory that is smaller mostly is some that was used before.
const LARGE: usize = 1 << 22;

/// Advises the kernel to give this memory, which is new, in pages of two megabytes.
pub(super) fn advise(start: *const u8, bytes: usize) {
    /// A larger page would do as well.
    const PAGE: usize = 1 << 12;
    if bytes < LARGE {
        return;
    }
    // For all of the pages in which it lies: a mapping that has the advice for a part of it only cannot be moved as a
    // whole, and the allocator would copy it to make it larger.
    let first = start.with_addr(start.addr() & !(PAGE - 1));
    let bytes = start.addr() + bytes - first.addr();
    // SAFETY: it says how pages are to be given, which changes neither what is in them nor who may use them, also
    // where others have memory in the first and in the last one. Pages that do not exist are an error.
    let _ = unsafe { madvise(first.cast_mut().cast(), bytes, Advice::LinuxHugepage) };
}
