//! Waiting for the first of several submitted tasks.

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::handle::Handle;
use crate::error::Error;

/// Waits for the first of several tasks that has an outcome, and gives its place among the handles; `None`
/// if there are no handles. One that is finished already comes first.
///
/// ```
/// use std::sync::mpsc::channel;
/// use parallel::{Parallel, delayed, wait_first};
///
/// let (send, receive) = channel::<()>();
/// let parallel = Parallel::new(2);
/// let slow = move |()| receive.recv().is_err();
/// let quick = |()| true;
/// let handles = [parallel.submit(delayed(slow, ())), parallel.submit(delayed(quick, ()))];
/// assert_eq!(wait_first(&handles), Some(1));
/// drop(send);
/// assert!(handles.into_iter().all(|handle| handle.join().unwrap()));
/// ```
pub fn wait_first<'h, R: 'h>(handles: impl IntoIterator<Item = &'h Handle<R>>) -> Option<usize> {
    // Who has no deadline waits until there is one.
    wait_until(handles, None).unwrap_or(None)
}

/// [`wait_first`], but waits no longer than this: `timeout` of `concurrent.futures`' `wait`.
///
/// # Errors
/// [`Error::StillRunning`] if none has an outcome yet.
///
/// ```
/// use std::sync::mpsc::channel;
/// use std::time::Duration;
/// use parallel::{Error, Parallel, delayed, wait_first_timeout};
///
/// let (send, receive) = channel::<u32>();
/// let parallel = Parallel::new(2);
/// let handles = [parallel.submit(delayed(move |()| receive.recv().unwrap(), ()))];
/// let early = wait_first_timeout(&handles, Duration::from_millis(10));
/// assert!(matches!(early, Err(Error::StillRunning)));
/// send.send(7).unwrap();
/// assert_eq!(wait_first_timeout(&handles, Duration::from_secs(60))?, Some(0));
/// # Ok::<(), Error>(())
/// ```
pub fn wait_first_timeout<'h, R: 'h>(
    handles: impl IntoIterator<Item = &'h Handle<R>>,
    time: Duration,
) -> Result<Option<usize>, Error> {
    wait_until(handles, Instant::now().checked_add(time))
}

fn wait_until<'h, R: 'h>(
    handles: impl IntoIterator<Item = &'h Handle<R>>,
    deadline: Option<Instant>,
) -> Result<Option<usize>, Error> {
    let handles: Vec<_> = handles.into_iter().collect();
    if handles.is_empty() {
        return Ok(None);
    }
    let first_finished = || handles.iter().position(|handle| handle.is_finished());
    if first_finished().is_none()
        && let Some(next) = handles.iter().find(|handle| handle.place.is_full())
    {
        next.rush();
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let watched = handles
        .iter()
        .take_while(|handle| handle.shared.watch(&waker));
    let watched = watched.count();
    let first = loop {
        let first = first_finished();
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        if first.is_some() || left.is_some_and(|left| left.is_zero()) {
            break first;
        }
        left.map_or_else(thread::park, thread::park_timeout);
    };
    for handle in &handles[..watched] {
        handle.shared.unwatch(&waker);
    }
    first.map(Some).ok_or(Error::StillRunning)
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
