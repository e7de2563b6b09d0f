//! What a task leaves for the end of its batch.

use std::cell::RefCell;
use std::mem::ManuallyDrop;

use crate::panics;

type Left = Vec<Box<dyn FnOnce()>>;

thread_local! {
    /// What is left to do; `None` outside of batches, as it is at the end of the thread. So it need not be dropped, and can be
    /// used by destructors of other thread-locals.
    static LEFT: RefCell<ManuallyDrop<Option<Left>>> = const { RefCell::new(ManuallyDrop::new(None)) };
}

/// Has `f` called on this thread when the batch of tasks that the current one belongs to has been run,
/// before the call that runs them returns. Outside of a task, `f` is called at once.
///
/// Tiny tasks are run in batches. What they have in common to do at the end, such as to write out what
/// they gathered, is done once for all of them this way. A task that has a batch of its own, as long
/// tasks do, leaves nothing waiting for others.
///
/// In a worker process that dies, what was left is lost with it. A panic of `f` is printed and harms
/// nothing.
///
/// ```
/// use std::cell::Cell;
/// use parallel::{Parallel, at_batch_end, delayed};
///
/// thread_local!(static SUM: Cell<u64> = const { Cell::new(0) });
///
/// /// Adds to the sum of the batch, which the first task of the batch has printed at its end.
/// fn count(i: u64) {
///     if SUM.replace(SUM.get() + i) == 0 && i > 0 {
///         at_batch_end(|| println!("{} in this batch", SUM.take()));
///     }
/// }
///
/// Parallel::new(2).map(count, 0..1000)?;
/// # Ok::<(), parallel::Error>(())
/// ```
pub fn at_batch_end(f: impl FnOnce() + 'static) {
    let now = LEFT.with_borrow_mut(|left| match &mut **left {
        Some(left) => {
            left.push(Box::new(f));
            None
        }
        None => Some(f),
    });
    if let Some(f) = now {
        f();
    }
}

/// A place where batches are run. Calls inside of tasks make one inside another.
pub(crate) struct Batches {
    outer: Option<Left>,
}

impl Batches {
    pub(crate) fn begin() -> Self {
        let inner = ManuallyDrop::new(Some(Vec::new()));
        let outer = ManuallyDrop::into_inner(LEFT.replace(inner));
        Self { outer }
    }

    /// A batch has been run: does what its tasks left.
    pub(crate) fn end_of_batch(&self) {
        // One may leave another.
        while let Some(f) = LEFT.with_borrow_mut(|left| left.as_mut()?.pop()) {
            panics::print(f);
        }
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        let outer = ManuallyDrop::new(self.outer.take());
        let inner = ManuallyDrop::into_inner(LEFT.replace(outer));
        // It is the user's.
        panics::discard(inner.into_iter().flatten().collect());
    }
}
