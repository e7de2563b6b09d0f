//! For tests that would hang if something were wrong: those in here, and those in `tests`.

use std::io::{Write, stderr};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// So long a test may take on a machine that does much else, where those with clusters take more than a minute.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs a test that would hang if something were wrong: the whole run is ended then.
pub fn with_deadline<R>(test: impl FnOnce() -> R) -> R {
    let (done, waiting) = channel::<()>();
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    let watchdog = std::thread::spawn(move || {
        if waiting.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            // Not by `eprintln`, whose text the test harness keeps until the test ends.
            let _ = writeln!(stderr(), "{name} hangs");
            std::process::abort();
        }
    });
    let result = test();
    drop(done);
    watchdog.join().expect("it only waits");
    result
}
