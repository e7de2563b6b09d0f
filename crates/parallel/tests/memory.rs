//! What a program that never ends must not see: memory that each call leaves behind.

#![cfg(target_os = "linux")]

use parallel::{CancelToken, Delayed, Parallel, Processes, Shared, delayed};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const ROUNDS: usize = 200;
/// Fewer bytes a round are no leak: a block has as many at least.
const BLOCK: usize = 8;
/// A thread that is about to end, or a table that grows once, may have something left at one time, a leak has at each.
const TIMES: usize = 5;

/// Runs `call` again and again, and makes sure that it leaves nothing behind here.
fn leaves_nothing<R>(what: &str, call: impl FnMut() -> R) {
    leaves_nothing_there(what, || used(()), call);
}

/// The same, where so many bytes are in use.
fn leaves_nothing_there<R>(what: &str, used: impl Fn() -> usize, mut call: impl FnMut() -> R) {
    let mut left = || {
        let before = used();
        (0..ROUNDS).for_each(|_| drop(call()));
        used().saturating_sub(before) / ROUNDS
    };
    left();
    let left: Vec<usize> = (0..TIMES).map(|_| left()).collect();
    let always = left.iter().all(|&bytes| bytes >= BLOCK);
    assert!(!always, "{what}: {left:?} bytes a round");
}

fn used((): ()) -> usize {
    MEMORY.current_usage()
}

fn tasks<F: Fn(u64) -> R + Copy, R>(task: F) -> impl Iterator<Item = Delayed<F, u64>> {
    (0..10).map(move |dish| delayed(task, dish))
}

fn cook(dish: u64) -> Vec<u64> {
    vec![dish; 10]
}

fn burn(dish: u64) -> u64 {
    assert!(dish != 3, "{}", "burnt".repeat(20));
    dish
}

fn crash(dish: u64) -> u64 {
    if dish == 3 {
        std::process::abort();
    }
    dish
}

fn taste(dish: u64) -> Result<u64, String> {
    if dish == 3 {
        Err("too much salt".repeat(20))
    } else {
        Ok(dish)
    }
}

fn share(array: Shared<[u8]>) -> (Shared<[u8]>, Shared<[u8]>) {
    (array, Shared::from(vec![1; LARGE]))
}

/// So many bytes are shared, and not copied.
const LARGE: usize = 100_000;

/// One test, as another one would take memory beside it.
#[test]
fn calls_leave_no_memory_behind() {
    let threads = Parallel::new(2);
    leaves_nothing("a call", || threads.run(tasks(cook)).unwrap());
    leaves_nothing("panics", || threads.outcomes(tasks(burn)).unwrap());
    leaves_nothing("a panic", || threads.run(tasks(burn)).unwrap_err());
    leaves_nothing("an error", || threads.try_run(tasks(taste)).unwrap_err());
    leaves_nothing("a stream", || threads.iter(tasks(cook)).count());
    leaves_nothing("part of a stream", || threads.iter(tasks(cook)).next());
    leaves_nothing("a handle", || {
        threads.submit(delayed(cook, 1)).join().unwrap()
    });
    leaves_nothing("a pool", || Parallel::new(2).run(tasks(cook)).unwrap());
    leaves_nothing("a cancelled call", || {
        let token = CancelToken::new();
        let threads = Parallel::new(2).cancel_token(token.clone());
        threads.run([delayed(|()| token.cancel(), ())])
    });
    let one = Parallel::new(1);
    leaves_nothing("a handle that is dropped", || {
        drop(one.submit(delayed(burn, 3)));
        // Both are through: they run one after the other.
        one.submit(delayed(cook, 1)).join().unwrap()
    });

    let processes = Parallel::new(2).backend(Processes::new());
    leaves_nothing("a call of processes", || {
        processes.run(tasks(cook)).unwrap()
    });
    leaves_nothing("panics there", || processes.outcomes(tasks(burn)).unwrap());
    leaves_nothing("a crash", || {
        processes.outcomes([delayed(crash, 3)]).unwrap()
    });
    leaves_nothing("a stream from there", || {
        processes.iter(tasks(cook)).count()
    });
    leaves_nothing("a handle there", || {
        processes.submit(delayed(cook, 1)).join().unwrap()
    });
    leaves_nothing("arrays", || {
        let array = Shared::from(vec![0; LARGE]);
        let both = [delayed(share, array.clone()), delayed(share, array)];
        processes.run(both).unwrap()
    });

    let worker = Parallel::new(1).backend(Processes::new());
    let used = || worker.run([delayed(used, ())]).unwrap()[0];
    leaves_nothing_there("a call, in its worker", used, || {
        worker.run(tasks(cook)).unwrap()
    });
    leaves_nothing_there("panics there", used, || {
        worker.outcomes(tasks(burn)).unwrap()
    });
    leaves_nothing_there("arrays there", used, || {
        let array = Shared::from(vec![0; LARGE]);
        worker.run([delayed(share, array)]).unwrap()
    });
}
