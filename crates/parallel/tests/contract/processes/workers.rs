//! The life of workers: warm between calls, good citizens, gone at the end.

use std::collections::BTreeSet;
use std::io::Read;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use parallel::{Parallel, Processes, delayed};

use crate::tools::with_deadline;

fn on(n_jobs: i32) -> Parallel<Processes> {
    Parallel::new(n_jobs).backend(Processes::new())
}

fn pids(parallel: &Parallel<Processes>) -> BTreeSet<u32> {
    parallel
        .map(|_| process::id(), 0..50)
        .unwrap()
        .into_iter()
        .collect()
}

#[test]
fn workers_stay_warm_between_calls() {
    let parallel = on(1);
    let first = pids(&parallel);
    assert_eq!(first.len(), 1);
    for _ in 0..10 {
        assert_eq!(pids(&parallel), first);
    }
}

#[test]
fn a_panic_leaves_the_worker_alive() {
    let parallel = on(1);
    let first = pids(&parallel);
    for _ in 0..3 {
        assert!(
            parallel
                .run([delayed(|i: u32| assert_eq!(i, 1), 0)])
                .is_err()
        );
        assert_eq!(pids(&parallel), first);
    }
}

#[test]
fn a_worker_keeps_its_state() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let parallel = on(1);
    for expected in 0..3 {
        let count = parallel
            .run([delayed(|()| CALLS.fetch_add(1, Ordering::Relaxed), ())])
            .unwrap();
        assert_eq!(count, [expected]);
    }
    assert_eq!(CALLS.load(Ordering::Relaxed), 0, "here nothing was called");
}

#[test]
fn no_more_workers_than_jobs_or_tasks() {
    assert!(pids(&on(3)).len() <= 3);
    let one = on(8).map(|_| process::id(), 0..1).unwrap();
    assert_eq!(one.len(), 1);
}

#[test]
fn workers_go_with_their_parallel() {
    let parallel = on(3);
    let workers = pids(&parallel);
    drop(parallel);
    for pid in workers {
        // A zombie would still have a folder here.
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }
}

#[test]
fn standard_input_is_empty_there() {
    let read = |()| {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).unwrap();
        text
    };
    assert_eq!(
        with_deadline(|| on(1).run([delayed(read, ())])).unwrap(),
        [""]
    );
}

#[test]
fn the_mark_is_not_passed_on() {
    let parallel = on(1);
    let child = |()| {
        let output = process::Command::new("env").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let environment = parallel.run([delayed(child, ())]).unwrap();
    assert!(
        !environment[0].contains("PARALLEL_WORKER"),
        "{environment:?}"
    );
    assert!(
        environment[0].contains("OMP_NUM_THREADS="),
        "{environment:?}"
    );
}

#[test]
fn main_is_not_run_in_a_worker() {
    // The test harness would run all tests there, and print so.
    let arguments = on(1)
        .run([delayed(|()| std::env::args().len(), ())])
        .unwrap();
    assert_eq!(arguments, [1]);
}

#[test]
fn a_task_may_start_processes_and_threads() {
    let task = |i: i32| {
        let text = process::Command::new("echo")
            .arg(i.to_string())
            .output()
            .unwrap()
            .stdout;
        std::thread::spawn(move || String::from_utf8(text).unwrap().trim().to_owned())
            .join()
            .unwrap()
    };
    assert_eq!(on(2).map(task, 0..3).unwrap(), ["0", "1", "2"]);
}

#[test]
fn workers_are_named_as_their_program() {
    let name = |()| std::fs::read_to_string("/proc/self/comm").unwrap();
    let there = on(1).run([delayed(name, ())]).unwrap();
    assert!(there[0].starts_with("contract"), "{there:?}");
}

#[test]
fn a_worker_goes_after_so_many_tasks() {
    for (most, batch_size) in [(1, 1), (3, 1), (3, 10), (7, 2)] {
        let processes = Processes::new().max_tasks_per_worker(most);
        let parallel = Parallel::new(2).batch_size(batch_size).backend(processes);
        let mut tasks = std::collections::BTreeMap::new();
        // Two calls: a worker's count goes on.
        for _ in 0..2 {
            for pid in with_deadline(|| parallel.map(|_| process::id(), 0..20)).unwrap() {
                *tasks.entry(pid).or_insert(0) += 1;
            }
        }
        assert_eq!(tasks.values().sum::<u64>(), 40);
        assert!(tasks.values().all(|n| *n <= most), "{most}: {tasks:?}");
    }
}

#[test]
fn a_worker_has_the_environment_that_was_set() {
    let processes = Processes::new()
        .env("A", "1")
        .env("A", "2")
        .threads_per_worker(3);
    let parallel = Parallel::new(1).backend(processes);
    let there = parallel.map(
        |name: String| std::env::var(name).ok(),
        ["A", "RAYON_NUM_THREADS", "PARALLEL_WORKER"].map(String::from),
    );
    assert_eq!(
        there.unwrap(),
        [Some("2".to_owned()), Some("3".to_owned()), None]
    );
}

#[test]
fn a_variable_that_cannot_be_is_an_error() {
    for (name, value, named) in [
        ("A", "\0", "variable A "),
        ("A=B", "1", "\"A=B\""),
        ("", "1", "\"\""),
    ] {
        let error = Parallel::new(1)
            .backend(Processes::new().env(name, value))
            .map(|i| i, 0..1)
            .unwrap_err()
            .to_string();
        assert!(error.contains("cannot start a worker process"), "{error}");
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn what_is_left_is_done_by_a_worker_that_goes_within_a_batch() {
    let folder = super::deaths::Folder::new("left");
    let log = folder.0.join("log");
    let task = |log: std::path::PathBuf| {
        parallel::at_batch_end(move || super::deaths::note(&log, "x"));
    };
    let processes = Processes::new().max_tasks_per_worker(3);
    let parallel = Parallel::new(1).batch_size(10).backend(processes);
    with_deadline(|| parallel.run((0..10).map(|_| delayed(task, log.clone())))).unwrap();
    assert_eq!(std::fs::read(log).unwrap(), b"xxxxxxxxxx");
}

#[test]
fn what_is_left_is_done_if_the_last_task_of_a_batch_cannot_be_sent() {
    struct Fussy(usize, std::path::PathBuf);

    impl serde::Serialize for Fussy {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if self.0 % 10 == 9 {
                return Err(serde::ser::Error::custom("not the last one"));
            }
            (self.0, &self.1).serialize(serializer)
        }
    }

    impl<'de> serde::Deserialize<'de> for Fussy {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            <_>::deserialize(from).map(|(i, log)| Self(i, log))
        }
    }

    let folder = super::deaths::Folder::new("unsent");
    let log = folder.0.join("log");
    let task = |Fussy(i, log): Fussy| {
        parallel::at_batch_end(move || super::deaths::note(&log, "x"));
        i
    };
    let parallel = Parallel::new(1).batch_size(10).backend(Processes::new());
    for first in [0, 5] {
        let tasks = (first..30).map(|i| delayed(task, Fussy(i, log.clone())));
        let outcomes = with_deadline(|| parallel.outcomes(tasks)).unwrap();
        for (i, outcome) in (first..).zip(outcomes) {
            match outcome {
                Ok(value) => assert_eq!(value, i),
                Err(error) => {
                    assert_eq!((i % 10, error.index(), error.attempts()), (9, i - first, 0));
                    assert!(error.to_string().contains("not the last one"), "{error}");
                }
            }
        }
        let done = std::fs::read(&log).unwrap().len();
        assert_eq!(done, if first == 0 { 27 } else { 27 + 22 });
    }
}
