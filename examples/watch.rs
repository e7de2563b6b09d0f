//! Watches calls run: lines as joblib prints them, a bar, and a trace to look at afterwards.
//! Run it with `cargo run --example watch`.

use std::error::Error;
use std::time::Duration;

use parallel::{Parallel, Progress, Trace, delayed};

fn cook(minutes: u64) -> u64 {
    assert_ne!(minutes, 13, "burnt");
    std::thread::sleep(Duration::from_millis(minutes));
    minutes
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("watch-{}.json", std::process::id()));
    let trace = Trace::chrome(&path)?;
    let dishes = || (0..40u64).map(|minutes| delayed(cook, minutes));

    // [Parallel(n_jobs=2)]: Done 18 out of 40, 1 failed | elapsed: 0.1s remaining: 0.1s
    let parallel = Parallel::new(2).verbose(10).observer(trace.clone());
    let failed = parallel
        .outcomes(dishes())?
        .iter()
        .filter(|outcome| outcome.is_err())
        .count();
    assert_eq!(failed, 1);

    // A bar, or plain lines if standard error is no terminal; and what else there is to say.
    let progress = Progress::new().per_worker(true);
    let parallel = Parallel::new(2)
        .observer(progress.clone())
        .observer(trace.clone());
    for outcome in parallel.iter(dishes()) {
        if let Err(error) = outcome {
            progress.suspend(|| println!("{error}"));
        }
    }

    // Both calls are in the trace, which https://ui.perfetto.dev opens.
    trace.flush()?;
    let size = std::fs::metadata(&path)?.len();
    println!("a trace of {size} bytes");
    std::fs::remove_file(&path)?;
    Ok(())
}
