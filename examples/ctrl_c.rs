//! Ctrl-C ends a call, and not the program: what was done is kept, what runs is ended, and the rest is
//! told to be cancelled.
//! Run it with `cargo run --example ctrl_c`. It presses Ctrl-C itself after a few results; be quicker.

use std::thread::sleep;
use std::time::Duration;

use parallel::{CancelToken, Failure, Parallel, Processes, delayed};
use rustix::process::{Signal, getpid, kill_process};

fn cook(order: u64) -> u64 {
    // The fourth one would take for ever.
    sleep(Duration::from_millis(if order == 3 { 1 << 40 } else { 50 }));
    order
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let token = CancelToken::new();
    let canceller = token.clone();
    // The handler runs on a thread of its own, so it may do what any code may.
    ctrlc::set_handler(move || canceller.cancel())?;

    // Ctrl-C does not reach the workers: each has a process group of its own.
    let parallel = Parallel::new(2)
        .backend(Processes::new())
        .cancel_token(token);

    let (mut served, mut cancelled) = (0, 0);
    for (order, outcome) in parallel.iter_unordered((0..).map(|i| delayed(cook, i))) {
        match outcome {
            Ok(_) => {
                println!("order {order} is served");
                served += 1;
                if served == 5 {
                    kill_process(getpid(), Signal::INT)?;
                }
            }
            Err(error) => {
                println!("{error}");
                assert!(matches!(error.failure(), Failure::Cancelled));
                cancelled += 1;
            }
        }
    }

    // The input has no end, and the loop has come to one.
    assert!(cancelled > 0);
    println!("{served} orders were served; good night");
    Ok(())
}
