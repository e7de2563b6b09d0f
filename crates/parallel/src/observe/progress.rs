//! A bar on how far a call is.

mod bars;
mod lines;

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use indicatif::MultiProgress;
use parking_lot::Mutex;

use self::bars::Bars;
use super::Observer;
use super::event::{Event, OutputStream};
use super::screen::{above_bars, bars};
use super::tally::Tally;

/// Shows on standard error how far calls are: what [`Parallel::progress`](crate::Parallel::progress) makes
/// use of.
///
/// On a terminal each call has a bar, with how many tasks have an outcome, how many that is in a second,
/// how long the rest will take, and how many failed or were tried again. If the number of tasks is not
/// known there is a spinner instead. A bar stays on the screen when its call has ended, and says so if
/// there were tasks left. Elsewhere there are plain lines, about ten for a call. A call of one task, as each
/// [`submit`](crate::Parallel::submit) is, has neither.
///
/// All bars of a program share the screen. The lines of [`verbose`](crate::Parallel::verbose) are printed
/// above them, and so are those that worker processes print, if they come as
/// [`Output::Lines`](crate::Output::Lines). What else is printed while there is a bar goes through
/// [`suspend`](Self::suspend), or gets mixed up with it.
///
/// ```
/// use parallel::{Parallel, Progress, delayed};
///
/// let progress = Progress::new().per_worker(true);
/// let parallel = Parallel::new(2).observer(progress.clone());
/// for square in parallel.iter((0..100u64).map(|i| delayed(|i| i * i, i))) {
///     if square? == 81 {
///         progress.suspend(|| println!("nine squared"));
///     }
/// }
/// # Ok::<(), parallel::TaskError>(())
/// ```
#[derive(Clone)]
pub struct Progress {
    per_worker: bool,
    /// `None` if there is no terminal.
    screen: Option<MultiProgress>,
    calls: Arc<Mutex<HashMap<u64, Call>>>,
}

/// A call that goes on.
struct Call {
    tally: Tally,
    bars: Option<Bars>,
}

impl Progress {
    /// For standard error as it is.
    #[must_use]
    pub fn new() -> Self {
        Self {
            per_worker: false,
            screen: bars(),
            calls: Arc::default(),
        }
    }

    /// Whether there is one more line for each worker, with what it does. Not among plain lines.
    #[must_use]
    pub fn per_worker(mut self, shown: bool) -> Self {
        self.per_worker = shown;
        self
    }

    /// Takes the bars from the screen while `f` prints something.
    ///
    /// See [`Progress`] for an example.
    #[allow(
        clippy::unused_self,
        reason = "whose screen it is may not stay that of the whole program"
    )]
    pub fn suspend<R>(&self, f: impl FnOnce() -> R) -> R {
        above_bars(f)
    }

    /// Shows a line that a worker process printed where it would have been without an observer.
    fn print(&self, stream: OutputStream, text: &str) {
        let line = format!("{text}\n");
        // Whether anybody reads it changes nothing.
        let _ = self.suspend(|| match stream {
            OutputStream::Stdout => io::stdout().write_all(line.as_bytes()),
            OutputStream::Stderr => io::stderr().write_all(line.as_bytes()),
        });
    }

    fn begin(&self, tally: Tally) -> Call {
        let bars = self
            .screen
            .as_ref()
            .map(|screen| Bars::new(screen, &tally, self.per_worker));
        Call { tally, bars }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { per_worker, .. } = self;
        let terminal = self.screen.is_some();
        f.debug_struct("Progress")
            .field("per_worker", per_worker)
            .field("terminal", &terminal)
            .finish_non_exhaustive()
    }
}

impl Observer for Progress {
    fn event(&self, event: &Event) {
        let mut calls = self.calls.lock();
        match event {
            // There is nothing to count, and each submitted task is such a call.
            Event::RunStarted { tasks: Some(1), .. } => {}
            Event::RunStarted { run, tasks, n_jobs } => {
                let tally = Tally::new(*tasks, *n_jobs, Instant::now());
                calls.insert(*run, self.begin(tally));
            }
            Event::RunFinished { run, totals } => {
                if let Some(Call { mut tally, bars }) = calls.remove(run) {
                    tally.count(event);
                    match bars {
                        Some(bars) => bars.end(&tally),
                        None => lines::print(&lines::at_the_end(&tally, totals.wall)),
                    }
                }
            }
            Event::Line { stream, text, .. } => self.print(*stream, text),
            _ => {
                if let Some(call) = event.run().and_then(|run| calls.get_mut(&run)) {
                    call.tally.count(event);
                    match &mut call.bars {
                        Some(bars) => bars.event(event, &call.tally),
                        None => lines::event(event, &call.tally),
                    }
                }
            }
        }
    }
}

/// What went wrong so far; nothing if nothing did.
fn troubles(tally: &Tally) -> String {
    let mut text = String::new();
    for (number, what) in [(tally.failed, "failed"), (tally.retried, "retried")] {
        if number > 0 {
            text += &format!(", {number} {what}");
        }
    }
    text
}
