//! How a task in a worker sees that its call has been stopped, and stops it itself.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::memory::Memory;
use crate::cancel::CancelToken;
use crate::current::Stop;

/// How a task sees that it is not wanted any more: its call has ended.
pub(super) struct Revoked {
    pub(super) memory: Arc<Memory>,
    /// Wakes the parent.
    pub(super) tell: Arc<OwnedFd>,
    pub(super) call: u32,
}

impl Stop for Revoked {
    fn stopped(&self) -> bool {
        self.memory.control().call() != self.call
    }

    fn cancel(&self) {
        self.memory.control().ask_to_cancel(self.call);
        // The parent may be asleep.
        let _ = rustix::io::write(&*self.tell, &[1]);
    }

    /// The worker ends with all that its task does, if that takes too long.
    fn inside(&self) -> Option<CancelToken> {
        None
    }
}
