//! Neither a result nor a task of a stream waits for another task, though they go in batches: where batches can be taken
//! apart.

use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::Duration;

use parallel::{Error, delayed};

use super::parallel;
use crate::tools::{Signal, until, with_deadline};

/// Enough for batches of any size before, and more than are in a batch.
const TASKS: usize = 20_000;

/// Tasks that are nothing but for some, each of which waits for a signal.
fn task((i, signal): (usize, Option<PathBuf>)) -> usize {
    if let Some(signal) = signal {
        until(|| signal.exists());
    }
    i
}

/// Those that wait, and their signals.
fn waits() -> Vec<(usize, Signal)> {
    let places = [1, 9, 50, 700, 701, 9000, TASKS - 2];
    places.map(|i| (i, Signal::new())).into()
}

fn arguments(waits: &[(usize, Signal)]) -> Vec<(usize, Option<PathBuf>)> {
    let mut arguments: Vec<_> = (0..TASKS).map(|i| (i, None)).collect();
    for (i, signal) in waits {
        arguments[*i].1 = Some(signal.path());
    }
    arguments
}

#[test]
fn no_result_waits_for_a_task_behind_it() {
    with_deadline(|| {
        let waits = waits();
        let arguments = arguments(&waits);
        let outcomes = parallel(2).iter(arguments.into_iter().map(|a| delayed(task, a)));
        for (i, outcome) in outcomes.enumerate() {
            assert_eq!(outcome.unwrap(), i);
            // The task behind it may end now.
            waits
                .iter()
                .filter(|(n, _)| *n == i + 1)
                .for_each(|w| w.1.give());
        }
    });
}

#[test]
fn no_result_is_kept_from_who_waits_for_a_short_time_again_and_again() {
    for time in [Duration::ZERO, Duration::from_micros(100)] {
        with_deadline(|| {
            let waits = waits();
            let arguments = arguments(&waits);
            let mut outcomes = parallel(2).iter(arguments.into_iter().map(|a| delayed(task, a)));
            for i in 0..TASKS {
                let outcome = loop {
                    match outcomes.next_timeout(time) {
                        Err(Error::StillRunning) => std::thread::yield_now(),
                        next => break next.unwrap().unwrap(),
                    }
                };
                assert_eq!(outcome.unwrap(), i);
                let behind = waits.iter().filter(|(n, _)| *n == i + 1);
                behind.for_each(|(_, signal)| signal.give());
            }
        });
    }
}

#[test]
fn no_task_waits_for_one_before_it_that_lasts() {
    with_deadline(|| {
        let waits = [(5000, Signal::new())];
        let arguments = arguments(&waits);
        let (mut seen, mut last) = (0, 0);
        let tasks = arguments.into_iter().map(|a| delayed(task, a));
        parallel(2)
            .for_each(tasks, |index, outcome| {
                assert_eq!(outcome.unwrap(), index);
                (seen, last) = (seen + 1, index);
                if seen == TASKS - 1 {
                    waits[0].1.give();
                }
            })
            .unwrap();
        assert_eq!((seen, last), (TASKS, 5000));
    });
}

#[test]
fn tasks_that_last_do_not_come_in_one_go_after_those_that_do_not() {
    with_deadline(|| {
        let all_wait: Vec<_> = (TASKS - 30..TASKS).map(|i| (i, Signal::new())).collect();
        let arguments = arguments(&all_wait).into_iter();
        // The input does not end before.
        let (end, ends) = channel::<()>();
        let tasks = arguments.chain(std::iter::from_fn(move || {
            ends.recv().unwrap_err();
            None
        }));
        let outcomes = parallel(2).iter(tasks.map(|a| delayed(task, a)));
        for (i, outcome) in outcomes.take(TASKS).enumerate() {
            assert_eq!(outcome.unwrap(), i);
            all_wait
                .iter()
                .filter(|(n, _)| *n == i + 1)
                .for_each(|w| w.1.give());
        }
        drop(end);
    });
}
