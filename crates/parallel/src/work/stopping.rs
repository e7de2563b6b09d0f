//! Whether a call goes on, and who is to be told when it does not.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::current::Stop;

/// Shared with whoever may stop a call, or ask whether it has been stopped.
#[derive(Default)]
pub(super) struct Stopping {
    stopped: AtomicBool,
    /// Whether a lane shall look up from the tasks that it has: it is stopped, or another lane has none.
    interrupted: AtomicBool,
    /// Whether that came from outside of the call.
    cancelled: AtomicBool,
    /// What is to be called when it is stopped.
    waiting: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
}

impl Stopping {
    #[inline]
    pub(super) fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Has lanes look up from their tasks.
    pub(super) fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }

    /// What they were to look up for has been seen to.
    pub(super) fn resume(&self) {
        let _not_meanwhile = self.waiting.lock();
        self.interrupted.store(self.stopped(), Ordering::Relaxed);
    }

    pub(super) fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Has `wake` called once when it is stopped: at once if it is so already.
    pub(super) fn on_stop(&self, wake: impl FnOnce() + Send + 'static) {
        let mut waiting = self.waiting.lock();
        if self.stopped() {
            drop(waiting);
            wake();
        } else {
            waiting.push(Box::new(wake));
        }
    }

    /// Nothing more shall start.
    pub(super) fn stop(&self) {
        let waiting = {
            let mut waiting = self.waiting.lock();
            self.stopped.store(true, Ordering::Relaxed);
            self.interrupt();
            std::mem::take(&mut *waiting)
        };
        for wake in waiting {
            wake();
        }
    }

    /// The same, because somebody outside wants it so.
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.stop();
    }
}

impl Stop for Stopping {
    fn stopped(&self) -> bool {
        self.stopped()
    }

    fn cancel(&self) {
        self.cancel();
    }
}
