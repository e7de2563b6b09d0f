//! Limits that the kernel keeps, and what tasks do to their own process.
#![allow(unsafe_code, reason = "a task may fork")]

use std::path::PathBuf;
use std::process;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_current_process_group, pidfd_open};

use parallel::{Failure, Parallel, Processes, delayed};

use crate::tools::with_deadline;

const LIMIT: usize = 256 << 20;

fn on(n_jobs: i32, processes: Processes) -> Parallel<Processes> {
    Parallel::new(n_jobs).backend(processes)
}

fn knead(bytes: usize) -> usize {
    vec![1u8; bytes].iter().map(|byte| usize::from(*byte)).sum()
}

#[test]
fn who_wants_too_much_memory_costs_itself() {
    let wanted = |i: usize| if i % 7 == 3 { 1 << 30 } else { 1 << 20 };
    for batch_size in [1, 16] {
        let parallel = on(2, Processes::new().memory_limit(LIMIT)).batch_size(batch_size);
        let tasks = (0..30).map(|i| delayed(knead, wanted(i)));
        let outcomes = with_deadline(|| parallel.outcomes(tasks)).unwrap();
        for (i, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(sum) => assert_eq!(sum, 1 << 20),
                Err(error) => {
                    assert_eq!((error.index(), i % 7, error.attempts()), (i, 3, 1));
                    let failure = error.failure();
                    assert!(matches!(failure, Failure::OutOfMemory), "{error:?}");
                }
            }
        }
    }
}

#[test]
fn an_argument_that_needs_too_much_memory_costs_itself() {
    let size = |dish: Vec<u8>| dish.len();
    let parallel = on(1, Processes::new().memory_limit(LIMIT));
    let sizes = [1 << 10, 400 << 20, 1 << 11];
    let tasks = sizes.map(|bytes| delayed(size, vec![7u8; bytes]));
    let outcomes = with_deadline(|| parallel.outcomes(tasks)).unwrap();
    assert_eq!(outcomes[0].as_ref().unwrap(), &sizes[0]);
    assert_eq!(outcomes[2].as_ref().unwrap(), &sizes[2]);
    let failure = outcomes[1].as_ref().unwrap_err().failure();
    assert!(matches!(failure, Failure::OutOfMemory), "{failure:?}");
}

#[test]
fn a_leak_is_forgiven_with_retries() {
    fn leak(bytes: usize) -> usize {
        let dough = vec![1u8; bytes];
        std::mem::forget(dough);
        bytes
    }
    let parallel = on(1, Processes::new().memory_limit(LIMIT).retries(1));
    let leaks = with_deadline(|| parallel.map(leak, vec![100 << 20; 6])).unwrap();
    assert_eq!(leaks, [100 << 20; 6]);
}

#[test]
fn who_only_talks_of_memory_is_not_out_of_it() {
    fn talk(_: u32) {
        eprintln!("memory allocation of 7 bytes failed");
        for line in 0..5 {
            eprintln!("but that was long ago, {line}");
        }
        process::abort();
    }
    let parallel = on(1, Processes::new().memory_limit(LIMIT));
    let error = parallel.run([delayed(talk, 0)]).unwrap_err();
    assert!(error.to_string().contains("SIGABRT"), "{error}");
}

#[test]
fn idle_workers_leave_in_time_and_leave_nothing() {
    with_deadline(|| {
        let time = Duration::from_millis(50);
        let parallel = on(2, Processes::new().idle_timeout(time));
        for _ in 0..3 {
            let pid = parallel.map(|_| process::id(), 0..1).unwrap()[0];
            let pid = Pid::from_raw(pid as i32).unwrap();
            // Once it is reaped, there is nothing to wait for any more.
            while let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) {
                poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], None).unwrap();
                std::thread::yield_now();
            }
        }
    });
}

#[test]
fn a_worker_that_is_used_in_time_stays() {
    let parallel = on(1, Processes::new().idle_timeout(Duration::from_secs(60)));
    let pid = |_| process::id();
    let first = parallel.map(pid, 0..1).unwrap();
    assert_eq!(parallel.map(pid, 0..1).unwrap(), first);
}

#[test]
fn a_task_that_forks_is_answered_for_once() {
    fn twins(i: u32) -> u32 {
        if i % 3 == 1 {
            // SAFETY: the copy does nothing but return.
            let child = unsafe { libc::fork() };
            if child > 0 {
                let child = Pid::from_raw(child).unwrap();
                let options = rustix::process::WaitOptions::empty();
                let (_, status) = rustix::process::waitpid(Some(child), options)
                    .unwrap()
                    .unwrap();
                assert_eq!(status.exit_status(), Some(0), "the copy ends in silence");
            } else if i == 4 {
                panic!("also when it panics");
            }
        }
        i
    }
    for batch_size in [1, 64] {
        let parallel = on(2, Processes::new()).batch_size(batch_size);
        let results = with_deadline(|| parallel.map(twins, 0..30)).unwrap();
        assert!(results.into_iter().eq(0..30));
    }
}

#[test]
fn a_task_that_changes_directory_changes_that_worker_only() {
    fn there(go: bool) -> PathBuf {
        if go {
            std::env::set_current_dir("/").unwrap();
        }
        std::env::current_dir().unwrap()
    }
    let here = std::env::current_dir().unwrap();
    let root = PathBuf::from("/");
    let parallel = on(1, Processes::new());
    // It lasts for that worker's later tasks, as all of its state does.
    let seen = parallel.map(there, [false, true, false]).unwrap();
    assert_eq!(seen, [here.clone(), root.clone(), root]);
    assert_eq!(std::env::current_dir().unwrap(), here);
    let fresh = on(1, Processes::new());
    assert_eq!(fresh.map(there, [false]).unwrap(), [here]);
}

#[test]
fn a_task_that_kills_its_own_group_costs_itself() {
    fn kill(i: u32) -> u32 {
        if i == 5 {
            kill_current_process_group(Signal::KILL).unwrap();
        }
        i
    }
    let parallel = on(2, Processes::new());
    let outcomes = with_deadline(|| parallel.outcomes((0..20).map(|i| delayed(kill, i))));
    for (i, outcome) in outcomes.unwrap().into_iter().enumerate() {
        match outcome {
            Ok(value) => assert_eq!(value as usize, i),
            Err(error) => {
                assert_eq!((error.index(), i), (5, 5));
                let failure = error.failure();
                assert!(
                    matches!(
                        failure,
                        Failure::Died {
                            signal: Some(9),
                            oom_likely: false,
                            ..
                        }
                    ),
                    "{failure:?}"
                );
            }
        }
    }
}
