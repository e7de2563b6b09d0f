//! What threads alone promise, and the behaviours on them.

use parallel::Threads;

#[path = "behaviours/mod.rs"]
mod behaviours;
#[path = "behaviours/reclaims.rs"]
mod behaviours_reclaims;
#[path = "behaviours/places.rs"]
mod places;
#[path = "behaviours/together.rs"]
mod together;

type Here = Threads;

/// Whether calls inside of tasks get a share of the CPUs, not all.
const SHARES_CPUS: bool = true;
/// Whether a task belongs to a batch where it is called.
const IN_BATCHES: bool = true;
/// Whether batches travel far: for milliseconds, to any worker that is free.
const FAR: bool = false;

fn here() -> Here {
    Threads::new()
}

fn parallel(n_jobs: i32) -> parallel::Parallel<Here> {
    parallel::Parallel::new(n_jobs).backend(here())
}

mod apart;
mod ends;

mod alone {
    use std::collections::HashSet;
    use std::hint;
    use std::iter;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::mpsc::channel;
    use std::sync::{Arc, Barrier};
    use std::thread::{self, ThreadId};
    use std::time::Duration;

    use parallel::{Parallel, Task, current, delayed, wait_first};

    use crate::tools::with_deadline;

    #[test]
    fn tasks_and_results_may_borrow() {
        let names = ["Flour", "Yeast"].map(str::to_owned);
        let parallel = Parallel::new(2);
        let slices: Vec<&str> = parallel
            .run(names.iter().map(|n| delayed(|n: &String| &n[1..], n)))
            .unwrap();
        assert_eq!(slices, ["lour", "east"]);
        drop(parallel);
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn tasks_may_borrow_mutably() {
        let mut parts = vec![vec![1], vec![2], vec![3]];
        let push = |part: &mut Vec<i32>| part.push(0);
        Parallel::new(2)
            .run(parts.iter_mut().map(|part| delayed(push, part)))
            .unwrap();
        assert_eq!(parts, [[1, 0], [2, 0], [3, 0]]);
    }

    #[test]
    fn closures_may_capture() {
        let (offset, hits) = (10, AtomicUsize::new(0));
        let add = |i| {
            hits.fetch_add(1, Ordering::Relaxed);
            i + offset
        };
        assert_eq!(Parallel::new(2).map(add, 0..3).unwrap(), [10, 11, 12]);
        assert_eq!(hits.into_inner(), 3);
    }

    #[test]
    fn one_job_runs_on_the_calling_thread() {
        let here = thread::current().id();
        let ids = Parallel::new(1).run((0..9).map(|i| delayed(|_| thread::current().id(), i)));
        assert_eq!(ids.unwrap(), vec![here; 9]);
    }

    #[test]
    fn the_caller_is_one_of_the_threads_and_the_others_stay() {
        with_deadline(|| {
            let parallel = Parallel::new(3);
            let meet = || {
                let all = Barrier::new(3);
                let wait = |_| {
                    all.wait();
                    thread::current().id()
                };
                let ids = parallel.map(wait, 0..3).unwrap();
                ids.into_iter().collect::<HashSet<ThreadId>>()
            };
            let first = meet();
            assert_eq!(first.len(), 3);
            assert!(first.contains(&thread::current().id()));
            for _ in 0..20 {
                assert_eq!(meet(), first);
            }
        });
    }

    #[test]
    fn a_task_of_another_type_may_borrow_too() {
        struct Longest<'a>(&'a [String]);
        impl<'a> Task for Longest<'a> {
            type Output = Option<&'a String>;
            fn call(self) -> Self::Output {
                self.0.iter().max_by_key(|s| s.len())
            }
        }
        let words = ["a", "bcd", "ef"].map(String::from);
        let longest = Parallel::new(2).run(words.chunks(2).map(Longest)).unwrap();
        assert_eq!(longest, [Some(&words[1]), Some(&words[2])]);
    }

    #[test]
    fn a_panic_drops_what_others_borrowed_only_after_they_ended() {
        with_deadline(|| {
            for _ in 0..200 {
                let data = vec![1u64; 64];
                let both = Barrier::new(2);
                let task = |i| {
                    both.wait();
                    assert_ne!(i, 0, "stop");
                    data.iter().sum::<u64>()
                };
                assert!(Parallel::new(2).map(task, 0..2).is_err());
            }
        });
    }

    #[test]
    fn a_submitted_task_may_wait_for_another_one() {
        fn tree(parallel: Arc<Parallel>, depth: u32) -> u32 {
            if depth == 0 {
                return 1;
            }
            let branch = |_| {
                let inner = Arc::clone(&parallel);
                parallel.submit(delayed(move |depth| tree(inner, depth), depth - 1))
            };
            [0, 1]
                .map(branch)
                .into_iter()
                .map(|h| h.join().unwrap())
                .sum()
        }
        with_deadline(|| {
            for n_jobs in [1, 2] {
                let parallel = Arc::new(Parallel::new(n_jobs));
                let root = Arc::clone(&parallel);
                let handle = parallel.submit(delayed(move |depth| tree(root, depth), 6));
                assert_eq!(handle.join().unwrap(), 64);
            }
        });
    }

    #[test]
    fn what_a_cancelled_task_gives_on_a_thread_counts() {
        with_deadline(|| {
            let (tell_start, started) = channel();
            let (end, told_to_end) = channel::<()>();
            let task = move |value: u32| {
                tell_start.send(()).unwrap();
                assert!(told_to_end.recv().is_err());
                value
            };
            let handle = Parallel::new(1).submit(delayed(task, 7));
            started.recv().unwrap();
            handle.cancel();
            drop(end);
            assert_eq!(handle.join().unwrap(), 7);
        });
    }

    #[test]
    fn a_result_that_nobody_wants_and_that_panics_as_it_goes_harms_nothing() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("boom");
            }
        }
        with_deadline(|| {
            let parallel = Parallel::new(1);
            for finished in [false, true, false] {
                let handle = parallel.submit(delayed(|()| Bomb, ()));
                if finished {
                    wait_first(std::slice::from_ref(&handle));
                }
                drop(handle);
                assert_eq!(parallel.submit(delayed(|i: u32| i, 3)).join().unwrap(), 3);
            }
        });
    }

    /// Who waits for the second task could run it, but for the first.
    #[test]
    fn a_task_that_is_waited_for_begins_when_fewer_run_than_there_are_jobs() {
        with_deadline(|| {
            let parallel = Parallel::new(1);
            for _ in 0..100 {
                let (tell_start, started) = channel();
                let (end, told_to_end) = channel();
                let ended = Arc::new(AtomicBool::new(false));
                let first = {
                    let ended = Arc::clone(&ended);
                    move |()| {
                        tell_start.send(()).unwrap();
                        told_to_end.recv().unwrap();
                        ended.store(true, Ordering::SeqCst);
                    }
                };
                let first = parallel.submit(delayed(first, ()));
                started.recv().unwrap();
                let second = move |()| (ended.load(Ordering::SeqCst), current().unwrap().worker());
                let second = parallel.submit(delayed(second, ()));
                let ending = thread::spawn(move || {
                    (0..100).for_each(|_| thread::yield_now());
                    end.send(()).unwrap();
                });
                assert_eq!(second.join().unwrap(), (true, 0));
                first.join().unwrap();
                ending.join().unwrap();
            }
        });
    }

    /// Who waits for the second task could run it before the first, for which it waits.
    #[test]
    fn submitted_tasks_begin_in_turn_whichever_is_waited_for() {
        with_deadline(|| {
            for _ in 0..100 {
                let parallel = Parallel::new(1);
                let (send, receive) = channel();
                let first = parallel.submit(delayed(move |()| send.send(7).unwrap(), ()));
                let second = parallel.submit(delayed(move |()| receive.recv().unwrap(), ()));
                assert_eq!(second.join().unwrap(), 7);
                first.join().unwrap();
            }
        });
    }

    /// Its lane took only short ones before, and was not expected to be away for long. The input gives no more, nor
    /// ends, until both have run.
    #[test]
    fn after_short_tasks_one_may_wait_for_the_next() {
        type Job = Box<dyn FnOnce() + Send>;
        with_deadline(|| {
            let parallel = Parallel::new(2);
            for _ in 0..20 {
                let [(begin, begun), (send, receive), (end, ended)] = [(); 3].map(|()| channel());
                let short = (0..5000).map(|_| {
                    hint::black_box((0..400).map(hint::black_box).sum::<u64>());
                    Box::new(|| {}) as Job
                });
                let waits = iter::once(Box::new(move || {
                    begin.send(()).unwrap();
                    receive.recv().unwrap();
                    end.send(()).unwrap();
                }) as Job);
                let is_waited_for = iter::once_with(move || {
                    begun.recv().unwrap();
                    Box::new(move || send.send(()).unwrap()) as Job
                });
                let last = iter::once_with(move || {
                    ended.recv().unwrap();
                    Box::new(|| {}) as Job
                });
                let jobs = short.chain(waits).chain(is_waited_for).chain(last);
                let tasks = jobs.map(|job| delayed(|job: Job| job(), job));
                assert_eq!(parallel.iter(tasks).map(Result::unwrap).count(), 5003);
            }
        });
    }

    /// All at once, by more threads than there are jobs.
    #[test]
    fn tasks_that_are_waited_for_at_the_same_time_have_workers_of_their_own() {
        with_deadline(|| {
            let parallel = Parallel::new(3);
            let busy: Arc<[AtomicBool; 3]> = Arc::default();
            let task = |busy: Arc<[AtomicBool; 3]>| {
                let worker = current().unwrap().worker();
                let alone = !busy[worker].swap(true, Ordering::SeqCst);
                thread::yield_now();
                busy[worker].store(false, Ordering::SeqCst);
                alone
            };
            thread::scope(|scope| {
                for _ in 0..5 {
                    scope.spawn(|| {
                        for _ in 0..300 {
                            let handle = parallel.submit(delayed(task, Arc::clone(&busy)));
                            let next = parallel.submit(delayed(task, Arc::clone(&busy)));
                            assert!(next.join().unwrap() && handle.join().unwrap());
                        }
                    });
                }
            });
        });
    }

    #[test]
    fn a_submitted_task_may_wait_in_whatever_way() {
        with_deadline(|| {
            for way in 0..3 {
                let parallel = Arc::new(Parallel::new(1));
                let inner = Arc::clone(&parallel);
                let wait = move |way: u32| {
                    let submit = || inner.submit(delayed(|i: u32| i + 1, 1));
                    match way {
                        0 => submit().join_timeout(Duration::MAX).unwrap(),
                        1 => {
                            let handles = [submit(), submit()];
                            let first = wait_first(&handles).unwrap();
                            handles.into_iter().nth(first).unwrap().join().unwrap()
                        }
                        _ => {
                            let inside = Parallel::new(2);
                            let both = inside.map(|_| submit().join().unwrap(), 0..2);
                            both.unwrap()[0]
                        }
                    }
                };
                let handle = parallel.submit(delayed(wait, way));
                assert_eq!(handle.join().unwrap(), 2, "way {way}");
            }
        });
    }

    /// In a worker it has the time that a task has there when its call ends.
    #[test]
    fn a_task_that_ends_its_call_and_panics_is_told_of_as_it_was() {
        let task = |_: u64| -> u64 {
            current().unwrap().cancel();
            panic!("burnt");
        };
        let outcomes = Parallel::new(2).outcomes([delayed(task, 0)]).unwrap();
        let error = outcomes[0].as_ref().unwrap_err();
        assert!(error.to_string().contains("burnt"), "{error}");
    }
}
