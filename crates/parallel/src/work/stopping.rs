//! Whether a call goes on, and who is to be told when it does not.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::cancel::CancelToken;
use crate::current::Stop;

/// Wakes lanes that wait for something else when they are interrupted.
pub(crate) trait Bell: Send {
    /// They are to look up.
    fn ring(&self);

    /// They need not any more.
    fn quiet(&self);
}

/// Shared with whoever may stop a call, or ask whether it has been stopped.
#[derive(Default)]
pub(super) struct Stopping {
    stopped: AtomicBool,
    /// Whether a lane shall look up from the tasks that it has: it is stopped, or another lane has none.
    interrupted: AtomicBool,
    /// Whether that came from outside of the call.
    cancelled: AtomicBool,
    told: Mutex<Told>,
}

/// Who is told of it.
#[derive(Default)]
struct Told {
    /// What is to be called when it is stopped.
    on_stop: Vec<Box<dyn FnOnce() + Send>>,
    /// It rings while lanes are interrupted.
    bell: Option<Box<dyn Bell>>,
    /// That of calls which are made inside of the tasks.
    inside: Option<CancelToken>,
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
        let told = self.told.lock();
        self.interrupted.store(true, Ordering::Relaxed);
        told.bell.iter().for_each(|bell| bell.ring());
    }

    /// What they were to look up for has been seen to.
    pub(super) fn resume(&self) {
        let told = self.told.lock();
        if !self.stopped() {
            self.interrupted.store(false, Ordering::Relaxed);
            told.bell.iter().for_each(|bell| bell.quiet());
        }
    }

    /// Has lanes wait by this bell from now on. None must have been interrupted yet.
    pub(super) fn set_bell(&self, bell: impl Bell + 'static) {
        self.told.lock().bell = Some(Box::new(bell));
    }

    pub(super) fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Whether calls that were made inside of the tasks are cancelled, too.
    pub(super) fn cancelled_inside(&self) -> bool {
        self.cancelled() && self.told.lock().inside.is_some()
    }

    /// Has `wake` called once when it is stopped: at once if it is so already.
    pub(super) fn on_stop(&self, wake: Box<dyn FnOnce() + Send>) {
        let mut told = self.told.lock();
        if self.stopped() {
            drop(told);
            wake();
        } else {
            told.on_stop.push(wake);
        }
    }

    /// Nothing more shall start.
    pub(super) fn stop(&self) {
        let on_stop = {
            let mut told = self.told.lock();
            self.stopped.store(true, Ordering::Relaxed);
            self.interrupted.store(true, Ordering::Relaxed);
            std::mem::take(&mut told.on_stop)
        };
        for wake in on_stop {
            wake();
        }
    }

    /// The same, because somebody outside wants it so.
    pub(super) fn cancel(&self) {
        let inside = {
            let told = self.told.lock();
            self.cancelled.store(true, Ordering::Release);
            told.inside.clone()
        };
        self.stop();
        if let Some(inside) = inside {
            inside.cancel();
        }
    }
}

impl Stop for Stopping {
    fn stopped(&self) -> bool {
        self.stopped()
    }

    fn cancel(&self) {
        self.cancel();
    }

    fn inside(&self) -> Option<CancelToken> {
        let mut told = self.told.lock();
        let inside = told.inside.get_or_insert_default().clone();
        let cancelled = self.cancelled();
        drop(told);
        if cancelled {
            inside.cancel();
        }
        Some(inside)
    }
}
