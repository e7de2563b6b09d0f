//! What takes `unsafe`: here the notes say what is broken, since that is what it is for.
#![allow(unsafe_code)]

use std::process;

use rustix::process::{Pid, WaitOptions, waitpid};

/// Writes where nothing is.
pub(crate) fn segfault() {
    let nowhere = std::ptr::without_provenance_mut::<u32>(8);
    // SAFETY: none: this is the crash.
    unsafe { nowhere.write_volatile(1) };
}

/// Writes before a block of memory, or behind it, or frees it twice.
///
/// The C library mostly notices and aborts. Should it not, this process ends itself: nothing that it
/// gave after that would mean anything.
pub(crate) fn corrupt_heap(way: u32) {
    const SIZE: usize = 200;
    // SAFETY: to ask for memory is always allowed.
    let block = unsafe { libc::malloc(SIZE) }.cast::<u8>();
    if block.is_null() {
        process::abort();
    }
    let place = match way {
        0 => Some(block.wrapping_sub(16)),
        1 => Some(block.wrapping_add(SIZE)),
        _ => None,
    };
    if let Some(place) = place {
        // SAFETY: none: this is the crash. It hits what the C library keeps between its blocks.
        unsafe { std::ptr::write_bytes(place, 0x5a, 64) };
    } else {
        // SAFETY: it was allocated above.
        unsafe { libc::free(block.cast()) };
    }
    // SAFETY: none, if it was freed before or its head has been overwritten: this is the crash.
    unsafe { libc::free(block.cast()) };
    for size in 0..64 {
        drop(std::hint::black_box(vec![1u8; size * 17]));
    }
    process::abort();
}

/// Closes every descriptor, those by which the worker answers too.
pub(crate) fn close_all() {
    for fd in 0..256 {
        // SAFETY: none: whoever uses it later finds it gone, or finds another file. It is what a
        // careless daemon does.
        unsafe { libc::close(fd) };
    }
}

/// Makes a copy of this process that returns too, and waits for its end.
pub(crate) fn fork_and_wait() {
    // SAFETY: the copy does nothing but return from the task, and allocates nothing until it is ended.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "a process can be started");
    if let Some(child) = Pid::from_raw(child) {
        // However it ends: it may be hit as well.
        let _ = waitpid(Some(child), WaitOptions::empty());
    }
}
