//! What the tests share.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Runs a test that would hang if something were wrong: after two minutes the whole run is ended.
pub fn with_deadline<R>(test: impl FnOnce() -> R) -> R {
    let (done, waiting) = channel::<()>();
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    let watchdog = std::thread::spawn(move || {
        if waiting.recv_timeout(Duration::from_secs(120)) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{name} hangs");
            std::process::abort();
        }
    });
    let result = test();
    drop(done);
    watchdog.join().expect("it only waits");
    result
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
