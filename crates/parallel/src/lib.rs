//! A joblib for Rust: one loop, run in parallel on threads, on processes, or on a Dask or Ray cluster by
//! changing one line, that never hangs, loses or lies about what happened.
//!
//! ```
//! use parallel::{Parallel, Processes, delayed};
//!
//! let squares = Parallel::new(3).run((0..10u64).map(|i| delayed(|i| i * i, i)))?;
//! assert_eq!(squares[9], 81);
//!
//! // The same in worker processes: a crash there costs the one task that crashed.
//! let squares = Parallel::new(3).backend(Processes::new()).run((0..10u64).map(|i| delayed(|i| i * i, i)))?;
//! assert_eq!(squares[9], 81);
//! # Ok::<(), parallel::Error>(())
//! ```
//!
//! On a cluster the line is `.backend(Dask::connect("tcp://scheduler:8786")?)`, or
//! `.backend(Ray::connect("ray://head:10001")?)`.

mod backend;
mod batch_end;
mod cancel;
mod config;
mod context;
mod current;
#[cfg(test)]
mod deadline;
mod delayed;
mod error;
mod failure;
#[cfg(all(test, not(loom)))]
mod fuzz;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod jobs;
mod observe;
mod panics;
mod parallel;
mod pool;
mod shared;
mod spin;
mod sync;
mod wire;
mod work;

#[cfg(all(target_os = "linux", feature = "explicit-init"))]
pub use crate::backend::init;
pub use crate::backend::{
    AnyBackend, AnyOutput, AnyTask, Backend, Sequential, Threads, register_backend,
};
#[cfg(target_os = "linux")]
pub use crate::backend::{Dask, Output, Processes, Ray};
pub use crate::batch_end::at_batch_end;
pub use crate::cancel::CancelToken;
pub use crate::config::{Config, config};
pub use crate::current::{Current, current};
pub use crate::delayed::{Delayed, Portable, Task, delayed};
pub use crate::error::{BackendError, Error, Failure, Outcome, PanicBacktrace, TaskError};
pub use crate::jobs::{NJobs, cpu_share};
#[cfg(feature = "progress")]
pub use crate::observe::Progress;
#[cfg(feature = "report")]
pub use crate::observe::Report;
pub use crate::observe::{Event, Observer, OutputStream, SpanLayer, Stretch, Totals, Trace};
pub use crate::parallel::{
    Handle, Iter, IterUnordered, Parallel, TryError, wait_first, wait_first_timeout,
};
#[cfg(feature = "stream")]
pub use crate::parallel::{IterStream, IterUnorderedStream};
pub use crate::shared::{Elements, Shared};
pub use crate::wire::EntryPoint;
pub use crate::work::{Batch, BatchSize, PreDispatch, Work};
