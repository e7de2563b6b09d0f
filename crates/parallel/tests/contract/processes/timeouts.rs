//! Tasks that run for too long, and tasks that are tried again.

use std::fs;
use std::path::PathBuf;
use std::process::{self, Command};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use parallel::{BatchSize, Error, Event, Failure, Output, Parallel, Processes, delayed};

use super::deaths::{Folder, note};
use crate::tools::with_deadline;

const SHORT: Duration = Duration::from_millis(500);

fn on(n_jobs: i32, batch_size: impl Into<BatchSize>, limit: Duration) -> Parallel<Processes> {
    let processes = Processes::new().timeout(limit);
    Parallel::new(n_jobs)
        .batch_size(batch_size)
        .backend(processes)
}

fn hang() -> ! {
    loop {
        std::thread::park();
    }
}

#[test]
fn a_task_that_prints_without_end_is_ended_too() {
    let flood = |_: u32| -> u32 {
        loop {
            println!("and the dough rises");
        }
    };
    let processes = Processes::new().timeout(SHORT).output(Output::Lines);
    // Lines come quicker than they are looked at.
    let look = |event: &Event| {
        if let Event::Line { .. } = event {
            std::thread::sleep(Duration::from_micros(1));
        }
    };
    let parallel = Parallel::new(1).backend(processes).observer(look);
    let outcomes = with_deadline(|| parallel.outcomes([delayed(flood, 0)])).unwrap();
    let failure = outcomes[0].as_ref().unwrap_err().failure();
    assert!(matches!(failure, Failure::TimedOut { .. }), "{failure:?}");
}

#[test]
fn a_task_that_hangs_costs_itself() {
    let task = |i: u32| if i == 7 { hang() } else { i };
    for batch_size in [BatchSize::Auto, 1.into(), 64.into()] {
        let outcomes =
            with_deadline(|| on(2, batch_size, SHORT).outcomes((0..200).map(|i| delayed(task, i))));
        for (index, outcome) in outcomes.unwrap().into_iter().enumerate() {
            match outcome {
                Ok(value) => assert_eq!(value as usize, index),
                Err(error) => {
                    assert_eq!((error.index(), index, error.attempts()), (7, 7, 1));
                    let Failure::TimedOut { limit } = error.failure() else {
                        panic!("{error:?}")
                    };
                    assert_eq!(*limit, SHORT);
                }
            }
        }
    }
}

#[test]
fn all_may_hang() {
    let task = |_: u32| -> u32 { hang() };
    let outcomes = with_deadline(|| on(3, 4, SHORT).outcomes((0..6).map(|i| delayed(task, i))));
    for (index, outcome) in outcomes.unwrap().into_iter().enumerate() {
        let error = outcome.unwrap_err();
        assert_eq!(error.index(), index);
        assert!(
            matches!(error.failure(), Failure::TimedOut { .. }),
            "{error}"
        );
    }
}

#[test]
fn run_tells_a_timeout_and_the_next_call_works() {
    let parallel = on(2, 1, SHORT);
    let task = |i: u32| if i == 3 { hang() } else { i };
    let error = with_deadline(|| parallel.run((0..6).map(|i| delayed(task, i)))).unwrap_err();
    let Error::Task(error) = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        error.to_string(),
        "task 3 ran for longer than 500ms and was ended with its worker process"
    );
    assert_eq!(parallel.map(|i| i, 0..3).unwrap(), [0, 1, 2]);
}

#[test]
fn each_task_has_its_own_time() {
    // Together they take much longer than one may.
    let task = |i: u32| {
        std::thread::sleep(Duration::from_millis(20));
        i
    };
    let results = on(1, 100, Duration::from_secs(1)).run((0..100).map(|i| delayed(task, i)));
    assert!(results.unwrap().into_iter().eq(0..100));
}

#[test]
fn what_a_task_started_ends_with_it() {
    let folder = Folder::new("grandchild");
    let file = folder.0.join("pid");
    let task = |file: PathBuf| {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        fs::write(file, child.id().to_string()).unwrap();
        child.wait().unwrap();
    };
    let outcomes =
        with_deadline(|| on(1, 1, SHORT).outcomes([delayed(task, file.clone())])).unwrap();
    assert!(matches!(
        outcomes[0].as_ref().unwrap_err().failure(),
        Failure::TimedOut { .. }
    ));
    let pid: i32 = fs::read_to_string(file).unwrap().parse().unwrap();
    // It has been killed; it may still be on its way out.
    with_deadline(|| {
        if let Ok(pidfd) = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) {
            poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], None).unwrap();
        }
    });
}

#[test]
fn a_worker_that_is_stopped_has_its_time_as_well() {
    let task = |i: u32| {
        if i == 2 {
            kill_process(rustix::process::getpid(), Signal::STOP).unwrap();
        }
        i
    };
    let outcomes =
        with_deadline(|| on(1, 8, SHORT).outcomes((0..8).map(|i| delayed(task, i)))).unwrap();
    let failed = outcomes
        .iter()
        .enumerate()
        .filter(|(_, o)| o.is_err())
        .map(|(i, _)| i);
    assert!(failed.eq([2]));
}

/// Dies, or hangs, or panics, as often as it is told, and then succeeds.
fn fail_at_first((log, way, times): (PathBuf, char, usize)) -> usize {
    note(&log, "x");
    let tries = fs::read(&log).unwrap().len();
    if tries <= times {
        match way {
            'd' => process::abort(),
            'h' => hang(),
            _ => panic!("a panic"),
        }
    }
    tries
}

#[test]
fn a_death_or_a_timeout_is_tried_again_as_often_as_asked() {
    for (way, times) in [('d', 2), ('h', 1)] {
        let folder = Folder::new(&format!("again-{way}"));
        let log = folder.0.join("log");
        let processes = Processes::new().timeout(SHORT).retries(2);
        let parallel = Parallel::new(1).backend(processes);
        let task = delayed(fail_at_first, (log, way, times));
        assert_eq!(with_deadline(|| parallel.run([task])).unwrap(), [times + 1]);
    }
}

#[test]
fn what_never_works_is_told_with_its_history() {
    let folder = Folder::new("never");
    let log = folder.0.join("log");
    let parallel = Parallel::new(2)
        .batch_size(8)
        .backend(Processes::new().retries(3));
    let tasks = (0..16).map(|i| {
        let times = if i == 5 { usize::MAX } else { 0 };
        delayed(
            fail_at_first,
            (log.with_extension(i.to_string()), 'd', times),
        )
    });
    let outcomes = with_deadline(|| parallel.outcomes(tasks)).unwrap();
    for (index, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            // Nobody else was started a second time.
            Ok(tries) => assert_eq!(tries, 1),
            Err(error) => {
                assert_eq!((error.index(), index, error.attempts()), (5, 5, 4));
                assert_eq!(error.history().len(), 3);
                let all = error.history().iter().chain([error.failure()]);
                assert!(all.into_iter().all(|f| matches!(
                    f,
                    Failure::Died {
                        signal: Some(6),
                        ..
                    }
                )));
            }
        }
    }
}

#[test]
fn a_panic_is_not_tried_again() {
    let folder = Folder::new("panic");
    let log = folder.0.join("log");
    let parallel = Parallel::new(1).backend(Processes::new().retries(5));
    let outcomes = parallel
        .outcomes([delayed(fail_at_first, (log.clone(), 'p', 1))])
        .unwrap();
    let error = outcomes[0].as_ref().unwrap_err();
    assert_eq!((error.attempts(), error.history().len()), (1, 0));
    assert_eq!(fs::read(log).unwrap(), b"x");
}

#[test]
fn who_is_just_in_time_or_just_late_runs_once() {
    // As long as they may run, more or less: often a worker is ended just as it goes on to the next one.
    let task = |(i, log): (u64, PathBuf)| {
        note(&log, &format!("{i}\n"));
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_micros(1500 + i * 7 % 1000) {}
        i
    };
    let folder = Folder::new("just");
    let log = folder.0.join("log");
    let tasks = (0..400).map(|i| delayed(task, (i, log.clone())));
    let outcomes = with_deadline(|| on(2, 50, Duration::from_millis(2)).outcomes(tasks)).unwrap();
    assert_eq!(outcomes.len(), 400);
    let log = fs::read_to_string(log).unwrap();
    let mut ran: Vec<u64> = log.lines().map(|line| line.parse().unwrap()).collect();
    ran.sort_unstable();
    let before = ran.len();
    ran.dedup();
    assert_eq!(before, ran.len(), "started twice");
}

#[test]
fn the_longest_time_is_no_limit() {
    assert_eq!(on(1, 1, Duration::MAX).map(|i| i, 0..3).unwrap(), [0, 1, 2]);
}
