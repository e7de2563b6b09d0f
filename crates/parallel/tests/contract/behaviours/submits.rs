//! Single tasks and their handles.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use parallel::{
    CancelToken, Error, Failure, Handle, Outcome, delayed, wait_first, wait_first_timeout,
};

use super::parallel;
use crate::tools::{Signal, until, with_deadline};

fn square(i: u64) -> u64 {
    i * i
}

/// Waits until a file is there.
fn wait(path: PathBuf) -> u64 {
    while !path.exists() {
        thread::yield_now();
    }
    7
}

#[test]
fn a_handle_gives_the_outcome() {
    with_deadline(|| {
        let parallel = parallel(2);
        let handles: Vec<_> = (0..100)
            .map(|i| parallel.submit(delayed(square, i)))
            .collect();
        for (i, handle) in (0..).zip(handles) {
            assert_eq!(handle.join().unwrap(), square(i));
        }
        let error = parallel
            .submit(delayed(|i: u64| 1 / i, 0))
            .join()
            .unwrap_err();
        assert!(matches!(error.failure(), Failure::Panicked { .. }));
        assert_eq!(parallel.submit(delayed(square, 3)).join().unwrap(), 9);
    });
}

#[test]
fn who_waits_for_a_time_may_wait_again() {
    with_deadline(|| {
        let (parallel, signal) = (parallel(2), Signal::new());
        let handle = parallel.submit(delayed(wait, signal.path()));
        let early = handle.join_timeout(Duration::from_millis(20));
        assert!(matches!(early, Err(Error::StillRunning)));
        assert!(!handle.is_finished());
        signal.give();
        assert_eq!(handle.join_timeout(Duration::MAX).unwrap(), 7);
        assert!(handle.is_finished());
    });
}

/// For those nobody wakes another thread.
#[test]
fn what_is_not_joined_begins_also_after_many_that_were_joined_at_once() {
    with_deadline(|| {
        let parallel = parallel(2);
        let wait_otherwise: [fn(Handle<u64>) -> u64; 5] = [
            |handle| {
                until(|| handle.is_finished());
                handle.join().unwrap()
            },
            |handle| handle.join_timeout(Duration::MAX).unwrap(),
            |mut handle| {
                let mut context = Context::from_waker(Waker::noop());
                if let Poll::Ready(outcome) = pin!(&mut handle).poll(&mut context) {
                    return outcome.unwrap();
                }
                until(|| handle.is_finished());
                handle.join().unwrap()
            },
            |handle| {
                assert_eq!(wait_first([&handle]), Some(0));
                handle.join().unwrap()
            },
            |handle| {
                let (send, outcome) = channel();
                handle.on_finished(move |outcome| send.send(outcome).unwrap());
                outcome.recv().unwrap().unwrap()
            },
        ];
        for wait in wait_otherwise {
            for i in 0..20 {
                let outcome = parallel.submit(delayed(square, i)).join();
                assert_eq!(outcome.unwrap(), square(i));
            }
            assert_eq!(wait(parallel.submit(delayed(square, 3))), 9);
        }
    });
}

#[test]
fn no_more_run_than_there_are_jobs_and_what_waits_can_be_cancelled() {
    with_deadline(|| {
        let (parallel, signal) = (parallel(1), Signal::new());
        let first = parallel.submit(delayed(wait, signal.path()));
        let second = parallel.submit(delayed(square, 2));
        let third = parallel.submit(delayed(square, 3));
        second.cancel();
        // At once, and not when its turn comes.
        let error = second.join().unwrap_err();
        assert!(matches!(error.failure(), Failure::Cancelled), "{error}");
        assert_eq!(error.attempts(), 0);
        assert!(!third.is_finished());
        signal.give();
        assert_eq!(first.join().unwrap(), 7);
        assert_eq!(third.join().unwrap(), 9);
    });
}

#[test]
fn the_first_of_several_can_be_waited_for() {
    with_deadline(|| {
        let (parallel, signals) = (parallel(3), [Signal::new(), Signal::new(), Signal::new()]);
        let submit = |signal: &Signal| parallel.submit(delayed(wait, signal.path()));
        let mut handles: Vec<_> = signals.iter().map(submit).collect();
        for time in [Duration::ZERO, Duration::from_millis(5)] {
            let early = wait_first_timeout(&handles, time);
            assert!(matches!(early, Err(Error::StillRunning)), "{early:?}");
        }
        signals[1].give();
        assert_eq!(
            wait_first_timeout(&handles, Duration::MAX).unwrap(),
            Some(1)
        );
        // One that is there comes also to who does not wait.
        let first = wait_first_timeout(&handles, Duration::ZERO);
        assert_eq!(first.unwrap(), Some(1));
        assert_eq!(handles.remove(1).join().unwrap(), 7);
        signals[2].give();
        assert_eq!(wait_first(&handles), Some(1));
        signals[0].give();
        assert!(
            handles
                .into_iter()
                .all(|handle| handle.join().unwrap() == 7)
        );
        let none = Vec::<Handle<u64>>::new();
        assert_eq!(wait_first(&none), None);
        assert_eq!(wait_first_timeout(&none, Duration::ZERO).unwrap(), None);
    });
}

#[test]
fn a_handle_is_a_future() {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    with_deadline(|| {
        let signal = Signal::new();
        let mut handle = pin!(parallel(2).submit(delayed(wait, signal.path())));
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        assert!(handle.as_mut().poll(&mut context).is_pending());
        signal.give();
        loop {
            if let Poll::Ready(outcome) = handle.as_mut().poll(&mut context) {
                assert_eq!(outcome.unwrap(), 7);
                return;
            }
            thread::park();
        }
    });
}

#[test]
fn a_waker_that_panics_harms_nobody() {
    struct Trap;
    impl Wake for Trap {
        fn wake(self: Arc<Self>) {
            panic!("the waker of a test");
        }
    }
    with_deadline(|| {
        let (parallel, signal) = (parallel(1), Signal::new());
        let mut handle = pin!(parallel.submit(delayed(wait, signal.path())));
        let waker = Waker::from(Arc::new(Trap));
        let mut context = Context::from_waker(&waker);
        assert!(handle.as_mut().poll(&mut context).is_pending());
        let next = parallel.submit(delayed(square, 3));
        signal.give();
        assert_eq!(next.join().unwrap(), 9);
        let Poll::Ready(outcome) = handle.as_mut().poll(&mut context) else {
            panic!("the one before it has not finished");
        };
        assert_eq!(outcome.unwrap(), 7);
        assert_eq!(parallel.map(square, [4]).unwrap(), [16]);
    });
}

#[test]
fn a_callback_is_given_the_outcome_whenever_it_comes() {
    with_deadline(|| {
        let (parallel, signal) = (parallel(1), Signal::new());
        let (told, outcomes) = channel();
        let tell = |name: &'static str| {
            let told = told.clone();
            move |outcome: Outcome<u64>| told.send((name, outcome)).unwrap()
        };
        let waits = parallel.submit(delayed(wait, signal.path()));
        waits.on_finished(tell("waited for"));
        signal.give();
        let (name, outcome) = outcomes.recv().unwrap();
        assert_eq!((name, outcome.unwrap()), ("waited for", 7));

        let finished = parallel.submit(delayed(square, 3));
        until(|| finished.is_finished());
        finished.on_finished(tell("was there"));
        let (name, outcome) = outcomes.try_recv().expect("it is called here and now");
        assert_eq!((name, outcome.unwrap()), ("was there", 9));

        parallel
            .submit(delayed(|i: u64| 1 / i, 0))
            .on_finished(tell("fails"));
        let (name, outcome) = outcomes.recv().unwrap();
        let error = outcome.unwrap_err();
        assert_eq!(name, "fails");
        assert!(
            matches!(error.failure(), Failure::Panicked { .. }),
            "{error}"
        );

        let token = CancelToken::new();
        token.cancel();
        let parallel = parallel.cancel_token(token);
        parallel
            .submit(delayed(square, 4))
            .on_finished(tell("cancelled"));
        let (name, outcome) = outcomes.recv().unwrap();
        let error = outcome.unwrap_err();
        assert_eq!(name, "cancelled");
        assert!(matches!(error.failure(), Failure::Cancelled), "{error}");
    });
}

#[test]
fn a_callback_may_submit_and_panic() {
    with_deadline(|| {
        let parallel = Arc::new(parallel(1));
        let (told, outcomes) = channel();
        let again = Arc::clone(&parallel);
        parallel
            .submit(delayed(square, 2))
            .on_finished(move |outcome| {
                let more = again.submit(delayed(square, outcome.unwrap())).join();
                told.send(more.unwrap()).unwrap();
                panic!("the callback does");
            });
        assert_eq!(outcomes.recv().unwrap(), 16);
        assert!(outcomes.recv().is_err(), "it is gone");
        assert_eq!(parallel.submit(delayed(square, 3)).join().unwrap(), 9);
    });
}

#[test]
fn a_handle_may_outlive_its_parallel() {
    with_deadline(|| {
        let signal = Signal::new();
        let parallel = parallel(1);
        let handles = [1, 2].map(|_| parallel.submit(delayed(wait, signal.path())));
        drop(parallel);
        signal.give();
        assert!(
            handles
                .into_iter()
                .all(|handle| handle.join().unwrap() == 7)
        );
    });
}

#[test]
fn a_submission_to_no_jobs_is_told() {
    let error = parallel(0).submit(delayed(square, 1)).join().unwrap_err();
    assert!(error.to_string().contains("n_jobs is 0"), "{error}");
}

#[test]
fn joining_waits_for_all_that_was_submitted_and_its_callbacks() {
    with_deadline(|| {
        let (parallel, signal) = (parallel(2), Signal::new());
        let (told, outcomes) = channel();
        let tell = || {
            let told = told.clone();
            move |outcome: Outcome<u64>| told.send(outcome.ok()).unwrap()
        };
        let (go_on, gone_on) = channel::<()>();
        let (slow, path) = (tell(), signal.path());
        let held = parallel.submit(delayed(wait, path.clone()));
        held.on_finished(move |outcome| {
            gone_on.recv().unwrap();
            slow(outcome);
        });
        for i in 0..20 {
            parallel.submit(delayed(square, i)).on_finished(tell());
        }
        parallel
            .submit(delayed(|i: u64| 1 / i, 0))
            .on_finished(tell());
        parallel
            .submit(delayed(square, 3))
            .on_finished(|_| panic!("the callback does"));
        let never = parallel.submit(delayed(wait, path.clone()));
        never.cancel();
        never.on_finished(tell());
        drop(parallel.submit(delayed(wait, path)));
        let other = thread::spawn(move || {
            signal.give();
            go_on.send(()).unwrap();
            signal
        });
        parallel.join();
        let mut outcomes: Vec<_> = outcomes.try_iter().collect();
        outcomes.sort();
        let mut all: Vec<_> = (0..20).map(|i| Some(square(i))).collect();
        all.extend([None, None, Some(7)]);
        all.sort();
        assert_eq!(outcomes, all);
        other.join().unwrap();
    });
}

#[test]
fn joining_what_nothing_was_submitted_to_returns() {
    with_deadline(|| {
        parallel(2).join();
        let parallel = parallel(2);
        assert_eq!(parallel.map(square, 0..3).unwrap(), [0, 1, 4]);
        parallel.join();
    });
}
