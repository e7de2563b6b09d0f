//! Worker processes on this machine.
//!
//! ```text
//!   lane (a thread here)                          worker (a process)
//!     take, encode ──► ring in shared memory ──►    decode, call, encode
//!     decode, finish ◄── ring in shared memory ◄──  (one task at a time)
//!             ◄── bells: a pipe each way ──►
//!             ─── lifeline: a socket ──────►        ends its group when it closes
//! ```
//!
//! | file | what it is |
//! |---|---|
//! | [`start`] | how this executable becomes a worker |
//! | [`contract`] | what a worker is started with |
//! | [`initializer`] | what it does before its first task |
//! | [`hello`] | what a new worker is given |
//! | [`process`] | a worker as its parent sees it |
//! | [`lane`] | the parent's side: takes tasks from the work, and what becomes of them |
//! | [`queued`] | a task that it has |
//! | [`mail`] | what it sends and receives |
//! | [`limits`] | how long a task may run, how often it is tried, and who sees to it |
//! | [`apart`] | what it does when another lane has nothing left |
//! | [`supervision`] | what it does when the worker ends, or the call is stopped |
//! | [`watched`] | what it tells of them, if anybody wants to know |
//! | [`connect`] | how a started process comes to be a worker, and ends with its parent |
//! | [`worker`] | the worker's side |
//! | [`aside`] | what it tells of tasks beside their answers |
//! | [`reply`] | what it sends |
//! | [`output`], [`lines`] | what it prints |
//! | [`spans`] | what its tasks tell `tracing` |
//! | [`idle`] | workers between calls |
//! | [`signals`] | what wakes the lanes of a call |
//! | [`busy`] | how busy those of a call are |
//! | [`oom`] | whether the kernel killed one for want of memory |
//! | [`courier`], [`shelf`], [`packet`] | memory of `Shared` arrays, on its way: the parent's side, the worker's, what is sent |
//! | [`revoked`] | how a task there sees that its call has been stopped |
//! | [`link`], [`ring`], [`memory`] | the connection |
//! | [`huge_pages`] | memory for large values |
//! | [`image`] | functions by name |

mod apart;
mod aside;
mod busy;
mod connect;
mod contract;
mod courier;
mod hello;
mod huge_pages;
mod idle;
mod image;
mod initializer;
mod lane;
mod limits;
mod lines;
mod link;
mod mail;
mod memory;
mod oom;
mod output;
mod packet;
mod process;
mod queued;
mod reply;
mod revoked;
mod ring;
mod shelf;
mod signals;
mod spans;
mod start;
mod supervision;
mod watched;
mod worker;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::io::Errno;

use self::busy::Busy;
use self::contract::{Contract, Setup};
use self::idle::Idle;
pub(in crate::backend) use self::image::Image;
pub(in crate::backend) use self::initializer::Initializer;
use self::lane::Lane;
use self::limits::Limits;
pub use self::output::Output;
use self::process::{EXECUTABLE, Process};
use self::signals::{Counters, Signal};
use super::{Backend, CpuTime, run_lanes};
use crate::delayed::Portable;
use crate::error::BackendError;
use crate::pool::Pool;
use crate::work::{Bell, Work};

#[cfg(all(any(test, fuzzing), not(loom)))]
pub(crate) use self::ring::fuzz::hostile_ring;
#[cfg(all(any(test, fuzzing), not(loom)))]
pub(crate) use self::spans::hostile_told;
pub(in crate::backend) use self::start::check as check_start;
#[cfg(feature = "explicit-init")]
pub use self::start::init;

/// Runs tasks in worker processes: a crash there costs the task that crashed, and nothing else.
///
/// The workers are this executable, started again; they never run its `main`. Nothing has to be
/// registered or initialized. A task must be [`Portable`]: a plain function or a closure that captures
/// nothing, with an argument and a result that serde can carry. Workers are started when they are first
/// needed, stay warm between calls, and go when this is dropped, or when this process ends, by whatever
/// way. They print where this process prints; their standard input is empty.
///
/// Linux only.
///
/// ```
/// use parallel::{Failure, Parallel, Processes, delayed};
///
/// fn risky(i: u32) -> u32 {
///     if i == 2 { std::process::abort() } else { i * i }
/// }
///
/// let parallel = Parallel::new(2).backend(Processes::new());
/// let outcomes = parallel.outcomes((0..4).map(|i| delayed(risky, i)))?;
/// assert_eq!(outcomes[3].as_ref().unwrap(), &9);
/// let error = outcomes[2].as_ref().unwrap_err();
/// assert!(matches!(error.failure(), Failure::Died { signal: Some(6), .. }));
/// # Ok::<(), parallel::Error>(())
/// ```
#[derive(Default)]
pub struct Processes {
    /// Of the lanes, one for each worker.
    threads: Pool,
    idle: Idle,
    counters: Counters,
    limits: Limits,
    setup: Setup,
    /// The process that made the first call, whose children the workers are.
    owner: OnceLock<u32>,
}

impl Processes {
    /// No worker is started yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Has this be what each worker does first, or tell in each call why it cannot.
    pub(in crate::backend) fn begin_with(&mut self, initializer: Result<Initializer, String>) {
        self.setup.initializer = Some(initializer.map(Arc::new));
    }
}

impl<T: Portable> Backend<T> for Processes
where
    T::Output: Send + 'static,
{
    fn drive(&self, lanes: usize, work: &Work<'_, T>) -> Result<(), BackendError> {
        start::check()?;
        let here = std::process::id();
        if *self.owner.get_or_init(|| here) != here {
            return Err(BackendError::new(
                "this process is a fork of the one whose workers these are: make a new `Parallel` in it",
            ));
        }
        let mut crew = Crew::new(self, lanes, work.workers(lanes))?;
        crew.contract.known_as(work.known_as());
        let stop = crew.stop.ringer();
        work.on_stop(move || stop.ring());
        let mut lanes = work.lanes_needed(lanes);
        if lanes > 1 && work.shares() {
            crew.take_apart(work)?;
        }
        if lanes > self.threads.at_once(lanes) {
            crew.busy = Some(Arc::default());
        }
        loop {
            let error = Mutex::new(None);
            run_lanes(&self.threads, lanes, work, crew.cpu_time(), || {
                let _inside = work.span().enter();
                if let Err(lost) = Lane::new(work, &crew).run() {
                    error.lock().get_or_insert(lost);
                }
            });
            // A lane that got no worker gave its tasks back. Where there are workers, they go on; where
            // there is none, one may get what several took from each other.
            let idle = self.idle.len();
            match error.into_inner() {
                Some(error) if work.stopped() || idle == 0 && lanes == 1 => return Err(error),
                _ if work.all_taken() => return Ok(()),
                _ => lanes = lanes.min(idle.max(1)),
            }
        }
    }

    /// To wake a process takes 10 to 70 µs, as warm calls of one task show; but it is mostly awake.
    fn batch_time(&self) -> Duration {
        Duration::from_millis(1)
    }
}

impl fmt::Debug for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processes")
            .field("idle", &self.idle.len())
            .finish_non_exhaustive()
    }
}

/// The workers of one call.
struct Crew<'p> {
    processes: &'p Processes,
    lanes: usize,
    contract: Contract,
    /// The numbers of workers that no lane has.
    numbers: Mutex<BTreeSet<usize>>,
    /// If there are more lanes than begin at once.
    busy: Option<Arc<Busy>>,
    /// Rings as soon as nothing more shall start.
    stop: Signal<'p>,
    /// Rings while lanes that have many tasks are wanted to give some; if there are others.
    interrupt: Option<Signal<'p>>,
}

impl<'p> Crew<'p> {
    fn new(
        processes: &'p Processes,
        lanes: usize,
        numbers: Range<usize>,
    ) -> Result<Self, BackendError> {
        let stop = processes.counters.signal()?;
        Ok(Self {
            processes,
            lanes,
            contract: Contract::new(processes, lanes),
            numbers: Mutex::new(numbers.collect()),
            busy: None,
            stop,
            interrupt: None,
        })
    }

    /// A warm worker, or a new one; with this number, which is that of the one that it replaces, or with
    /// one that nobody has.
    fn hire(&self, number: Option<usize>) -> Result<Process, BackendError> {
        let mut free = self.numbers.lock();
        let suits = |n| number.map_or_else(|| free.contains(&n), |number| number == n);
        let warm = self.processes.idle.take(suits);
        let warm_number = warm.as_ref().map(|process| process.number);
        let number = number.or(warm_number).or_else(|| free.first().copied());
        // There are as many numbers as lanes.
        let number = number.unwrap_or(self.lanes);
        free.remove(&number);
        drop(free);
        let process = match warm {
            Some(process) => process,
            None => self.start(number)?,
        };
        if let Some(busy) = &self.busy {
            busy.insert(number, process.pid());
        }
        Ok(process)
    }

    /// That of the workers, which are beside this process.
    fn cpu_time(&self) -> Option<CpuTime> {
        let busy = Arc::clone(self.busy.as_ref()?);
        Some(Box::new(move || busy.cpu_time()))
    }

    fn start(&self, number: usize) -> Result<Process, BackendError> {
        self.contract.check()?;
        oom::look();
        let mut process =
            Process::spawn(&self.contract, number).map_err(|error| cannot_start(&error))?;
        if let Some(Ok(initializer)) = &self.contract.setup.initializer {
            process.begin(initializer);
        }
        Ok(process)
    }

    /// A lane needs its number no more.
    fn release(&self, number: Option<usize>) {
        self.numbers.lock().extend(number);
    }

    /// Keeps a worker that is through for the next call, up to as many as one call uses.
    fn rest(&self, mut process: Process) {
        process.end_call();
        let time = self.processes.limits.idle_timeout;
        self.processes.idle.put(process, self.lanes, time);
    }

    fn limits(&self) -> Limits {
        self.processes.limits
    }
}

fn cannot_start(error: &io::Error) -> BackendError {
    let executable = std::fs::read_link(EXECUTABLE).map_or_else(
        |_| format!("{EXECUTABLE}, which cannot be read: is /proc mounted?"),
        |path| path.display().to_string(),
    );
    let is = |errno: Errno| error.raw_os_error() == Some(errno.raw_os_error());
    let way_out = if is(Errno::MFILE) || is(Errno::NFILE) {
        "; each worker needs five descriptors, six if lines are wanted of it, and as many \
         more while it starts: raise the limit \
         (`ulimit -n`) or ask for fewer jobs"
    } else if is(Errno::AGAIN) {
        "; too many processes: raise the limit (`ulimit -u`) or ask for fewer jobs"
    } else if is(Errno::NOSYS) {
        "; worker processes need Linux 5.3 or newer, and do not start under valgrind"
    } else {
        ""
    };
    BackendError::new(format!(
        "cannot start a worker process of {executable}: {error}{way_out}"
    ))
}
