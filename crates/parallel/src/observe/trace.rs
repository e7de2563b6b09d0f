//! A trace of what happens, for programs that draw it.

mod array;
mod json;
mod record;
mod rows;
mod tasks;
mod writer;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use self::array::Array;
use self::writer::Writer;
use super::Observer;
use super::event::Event;

/// Writes down what happens in calls, for programs that draw it.
///
/// Each worker has a row, in which its tasks are blocks: their index, their attempt, how long they waited
/// and what went wrong. Attempts that failed, deaths of worker processes, lines that they print and what
/// never ran are in the row too. Above the rows are the calls, what waited for a tenth of a millisecond or
/// longer, and the sizes of batches. Calls that go on at the same time have rows of their own.
///
/// A trace that is observed by several `Parallel`s, a clone by each, has all of their calls.
///
/// ```
/// use parallel::{Parallel, Trace, delayed};
///
/// # let path = std::env::temp_dir().join(format!("parallel-trace-doc-{}.json", std::process::id()));
/// let trace = Trace::chrome(&path)?;
/// let parallel = Parallel::new(2).observer(trace.clone());
/// assert_eq!(parallel.run((0..3u64).map(|i| delayed(|i| i * i, i)))?, [0, 1, 4]);
/// trace.flush()?;
/// assert!(std::fs::read_to_string(&path)?.contains("task 2"));
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Trace {
    writer: Arc<Mutex<Writer>>,
}

impl Trace {
    /// In the trace-event format, which [Perfetto](https://ui.perfetto.dev) opens, and the page
    /// `chrome://tracing`. Times are counted from now on.
    ///
    /// When a call has returned, and no other one goes on, the file is whole. In the meantime it is
    /// written piece by piece, and only the end of the array is missing, which those programs do not mind.
    /// Memory does not grow with the number of tasks.
    ///
    /// # Errors
    /// If the file cannot be written, or cannot be written over, as a pipe. The error names it.
    pub fn chrome(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let explain = |error: io::Error| {
            let text = format!("cannot write the trace to {}: {error}", path.display());
            io::Error::new(error.kind(), text)
        };
        let array = Array::create(path).map_err(explain)?;
        let writer = Writer::new(array, path.display().to_string());
        Ok(Self {
            writer: Arc::new(Mutex::new(writer)),
        })
    }

    /// Makes the file whole, and says whether all could be written. May be called at any time.
    ///
    /// # Errors
    /// The first that has kept something from being written. After it nothing more is written.
    pub fn flush(&self) -> io::Result<()> {
        self.writer.lock().flush()
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").finish_non_exhaustive()
    }
}

impl Observer for Trace {
    fn event(&self, event: &Event) {
        self.writer.lock().event(event);
    }
}
