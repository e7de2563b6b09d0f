//! What the tests share.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

#[path = "../../src/deadline.rs"]
mod deadline;
pub use deadline::with_deadline;

/// Waits for something that others bring about. For use within a deadline.
pub fn until(so: impl Fn() -> bool) {
    while !so() {
        std::thread::yield_now();
    }
}

/// Something that a task in whatever process can wait for: a file that is there or not.
pub struct Signal(PathBuf);

impl Signal {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let (pid, n) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(format!("parallel-signal-{pid}-{n}")))
    }

    pub fn path(&self) -> PathBuf {
        self.0.clone()
    }

    pub fn give(&self) {
        give(&self.0);
    }
}

/// The same for who has only its path, as an observer should, which may be dropped later than its test ends.
pub fn give(signal: &Path) {
    std::fs::write(signal, "").unwrap();
}

impl Drop for Signal {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Work for the processor, so that tasks overlap.
pub fn spin(rounds: u64) -> u64 {
    (0..rounds).fold(1, |x, i| std::hint::black_box(x ^ i).rotate_left(7))
}

/// A seed for a randomized test, printed so that it can be set again with `SEED=…`.
pub fn seed() -> u64 {
    let seed = match std::env::var("SEED") {
        Ok(seed) => seed.parse().expect("SEED is a number"),
        Err(_) => rand::random(),
    };
    println!("SEED={seed}");
    seed
}

/// Ends when the others have begun too. By whom it was run.
pub fn meet((mine, others): (PathBuf, Vec<PathBuf>)) -> usize {
    std::fs::write(mine, "").unwrap();
    for other in others {
        until(|| other.exists());
    }
    parallel::current().unwrap().worker()
}
