//! Results in an asynchronous program: a stream, and a single task. The tasks run on threads or in
//! processes as always, and no thread of the runtime is blocked.
//! Run it with `cargo run --example async_tokio --features stream`.

use std::error::Error;

use parallel::{Parallel, Processes, delayed};
use tokio_stream::StreamExt;

fn collatz_steps(start: u64) -> u32 {
    let mut n = start;
    let mut steps = 0;
    while n != 1 {
        n = if n.is_multiple_of(2) {
            n / 2
        } else {
            3 * n + 1
        };
        steps += 1;
    }
    steps
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let parallel = Parallel::new(2).backend(Processes::new());

    // A task that was submitted is a future. Here the runtime waits for it, beside the stream.
    let single = tokio::spawn(parallel.submit(delayed(collatz_steps, 27)));

    let mut steps = parallel
        .iter((1..).map(|n| delayed(collatz_steps, n)))
        .into_stream();
    let (mut start, mut longest) = (0, (0, 0));
    while start < 10_000
        && let Some(steps) = steps.next().await
    {
        start += 1;
        longest = longest.max((steps?, start));
    }
    println!(
        "{} takes the longest way to 1: {} steps",
        longest.1, longest.0
    );
    assert_eq!(longest, (261, 6171));

    assert_eq!(single.await??, 111);
    Ok(())
}
