//! What observers are told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use parallel::{BatchSize, Event, Failure, Parallel, delayed};

use super::parallel;
use crate::tools::with_deadline;

type Seen = Arc<Mutex<Vec<Event>>>;

fn watched(n_jobs: i32) -> (Parallel<super::super::Here>, Seen) {
    let seen = Seen::default();
    let events = Arc::clone(&seen);
    let note = move |event: &Event| events.lock().unwrap().push(event.clone());
    (parallel(n_jobs).observer(note), seen)
}

fn odd_ones_panic(i: usize) -> usize {
    assert_eq!(i % 2, 0, "odd");
    std::thread::sleep(Duration::from_micros(300));
    i
}

/// Checks that each of so many tasks is told of once, in a call that is told of from its beginning to its
/// end.
fn check(events: &[Event], tasks: usize, known: Option<usize>) {
    let first = events.first().unwrap();
    assert!(
        matches!(first, Event::RunStarted { tasks, n_jobs: 3, .. } if *tasks == known),
        "{first:?}"
    );
    let Some(Event::RunFinished { run, totals }) = events.last() else {
        panic!("{:?}", events.last())
    };
    assert!(events.iter().all(|event| event.run() == Some(*run)));
    assert_eq!(
        (totals.succeeded, totals.failed),
        (tasks.div_ceil(2), tasks / 2)
    );
    let mut finished = vec![0; tasks];
    let mut started = vec![0; tasks];
    for event in events {
        match event {
            Event::TaskStarted { index, attempt, .. } => {
                assert_eq!(*attempt, 1);
                started[*index] += 1;
            }
            Event::TaskFinished {
                index,
                worker,
                run_time,
                failure,
                ..
            } => {
                finished[*index] += 1;
                assert!(*worker < 3);
                assert_eq!(failure.is_some(), index % 2 == 1, "{event:?}");
                assert!(
                    failure
                        .as_ref()
                        .is_none_or(|f| matches!(f, Failure::Panicked { .. }))
                );
                assert!(*run_time <= totals.wall);
                if started[*index] > 0 && failure.is_none() {
                    assert!(*run_time >= Duration::from_micros(300), "{event:?}");
                }
            }
            _ => {}
        }
    }
    assert_eq!(finished, vec![1; tasks]);
    // A backend of somebody else need not tell when a task begins.
    assert!(
        started == vec![1; tasks] || started == vec![0; tasks],
        "{started:?}"
    );
}

#[test]
fn each_task_is_told_of_once() {
    with_deadline(|| {
        for batch_size in [BatchSize::Auto, 1.into(), 16.into()] {
            let (parallel, seen) = watched(3);
            let parallel = parallel.batch_size(batch_size);
            let outcomes = parallel.outcomes((0..100).map(|i| delayed(odd_ones_panic, i)));
            assert_eq!(outcomes.unwrap().len(), 100);
            check(&std::mem::take(&mut *seen.lock().unwrap()), 100, Some(100));
            let tasks = (0..100)
                .filter(|i| *i < 1000)
                .map(|i| delayed(odd_ones_panic, i));
            assert_eq!(parallel.iter(tasks).count(), 100);
            check(&seen.lock().unwrap(), 100, None);
        }
    });
}

#[test]
fn a_call_that_stops_is_told_of_to_its_end() {
    with_deadline(|| {
        let (parallel, seen) = watched(3);
        assert!(
            parallel
                .run((0..).map(|i| delayed(odd_ones_panic, i)))
                .is_err()
        );
        let seen = seen.lock().unwrap();
        let failed = |event: &&Event| {
            matches!(
                event,
                Event::TaskFinished {
                    failure: Some(_),
                    ..
                }
            )
        };
        assert!(seen.iter().filter(failed).count() >= 1);
        assert!(
            matches!(seen.last(), Some(Event::RunFinished { totals, .. }) if totals.failed >= 1)
        );
    });
}

#[test]
fn an_observer_that_blocks_does_not_hold_up_a_call() {
    with_deadline(|| {
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let parallel = parallel(2).observer(move |_: &Event| {
            let _ = gate.lock().unwrap().recv();
        });
        assert_eq!(parallel.map(|i| i, 0..10_000).unwrap().len(), 10_000);
        assert_eq!(parallel.map(|i| i, 0..10_000).unwrap().len(), 10_000);
        drop(open);
    });
}
