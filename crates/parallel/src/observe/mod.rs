//! What happens in a call, told to whoever wants to know.
//!
//! Observers are told; they never ask.

mod dispatch;
mod event;
#[cfg(feature = "progress")]
mod progress;
#[cfg(feature = "report")]
mod report;
mod screen;
pub(crate) mod spans;
mod tally;
mod trace;
mod verbose;

pub(crate) use self::dispatch::{Observers, Telling};
pub use self::event::{Event, OutputStream, Stretch, Totals};
#[cfg(feature = "progress")]
pub use self::progress::Progress;
#[cfg(feature = "report")]
pub use self::report::Report;
pub use self::spans::SpanLayer;
pub use self::trace::Trace;
pub(crate) use self::verbose::Verbose;

/// Someone who is told what happens in a call. A function that takes an [`Event`] is one.
///
/// Events come one after the other, from a thread that does nothing else. When a call returns, all that
/// happened in it has been told, unless an observer has blocked for a second: then the rest is
/// [counted](Event::Lost) and not told, but for the call's end, which is told when it gets on. One that panics
/// is not told of that event, and harms nothing else.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use parallel::{Event, Observer, Parallel};
///
/// /// Counts failures.
/// static FAILURES: AtomicUsize = AtomicUsize::new(0);
///
/// struct Count;
///
/// impl Observer for Count {
///     fn event(&self, event: &Event) {
///         if let Event::TaskFinished { failure: Some(_), .. } = event {
///             FAILURES.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let parallel = Parallel::new(2).observer(Count);
/// let outcomes = parallel.outcomes((0..10).map(|i| parallel::delayed(|i| 12 / (i % 5), i)))?;
/// assert_eq!(outcomes.len(), 10);
/// assert_eq!(FAILURES.load(Ordering::Relaxed), 2);
/// # Ok::<(), parallel::Error>(())
/// ```
pub trait Observer: Send + Sync {
    /// It happened.
    fn event(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync> Observer for F {
    fn event(&self, event: &Event) {
        self(event);
    }
}
