//! Where a task is: on the backends that run tasks in lanes of this crate.

use parallel::{BatchSize, Failure, current, delayed};

use super::parallel;
use crate::tools::with_deadline;

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
        for _ in 0..3 {
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
