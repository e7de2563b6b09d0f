//! Nothing may hang.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::leaks::{children, status};

/// The longest storm with the longest timeouts takes a small part of it.
const TOO_LONG: Duration = Duration::from_secs(120);

/// Does something that ends. If it does not, the whole run ends, and says where it was.
pub(crate) fn watched<R>(what: &str, folder: &Path, deed: impl FnOnce() -> R) -> R {
    let (done, waiting) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if waiting.recv_timeout(TOO_LONG) == Err(RecvTimeoutError::Timeout) {
                eprintln!("HANGS for {TOO_LONG:?}: {what}");
                for pid in children() {
                    eprintln!("child {pid}: {:?}", status(pid));
                }
                eprintln!("its journal is in {}", folder.display());
                std::process::exit(1);
            }
        });
        let result = deed();
        drop(done);
        result
    })
}
