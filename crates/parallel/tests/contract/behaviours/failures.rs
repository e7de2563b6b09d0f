//! What fails, and what it costs.

use parallel::{Error, Failure, delayed};

use super::parallel;
use crate::tools::{spin, with_deadline};

fn odd_ones_panic(i: u32) -> u32 {
    assert!(i.is_multiple_of(2), "{i} is odd");
    i
}

fn backtraces_are_wanted() -> bool {
    let asked = ["RUST_LIB_BACKTRACE", "RUST_BACKTRACE"].map(std::env::var_os);
    asked
        .into_iter()
        .flatten()
        .next()
        .is_none_or(|value| value != "0")
}

#[test]
fn a_panic_is_the_outcome_of_its_task_alone() {
    let outcomes = parallel(3)
        .outcomes((0..500).map(|i| delayed(odd_ones_panic, i)))
        .unwrap();
    assert_eq!(outcomes.len(), 500);
    for (index, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Ok(value) => assert_eq!((*value as usize, index % 2), (index, 0)),
            Err(error) => {
                assert_eq!((error.index(), index % 2, error.attempts()), (index, 1, 1));
                let Failure::Panicked {
                    message,
                    location,
                    backtrace,
                } = error.failure()
                else {
                    panic!("{error:?}")
                };
                assert_eq!(message, &format!("{index} is odd"));
                assert!(
                    location.as_ref().unwrap().contains("failures.rs:"),
                    "{location:?}"
                );
                assert_eq!(backtrace.is_some(), backtraces_are_wanted());
                if let (1, Some(backtrace)) = (index, backtrace) {
                    let backtrace = backtrace.to_string();
                    assert!(backtrace.contains("odd_ones_panic"), "{backtrace}");
                }
            }
        }
    }
}

#[test]
fn run_stops_at_a_failure_and_names_it() {
    let parallel = parallel(3);
    let error = parallel
        .run((0..100_000).map(|i| delayed(odd_ones_panic, i)))
        .unwrap_err();
    let Error::Task(error) = error else {
        panic!("{error:?}")
    };
    assert_eq!(error.index() % 2, 1);
    assert!(
        error
            .to_string()
            .contains(&format!("task {} panicked", error.index())),
        "{error}"
    );
    // And all is well for the next call.
    assert_eq!(parallel.map(|i| i + 1, 0..3).unwrap(), [1, 2, 3]);
}

#[test]
fn the_only_failure_is_named_exactly() {
    let task = |i: u32| assert_ne!(i, 777, "this one");
    for _ in 0..20 {
        let error = parallel(3)
            .run((0..1000).map(|i| delayed(task, i)))
            .unwrap_err();
        assert!(matches!(error, Error::Task(error) if error.index() == 777));
    }
}

#[test]
fn with_one_job_the_first_failure_is_the_lowest() {
    let error = parallel(1)
        .run((0..1000).map(|i| delayed(odd_ones_panic, i)))
        .unwrap_err();
    assert!(matches!(error, Error::Task(error) if error.index() == 1));
}

#[test]
fn nothing_more_is_pulled_after_a_failure() {
    let mut pulled = 0;
    let tasks = (0..1_000_000u32)
        .inspect(|_| pulled += 1)
        .map(|i| delayed(odd_ones_panic, i));
    assert!(parallel(2).run(tasks).is_err());
    assert!(pulled < 1000, "{pulled} tasks were pulled");
}

#[test]
fn a_panic_while_others_run_ends_the_call() {
    let task = |i: u64| {
        assert_ne!(i, 0, "at once");
        spin(100_000)
    };
    with_deadline(|| {
        let parallel = parallel(4);
        for _ in 0..10 {
            let error = parallel
                .run((0..100).map(|i| delayed(task, i)))
                .unwrap_err();
            assert!(
                matches!(&error, Error::Task(error) if error.index() == 0),
                "{error}"
            );
        }
    });
}

#[test]
fn a_panic_with_any_payload_is_told() {
    let payload = |i| match i {
        0 => panic!("text"),
        1 => panic!("made {}", "text"),
        _ => std::panic::panic_any(7),
    };
    let outcomes = parallel(2)
        .outcomes((0..3).map(|i| delayed(payload, i)))
        .unwrap();
    let texts =
        outcomes.into_iter().map(
            |outcome: Result<(), _>| match outcome.unwrap_err().failure() {
                Failure::Panicked { message, .. } => message.clone(),
                other => panic!("{other:?}"),
            },
        );
    assert!(texts.eq(["text", "made text", "a panic whose payload is not text"]));
}

#[test]
fn a_panic_in_the_input_keeps_what_came_before() {
    let parallel = parallel(3);
    for good in [0, 1, 2, 100] {
        let tasks = || {
            (0..).map(move |i| {
                assert!(i < good, "the source broke");
                delayed(|i: usize| i, i)
            })
        };
        let mut outcomes = with_deadline(|| parallel.outcomes(tasks())).unwrap();
        let last = outcomes.pop().unwrap().unwrap_err();
        assert_eq!((last.index(), last.attempts()), (good, 0));
        let Failure::Source { message, .. } = last.failure() else {
            panic!("{last:?}")
        };
        assert_eq!(message, "the source broke");
        assert!(outcomes.into_iter().map(Result::unwrap).eq(0..good));

        let error = parallel.run(tasks()).unwrap_err();
        let Error::Task(error) = error else {
            panic!("{error:?}")
        };
        assert_eq!(error.index(), good);
        assert!(matches!(error.failure(), Failure::Source { .. }));
    }
    assert_eq!(parallel.map(|i| i, 0..3).unwrap(), [0, 1, 2]);
}

#[test]
fn errors_are_errors_and_can_travel() {
    fn check<E: std::error::Error + Send + Sync + 'static>(error: E) -> String {
        error.to_string()
    }
    let error = parallel(2)
        .run((0..2).map(|i| delayed(odd_ones_panic, i)))
        .unwrap_err();
    assert!(check(error).starts_with("task 1 panicked at "));
}
