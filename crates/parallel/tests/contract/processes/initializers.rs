//! What a worker does once, before its first task.

use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parallel::{Error, Failure, Parallel, Processes, delayed};

use crate::tools::with_deadline;

static CALLS: AtomicU32 = AtomicU32::new(0);

fn count() {
    CALLS.fetch_add(1, Ordering::Relaxed);
}

fn backend_error<R: std::fmt::Debug>(result: Result<R, Error>) -> String {
    match result {
        Err(Error::Backend(error)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_is_called_once_in_each_worker_and_in_its_successor() {
    let task = |i: u32| match i {
        13 => process::abort(),
        _ => (process::id(), CALLS.load(Ordering::Relaxed)),
    };
    let parallel = Parallel::new(2)
        .batch_size(4)
        .backend(Processes::new().initializer(count));
    for _ in 0..2 {
        let outcomes = with_deadline(|| parallel.outcomes((0..40).map(|i| delayed(task, i))));
        let calls: Vec<_> = outcomes
            .unwrap()
            .into_iter()
            .filter_map(Result::ok)
            .collect();
        assert_eq!(calls.len(), 39);
        assert!(calls.iter().all(|(_, calls)| *calls == 1));
    }
    assert_eq!(CALLS.load(Ordering::Relaxed), 0, "not here");
}

#[test]
fn a_panic_of_it_is_an_error_of_the_call() {
    let parallel = Parallel::new(3).backend(Processes::new().initializer(|| panic!("no gas")));
    for _ in 0..2 {
        let error = backend_error(with_deadline(|| parallel.map(|i| i, 0..100)));
        assert!(
            error.starts_with("the initializer of a worker process panicked at "),
            "{error}"
        );
        assert!(error.ends_with(": no gas"), "{error}");
    }
}

#[test]
fn a_failure_of_it_in_one_of_several_workers_is_an_error_of_the_call() {
    fn not_the_second() {
        assert_ne!(std::env::var("PARALLEL_INDEX").unwrap(), "1", "no gas");
    }
    /// So long that the other worker is needed.
    fn slow(i: u32) -> u32 {
        std::thread::sleep(Duration::from_millis(50));
        i
    }
    with_deadline(|| {
        let processes = || Processes::new().initializer(not_the_second);
        let parallel = Parallel::new(2).backend(processes());
        let error = backend_error(parallel.outcomes((0..40).map(|i| delayed(slow, i))));
        assert!(error.contains("no gas"), "{error}");
        let parallel = Parallel::new(2).backend(processes());
        let last = parallel.iter((0..40).map(|i| delayed(slow, i))).last();
        let failure = last.unwrap().unwrap_err().failure().clone();
        assert!(
            matches!(&failure, Failure::Backend { message } if message.contains("no gas")),
            "{failure:?}"
        );
    });
}

fn note_and_abort() {
    let log = PathBuf::from(std::env::var_os("LOG").unwrap());
    super::deaths::note(&log, "x");
    process::abort();
}

#[test]
fn a_death_in_it_is_an_error_and_no_endless_respawn() {
    let folder = super::deaths::Folder::new("initializer");
    let log = folder.0.join("log");
    let processes = Processes::new()
        .env("LOG", &log)
        .initializer(note_and_abort);
    let error = backend_error(with_deadline(|| {
        Parallel::new(2).backend(processes).map(|i| i, 0..100)
    }));
    assert!(
        error.starts_with("the initializer of a worker process ended it"),
        "{error}"
    );
    assert!(error.contains('6'), "{error}");
    assert!(
        fs::read(log).unwrap().len() <= 3,
        "one for each lane, and one more"
    );
}

#[test]
fn a_timeout_is_for_tasks_and_not_for_it() {
    let slow = || std::thread::sleep(Duration::from_millis(1200));
    let processes = Processes::new()
        .timeout(Duration::from_millis(500))
        .initializer(slow);
    let results = with_deadline(|| Parallel::new(1).backend(processes).map(|i| i, 0..10));
    assert!(results.unwrap().into_iter().eq(0..10));
}
