//! What was submitted and is not over: for who waits for all of it.
//!
//! ```text
//!   submit ──► ticket ──► task ──► outcome ──► callback ──► ticket dropped
//! ```
//!
//! A ticket goes with its task to the end of all that comes of it, or is dropped with it. From the task's beginning to that
//! end, it stays on one thread.

use std::sync::Arc;
use std::thread::{self, ThreadId};

use parking_lot::{Condvar, Mutex};

/// Counts the tickets that there are.
#[derive(Debug, Default)]
pub(super) struct Open {
    state: Mutex<State>,
    none_left: Condvar,
}

#[derive(Debug, Default)]
struct State {
    tickets: usize,
    /// Where those are that have begun.
    busy: Vec<ThreadId>,
}

/// That something is not over.
pub(super) struct Ticket {
    open: Arc<Open>,
    begun: bool,
}

/// Who would wait is on this thread what is waited for.
pub(super) struct WaitsForItself;

impl Open {
    pub(super) fn ticket(self: &Arc<Self>) -> Ticket {
        self.state.lock().tickets += 1;
        let open = Arc::clone(self);
        Ticket { open, begun: false }
    }

    /// Waits until there are no tickets.
    pub(super) fn wait(&self) -> Result<(), WaitsForItself> {
        let mut state = self.state.lock();
        if state.busy.contains(&thread::current().id()) {
            return Err(WaitsForItself);
        }
        while state.tickets > 0 {
            self.none_left.wait(&mut state);
        }
        Ok(())
    }
}

impl Ticket {
    /// Here and now, if it has not begun.
    pub(super) fn begin(&mut self) {
        if self.begun {
            return;
        }
        let here = thread::current().id();
        self.open.state.lock().busy.push(here);
        self.begun = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.open.state.lock();
        if self.begun {
            let here = thread::current().id();
            let place = state.busy.iter().position(|busy| *busy == here);
            place.map(|place| state.busy.swap_remove(place));
        }
        state.tickets -= 1;
        if state.tickets == 0 {
            self.open.none_left.notify_all();
        }
    }
}
