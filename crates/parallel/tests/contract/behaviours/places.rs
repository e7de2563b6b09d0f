//! Where a task is: on the backends that run tasks in lanes of this crate.

use std::path::{Path, PathBuf};
use std::thread;

use parallel::{BatchSize, CancelToken, Error, Event, Failure, Parallel, current, delayed};

use super::parallel;
use crate::tools::{Signal, give, meet, until, with_deadline};

fn place(_: usize) -> (usize, u32, usize, bool) {
    let task = current().expect("this is a task");
    (
        task.index(),
        task.attempt(),
        task.worker(),
        task.cancelled(),
    )
}

#[test]
fn tasks_know_their_index_and_their_worker() {
    for batch_size in [BatchSize::Auto, 1.into(), 64.into()] {
        let parallel = parallel(3).batch_size(batch_size);
        for _ in 0..if super::FAR { 1 } else { 3 } {
            let places = with_deadline(|| parallel.map(place, 0..500)).unwrap();
            for (i, (index, attempt, worker, cancelled)) in places.into_iter().enumerate() {
                assert_eq!((index, attempt, cancelled), (i, 1, false));
                assert!(worker < 3, "{worker}");
            }
        }
    }
}

#[test]
fn after_a_failure_the_indices_go_on() {
    let task = |i: usize| {
        assert_ne!(i % 5, 3, "every fifth");
        place(i).0
    };
    let parallel = parallel(2).batch_size(7);
    let outcomes = parallel.outcomes((0..99).map(|i| delayed(task, i)));
    for (i, outcome) in outcomes.unwrap().into_iter().enumerate() {
        match outcome {
            Ok(index) => assert_eq!(index, i),
            Err(error) => assert_eq!((error.index(), i % 5), (i, 3)),
        }
    }
}

#[test]
fn a_call_inside_of_a_task_has_places_of_its_own() {
    let task = |i: usize| {
        let inner = parallel(2).map(place, 0..4).unwrap();
        assert!(inner.into_iter().map(|p| p.0).eq(0..4));
        place(i).0
    };
    let indices = with_deadline(|| parallel(2).map(task, 0..6)).unwrap();
    assert!(indices.into_iter().eq(0..6));
}

#[test]
fn there_is_no_place_outside_of_tasks() {
    parallel(2).map(place, 0..9).unwrap();
    assert!(current().is_none());
}

#[test]
fn a_task_may_stop_its_call() {
    fn look_for(i: usize) -> usize {
        if i == 200 {
            current().unwrap().cancel();
        }
        i
    }
    with_deadline(|| {
        for batch_size in [BatchSize::Auto, 1.into(), 64.into()] {
            let parallel = parallel(3).batch_size(batch_size);
            let outcomes = parallel
                .outcomes((0..).map(|i| delayed(look_for, i)))
                .unwrap();
            let last = outcomes.last().unwrap().as_ref().unwrap_err();
            assert!(matches!(last.failure(), Failure::Cancelled));
            let outcomes = parallel.iter((0..).map(|i| delayed(look_for, i)));
            let last = outcomes.last().unwrap().unwrap_err();
            assert!(matches!(last.failure(), Failure::Cancelled));
            // The next call is another one.
            assert!(
                parallel
                    .map(look_for, 0..100)
                    .unwrap()
                    .into_iter()
                    .eq(0..100)
            );
        }
    });
}

#[test]
fn the_last_task_may_stop_its_call_and_all_is_there() {
    fn last(i: usize) -> usize {
        if i == 9 {
            current().unwrap().cancel();
        }
        i
    }
    let parallel = parallel(1).batch_size(1);
    let tasks = || Vec::from_iter((0..10).map(|i| delayed(last, i)));
    assert!(parallel.run(tasks()).unwrap().into_iter().eq(0..10));
    assert_eq!(parallel.outcomes(tasks()).unwrap().len(), 10);
    assert_eq!(parallel.iter(tasks()).count(), 10);
}

#[test]
fn what_has_run_is_there_when_a_call_is_stopped_though_it_takes_longer_to_come() {
    fn last(i: usize) -> Vec<u8> {
        if i == 9 {
            current().unwrap().cancel();
        }
        vec![1; if i == 8 { 64 << 20 } else { 1 }]
    }
    let results = parallel(1).batch_size(1).map(last, 0..10).unwrap();
    assert_eq!((results.len(), results[8].len()), (10, 64 << 20));
}

#[test]
fn submitted_tasks_that_run_together_have_different_workers() {
    with_deadline(|| {
        let parallel = parallel(3);
        let signals = [Signal::new(), Signal::new(), Signal::new()];
        let paths = || signals.iter().map(Signal::path);
        let submit = |path| parallel.submit(delayed(meet, (path, paths().collect())));
        let handles: Vec<_> = paths().map(submit).collect();
        let mut workers: Vec<_> = handles.into_iter().map(|h| h.join().unwrap()).collect();
        workers.sort_unstable();
        assert_eq!(workers, [0, 1, 2]);
    });
}

#[test]
fn a_task_is_told_of_while_it_runs() {
    fn wait(signal: PathBuf) {
        until(|| signal.exists());
    }
    let signal = Signal::new();
    let (path, given) = (signal.path(), signal.path());
    let parallel = parallel(1).observer(move |event: &Event| {
        if matches!(
            event,
            Event::TaskStarted {
                index: 0,
                attempt: 1,
                ..
            }
        ) {
            give(&given);
        }
    });
    with_deadline(|| parallel.map(wait, [path])).unwrap();
}

/// Has no end but that of its call, and notes that it has begun.
fn stream_inside(begun: &Path) {
    let tasks = (0..).map(|i| delayed(|i: u64| i, i));
    for (i, outcome) in Parallel::new(2).iter(tasks).enumerate() {
        assert_eq!(outcome.unwrap(), i as u64);
        if i == 10 {
            give(begun);
        }
    }
}

/// The same.
fn submit_inside(begun: &Path) {
    let patient = |begun: PathBuf| {
        give(&begun);
        until(|| current().unwrap().cancelled());
        panic!("it was cancelled");
    };
    let task = delayed(patient, begun.to_owned());
    Parallel::new(2).submit(task).join().unwrap();
}

#[test]
fn a_call_inside_of_a_task_is_cancelled_with_it() {
    fn task((begun, submits): (PathBuf, bool)) {
        match submits {
            true => submit_inside(&begun),
            false => stream_inside(&begun),
        }
    }
    with_deadline(|| {
        for submits in [false, true] {
            let (token, begun) = (CancelToken::new(), Signal::new());
            let parallel = parallel(2).cancel_token(token.clone());
            thread::scope(|scope| {
                scope.spawn(|| {
                    until(|| begun.path().exists());
                    token.cancel();
                });
                let result = parallel.run([delayed(task, (begun.path(), submits))]);
                let Err(Error::Task(error)) = result else {
                    panic!("{result:?}")
                };
                assert!(matches!(error.failure(), Failure::Cancelled), "{error}");
                assert_eq!((error.index(), error.attempts()), (0, 1));
            });
        }
    });
}
