//! What wakes lanes that wait for their workers: counters of events, which go from call to call.
//!
//! ```text
//!   call begins ──► signal ──► lanes wait by it
//!                     └──────► ringers, with whoever stops the call or interrupts its lanes, now or too late
//!   call ends   ──► ringers let go ──► emptied ──► the next call
//! ```
//!
//! To have the kernel make a counter and close it took a quarter of what a warm call of one task takes.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{read, write};

use super::cannot_start;
use crate::error::BackendError;
use crate::work::Bell;

/// The counters that no call has.
#[derive(Debug, Default)]
pub(super) struct Counters(Mutex<Vec<Arc<OwnedFd>>>);

/// A counter that a call has. It is readable from when it is rung until it is quieted.
pub(super) struct Signal<'c> {
    counters: &'c Counters,
    counter: Arc<OwnedFd>,
    ringer: Ringer,
}

/// Rings a signal while its call has it.
#[derive(Clone)]
pub(super) struct Ringer(Arc<Mutex<Lent>>);

struct Lent {
    /// None when the call has it no more.
    counter: Option<Arc<OwnedFd>>,
    rung: bool,
}

impl Counters {
    pub(super) fn signal(&self) -> Result<Signal<'_>, BackendError> {
        let idle = self.0.lock().pop();
        let counter = match idle {
            Some(counter) => counter,
            // Nobody ever waits to write to it, nor to read.
            None => eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
                .map(Arc::new)
                .map_err(|error| cannot_start(&error.into()))?,
        };
        let lent = Lent {
            counter: Some(Arc::clone(&counter)),
            rung: false,
        };
        Ok(Signal {
            counters: self,
            counter,
            ringer: Ringer(Arc::new(Mutex::new(lent))),
        })
    }
}

impl Signal<'_> {
    pub(super) fn ringer(&self) -> Ringer {
        self.ringer.clone()
    }
}

impl AsFd for Signal<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.counter.as_fd()
    }
}

impl Lent {
    fn ring(&mut self) {
        if let Some(counter) = &self.counter {
            let _ = write(counter, &1u64.to_ne_bytes());
            self.rung = true;
        }
    }

    fn quiet(&mut self) {
        if let Some(counter) = self.counter.as_ref().filter(|_| self.rung) {
            let _ = read(counter, &mut [0; 8]);
            self.rung = false;
        }
    }
}

impl Bell for Ringer {
    fn ring(&self) {
        self.0.lock().ring();
    }

    fn quiet(&self) {
        self.0.lock().quiet();
    }
}

impl Drop for Signal<'_> {
    fn drop(&mut self) {
        let mut lent = self.ringer.0.lock();
        lent.quiet();
        self.counters.0.lock().extend(lent.counter.take());
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    fn rings(signal: &Signal<'_>) -> bool {
        let mut waits = [PollFd::new(signal, PollFlags::IN)];
        poll(&mut waits, Some(&Timespec::default())).unwrap() > 0
    }

    #[test]
    fn a_signal_is_the_next_calls_however_late_it_is_rung() {
        let counters = Counters::default();
        let first = counters.signal().unwrap();
        let late = first.ringer();
        assert!(!rings(&first));
        late.ring();
        late.ring();
        assert!(rings(&first));
        drop(first);
        let next = counters.signal().unwrap();
        assert!(counters.0.lock().is_empty(), "it is the same counter");
        assert!(!rings(&next), "what the call before was told");
        late.ring();
        assert!(!rings(&next), "what it was told too late");
        next.ringer().ring();
        late.quiet();
        assert!(rings(&next));
        next.ringer().quiet();
        assert!(!rings(&next));
    }
}
