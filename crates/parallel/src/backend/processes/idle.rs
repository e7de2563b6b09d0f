//! Workers between calls: warm, and let go after a time if the user wants that.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::Processes;
use super::process::{Process, dismiss};

impl Processes {
    /// After how long a worker that has nothing to do is let go. The next call starts another one. By
    /// default it stays as long as its `Parallel`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use parallel::{Parallel, Processes, delayed};
    ///
    /// let processes = Processes::new().idle_timeout(Duration::from_secs(300));
    /// let parallel = Parallel::new(2).backend(processes);
    /// assert_eq!(parallel.run([delayed(|i: i32| i + 1, 1)])?, [2]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    #[must_use]
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.limits.idle_timeout = Some(time);
        self
    }
}

/// The workers that no call is using. Dropped, it lets them go.
#[derive(Debug, Default)]
pub(super) struct Idle {
    shared: Arc<Shared>,
    /// Started when there is first something for it to wait for.
    keeper: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// A worker has come, or it is over.
    news: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The one that came last is the last.
    resting: Vec<Resting>,
    closing: bool,
}

#[derive(Debug)]
struct Resting {
    process: Process,
    /// When it is to be let go.
    until: Option<Instant>,
}

impl Idle {
    pub(super) fn len(&self) -> usize {
        self.shared.state.lock().resting.len()
    }

    /// Takes out the worker that came last and whose number will do.
    pub(super) fn take(&self, suits: impl Fn(usize) -> bool) -> Option<Process> {
        let resting = &mut self.shared.state.lock().resting;
        let at = resting.iter().rposition(|r| suits(r.process.number))?;
        Some(resting.remove(at).process)
    }

    /// Keeps a worker, if there are fewer than `most`, no longer than for this time.
    pub(super) fn put(&self, process: Process, most: usize, time: Option<Duration>) {
        let until = time.and_then(|time| Instant::now().checked_add(time));
        let mut state = self.shared.state.lock();
        if state.resting.len() >= most {
            drop(state);
            return dismiss(vec![process]);
        }
        state.resting.push(Resting { process, until });
        drop(state);
        if until.is_some() {
            self.shared.news.notify_one();
            self.keep();
        }
    }

    fn keep(&self) {
        let mut keeper = self.keeper.lock();
        if keeper.is_none() {
            let shared = Arc::clone(&self.shared);
            let thread = std::thread::Builder::new().name("parallel-idle".to_owned());
            // Without a thread the workers stay, as if there were no limit.
            *keeper = thread.spawn(move || let_go_in_time(&shared)).ok();
        }
    }
}

/// Lets each worker go when its time has come.
fn let_go_in_time(shared: &Shared) {
    let mut state = shared.state.lock();
    while !state.closing {
        let now = Instant::now();
        let late = |resting: &mut Resting| resting.until.is_some_and(|until| until <= now);
        let due: Vec<Process> = state
            .resting
            .extract_if(.., late)
            .map(|resting| resting.process)
            .collect();
        if !due.is_empty() {
            drop(state);
            dismiss(due);
            state = shared.state.lock();
            continue;
        }
        match state.resting.iter().filter_map(|r| r.until).min() {
            Some(until) => {
                shared.news.wait_until(&mut state, until);
            }
            None => shared.news.wait(&mut state),
        }
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.closing = true;
        let resting = std::mem::take(&mut state.resting);
        drop(state);
        self.shared.news.notify_one();
        dismiss(resting.into_iter().map(|r| r.process).collect());
        if let Some(keeper) = self.keeper.get_mut().take() {
            let _ = keeper.join();
        }
    }
}
