//! Batches that are taken apart, since another thread has nothing left.

use std::collections::HashSet;
use std::iter;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use parallel::{Event, Outcome, Parallel, delayed};

/// After many tasks that are nothing come some that last, in the same batch as it were, until two threads
/// have had some. What came of all of them.
fn quick_and_then_long(
    parallel: &Parallel,
    long: std::ops::Range<usize>,
    tasks: impl Iterator<Item = usize> + Send,
) -> Vec<Outcome<usize>> {
    let threads = Mutex::new(HashSet::new());
    let task = |i: usize| {
        assert_ne!(i, long.end - 1, "the last of them");
        if long.contains(&i) {
            let start = Instant::now();
            let alone = || threads.lock().unwrap().len() < 2;
            threads.lock().unwrap().insert(thread::current().id());
            while alone() && start.elapsed() < Duration::from_millis(1) {}
        }
        i
    };
    let outcomes = parallel.outcomes(tasks.map(|i| delayed(task, i))).unwrap();
    let threads = threads.into_inner().unwrap().len();
    assert_eq!(threads, 2, "one thread had all that last");
    outcomes
}

#[test]
fn what_is_left_of_a_batch_that_lasts_is_shared() {
    let watched = Parallel::new(2).observer(|_: &Event| ());
    for parallel in [Parallel::new(2), watched] {
        for long in [19_900..20_000, 10_000..11_000, 0..20_000] {
            let all = 0..20_000;
            let mut rest = all.clone();
            // Of an unknown length, and of a known one.
            let unknown = iter::from_fn(|| rest.next());
            let sources: [Box<dyn Iterator<Item = usize> + Send>; 2] =
                [Box::new(unknown), Box::new(all)];
            for source in sources {
                let outcomes = quick_and_then_long(&parallel, long.clone(), source);
                assert_eq!(outcomes.len(), 20_000);
                for (i, outcome) in outcomes.into_iter().enumerate() {
                    match outcome {
                        Ok(value) => assert_eq!(value, i),
                        Err(error) => assert_eq!((error.index(), i), (i, long.end - 1)),
                    }
                }
            }
        }
    }
}

#[test]
fn a_batch_of_a_fixed_size_is_not_taken_apart() {
    // Whoever says how many make a batch may count on it. The other thread has nothing to do meanwhile.
    let long = |_| {
        thread::sleep(Duration::from_millis(1));
        thread::current().id()
    };
    let threads = Parallel::new(2).batch_size(20).map(long, 0..20).unwrap();
    assert_eq!(threads, vec![threads[0]; 20]);
}
