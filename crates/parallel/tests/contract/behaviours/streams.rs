//! Results as they come: order, bounds, ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use parallel::{BatchSize, Error, Failure, Parallel, PreDispatch, delayed};

use super::{many, parallel};
use crate::tools::{until, with_deadline};

fn square(i: u64) -> u64 {
    i * i
}

/// So long that a batch has one task.
fn slow(i: u64) -> u64 {
    let millis = if super::super::FAR { 1100 } else { 2 };
    thread::sleep(Duration::from_millis(millis));
    i
}

#[test]
fn outcomes_come_in_order() {
    for n_jobs in [1, 2, 5] {
        for batch_size in [BatchSize::Auto, 1.into(), 13.into()] {
            let parallel = parallel(n_jobs).batch_size(batch_size);
            let outcomes = parallel.iter((0..many(3000)).map(|i| delayed(square, i)));
            let squares: Vec<u64> = with_deadline(|| outcomes.map(Result::unwrap).collect());
            assert!(squares.into_iter().eq((0..many(3000)).map(square)));
        }
    }
}

#[test]
fn unordered_outcomes_come_with_their_index() {
    for n_jobs in [1, 3] {
        let outcomes = parallel(n_jobs).iter_unordered((0..3000).map(|i| delayed(square, i)));
        let mut all: Vec<_> = with_deadline(|| outcomes.map(|(i, o)| (i, o.unwrap())).collect());
        all.sort_unstable();
        assert!(
            all.into_iter()
                .eq((0..3000).map(|i| (i as usize, square(i))))
        );
    }
}

#[test]
fn for_each_calls_back_on_this_thread_and_may_borrow() {
    let mut squares = vec![0; 1000];
    let (offset, here) = (7, thread::current().id());
    let tasks = (0..1000).map(|i| delayed(square, i + offset));
    with_deadline(|| {
        parallel(3).for_each(tasks, |index, outcome| {
            assert_eq!(thread::current().id(), here);
            squares[index] = outcome.unwrap();
        })
    })
    .unwrap();
    assert!(squares.into_iter().eq((offset..1000 + offset).map(square)));
}

#[test]
fn who_waits_for_a_time_loses_nothing() {
    with_deadline(|| {
        let (ask, asked) = channel();
        let parallel = parallel(2);
        let mut outcomes = parallel.iter(asked.into_iter().map(|i| delayed(square, i)));
        for i in 0..10 {
            for time in [Duration::ZERO, Duration::from_millis(3)] {
                let early = outcomes.next_timeout(time);
                assert!(matches!(early, Err(Error::StillRunning)), "{early:?}");
            }
            ask.send(i).unwrap();
            let next = outcomes.next_timeout(Duration::MAX).unwrap();
            assert_eq!(next.unwrap().unwrap(), square(i));
        }
        // What is there comes at once, also to who does not wait.
        (0..3).for_each(|i| ask.send(i).unwrap());
        drop(ask);
        let mut rest = Vec::new();
        loop {
            match outcomes.next_timeout(Duration::ZERO) {
                Err(Error::StillRunning) => thread::yield_now(),
                Ok(Some(outcome)) => rest.push(outcome.unwrap()),
                Ok(None) => break,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(rest, [0, 1, 4]);
        assert!(matches!(outcomes.next_timeout(Duration::MAX), Ok(None)));

        let mut outcomes = parallel.iter_unordered([delayed(square, 3)]);
        let next = outcomes.next_timeout(Duration::MAX).unwrap();
        assert!(matches!(next, Some((0, Ok(9)))));
        assert!(outcomes.next_timeout(Duration::MAX).unwrap().is_none());
    });
}

#[test]
fn nothing_in_is_nothing_out() {
    let none = || (0..0).map(|i| delayed(square, i));
    assert_eq!(parallel(2).iter(none()).count(), 0);
    assert_eq!(parallel(2).iter_unordered(none()).count(), 0);
    parallel(2)
        .for_each(none(), |_, _| panic!("there are none"))
        .unwrap();
}

/// Counts what is pulled of an input, and checks that it is never more than `bound` ahead of `asked`.
fn counted(
    bound: usize,
) -> (
    impl Iterator<Item = u64> + Send + 'static,
    Arc<AtomicUsize>,
    Arc<AtomicUsize>,
) {
    let (pulled, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, seen) = (Arc::clone(&pulled), Arc::clone(&asked));
    let input = (0..).inspect(move |i| {
        let ahead = count.fetch_add(1, Ordering::SeqCst) + 1 - seen.load(Ordering::SeqCst);
        assert!(ahead <= bound, "{ahead} ahead at {i}, {bound} allowed");
    });
    (input, pulled, asked)
}

#[test]
fn the_bound_is_exact() {
    with_deadline(|| {
        let bounds = [
            (PreDispatch::Tasks(1), 1),
            (PreDispatch::Tasks(5), 5),
            (PreDispatch::PerJob(3), 6),
            (20.into(), 20),
        ];
        for (pre_dispatch, bound) in bounds {
            let (input, pulled, asked) = counted(bound);
            let parallel = parallel(2).pre_dispatch(pre_dispatch);
            let mut outcomes = parallel.iter(input.map(|i| delayed(square, i)));
            // Work starts by itself, and stops where nobody takes the results.
            until(|| pulled.load(Ordering::SeqCst) == bound);
            for i in 0..50 {
                asked.fetch_add(1, Ordering::SeqCst);
                assert_eq!(outcomes.next().unwrap().unwrap(), square(i));
                until(|| pulled.load(Ordering::SeqCst) == bound + 1 + i as usize);
            }
        }
    });
}

#[test]
fn callbacks_are_bounded_too() {
    with_deadline(|| {
        for bound in [1, 4] {
            let (input, _, done) = counted(bound);
            let parallel = parallel(3).pre_dispatch(bound);
            let tasks = input.take(200).map(|i| delayed(square, i));
            let count = |_, outcome: Result<u64, _>| {
                outcome.unwrap();
                done.fetch_add(1, Ordering::SeqCst);
            };
            parallel.for_each(tasks, count).unwrap();
            assert_eq!(done.load(Ordering::SeqCst), 200);
        }
    });
}

#[test]
fn by_default_long_tasks_are_pulled_two_for_each_job_ahead() {
    with_deadline(|| {
        let (input, pulled, asked) = counted(6);
        let mut outcomes = parallel(3).iter(input.map(|i| delayed(slow, i)));
        until(|| pulled.load(Ordering::SeqCst) == 6);
        for i in 0..20 {
            asked.fetch_add(1, Ordering::SeqCst);
            assert_eq!(outcomes.next().unwrap().unwrap(), i);
        }
    });
}

#[test]
fn run_is_bounded_by_what_has_no_outcome() {
    with_deadline(|| {
        for bound in [1, 2, 7] {
            let parallel = parallel(3).pre_dispatch(bound);
            let squares = parallel.map(square, 0..many(500)).unwrap();
            assert!(squares.into_iter().eq((0..many(500)).map(square)));
            let parallel = parallel.batch_size(64);
            let outcomes = parallel.outcomes((0..many(500)).map(|i| delayed(square, i)));
            assert_eq!(outcomes.unwrap().len() as u64, many(500));
        }
    });
}

#[test]
fn an_input_may_wait_for_the_results_of_what_it_gave() {
    with_deadline(|| {
        for n_jobs in [1, 3] {
            let (ask, asked) = channel::<u64>();
            let mut outcomes = parallel(n_jobs).iter(asked.into_iter().map(|i| delayed(square, i)));
            // First so many that they would make a batch, then in bursts that end anywhere.
            let mut next = 0..;
            for burst in [500, 1, 1, 13, 100, 2, 1] {
                let questions: Vec<u64> = next.by_ref().take(burst).collect();
                questions.iter().for_each(|i| ask.send(*i).unwrap());
                for i in questions {
                    assert_eq!(outcomes.next().unwrap().unwrap(), square(i));
                }
            }
            drop(ask);
            assert!(outcomes.next().is_none());
        }
    });
}

#[test]
fn to_drop_a_stream_ends_its_call() {
    with_deadline(|| {
        let parallel = parallel(2);
        for taken in [0, 1, 100] {
            let alive = Arc::new(());
            let held = Arc::clone(&alive);
            let input = (0..).inspect(move |_: &u64| assert_eq!(*held, ()));
            let mut outcomes = parallel.iter(input.map(|i| delayed(square, i)));
            for i in 0..taken {
                assert_eq!(outcomes.next().unwrap().unwrap(), square(i));
            }
            drop(outcomes);
            assert_eq!(parallel.map(square, 0..3).unwrap(), [0, 1, 4]);
            // The input is given up too.
            until(|| Arc::strong_count(&alive) == 1);
        }
    });
}

#[test]
fn a_stream_can_be_dropped_while_its_input_waits() {
    with_deadline(|| {
        let parallel = parallel(2);
        let (ask, asked) = channel::<u64>();
        let mut outcomes = parallel.iter(asked.into_iter().map(|i| delayed(square, i)));
        ask.send(3).unwrap();
        assert_eq!(outcomes.next().unwrap().unwrap(), 9);
        drop(outcomes);
        assert_eq!(parallel.map(square, 0..3).unwrap(), [0, 1, 4]);
        drop(ask);
    });
}

#[test]
fn streams_of_one_parallel_go_on_side_by_side() {
    with_deadline(|| {
        let parallel = parallel(2).pre_dispatch(2);
        let mut streams = [0, 1, 2].map(|n| {
            let first = n * 1000;
            parallel.iter((first..).map(|i| delayed(square, i)))
        });
        for i in 0..50 {
            for (n, stream) in (0..).zip(&mut streams) {
                assert_eq!(stream.next().unwrap().unwrap(), square(n * 1000 + i));
            }
        }
    });
}

#[test]
fn a_failure_is_an_outcome_in_its_place() {
    fn odd_ones_panic(i: u64) -> u64 {
        assert_eq!(i % 2, 0, "odd");
        i
    }
    let check = |index: usize, outcome: Result<u64, parallel::TaskError>| match outcome {
        Ok(value) => assert_eq!((value as usize, index % 2), (index, 0)),
        Err(error) => {
            assert_eq!((error.index(), index % 2), (index, 1));
            assert!(matches!(error.failure(), Failure::Panicked { .. }));
        }
    };
    with_deadline(|| {
        let parallel = parallel(3).batch_size(5);
        let tasks = || (0..60).map(|i| delayed(odd_ones_panic, i));
        let mut seen = 0;
        for (index, outcome) in parallel.iter(tasks()).enumerate() {
            check(index, outcome);
            seen += 1;
        }
        parallel.for_each(tasks(), check).unwrap();
        assert_eq!(seen, 60);
    });
}

#[test]
fn a_panic_of_the_input_is_the_last_outcome() {
    let input = || (0..).inspect(|i| assert_ne!(*i, 30, "no more flour"));
    with_deadline(|| {
        let outcomes: Vec<_> = parallel(2)
            .iter(input().map(|i| delayed(square, i)))
            .collect();
        assert_eq!(outcomes.len(), 31);
        assert!(outcomes[..30].iter().all(Result::is_ok));
        let error = outcomes[30].as_ref().unwrap_err();
        assert!(
            matches!(error.failure(), Failure::Source { message, .. } if message.contains("flour"))
        );
        assert_eq!(error.index(), 30);
    });
}

#[test]
fn no_jobs_is_told() {
    let mut outcomes = parallel(0).iter((0..).map(|i| delayed(square, i)));
    let error = outcomes.next().unwrap().unwrap_err();
    assert!(error.to_string().contains("n_jobs is 0"), "{error}");
    assert!(outcomes.next().is_none());
    let none = parallel(0).for_each((0..3).map(|i| delayed(square, i)), |_, _| ());
    assert!(matches!(none, Err(Error::NoJobs)));
}

#[test]
fn a_stream_may_outlive_its_parallel() {
    let outcomes = with_deadline(|| {
        let outcomes = parallel(2).iter((0..500).map(|i| delayed(square, i)));
        outcomes.map(Result::unwrap).collect::<Vec<_>>()
    });
    assert!(outcomes.into_iter().eq((0..500).map(square)));
}

#[test]
fn a_panic_of_the_callback_is_the_callers() {
    with_deadline(|| {
        let parallel = parallel(2);
        let call = || {
            parallel.for_each((0..).map(|i| delayed(square, i)), |index, _| {
                assert_ne!(index, 10, "burnt");
            })
        };
        let panic = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        assert!(panic.downcast_ref::<String>().unwrap().contains("burnt"));
        assert_eq!(parallel.map(square, 0..3).unwrap(), [0, 1, 4]);
    });
}

#[test]
fn a_stream_inside_of_a_task() {
    fn sum(n: u64) -> u64 {
        let parallel: Parallel<super::super::Here> = parallel(2);
        parallel
            .iter((0..n).map(|i| delayed(square, i)))
            .map(Result::unwrap)
            .sum()
    }
    let sums = with_deadline(|| parallel(2).map(sum, 0..6)).unwrap();
    assert_eq!(sums, [0, 0, 1, 5, 14, 30]);
}

#[test]
fn a_long_stream_comes_through() {
    // One that goes alone wakes somebody up, and waits for its turn where others want the CPUs.
    let n = if super::super::IN_BATCHES {
        100_000
    } else {
        10_000
    };
    with_deadline(|| {
        let tasks = (0..n).map(|i| delayed(square, i));
        let sum: u64 = parallel(3).iter(tasks).map(Result::unwrap).sum();
        assert_eq!(sum, (0..n).map(square).sum::<u64>());
    });
}
