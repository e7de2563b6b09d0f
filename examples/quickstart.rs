//! A loop, run on threads and then in worker processes by changing one line.
//! Run it with `cargo run --example quickstart`.

use parallel::{Parallel, Processes, delayed};

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

fn main() -> Result<(), parallel::Error> {
    // -1: as many workers as there are CPUs.
    let on_threads = Parallel::new(-1).run((1..100_000).map(|n| delayed(collatz_steps, n)))?;

    let in_processes = Parallel::new(-1)
        .backend(Processes::new())
        .run((1..100_000).map(|n| delayed(collatz_steps, n)))?;

    // Results come in the order of the input, wherever they come from.
    assert_eq!(on_threads, in_processes);
    assert_eq!(on_threads[26], 111);
    println!("27 takes {} steps to 1", on_threads[26]);
    Ok(())
}
