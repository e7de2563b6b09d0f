//! The threads that drive calls which go on after they have returned.

use std::io;
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;

use crate::context;

/// Threads that were started for streams. Dropped, it waits for those of streams that are over.
#[derive(Debug, Default)]
pub(super) struct Drivers(Mutex<Vec<Driver>>);

struct Driver {
    thread: JoinHandle<()>,
    /// Whether its stream is over.
    ending: Box<dyn Fn() -> bool + Send>,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.thread.fmt(f)
    }
}

impl Drivers {
    /// Starts a thread, of which `ending` tells whether its stream is over: nobody waits for it any more, or all
    /// has been done.
    pub(super) fn start(
        &self,
        drive: impl FnOnce() + Send + 'static,
        ending: impl Fn() -> bool + Send + 'static,
    ) -> io::Result<()> {
        let mut drivers = self.0.lock();
        drivers.retain(|driver| !driver.thread.is_finished());
        drivers.push(Driver {
            thread: spawn("parallel-drive", drive)?,
            ending: Box::new(ending),
        });
        Ok(())
    }
}

impl Drop for Drivers {
    fn drop(&mut self) {
        // The last handle may be dropped by a task that one of them drives, on whatever thread, or by one inside of it.
        if context::in_task() {
            return;
        }
        for driver in self.0.get_mut().drain(..) {
            let itself = driver.thread.thread().id() == thread::current().id();
            if (driver.ending)() && !itself {
                let _ = driver.thread.join();
            }
        }
    }
}

/// Starts a thread with a name.
pub(super) fn spawn(
    name: &str,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(body)
}
