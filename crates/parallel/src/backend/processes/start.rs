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
//! A program may have more than one copy of this crate: another version of it, or one in a library that is
//! loaded. The mark says whose worker it is, and the others take no notice.
//!
//! In a program with raised privileges the mark means nothing: whoever sets the environment must not
//! choose what such a program runs.
#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use super::hello::MARK;
use super::image::Image;
use super::worker;
use crate::backend::cluster;
use crate::error::BackendError;

/// How far this process is in becoming a worker, or in being one that can have workers.
static STANDING: AtomicU8 = AtomicU8::new(UNKNOWN);

/// `turn_aside` was not called, or it has no say.
const UNKNOWN: u8 = 0;
/// A process of this executable that carries the mark becomes a worker.
const READY: u8 = 1;
/// The same, but the mark is there, and is not this copy's.
const ELSEWHERE: u8 = 2;
/// A worker whose static initializers run.
const INITIALIZING: u8 = 3;

/// Whether workers can be started here: this executable, started again, would come by here.
pub(in crate::backend) fn check() -> Result<(), BackendError> {
    #[cfg(not(feature = "explicit-init"))]
    // The linker keeps the constructor because it is mentioned here.
    std::hint::black_box(&constructor::BEFORE_MAIN);
    let standing = STANDING.load(Ordering::Relaxed);
    let refusal = if place().is_none() {
        "worker processes cannot be started from within a shared library: a worker is this executable \
         started again, and it would run its `main`. Compile the crate into the program"
    } else if standing == READY {
        return Ok(());
    } else if standing == INITIALIZING {
        "worker processes cannot be started by a static initializer: it runs in each of them too, and they \
         would start workers without end. Start them in `main`"
    } else if standing == ELSEWHERE {
        if std::env::var_os(MARK).is_none() {
            return Ok(());
        }
        "worker processes cannot be started while the environment variable PARALLEL_WORKER is set: it is \
         what tells a worker that it is one. Unset it"
    } else if cfg!(feature = "explicit-init") {
        "worker processes need `parallel::init()` as the first line of `main`: the crate was built with \
         the feature `explicit-init`, and it was not called"
    } else if is_privileged() {
        "worker processes cannot be started by a program that runs with raised privileges (setuid): \
         nobody's environment shall tell it what to do"
    } else {
        "worker processes cannot be started by a static initializer that runs before this crate's own. \
         Start them in `main`"
    };
    Err(BackendError::new(refusal))
}

/// What the mark of this copy's workers says, which no other copy in this executable has; `None` in a shared
/// library.
pub(super) fn own_mark() -> Option<String> {
    place().map(|place| format!("{place:x}"))
}

/// Where this copy is in the executable.
fn place() -> Option<u64> {
    Image::of_this_process().place_of(check as *const () as usize)
}

fn is_privileged() -> bool {
    // SAFETY: a plain look-up.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Makes this process a worker if it was started as one, and does not return then.
fn turn_aside(before: impl FnOnce()) {
    let Some(own) = own_mark().filter(|_| !is_privileged()) else {
        return;
    };
    let slot = std::env::var_os(cluster::MARK);
    let mark = std::env::var_os(MARK);
    if slot.is_none() && mark.as_deref() != Some(OsStr::new(&own)) {
        let standing = if mark.is_none() { READY } else { ELSEWHERE };
        return STANDING.store(standing, Ordering::Relaxed);
    }
    // SAFETY: `main` has not begun, or has only just: no other thread of the program reads the
    // environment yet.
    unsafe { std::env::remove_var(MARK) };
    // SAFETY: as above.
    unsafe { std::env::remove_var(cluster::MARK) };
    // SAFETY: to ignore a signal is always allowed. Before `main`, Rust's runtime has not done it yet:
    // without it, printing into a closed pipe would end the worker instead of being an error.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    // A worker is no part of what the terminal has in the foreground: to read there, or to change how it is
    // set, would stop it for ever. So the first is an error, and the second is allowed.
    for terminal in [libc::SIGTTIN, libc::SIGTTOU] {
        // SAFETY: as above.
        unsafe { libc::signal(terminal, libc::SIG_IGN) };
    }
    // SAFETY: the function is async-signal-safe, as what runs in a new child must be.
    unsafe { libc::pthread_atfork(None, None, Some(note_fork)) };
    STANDING.store(INITIALIZING, Ordering::Relaxed);
    before();
    STANDING.store(READY, Ordering::Relaxed);
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
