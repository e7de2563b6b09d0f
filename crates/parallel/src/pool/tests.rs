use super::*;

/// With `RUSTFLAGS="--cfg loom" cargo test -p parallel --lib --profile model loom`: every order in which
/// a caller and its helpers can meet.
#[cfg(loom)]
mod loom {
    use super::*;
    use crate::sync::atomic::{AtomicUsize, Ordering};
    use ::loom::model::Builder;

    fn model(body: impl Fn() + Send + Sync + 'static) {
        let mut builder = Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(body);
    }

    /// It tells nothing.
    fn gauge() -> Gauge {
        std::sync::Arc::new(|| None)
    }

    /// Borrowed data is touched by no helper after `run` has returned, each lane runs at most once,
    /// lane 0 exactly once, and nobody sleeps for ever.
    #[test]
    fn a_call_ends_with_its_lanes() {
        model(|| {
            let pool = Pool::new();
            let lanes = [AtomicUsize::new(0), AtomicUsize::new(0)];
            pool.run(2, Lanes::UntilDone(None), &|lane| {
                lanes[lane].fetch_add(1, Ordering::Relaxed);
            });
            let runs = lanes.map(|lane| lane.load(Ordering::Relaxed));
            assert!(runs == [1, 0] || runs == [1, 1], "{runs:?}");
        });
    }

    /// The second call finds its helper asleep, about to sleep, or still busy.
    #[test]
    fn a_second_call_wakes_the_helper() {
        model(|| {
            let pool = Pool::new();
            for _ in 0..2 {
                let runs = AtomicUsize::new(0);
                pool.run(2, Lanes::UntilDone(None), &|_| {
                    runs.fetch_add(1, Ordering::Relaxed);
                });
                assert!((1..=2).contains(&runs.load(Ordering::Relaxed)));
            }
        });
    }

    /// One helper is woken, or looks, and wakes the other, who watches the lane that is held back: a lane may wait for all
    /// the others.
    #[test]
    fn all_lanes_are_started_if_one_waits_for_them() {
        let mut builder = Builder::new();
        builder.preemption_bound = Some(2);
        builder.check(|| {
            let pool = Pool::new();
            for _ in 0..2 {
                let (begun, news) = (Mutex::new(0), Condvar::new());
                pool.run(3, Lanes::UntilDone(Some(gauge())), &|lane| {
                    let mut begun = lock(&begun);
                    *begun += 1;
                    news.notify_one();
                    while lane == 0 && *begun < 3 {
                        begun = wait(&news, begun);
                    }
                });
            }
        });
    }

    /// Two callers share one helper; each waits for its own lanes only.
    #[test]
    fn two_callers_share_a_helper() {
        model(|| {
            let pool = Arc::new(Pool::new());
            let other = {
                let pool = Arc::clone(&pool);
                thread::spawn(move || pool.run(2, Lanes::UntilDone(None), &|_| ()))
            };
            pool.run(2, Lanes::UntilDone(None), &|_| ());
            other.join().unwrap();
        });
    }

    /// A helper that never waits for a wake-up that is not to come: this is what the checks above
    /// would miss if lanes were never started by helpers at all.
    #[test]
    fn a_helper_does_help() {
        use std::sync::atomic::AtomicBool;
        static HELPED: AtomicBool = AtomicBool::new(false);
        model(|| {
            let pool = Pool::new();
            pool.run(2, Lanes::UntilDone(None), &|lane| {
                HELPED.fetch_or(lane == 1, Ordering::Relaxed);
            });
        });
        assert!(HELPED.load(Ordering::Relaxed));
    }
}

#[cfg(not(loom))]
mod plain {
    use super::*;
    use crate::deadline::with_deadline;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn all_lanes_run_at_once_when_they_wait_for_each_other() {
        with_deadline(|| {
            let pool = Pool::new();
            for _ in 0..100 {
                let everybody = Barrier::new(4);
                pool.run(4, Lanes::UntilDone(None), &|_| {
                    everybody.wait();
                });
            }
            assert_eq!(lock(&pool.shared.state).helpers, 3);
        });
    }

    #[test]
    fn calls_have_helpers_beside_those_that_keep_theirs() {
        with_deadline(|| {
            let pool = Pool::new();
            let [kept, others] = [(); 2].map(|()| Barrier::new(3));
            for _ in 0..100 {
                pool.run(3, Lanes::Steady, &|lane| {
                    kept.wait();
                    if lane == 0 {
                        pool.run(3, Lanes::UntilDone(None), &|_| {
                            others.wait();
                        });
                    }
                    kept.wait();
                });
            }
            assert_eq!(lock(&pool.shared.state).helpers, 4);
        });
    }

    #[test]
    fn calls_nest_without_a_free_helper() {
        with_deadline(|| {
            let pool = Pool::new();
            let inner = AtomicUsize::new(0);
            pool.run(2, Lanes::UntilDone(None), &|_| {
                pool.run(2, Lanes::UntilDone(None), &|_| {
                    pool.run(2, Lanes::UntilDone(None), &|lane| {
                        inner.fetch_add(usize::from(lane == 0), Ordering::Relaxed);
                    });
                });
            });
            assert!(inner.into_inner() >= 1);
        });
    }

    #[test]
    fn a_panic_of_a_helper_reaches_the_caller_and_the_pool_lives_on() {
        with_deadline(|| {
            let pool = Pool::new();
            let both = Barrier::new(2);
            let result = catch_unwind(AssertUnwindSafe(|| {
                pool.run(2, Lanes::UntilDone(None), &|lane| {
                    both.wait();
                    assert_eq!(lane, 0, "a defect");
                });
            }));
            assert!(result.is_err());
            pool.run(2, Lanes::UntilDone(None), &|_| {
                both.wait();
            });
        });
    }

    #[test]
    fn a_panic_of_the_caller_waits_for_the_helpers() {
        with_deadline(|| {
            let pool = Pool::new();
            let both = Barrier::new(2);
            let ended = AtomicUsize::new(0);
            let result = catch_unwind(AssertUnwindSafe(|| {
                pool.run(2, Lanes::UntilDone(None), &|lane| {
                    both.wait();
                    assert_ne!(lane, 0, "a defect");
                    thread::yield_now();
                    ended.fetch_add(1, Ordering::Relaxed);
                });
            }));
            assert!(result.is_err());
            assert_eq!(ended.into_inner(), 1);
        });
    }
}
