//! Results as they come: `iter`, `iter_unordered`, `for_each`.
//!
//! ```text
//!   pull    a thread of its own: the caller's iterator ──► Work
//!   drive   a thread of its own, and its helpers: Work ──► tasks ──► Work
//!   caller  takes what there is, and sleeps while there is nothing
//! ```

use std::fmt;
use std::io;
use std::sync::Arc;
#[cfg(feature = "stream")]
use std::task::{self, Poll};
use std::thread;
use std::time::{Duration, Instant};

use super::Parallel;
use super::drivers::spawn;
use crate::backend::Backend;
use crate::context::Context;
use crate::delayed::Task;
use crate::error::{BackendError, Error, Outcome};
use crate::panics;
use crate::work::{Cursor, Handing, OnFailure, Work};

impl<B> Parallel<B> {
    /// The outcomes in the order of the input, each as soon as it is there: joblib's
    /// `return_as="generator"`.
    ///
    /// Work starts at once. No more tasks are pulled from the input, and not yet handed over, than
    /// [`pre_dispatch`](Self::pre_dispatch) says, however slow the consumer. The input runs on a thread of
    /// its own; it may wait for what came of the tasks before.
    ///
    /// To drop it ends the call: nothing more starts. It may outlive the `Parallel`, whose workers stay
    /// until then.
    ///
    /// If the backend cannot go on, the last outcome says so.
    ///
    /// ```
    /// use parallel::{Parallel, delayed};
    ///
    /// let mut sum = 0;
    /// // However long the input is.
    /// for outcome in Parallel::new(2).iter((0..).map(|i: u64| delayed(|i| i * i, i))).take(100) {
    ///     sum += outcome?;
    /// }
    /// assert_eq!(sum, 328_350);
    /// # Ok::<(), parallel::TaskError>(())
    /// ```
    pub fn iter<I>(&self, tasks: I) -> Iter<I::Item>
    where
        I: IntoIterator,
        I::IntoIter: Send + 'static, // It outlives this call: for what borrows there is `for_each`.
        I::Item: Task + Send + 'static,
        <I::Item as Task>::Output: Send + 'static,
        B: Backend<I::Item> + 'static, // In other processes: owned arguments only, no captures, no borrows.
    {
        Iter(self.stream(tasks, Handing::InOrder))
    }

    /// The outcomes as they come, each with the index of its task: joblib's
    /// `return_as="generator_unordered"`, `multiprocessing.Pool`'s `imap_unordered`.
    ///
    /// Otherwise as [`iter`](Self::iter).
    ///
    /// ```
    /// use parallel::{Parallel, delayed};
    ///
    /// let parallel = Parallel::new(2);
    /// let mut seen: Vec<usize> = parallel
    ///     .iter_unordered((0..10u64).map(|i| delayed(|i| i, i)))
    ///     .map(|(index, _outcome)| index)
    ///     .collect();
    /// seen.sort();
    /// assert!(seen.into_iter().eq(0..10));
    /// ```
    pub fn iter_unordered<I>(&self, tasks: I) -> IterUnordered<I::Item>
    where
        I: IntoIterator,
        I::IntoIter: Send + 'static, // It outlives this call: for what borrows there is `for_each`.
        I::Item: Task + Send + 'static,
        <I::Item as Task>::Output: Send + 'static,
        B: Backend<I::Item> + 'static, // In other processes: owned arguments only, no captures, no borrows.
    {
        IterUnordered(self.stream(tasks, Handing::AsFinished))
    }

    /// Calls `f` with the index and the outcome of each task as they come, on this thread, and returns
    /// when all is done. Tasks, input and `f` may borrow.
    ///
    /// No more tasks are pulled from the input, and not yet through `f`, than
    /// [`pre_dispatch`](Self::pre_dispatch) says.
    ///
    /// # Errors
    /// [`Error::NoJobs`] and [`Error::Backend`], as for [`outcomes`](Self::outcomes).
    ///
    /// # Panics
    /// If `f` does: then nothing more starts, and what runs is waited for.
    ///
    /// ```
    /// use parallel::{Parallel, delayed};
    ///
    /// let names = ["Flour".to_owned(), "Yeast".to_owned()];
    /// let mut lengths = vec![0; 2];
    /// let tasks = names.iter().map(|name| delayed(String::len, name));
    /// Parallel::new(2).for_each(tasks, |index, outcome| lengths[index] = outcome.unwrap())?;
    /// assert_eq!(lengths, [5, 5]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    pub fn for_each<I, F>(&self, tasks: I, mut f: F) -> Result<(), Error>
    where
        I: IntoIterator,
        I::IntoIter: Send,
        I::Item: Task + Send,
        <I::Item as Task>::Output: Send,
        F: FnMut(usize, Outcome<<I::Item as Task>::Output>),
        B: Backend<I::Item>, // In other processes: owned arguments only, no captures, no borrows.
    {
        let plan = self.plan::<I::Item>(OnFailure::GoOn)?;
        let (lanes, context) = (plan.lanes, &Context::here());
        let tasks = tasks.into_iter();
        let work = &Work::stream(Handing::AsFinished, size_of_input(&tasks), plan);
        let mut cursor = Cursor::new_once_through();
        thread::scope(|scope| {
            // Also when `f` panics: the scope waits for the threads.
            let _abandon = Abandon(work);
            let pull = move || context.enter(|| work.pull_all(tasks));
            let drive = move || context.enter(|| self.drive(lanes, work));
            let named = |name: &str| thread::Builder::new().name(name.to_owned());
            let started = named("parallel-pull").spawn_scoped(scope, pull);
            let started = started.and_then(|_| named("parallel-drive").spawn_scoped(scope, drive));
            if let Err(error) = started {
                return Err(no_thread(&error));
            }
            while let Some((index, outcome)) = cursor.next(work) {
                f(index, outcome);
            }
            Ok(())
        })?;
        cursor
            .take_error(work)
            .map_or(Ok(()), |error| Err(error.into()))
    }

    fn stream<I>(&self, tasks: I, handing: Handing) -> Stream<I::Item>
    where
        I: IntoIterator,
        I::IntoIter: Send + 'static, // It outlives this call: for what borrows there is `for_each`.
        I::Item: Task + Send + 'static,
        <I::Item as Task>::Output: Send + 'static,
        B: Backend<I::Item> + 'static,
    {
        let (plan, refused) = match self.plan::<I::Item>(OnFailure::GoOn) {
            Ok(plan) => (plan, None),
            Err(error) => {
                let error = BackendError::new(error.to_string());
                (self.plan_for(1, OnFailure::GoOn), Some(error))
            }
        };
        let (lanes, context) = (plan.lanes, Context::here());
        let tasks = tasks.into_iter();
        let work = Arc::new(Work::stream(handing, size_of_input(&tasks), plan));
        let started = match refused {
            Some(error) => Err(error),
            None => {
                let (input, ending) = (Arc::clone(&work), Arc::clone(&work));
                let of_input = context.clone();
                let pull = move || of_input.enter(|| input.pull_all(tasks));
                let (backend, output) = (Arc::clone(&self.backend), Arc::clone(&work));
                let drive = move || {
                    context.enter(|| drive(&*backend, lanes, &output));
                };
                let threads = spawn("parallel-pull", pull)
                    .and_then(|_| self.drivers.start(drive, move || ending.is_closed()));
                threads.map_err(|error| no_thread(&error))
            }
        };
        if let Err(error) = started {
            work.close(Err(error));
        }
        Stream {
            work,
            cursor: Cursor::new(),
        }
    }

    /// Has the backend do the work of a stream.
    fn drive<T: Task>(&self, lanes: usize, work: &Work<'_, T>)
    where
        B: Backend<T>,
    {
        drive(&*self.backend, lanes, work);
    }
}

/// Has a backend do the work of a stream, to whose end its caller comes by whatever way.
fn drive<T: Task>(backend: &impl Backend<T>, lanes: usize, work: &Work<'_, T>) {
    work.close(driven(backend, lanes, work));
}

/// Has a backend do work, and tells its panic as an error.
pub(super) fn driven<T: Task>(
    backend: &impl Backend<T>,
    lanes: usize,
    work: &Work<'_, T>,
) -> Result<(), BackendError> {
    panics::catch(|| backend.drive(lanes, work)).unwrap_or_else(|panic| {
        let message = format!("the backend panicked: {}", panic.message);
        Err(BackendError::new(message))
    })
}

fn size_of_input(tasks: &impl Iterator) -> (usize, Option<usize>) {
    panics::catch(|| tasks.size_hint()).unwrap_or((0, None))
}

pub(super) fn no_thread(error: &io::Error) -> BackendError {
    BackendError::new(format!(
        "cannot start a thread for the call: {error}; raise the limit (`ulimit -u`) or run fewer at a time"
    ))
}

/// Ends a call that its caller leaves.
struct Abandon<'w, 'a, T: Task>(&'w Work<'a, T>);

impl<T: Task> Drop for Abandon<'_, '_, T> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// An outcome and the index of its task.
type Indexed<T> = (usize, Outcome<<T as Task>::Output>);

/// A call whose results are taken as they come.
pub(super) struct Stream<T: Task> {
    pub(super) work: Arc<Work<'static, T>>,
    pub(super) cursor: Cursor<T::Output>,
}

impl<T: Task> Stream<T> {
    fn next(&mut self) -> Option<Indexed<T>> {
        let next = self.cursor.next(&self.work);
        next.or_else(|| self.cursor.last(&self.work))
    }

    fn next_timeout(&mut self, time: Duration) -> Result<Option<Indexed<T>>, Error> {
        let deadline = Instant::now().checked_add(time);
        let next = self.cursor.next_until(&self.work, deadline);
        let next = next.map_err(|_| Error::StillRunning)?;
        Ok(next.or_else(|| self.cursor.last(&self.work)))
    }

    #[cfg(feature = "stream")]
    pub(super) fn poll_next(
        &mut self,
        context: &mut task::Context<'_>,
    ) -> Poll<Option<Indexed<T>>> {
        let next = self.cursor.poll_next(&self.work, context);
        next.map(|next| next.or_else(|| self.cursor.last(&self.work)))
    }
}

impl<T: Task> Drop for Stream<T> {
    fn drop(&mut self) {
        self.work.abandon();
    }
}

/// The outcomes of a call in the order of its input: what [`Parallel::iter`] gives.
#[must_use = "to drop it ends the call"]
pub struct Iter<T: Task>(pub(super) Stream<T>);

impl<T: Task> Iter<T> {
    /// The next outcome if it is there within this time, as `next(timeout)` of what `multiprocessing.Pool`'s `imap` gives.
    /// After a time without it, the work goes on, and nothing is lost: ask again.
    ///
    /// # Errors
    /// [`Error::StillRunning`] if it is not there yet.
    ///
    /// ```
    /// use std::sync::mpsc::channel;
    /// use std::time::Duration;
    /// use parallel::{Error, Parallel, delayed};
    ///
    /// let (send, receive) = channel::<u32>();
    /// let wait = move |()| receive.recv().unwrap();
    /// let mut outcomes = Parallel::new(2).iter([delayed(wait, ())]);
    /// let early = outcomes.next_timeout(Duration::from_millis(10));
    /// assert!(matches!(early, Err(Error::StillRunning)));
    /// send.send(7).unwrap();
    /// assert_eq!(outcomes.next_timeout(Duration::from_secs(60))?.unwrap()?, 7);
    /// assert!(outcomes.next_timeout(Duration::from_secs(60))?.is_none());
    /// # Ok::<(), parallel::Error>(())
    /// ```
    pub fn next_timeout(&mut self, time: Duration) -> Result<Option<Outcome<T::Output>>, Error> {
        let next = self.0.next_timeout(time)?;
        Ok(next.map(|(_, outcome)| outcome))
    }
}

impl<T: Task> Iterator for Iter<T> {
    type Item = Outcome<T::Output>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(_, outcome)| outcome)
    }
}

impl<T: Task> fmt::Debug for Iter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").finish_non_exhaustive()
    }
}

/// The outcomes of a call as they come, with their indices: what [`Parallel::iter_unordered`] gives.
#[must_use = "to drop it ends the call"]
pub struct IterUnordered<T: Task>(pub(super) Stream<T>);

impl<T: Task> IterUnordered<T> {
    /// The next outcome and its index if it is there within this time; see [`Iter::next_timeout`].
    ///
    /// # Errors
    /// [`Error::StillRunning`] if it is not there yet.
    pub fn next_timeout(&mut self, time: Duration) -> Result<Option<Indexed<T>>, Error> {
        self.0.next_timeout(time)
    }
}

impl<T: Task> Iterator for IterUnordered<T> {
    type Item = (usize, Outcome<T::Output>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl<T: Task> fmt::Debug for IterUnordered<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IterUnordered").finish_non_exhaustive()
    }
}
