//! Calls that are stopped from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use parallel::{CancelToken, Error, Failure, delayed};

use super::parallel;
use crate::tools::with_deadline;

fn square(i: u64) -> u64 {
    i * i
}

/// An endless input that, at one place, has someone cancel.
fn endless(token: &CancelToken, at: u64) -> impl Iterator<Item = u64> + Send + 'static {
    let token = token.clone();
    (0..).inspect(move |i| {
        if *i == at {
            let token = token.clone();
            thread::spawn(move || token.cancel());
        }
    })
}

#[test]
fn run_fails_and_says_so() {
    with_deadline(|| {
        let token = CancelToken::new();
        let parallel = parallel(3).cancel_token(token.clone());
        let result = parallel.run(endless(&token, 1000).map(|i| delayed(square, i)));
        let Err(Error::Task(error)) = result else {
            panic!("{result:?}")
        };
        assert!(matches!(error.failure(), Failure::Cancelled));
        assert!(error.to_string().ends_with("was cancelled"), "{error}");
        // It stays cancelled.
        assert!(parallel.map(square, 0..3).is_err());
    });
}

#[test]
fn outcomes_keep_what_was_done() {
    with_deadline(|| {
        let token = CancelToken::new();
        let parallel = parallel(3).cancel_token(token.clone());
        let outcomes = parallel
            .outcomes(endless(&token, 1000).map(|i| delayed(square, i)))
            .unwrap();
        let last = outcomes.last().unwrap().as_ref().unwrap_err();
        assert!(matches!(last.failure(), Failure::Cancelled));
        for (index, outcome) in outcomes.iter().enumerate() {
            match outcome {
                Ok(value) => assert_eq!(*value, square(index as u64)),
                Err(error) => assert_eq!(error.index(), index),
            }
        }
        assert!(outcomes.iter().filter(|outcome| outcome.is_ok()).count() > 0);
    });
}

#[test]
fn a_stream_ends_with_it() {
    with_deadline(|| {
        let token = CancelToken::new();
        let parallel = parallel(2).cancel_token(token.clone());
        let mut outcomes = parallel.iter(endless(&token, u64::MAX).map(|i| delayed(square, i)));
        for i in 0..100 {
            assert_eq!(outcomes.next().unwrap().unwrap(), square(i));
        }
        token.cancel();
        let rest: Vec<_> = outcomes.collect();
        let last = rest.last().unwrap().as_ref().unwrap_err();
        assert!(matches!(last.failure(), Failure::Cancelled));
        assert_eq!(last.index(), 100 + rest.len() - 1);
    });
}

#[test]
fn a_stream_whose_input_waits_ends_at_once() {
    with_deadline(|| {
        let token = CancelToken::new();
        let parallel = parallel(2).cancel_token(token.clone());
        let (ask, asked) = channel::<u64>();
        let mut outcomes = parallel.iter(asked.into_iter().map(|i| delayed(square, i)));
        ask.send(3).unwrap();
        assert_eq!(outcomes.next().unwrap().unwrap(), 9);
        let canceller = thread::spawn(move || token.cancel());
        let failure = outcomes.next().unwrap().unwrap_err();
        assert!(matches!(failure.failure(), Failure::Cancelled));
        assert!(outcomes.next().is_none());
        canceller.join().unwrap();
        drop(ask);
    });
}

#[test]
fn a_callback_may_cancel() {
    with_deadline(|| {
        let token = CancelToken::new();
        let parallel = parallel(2).cancel_token(token.clone());
        let mut cancelled = 0;
        let see = |index: usize, outcome: Result<u64, parallel::TaskError>| {
            if index == 10 {
                token.cancel();
            }
            cancelled += usize::from(outcome.is_err());
        };
        parallel
            .for_each((0..).map(|i| delayed(square, i)), see)
            .unwrap();
        assert!(cancelled >= 1);
    });
}

#[test]
fn what_was_cancelled_before_does_not_start() {
    let token = CancelToken::new();
    token.cancel();
    let parallel = parallel(2).cancel_token(token);
    let outcomes = parallel
        .outcomes((0..9).map(|i| delayed(square, i)))
        .unwrap();
    assert_eq!(outcomes.len(), 1);
    let error = outcomes[0].as_ref().unwrap_err();
    assert_eq!((error.index(), error.attempts()), (0, 0));
    let handle = parallel.submit(delayed(square, 1));
    assert!(matches!(
        handle.join().unwrap_err().failure(),
        Failure::Cancelled
    ));
}

#[test]
fn a_call_that_is_through_is_not_cancelled() {
    let token = CancelToken::new();
    let parallel = parallel(2).cancel_token(token.clone());
    assert_eq!(parallel.map(square, 0..3).unwrap(), [0, 1, 4]);
    token.cancel();
}

#[test]
fn a_complete_call_is_not_cancelled() {
    let token = CancelToken::new();
    token.cancel();
    let parallel = parallel(2).cancel_token(token);
    let none = || (0..0).map(|i| delayed(square, i));
    assert!(parallel.run(none()).unwrap().is_empty());
    assert!(parallel.outcomes(none()).unwrap().is_empty());
    // The thread that pulls may not have begun.
    for _ in 0..20 {
        assert_eq!(parallel.iter(none()).count(), 0);
    }
}

#[test]
fn a_stream_has_an_outcome_for_all_that_was_pulled() {
    for _ in 0..20 {
        with_deadline(|| {
            let (token, pulled) = (CancelToken::new(), Arc::new(AtomicUsize::new(0)));
            let count = Arc::clone(&pulled);
            let input = endless(&token, 700).inspect(move |_| {
                count.fetch_add(1, Ordering::SeqCst);
            });
            let parallel = parallel(2).cancel_token(token.clone());
            let outcomes = parallel.iter(input.map(|i| delayed(square, i)));
            let outcomes = outcomes.count();
            let pulled = pulled.load(Ordering::SeqCst);
            assert!(pulled <= outcomes, "{pulled} pulled, {outcomes} outcomes");
        });
    }
}
