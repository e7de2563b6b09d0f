//! Stopping calls from outside.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

/// Stops calls: one that a [`Parallel`](crate::Parallel) was given, from wherever a clone of it is.
///
/// When it is cancelled, no task of such a call starts any more. What runs on threads ends by itself, or
/// asks [`current`](crate::current) whether it is cancelled; what runs in a worker process gets a short
/// grace and is killed. Tasks without a result end with [`Failure::Cancelled`](crate::Failure::Cancelled). So do calls
/// that tasks of such a call have made.
///
/// ```
/// use parallel::{CancelToken, Error, Failure, Parallel, delayed};
///
/// let token = CancelToken::new();
/// let parallel = Parallel::new(2).cancel_token(token.clone());
/// let third = |i: u32| if i == 3 { token.cancel() };
/// match parallel.run((0..).map(|i| delayed(third, i))) {
///     Err(Error::Task(error)) => assert!(matches!(error.failure(), Failure::Cancelled)),
///     other => panic!("{other:?}"),
/// }
/// ```
///
/// For Ctrl-C, cancel it in a handler of that signal; the example `ctrl_c` does.
#[derive(Clone, Default)]
pub struct CancelToken {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    cancelled: AtomicBool,
    watching: Mutex<Watching>,
}

#[derive(Default)]
struct Watching {
    next_id: u64,
    /// What is to be called when it is cancelled, in the order in which it came. Each task that is submitted has one
    /// of its own, so there may be many.
    calls: BTreeMap<u64, Box<dyn FnOnce() + Send>>,
}

impl CancelToken {
    /// One that is not cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops all calls that have this token, now and later.
    pub fn cancel(&self) {
        let calls = {
            let mut watching = self.shared.watching.lock();
            self.shared.cancelled.store(true, Ordering::Release);
            std::mem::take(&mut watching.calls)
        };
        for call in calls.into_values() {
            call();
        }
    }

    /// Whether it has been cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Acquire)
    }

    /// Has `f` called once when it is cancelled, at once if it is already; until the guard is dropped.
    pub(crate) fn watch(&self, f: Box<dyn FnOnce() + Send>) -> Watch {
        let mut watching = self.shared.watching.lock();
        let id = watching.next_id;
        watching.next_id += 1;
        if self.is_cancelled() {
            drop(watching);
            f();
        } else {
            watching.calls.insert(id, f);
        }
        Watch {
            shared: Arc::clone(&self.shared),
            id,
        }
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancelToken")
            .field(&self.is_cancelled())
            .finish()
    }
}

/// Someone who watches a token.
pub(crate) struct Watch {
    shared: Arc<Shared>,
    id: u64,
}

impl Drop for Watch {
    fn drop(&mut self) {
        // What it holds is dropped when the lock is free again.
        let _call = self.shared.watching.lock().calls.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn who_watches_is_told_once_and_who_has_gone_is_not() {
        let (token, told) = (CancelToken::new(), Arc::new(AtomicUsize::new(0)));
        let count = || {
            let told = Arc::clone(&told);
            move || {
                told.fetch_add(1, Ordering::Relaxed);
            }
        };
        let first = token.watch(Box::new(count()));
        drop(token.watch(Box::new(count())));
        token.cancel();
        token.cancel();
        assert_eq!(told.load(Ordering::Relaxed), 1);
        let late = token.watch(Box::new(count()));
        assert_eq!(told.load(Ordering::Relaxed), 2);
        drop((first, late));
        assert!(token.shared.watching.lock().calls.is_empty());
    }
}
