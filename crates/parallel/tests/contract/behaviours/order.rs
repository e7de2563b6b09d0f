//! Results come in the order of the input, which is pulled as it is needed.

use parallel::{BatchSize, Error, Failure, delayed};

use super::parallel;
use crate::tools::{spin, with_deadline};

#[test]
fn results_come_in_the_order_of_the_input() {
    // Later tasks are shorter, so they end earlier.
    let task = |i: u64| {
        spin((300 - i) * 50);
        i * i
    };
    for n_jobs in [1, 2, 3, 8] {
        let squares = parallel(n_jobs)
            .run((0..300).map(|i| delayed(task, i)))
            .unwrap();
        assert!(
            squares.into_iter().eq((0..300).map(|i| i * i)),
            "{n_jobs} jobs"
        );
    }
}

#[test]
fn an_empty_input_gives_an_empty_result() {
    let parallel = parallel(3);
    assert_eq!(
        parallel
            .run((0..0).map(|i| delayed(|i: i32| i, i)))
            .unwrap(),
        [0; 0]
    );
    assert!(
        parallel
            .outcomes((0..0).map(|i| delayed(|i: i32| i, i)))
            .unwrap()
            .is_empty()
    );
    assert_eq!(parallel.map(|i: i32| i, []).unwrap(), [0; 0]);
}

#[test]
fn fewer_tasks_than_jobs() {
    assert_eq!(parallel(12).map(|i| i + 1, 0..1).unwrap(), [1]);
    assert_eq!(parallel(12).map(|i| i + 1, 0..3).unwrap(), [1, 2, 3]);
}

#[test]
fn an_input_of_unknown_length() {
    let odd = (0..1000u32).filter(|i| i % 2 == 1);
    let tasks = odd.clone().map(|i| delayed(|i| i, i));
    assert!(parallel(3).run(tasks).unwrap().into_iter().eq(odd));
}

/// An iterator that says whatever it likes about its length.
struct Liar<I>(I, (usize, Option<usize>));

impl<I: Iterator> Iterator for Liar<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.1
    }
}

#[test]
fn a_wrong_size_hint_does_no_harm() {
    let hints = [
        (0, None),
        (0, Some(0)),
        (5, Some(5)),
        (usize::MAX, None),
        (1 << 40, Some(1 << 40)),
    ];
    for hint in hints {
        let tasks = Liar((0..100).map(|i| delayed(|i: u8| i, i)), hint);
        assert!(
            parallel(3).run(tasks).unwrap().into_iter().eq(0..100),
            "{hint:?}"
        );
        let tasks = Liar((0..100).map(|i| delayed(|i: u8| i, i)), hint);
        let outcomes = parallel(3).iter(tasks).map(Result::unwrap);
        assert!(outcomes.eq(0..100), "{hint:?}");
    }
}

#[test]
fn an_iterator_that_starts_again_after_its_end_is_not_asked_again() {
    let mut calls = 0;
    let tasks = std::iter::from_fn(move || {
        calls += 1;
        (calls % 4 != 0).then(|| delayed(|i| i, calls))
    });
    assert_eq!(parallel(2).run(tasks).unwrap(), [1, 2, 3]);
}

#[test]
fn any_batch_size_gives_the_same() {
    for batch_size in [
        BatchSize::Auto,
        BatchSize::Fixed(0),
        1.into(),
        7.into(),
        1000.into(),
    ] {
        let parallel = parallel(3).batch_size(batch_size);
        let results = parallel
            .run((0..100).map(|i| delayed(|i: u8| i, i)))
            .unwrap();
        assert!(results.into_iter().eq(0..100), "{batch_size:?}");
    }
}

#[test]
fn no_jobs_is_an_error() {
    let parallel = parallel(0);
    assert!(matches!(parallel.map(|i: i32| i, 0..3), Err(Error::NoJobs)));
    assert!(matches!(
        parallel.outcomes((0..3).map(|i| delayed(|i| i, i))),
        Err(Error::NoJobs)
    ));
}

#[test]
fn negative_numbers_of_jobs_work() {
    for n_jobs in [-1, -2, -1000, i32::MIN] {
        assert_eq!(
            parallel(n_jobs).map(|i| i * 2, 0..4).unwrap(),
            [0, 2, 4, 6],
            "{n_jobs}"
        );
    }
}

#[test]
fn outcomes_come_in_order_too() {
    let outcomes = parallel(3)
        .outcomes((0..1000u32).map(|i| delayed(|i| i, i)))
        .unwrap();
    assert!(outcomes.into_iter().map(Result::unwrap).eq(0..1000));
}

#[test]
fn an_endless_input_ends_with_a_failure() {
    let task = |i: u64| assert!(i < 5000, "enough");
    let error = with_deadline(|| parallel(3).run((0..).map(|i| delayed(task, i)))).unwrap_err();
    let Error::Task(error) = error else {
        panic!("{error:?}")
    };
    assert!(error.index() >= 5000, "{error}");
}

/// Panics when it is asked for its length.
struct Shy<I>(I);

impl<I: Iterator> Iterator for Shy<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        panic!("who asks?")
    }
}

#[test]
fn an_input_that_panics_over_its_length_is_an_outcome() {
    let tasks = Shy(0..20).map(|i| delayed(|i: u8| i, i));
    // It may be asked while it is pulled from, and it may not.
    match parallel(2).run(tasks) {
        Ok(results) => assert!(results.into_iter().eq(0..20)),
        Err(Error::Task(error)) => {
            assert!(
                matches!(error.failure(), Failure::Source { message, .. } if message == "who asks?")
            );
        }
        Err(error) => panic!("{error:?}"),
    }
}
