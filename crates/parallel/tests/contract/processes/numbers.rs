//! The numbers of workers, and what a task can see of its own state.

use std::collections::BTreeSet;
use std::process;
use std::time::Duration;

use parallel::{Failure, Parallel, Processes, current, delayed};

use crate::tools::with_deadline;

fn number(_: u32) -> (usize, u32) {
    (current().unwrap().worker(), process::id())
}

/// Long enough for each worker to have its share.
fn slow_number(i: u32) -> (usize, u32) {
    std::thread::sleep(Duration::from_millis(20));
    number(i)
}

#[test]
fn a_worker_keeps_its_number() {
    with_deadline(|| {
        let parallel = Parallel::new(3).backend(Processes::new());
        let mut seen = BTreeSet::new();
        for _ in 0..5 {
            seen.extend(parallel.map(slow_number, 0..9).unwrap());
        }
        let numbers: BTreeSet<usize> = seen.iter().map(|(number, _)| *number).collect();
        let pids: BTreeSet<u32> = seen.iter().map(|(_, pid)| *pid).collect();
        assert_eq!(seen.len(), pids.len(), "{seen:?}");
        assert_eq!(seen.len(), numbers.len(), "{seen:?}");
        assert!(numbers.iter().all(|number| *number < 3));
    });
}

#[test]
fn the_one_that_replaces_it_has_the_same_number() {
    fn die_after(round: u32) -> usize {
        if round == 1 {
            process::abort();
        }
        current().unwrap().worker()
    }
    let parallel = Parallel::new(1).backend(Processes::new());
    for _ in 0..3 {
        let outcomes = parallel.outcomes((0..3).map(|i| delayed(die_after, i)));
        let outcomes: Vec<_> = outcomes.unwrap().into_iter().map(Result::ok).collect();
        assert_eq!(outcomes, [Some(0), None, Some(0)]);
    }
}

#[test]
fn a_task_knows_its_place_when_its_worker_has_been_let_go_within_a_batch() {
    let place = |_: usize| {
        let task = current().unwrap();
        (task.index(), task.attempt())
    };
    let processes = Processes::new().max_tasks_per_worker(3);
    let parallel = Parallel::new(1).batch_size(10).backend(processes);
    let places = with_deadline(|| parallel.map(place, 0..20)).unwrap();
    assert!(places.into_iter().eq((0..20).map(|index| (index, 1))));
}

#[test]
fn an_initializer_finds_the_number_in_the_environment() {
    fn there(_: u32) -> (String, usize) {
        let variable = std::env::var("PARALLEL_INDEX").unwrap();
        (variable, current().unwrap().worker())
    }
    let parallel = Parallel::new(2).backend(Processes::new());
    for (variable, number) in parallel.map(there, 0..20).unwrap() {
        assert_eq!(variable, number.to_string());
    }
}

#[test]
fn attempts_are_counted() {
    fn third_time(_: u32) -> u32 {
        match current().unwrap().attempt() {
            1 => process::abort(),
            2 => loop {
                std::thread::park();
            },
            attempt => attempt,
        }
    }
    let processes = Processes::new()
        .retries(2)
        .timeout(Duration::from_millis(200));
    let parallel = Parallel::new(2).backend(processes);
    let attempts = with_deadline(|| parallel.map(third_time, 0..3)).unwrap();
    assert_eq!(attempts, [3, 3, 3]);
}

#[test]
fn a_panic_is_tried_again_only_if_asked_by_name() {
    fn second_time(i: u32) -> (u32, usize, u32) {
        let task = current().unwrap();
        assert!(i % 3 != 1 || task.attempt() > 1, "not yet");
        (i, task.index(), task.attempt())
    }
    for batch_size in [1, 5, 64] {
        let on = |processes: Processes| {
            Parallel::new(2)
                .batch_size(batch_size)
                .backend(processes.retries(1))
        };
        let parallel = on(Processes::new().retry_panics(true));
        let results = with_deadline(|| parallel.map(second_time, 0..40)).unwrap();
        let attempt = |i: u32| if i % 3 == 1 { 2 } else { 1 };
        let expected = (0..40).map(|i| (i, i as usize, attempt(i)));
        assert!(results.into_iter().eq(expected), "batches of {batch_size}");

        let outcomes = on(Processes::new()).outcomes((0..9).map(|i| delayed(second_time, i)));
        let failed = outcomes.unwrap().into_iter().filter_map(Result::err);
        let failed: Vec<_> = failed.map(|e| (e.index(), e.attempts())).collect();
        assert_eq!(failed, [(1, 1), (4, 1), (7, 1)]);
    }
}

#[test]
fn a_panic_that_comes_back_is_told_with_its_history() {
    fn hopeless(_: u32) {
        panic!("attempt {}", current().unwrap().attempt());
    }
    let parallel = Parallel::new(1).backend(Processes::new().retries(2).retry_panics(true));
    let outcomes = parallel.outcomes([delayed(hopeless, 0)]).unwrap();
    let error = outcomes[0].as_ref().unwrap_err();
    let message = |failure: &Failure| match failure {
        Failure::Panicked { message, .. } => message.clone(),
        other => panic!("{other:?}"),
    };
    let all = error.history().iter().chain([error.failure()]);
    let messages: Vec<_> = all.map(message).collect();
    assert_eq!(messages, ["attempt 1", "attempt 2", "attempt 3"]);
    assert_eq!(error.attempts(), 3);
}

/// Waits to be told that nobody wants it; the other one, once it is there, fails.
#[test]
fn a_running_task_learns_that_the_call_has_ended() {
    fn wait_or_fail((folder, i): (std::path::PathBuf, u32)) {
        let (started, ended) = (folder.join("started"), folder.join("ended"));
        let task = current().unwrap();
        if i == 0 {
            std::fs::write(started, "").unwrap();
            while !task.cancelled() {
                std::thread::yield_now();
            }
            std::fs::write(ended, "").unwrap();
        } else {
            while !started.exists() {
                std::thread::yield_now();
            }
            panic!("nobody wants the other one any more");
        }
    }
    let folder = super::deaths::Folder::new("cancelled");
    let parallel = Parallel::new(2).batch_size(1).backend(Processes::new());
    let path = folder.0.clone();
    let tasks = (0..2).map(|i| delayed(wait_or_fail, (path.clone(), i)));
    let error = with_deadline(|| parallel.run(tasks)).unwrap_err();
    assert!(error.to_string().contains("nobody wants"), "{error}");
    assert!(path.join("ended").exists());
}

#[test]
fn tasks_know_their_index_also_in_a_worker_that_replaces_one_which_is_through() {
    let processes = Processes::new().max_tasks_per_worker(2);
    let parallel = Parallel::new(1).backend(processes);
    let indices = parallel.map(|_| current().unwrap().index(), 0..7);
    assert_eq!(indices.unwrap(), [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_cancelled_task_tells_how_often_it_was_started() {
    fn hang(_: u32) {
        loop {
            std::thread::park();
        }
    }
    let processes = Processes::new()
        .retries(1000)
        .timeout(Duration::from_millis(100));
    let parallel = Parallel::new(1).backend(processes);
    let error = with_deadline(|| {
        let handle = parallel.submit(delayed(hang, 0));
        // Long enough for it to have been tried again.
        let _ = handle.join_timeout(Duration::from_millis(700));
        handle.cancel();
        handle.join().unwrap_err()
    });
    assert!(matches!(error.failure(), Failure::Cancelled), "{error:?}");
    assert!(error.attempts() >= 1, "{error:?}");
    assert!(
        error
            .history()
            .iter()
            .all(|f| matches!(f, Failure::TimedOut { .. }))
    );
    assert!(error.attempts() as usize - error.history().len() <= 1);
}
