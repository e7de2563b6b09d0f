//! How a worker comes to be: this executable, started again, which turns aside before `main`.
//!
//! ```text
//!  program                         worker, marked by an environment variable
//!    dynamic linker                  dynamic linker
//!    static initializers             static initializers, as far as `before_main`
//!      `before_main`: no mark          `before_main`: the mark is there, and is removed
//!    main                              the static initializers that come after it
//!      Processes: the mark ────────►   the worker's loop
//!                                      exit, never `main`
//! ```
//!
//! So it works in whatever has a `main`: programs, tests, examples, and inside somebody else's library.
//! With the feature `explicit-init` the program's own call of [`init`] takes the place of
//! `before_main`. Where neither has happened, no worker is started: its `main` would run instead.
//!
//! In a program with raised privileges the mark means nothing: whoever sets the environment must not
//! choose what such a program runs.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

use super::hello::MARK;
use super::image::Image;
use super::worker;
use crate::backend::cluster;
use crate::error::BackendError;

/// Whether a process of this executable that carries the mark becomes a worker.
static TURNS_ASIDE: AtomicBool = AtomicBool::new(false);

/// Whether workers can be started here: this executable, started again, would come by here.
pub(in crate::backend) fn check() -> Result<(), BackendError> {
    #[cfg(not(feature = "explicit-init"))]
    // The linker keeps the constructor because it is mentioned here.
    std::hint::black_box(&constructor::BEFORE_MAIN);
    let refusal = if !Image::of_this_process().has_code_at(check as *const () as usize) {
        "worker processes cannot be started from within a shared library: a worker is this executable \
         started again, and it would run its `main`. Compile the crate into the program"
    } else if TURNS_ASIDE.load(Ordering::Relaxed) {
        return Ok(());
    } else if cfg!(feature = "explicit-init") {
        "worker processes need `parallel::init()` as the first line of `main`: the crate was built with \
         the feature `explicit-init`, and it was not called"
    } else {
        "worker processes cannot be started by a program that runs with raised privileges (setuid): \
         nobody's environment shall tell it what to do"
    };
    Err(BackendError::new(refusal))
}

/// Makes this process a worker if it was started as one, and does not return then.
fn turn_aside(before: impl FnOnce()) {
    // SAFETY: a plain look-up.
    if unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
        return;
    }
    TURNS_ASIDE.store(true, Ordering::Relaxed);
    let slot = std::env::var_os(cluster::MARK);
    if slot.is_none() && std::env::var_os(MARK).is_none() {
        return;
    }
    // SAFETY: `main` has not begun, or has only just: no other thread of the program reads the
    // environment yet.
    unsafe { std::env::remove_var(MARK) };
    // SAFETY: as above.
    unsafe { std::env::remove_var(cluster::MARK) };
    // SAFETY: to ignore a signal is always allowed. Before `main`, Rust's runtime has not done it yet:
    // without it, printing into a closed pipe would end the worker instead of being an error.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    // SAFETY: the function is async-signal-safe, as what runs in a new child must be.
    unsafe { libc::pthread_atfork(None, None, Some(note_fork)) };
    before();
    match slot {
        Some(mark) => cluster::main(&mark.to_string_lossy()),
        None => worker::main(),
    }
}

/// Whether this process is a copy of a worker that a task has made by `fork`.
static FORKED: AtomicBool = AtomicBool::new(false);

unsafe extern "C" fn note_fork() {
    FORKED.store(true, Ordering::Relaxed);
}

/// Ends a copy of a worker when its task returns there: only the worker itself may answer.
pub(super) fn end_if_forked() {
    if FORKED.load(Ordering::Relaxed) {
        // SAFETY: ends this process at once, without what it would do at its end twice.
        unsafe { libc::_exit(0) }
    }
}

// SAFETY: the C library defines it: its own stream of standard output.
unsafe extern "C" {
    static stdout: *mut libc::FILE;
}

/// Writes out what C's standard output holds back.
pub(super) fn flush_c() {
    // SAFETY: set before the first static initializer runs, and never changed by the library.
    let stream = unsafe { stdout };
    // SAFETY: `stream` is an open stream, or null, for which all streams are written out.
    unsafe { libc::fflush(stream) };
}

/// Has C's standard output hold back no more than a line, as it does on a terminal.
pub(super) fn print_by_line() {
    // SAFETY: as above.
    let stream = unsafe { stdout };
    // SAFETY: nothing has been printed yet; without a buffer to use, the library makes one.
    unsafe { libc::setvbuf(stream, std::ptr::null_mut(), libc::_IOLBF, 0) };
}

/// Makes this process a worker if it was started as one. To be called first thing in `main` when the
/// crate is built with the feature `explicit-init`; there is no need for it otherwise.
///
/// In a worker, this does not return: it runs tasks until the parent is through, and exits.
///
/// ```
/// use parallel::{Parallel, Processes, delayed};
///
/// fn main() -> Result<(), parallel::Error> {
///     parallel::init();
///     let parallel = Parallel::new(2).backend(Processes::new());
///     assert_eq!(parallel.run((0..3u64).map(|i| delayed(|i| i * i, i)))?, [0, 1, 4]);
///     Ok(())
/// }
/// ```
#[cfg(feature = "explicit-init")]
pub fn init() {
    turn_aside(|| ());
}

#[cfg(not(feature = "explicit-init"))]
mod constructor {
    //! A function that the C library calls before `main`.

    /// What the C library calls: glibc passes the arguments of `main`, other libraries pass nothing.
    #[cfg(target_env = "gnu")]
    type Initializer =
        extern "C" fn(libc::c_int, *const *const libc::c_char, *const *const libc::c_char);
    #[cfg(not(target_env = "gnu"))]
    type Initializer = extern "C" fn();

    #[used]
    // SAFETY: the section holds addresses of functions of this signature, and this is one.
    #[unsafe(link_section = ".init_array")]
    pub(super) static BEFORE_MAIN: Initializer = before_main;

    // SAFETY: the linker defines both in an executable: the first element of its table of static
    // initializers, and the place behind the last one.
    unsafe extern "C" {
        #[link_name = "__init_array_start"]
        static TABLE_START: [Initializer; 0];
        #[link_name = "__init_array_end"]
        static TABLE_END: [Initializer; 0];
    }

    #[cfg(target_env = "gnu")]
    extern "C" fn before_main(
        argc: libc::c_int,
        argv: *const *const libc::c_char,
        envp: *const *const libc::c_char,
    ) {
        super::turn_aside(|| later_initializers(|initializer| initializer(argc, argv, envp)));
    }

    #[cfg(not(target_env = "gnu"))]
    extern "C" fn before_main() {
        super::turn_aside(|| later_initializers(|initializer| initializer()));
    }

    /// Calls each static initializer that the C library would have called after `before_main`, such as
    /// those of C++ objects: a task may use them.
    fn later_initializers(call: impl Fn(Initializer)) {
        let end = (&raw const TABLE_END).cast::<Initializer>();
        let mut place = (&raw const TABLE_START).cast::<Initializer>();
        let mut later = false;
        while place < end {
            // SAFETY: `place` lies in the executable's table of initializers, which is not written to.
            let initializer = unsafe { place.read() };
            if later {
                call(initializer);
            }
            later |= std::ptr::fn_addr_eq(initializer, before_main as Initializer);
            place = place.wrapping_add(1);
        }
    }
}
