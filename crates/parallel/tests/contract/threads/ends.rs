//! What is dropped, when, and who waits for it.

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Barrier, LazyLock, Mutex};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use parallel::{CancelToken, Error, Parallel, current, delayed};

use crate::tools::with_deadline;

#[test]
fn any_task_of_a_stream_may_drop_the_last_handle() {
    with_deadline(|| {
        let parallel = Arc::new(Parallel::new(2));
        let (both, dropped) = (Arc::new(Barrier::new(3)), channel());
        let tasks = [0, 1].map(|_| {
            let (parallel, both, done) =
                (Arc::clone(&parallel), Arc::clone(&both), dropped.0.clone());
            let task = move |()| {
                both.wait();
                both.wait();
                drop(parallel);
                done.send(()).unwrap();
            };
            delayed(task, ())
        });
        let outcomes = parallel.iter(tasks);
        both.wait();
        drop((outcomes, parallel));
        both.wait();
        for _ in 0..2 {
            dropped.1.recv().unwrap();
        }
    });
}

#[test]
fn who_drops_it_does_not_wait_for_a_stream_that_is_cancelled_and_held() {
    with_deadline(|| {
        let (begun, token) = (channel(), CancelToken::new());
        let (end, ends) = channel::<()>();
        let parallel = Parallel::new(1).cancel_token(token.clone());
        let task = move |()| {
            begun.0.send(()).unwrap();
            ends.recv().is_err()
        };
        let mut outcomes = parallel.iter([delayed(task, ())]);
        begun.1.recv().unwrap();
        token.cancel();
        drop(parallel);
        drop(end);
        assert!(outcomes.next().unwrap().unwrap());
    });
}

#[test]
fn who_drops_it_does_not_wait_for_a_callback() {
    with_deadline(|| {
        let (tell, told) = sync_channel(0);
        let parallel = Parallel::new(1);
        let (begun, registered) = (channel(), channel::<()>());
        // A callback is called where it is registered if the task is through by then.
        let waits = |registered: Receiver<()>| registered.recv().map_or(0, |()| 1);
        parallel
            .submit(delayed(waits, registered.1))
            .on_finished(move |outcome| {
                begun.0.send(()).unwrap();
                tell.send(outcome).unwrap();
            });
        registered.0.send(()).unwrap();
        begun.1.recv().unwrap();
        drop(parallel);
        assert_eq!(told.recv().unwrap().unwrap(), 1);
    });
}

#[test]
fn who_is_joined_cannot_join() {
    with_deadline(|| {
        let (parallel, told) = (Arc::new(Mutex::new(None)), channel());
        let join = |told: Sender<String>| {
            let parallel = Arc::clone(&parallel);
            move || {
                let parallel: Parallel = parallel.lock().unwrap().take().unwrap();
                let joined = catch_unwind(AssertUnwindSafe(|| parallel.join()));
                let message = *joined.unwrap_err().downcast::<&str>().unwrap();
                told.send(message.to_owned()).unwrap();
            }
        };
        let (as_task, as_callback) = (join(told.0.clone()), join(told.0.clone()));
        let (own, (begin, begun)) = (Parallel::new(2), channel::<()>());
        let task = move |()| {
            begun.recv().unwrap();
            as_task();
        };
        let handle = own.submit(delayed(task, ()));
        *parallel.lock().unwrap() = Some(own);
        begin.send(()).unwrap();
        handle.join().unwrap();
        let (own, (begin, begun)) = (Parallel::new(2), channel::<()>());
        let handle = own.submit(delayed(move |()| begun.recv().unwrap(), ()));
        handle.on_finished(move |_| as_callback());
        *parallel.lock().unwrap() = Some(own);
        begin.send(()).unwrap();
        for message in told.1.iter().take(2) {
            assert!(message.contains("would wait for itself"), "{message}");
        }
    });
}

#[test]
fn another_one_may_be_joined_inside_of_a_task() {
    with_deadline(|| {
        let outer = Parallel::new(1);
        let task = |i: u32| {
            let (inner, told) = (Parallel::new(1), channel());
            for j in 0..i {
                let tell = told.0.clone();
                let inner = inner.submit(delayed(|j: u32| j, j));
                inner.on_finished(move |outcome| tell.send(outcome.unwrap()).unwrap());
            }
            inner.join();
            told.1.try_iter().sum::<u32>()
        };
        assert_eq!(outer.submit(delayed(task, 5)).join().unwrap(), 10);
        assert_eq!(outer.map(task, 3..5).unwrap(), [3, 6]);
        outer.join();
    });
}

#[test]
fn a_callback_may_wait_for_what_was_submitted() {
    with_deadline(|| {
        let parallel = Arc::new(Parallel::new(1));
        let (inner, (tell, told)) = (Arc::clone(&parallel), channel());
        let first = parallel.submit(delayed(|i: u32| i, 1));
        first.on_finished(move |_| {
            let second = inner.submit(delayed(|i: u32| i, 2));
            tell.send(second.join_timeout(Duration::MAX)).unwrap();
        });
        assert_eq!(told.recv().unwrap().unwrap(), 2);
    });
}

#[test]
fn a_task_that_looks_at_many_handles_has_one_more_run_and_not_all() {
    with_deadline(|| {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let parallel = Arc::new(Parallel::new(2));
        let (inner, run, max) = (
            Arc::clone(&parallel),
            Arc::clone(&running),
            Arc::clone(&most),
        );
        let outer = move |polls: bool| {
            let task = |()| {
                let (run, max) = (Arc::clone(&run), Arc::clone(&max));
                move |()| {
                    max.fetch_max(run.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::sleep(Duration::from_micros(300));
                    run.fetch_sub(1, Ordering::SeqCst);
                }
            };
            let mut handles: Vec<_> = (0..200)
                .map(|_| inner.submit(delayed(task(()), ())))
                .collect();
            let mut context = Context::from_waker(Waker::noop());
            while !handles.is_empty() {
                handles.retain_mut(|handle| match polls {
                    true => Pin::new(handle).poll(&mut context).is_pending(),
                    false => matches!(
                        handle.join_timeout(Duration::ZERO),
                        Err(Error::StillRunning)
                    ),
                });
            }
        };
        for polls in [false, true] {
            // Each of the two that wait has one run in its place.
            let both = [0, 1].map(|_| parallel.submit(delayed(outer.clone(), polls)));
            for one in both {
                one.join().unwrap();
            }
        }
        assert!(most.load(Ordering::SeqCst) <= 2, "{most:?} ran at a time");
        assert_eq!(running.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn what_runs_for_a_task_that_waits_has_a_number_of_its_own() {
    with_deadline(|| {
        let number = |()| current().unwrap().worker();
        let alone = move |_: u32| Parallel::new(1).submit(delayed(number, ())).join().unwrap();
        assert_eq!(Parallel::new(4).map(alone, 0..4).unwrap(), [0; 4]);

        static BOTH: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(2));
        let inner = Parallel::new(2);
        let meets = |()| {
            BOTH.wait();
            current().unwrap().worker()
        };
        let join = |_: u32| inner.submit(delayed(meets, ())).join().unwrap();
        let mut numbers = Parallel::new(2).batch_size(1).map(join, 0..2).unwrap();
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 1]);
    });
}

#[test]
fn calls_are_made_in_destructors_of_thread_locals() {
    struct Late;
    impl Drop for Late {
        fn drop(&mut self) {
            let parallel = Parallel::new(2);
            assert_eq!(parallel.map(|i: u32| i + 1, 0..3).unwrap(), [1, 2, 3]);
            assert_eq!(parallel.submit(delayed(|i: u32| i, 7)).join().unwrap(), 7);
            assert_eq!(
                Parallel::configured().map(|i: u32| i, 0..2).unwrap(),
                [0, 1]
            );
            parallel::at_batch_end(|| DONE.store(1, Ordering::SeqCst));
        }
    }
    static DONE: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static LATE: RefCell<Option<Late>> = const { RefCell::new(None) });
    let thread = thread::spawn(|| {
        // It goes after what the library keeps, which comes later.
        LATE.set(Some(Late));
        Parallel::new(2).map(|i: u32| i, 0..3).unwrap();
    });
    thread.join().unwrap();
    assert_eq!(DONE.load(Ordering::SeqCst), 1);
}

/// Panics when it is dropped.
struct Trap(u32);

impl Drop for Trap {
    fn drop(&mut self) {
        panic!("the trap {}", self.0);
    }
}

/// The message of a call that fails at a task of its own.
fn burnt<R: std::fmt::Debug>(result: Result<R, Error>) {
    let Err(Error::Task(error)) = &result else {
        panic!("{result:?}")
    };
    assert!(error.to_string().contains("burnt"), "{error}");
}

#[test]
fn arguments_that_are_not_used_may_panic_as_they_go() {
    let task = |trap: Trap| {
        let i = trap.0;
        std::mem::forget(trap);
        assert_ne!(i, 0, "burnt");
    };
    for jobs in [1, 2] {
        let parallel = Parallel::new(jobs).batch_size(8);
        burnt(parallel.run((0..100).map(|i| delayed(task, Trap(i)))));
        drop(parallel.iter((0..100).map(move |i| delayed(task, Trap(i)))));
    }
}

#[test]
fn results_that_nobody_gets_may_panic_as_they_go() {
    let task = |i: u32| {
        assert_ne!(i, 5, "burnt");
        Trap(i)
    };
    for size in [1, 3, 8] {
        let result = Parallel::new(1)
            .batch_size(size)
            .run((0..8).map(|i| delayed(task, i)));
        burnt(result.map(std::mem::forget));
    }
}

#[test]
fn an_input_may_panic_as_it_goes() {
    struct Input(std::ops::Range<u32>);
    impl Drop for Input {
        fn drop(&mut self) {
            panic!("the input");
        }
    }
    impl Iterator for Input {
        type Item = u32;
        fn next(&mut self) -> Option<u32> {
            self.0.next()
        }
    }
    let parallel = Parallel::new(2);
    let input = || Input(0..10);
    assert!(parallel.map(|i| i, input()).unwrap().into_iter().eq(0..10));
    assert_eq!(
        parallel
            .outcomes(input().map(|i| delayed(|i| i, i)))
            .unwrap()
            .len(),
        10
    );
    assert_eq!(
        parallel.iter(input().map(|i| delayed(|i| i, i))).count(),
        10
    );
}

#[test]
fn a_batch_may_be_as_large_as_can_be() {
    let input = (0..).inspect(|i| assert_ne!(*i, 5, "the input broke"));
    let parallel = Parallel::new(2).batch_size(usize::MAX);
    let outcomes = parallel
        .outcomes(input.map(|i: u32| delayed(|i| i, i)))
        .unwrap();
    let (last, others) = outcomes.split_last().unwrap();
    assert!(others.iter().map(|o| *o.as_ref().unwrap()).eq(0..5));
    let error = last.as_ref().unwrap_err();
    assert!(error.to_string().contains("the input broke"), "{error}");
}

/// So quickly that, of the threads that were woken for them, one finds nothing to do, and learns that this is the habit.
#[test]
fn a_task_that_nobody_joins_begins_after_thousands_that_were_joined_at_once() {
    with_deadline(|| {
        let parallel = Parallel::new(2);
        for _ in 0..4 {
            for i in 0..2000 {
                assert_eq!(parallel.submit(delayed(|i| i, i)).join().unwrap(), i);
            }
            let (begun, begins) = channel();
            drop(parallel.submit(delayed(move |()| begun.send(()).unwrap(), ())));
            begins.recv().unwrap();
        }
    });
}
