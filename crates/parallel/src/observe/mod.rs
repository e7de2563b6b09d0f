//! What happens in a call, told to whoever wants to know.
//!
//! Observers are told; they never ask, and nothing waits for what they think.

use std::fmt;
use std::sync::Arc;

use crate::panics;

/// Something that happened in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The next batches have so many tasks, but for what remains at the end.
    BatchSize {
        /// As many as last for the time that a batch shall last.
        tasks: usize,
    },
    /// A worker process printed a line; see `Output::Lines`.
    Line {
        /// The number of the worker.
        worker: usize,
        /// The index of the task that printed it; `None` if no task ran then.
        task: Option<usize>,
        /// Where it was printed to.
        stream: OutputStream,
        /// The line, without its end. What is not UTF-8 in it is replaced by U+FFFD.
        text: String,
    },
}

/// Where a line was printed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Someone who is told what happens in a call. A function that takes an [`Event`] is one.
///
/// Events come from the threads that the call runs on, from several at the same time, so what an
/// observer does is what they cannot do meanwhile. An observer that panics is not told of that event,
/// and harms nothing else.
///
/// ```
/// use parallel::{Event, Observer};
///
/// /// Prints all there is.
/// struct Log;
///
/// impl Observer for Log {
///     fn event(&self, event: &Event) {
///         eprintln!("{event:?}");
///     }
/// }
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

/// All that want to know.
#[derive(Clone, Default)]
pub(crate) struct Observers(Vec<Arc<dyn Observer>>);

impl Observers {
    pub(crate) fn add(&mut self, observer: impl Observer + 'static) {
        self.0.push(Arc::new(observer));
    }

    /// Tells what happened; `event` is not called if there is nobody to tell.
    #[inline]
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if !self.0.is_empty() {
            self.tell_all(&event());
        }
    }

    fn tell_all(&self, event: &Event) {
        for observer in &self.0 {
            let _ = panics::catch(|| observer.event(event));
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} observers", self.0.len())
    }
}
