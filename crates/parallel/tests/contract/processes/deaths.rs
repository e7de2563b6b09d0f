//! A worker that dies costs the one task that it was at.
#![allow(unsafe_code, reason = "a crash has to come from somewhere")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process;

use parallel::{BatchSize, Error, Failure, Parallel, Processes, delayed};

use crate::tools::with_deadline;

fn on(n_jobs: i32, batch_size: impl Into<BatchSize>) -> Parallel<Processes> {
    Parallel::new(n_jobs)
        .batch_size(batch_size)
        .backend(Processes::new())
}

/// The ways to die, by number.
fn die(way: u32) -> u32 {
    match way {
        1 => process::abort(),
        2 => process::exit(3),
        3 => process::exit(0),
        4 => {
            // SAFETY: none: this is the crash.
            unsafe { std::ptr::null_mut::<u32>().write_volatile(1) };
            way
        }
        5 => overflow(way),
        6 => kill(9),
        7 => kill(15),
        _ => way,
    }
}

#[allow(unconditional_recursion, reason = "until the stack is full")]
fn overflow(n: u32) -> u32 {
    overflow(std::hint::black_box(n) + 1) + 1
}

fn kill(signal: i32) -> u32 {
    let signal = rustix::process::Signal::from_named_raw(signal).unwrap();
    rustix::process::kill_process(rustix::process::getpid(), signal).unwrap();
    loop {
        std::thread::park();
    }
}

fn death(failure: &Failure) -> (Option<i32>, Option<i32>) {
    match failure {
        Failure::Died { signal, code, .. } => (*signal, *code),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_way_to_die_is_told() {
    let outcomes =
        with_deadline(|| on(2, BatchSize::Auto).outcomes((0..9).map(|i| delayed(die, i))));
    let ends = outcomes.unwrap().into_iter().map(|outcome| match outcome {
        Ok(value) => (value, None, None),
        Err(error) => {
            assert_eq!(error.attempts(), 1);
            let (signal, code) = death(error.failure());
            (error.index() as u32, signal, code)
        }
    });
    let expected = [
        (0, None, None),
        (1, Some(6), None),
        (2, None, Some(3)),
        (3, None, Some(0)),
        (4, Some(11), None),
        (5, Some(11), None),
        (6, Some(9), None),
        (7, Some(15), None),
        (8, None, None),
    ];
    assert!(ends.eq(expected));
}

#[test]
fn a_death_in_a_batch_costs_exactly_its_task() {
    let task = |i: u32| if i == 7 { process::abort() } else { i };
    for batch_size in [1, 4, 64, 1000] {
        let outcomes =
            with_deadline(|| on(2, batch_size).outcomes((0..1000).map(|i| delayed(task, i))))
                .unwrap();
        for (index, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(value) => assert_eq!(value as usize, index),
                Err(error) => assert_eq!(
                    (error.index(), death(error.failure())),
                    (7, (Some(6), None))
                ),
            }
        }
    }
}

#[test]
fn every_task_may_die() {
    let task = |_: u32| -> u32 { process::exit(1) };
    let outcomes = with_deadline(|| on(3, 8).outcomes((0..40).map(|i| delayed(task, i)))).unwrap();
    assert_eq!(outcomes.len(), 40);
    for (index, outcome) in outcomes.into_iter().enumerate() {
        let error = outcome.unwrap_err();
        assert_eq!(
            (error.index(), death(error.failure())),
            (index, (None, Some(1)))
        );
    }
}

#[test]
fn run_tells_the_death_and_the_next_call_works() {
    let parallel = on(3, BatchSize::Auto);
    for _ in 0..5 {
        let task = |i: u32| if i == 50 { process::abort() } else { i };
        let error = with_deadline(|| parallel.run((0..100).map(|i| delayed(task, i)))).unwrap_err();
        let Error::Task(error) = error else {
            panic!("{error:?}")
        };
        assert_eq!(error.index(), 50);
        assert!(error.to_string().contains("SIGABRT"), "{error}");
        assert_eq!(parallel.map(|i| i, 0..5).unwrap(), [0, 1, 2, 3, 4]);
    }
}

/// A folder that is removed at the end.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("parallel-{name}-{}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn note(log: &Path, text: &str) {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn nothing_runs_twice_whoever_dies() {
    let folder = Folder::new("twice");
    let log = folder.0.join("log");
    let task = |(i, log): (u32, PathBuf)| {
        note(&log, &format!("{i}\n"));
        if i % 13 == 5 { process::abort() } else { i }
    };
    for batch_size in [BatchSize::Auto, 16.into()] {
        let _ = fs::remove_file(&log);
        let tasks = (0..300).map(|i| delayed(task, (i, log.clone())));
        let outcomes = with_deadline(|| on(3, batch_size).outcomes(tasks)).unwrap();
        let failed = outcomes
            .iter()
            .enumerate()
            .filter(|(_, o)| o.is_err())
            .map(|(i, _)| i);
        assert!(failed.eq((0..300).filter(|i| i % 13 == 5)));
        let mut ran: Vec<u32> = fs::read_to_string(&log)
            .unwrap()
            .lines()
            .map(|l| l.parse().unwrap())
            .collect();
        ran.sort_unstable();
        assert!(ran.into_iter().eq(0..300), "each task ran once");
    }
}

#[test]
fn after_a_failure_nothing_more_starts() {
    let folder = Folder::new("stop");
    let log = folder.0.join("log");
    let task = |(i, log): (u32, PathBuf)| {
        note(&log, &format!("{i}\n"));
        assert_ne!(i, 20, "stop");
    };
    // One worker, all tasks in its batch: after task 20 the other 80 were handed out and must not run.
    for retry_panics in [false, true] {
        let _ = fs::remove_file(&log);
        let processes = Processes::new().retry_panics(retry_panics);
        let parallel = Parallel::new(1).batch_size(100).backend(processes);
        let error = parallel
            .run((0..100).map(|i| delayed(task, (i, log.clone()))))
            .unwrap_err();
        assert!(error.to_string().contains("task 20 panicked"), "{error}");
        let ran = || fs::read_to_string(&log).unwrap().lines().count();
        assert_eq!(ran(), 21);
        // The worker is the same one, and has forgotten the rest.
        assert_eq!(parallel.map(|i| i, 0..3).unwrap(), [0, 1, 2]);
        assert_eq!(ran(), 21);
    }
}

/// An argument that cannot be written down if it is the fifth.
#[derive(serde::Deserialize)]
struct Fifth(u32, PathBuf);

impl serde::Serialize for Fifth {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert_ne!(self.0, 5, "cannot be written down");
        (self.0, &self.1).serialize(serializer)
    }
}

#[test]
fn after_a_failure_here_nothing_more_is_sent() {
    let folder = Folder::new("unsent");
    let log = folder.0.join("log");
    let task = |Fifth(i, log)| note(&log, &format!("{i}\n"));
    let parallel = on(1, 100);
    // More than once: the worker must be warm, and quick, to start what it should not have.
    for _ in 0..50 {
        assert_eq!(parallel.map(|i| i, 0..3).unwrap(), [0, 1, 2]);
        let tasks = (0..100).map(|i| delayed(task, Fifth(i, log.clone())));
        let error = parallel.run(tasks).unwrap_err();
        assert!(error.to_string().contains("task 5 panicked"), "{error}");
    }
    // What comes before it was to be sent together with it.
    assert!(!log.exists(), "{}", fs::read_to_string(log).unwrap());
}

/// A result that, when it is read here, waits until the worker is some tasks further on, and panics.
#[derive(serde::Serialize)]
struct Late(Option<PathBuf>);

impl<'de> serde::Deserialize<'de> for Late {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if let Some(path) = Option::<PathBuf>::deserialize(deserializer)? {
            // The fifo's other end is opened by a later task.
            assert_eq!(fs::read_to_string(&path).unwrap(), "later");
            panic!("read late");
        }
        Ok(Self(None))
    }
}

#[test]
fn results_that_nobody_read_do_not_reach_the_next_call() {
    let folder = Folder::new("unread");
    let fifo = folder.0.join("fifo");
    assert!(
        process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let task = |(i, fifo): (u32, PathBuf)| {
        if i == 10 {
            fs::write(&fifo, "later").unwrap();
        }
        Late((i == 0).then_some(fifo))
    };
    let parallel = on(1, 20);
    let pid = parallel.map(|_| process::id(), 0..1).unwrap();
    let tasks = (0..20).map(|i| delayed(task, (i, fifo.clone())));
    let error = with_deadline(|| parallel.run(tasks))
        .map(|_| ())
        .unwrap_err();
    assert!(error.to_string().contains("task 0 panicked"), "{error}");
    assert_eq!(
        with_deadline(|| parallel.map(|_| process::id(), 0..1)).unwrap(),
        pid
    );
}

#[test]
fn a_task_that_goes_on_after_a_failure_is_killed_with_its_worker() {
    let task = |i: u32| -> u32 {
        match i {
            0 => loop {
                std::thread::park();
            },
            _ => panic!("the other one"),
        }
    };
    let parallel = on(2, 1);
    let error = with_deadline(|| parallel.run((0..2).map(|i| delayed(task, i)))).unwrap_err();
    assert!(error.to_string().contains("task 1 panicked"), "{error}");
    assert_eq!(parallel.map(|i| i, 0..3).unwrap(), [0, 1, 2]);
}

#[test]
fn a_worker_that_is_killed_while_idle_is_replaced_and_costs_nothing() {
    let parallel = on(2, 1);
    for _ in 0..5 {
        let pids = parallel.map(|_| process::id(), 0..8).unwrap();
        for pid in pids {
            let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        let results = with_deadline(|| parallel.map(|i| i, 0..100)).unwrap();
        assert!(results.into_iter().eq(0..100));
    }
}

fn close_all() {
    for fd in 0..256 {
        // SAFETY: whatever it was, nobody uses it after this: that is the point.
        unsafe { libc::close(fd) };
    }
}

#[test]
fn a_worker_that_closes_all_its_descriptors_costs_its_task() {
    let task = |i: u32| {
        if i == 3 {
            close_all();
        }
        i
    };
    let outcomes = with_deadline(|| on(2, 4).outcomes((0..20).map(|i| delayed(task, i)))).unwrap();
    assert_eq!(outcomes.len(), 20);
    for (index, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(value) => assert_eq!(value as usize, index),
            Err(error) => assert!(
                index == 3 && matches!(error.failure(), Failure::Died { .. }),
                "{error}"
            ),
        }
    }
}

/// Closes those by which the worker tells what came of its tasks, and not the one by which it sees that its
/// parent is gone.
fn close_pipes() {
    for fd in 0..256 {
        let target = fs::read_link(format!("/proc/self/fd/{fd}")).unwrap_or_default();
        if target.to_string_lossy().starts_with("pipe:") {
            // SAFETY: as above.
            unsafe { libc::close(fd) };
        }
    }
}

#[test]
fn a_worker_that_gets_out_of_reach_costs_nobody_else() {
    let task = |i: u32| {
        if i % 10 == 3 {
            close_pipes();
        }
        // The next one is at work when it is noticed.
        std::thread::sleep(std::time::Duration::from_millis(2));
        i
    };
    let results = with_deadline(|| on(1, 50).map(task, 0..50)).unwrap();
    assert!(results.into_iter().eq(0..50));
}

#[test]
fn who_is_out_of_reach_has_not_been_killed_from_outside() {
    let task = |_: u32| -> u32 {
        close_pipes();
        loop {
            std::thread::park();
        }
    };
    let outcomes = with_deadline(|| on(1, 1).outcomes([delayed(task, 0)])).unwrap();
    let error = outcomes[0].as_ref().unwrap_err();
    assert_eq!(death(error.failure()), (None, None), "{error}");
}

#[test]
fn a_worker_that_finds_itself_out_of_reach_does_not_abort() {
    let task = |i: u32| {
        if i == 0 {
            close_pipes();
        }
        // More than there is room for: the worker waits for its parent.
        vec![i; 1 << 22]
    };
    for _ in 0..5 {
        let tasks = (0..3).map(|i| delayed(task, i));
        let outcomes = with_deadline(|| on(1, 3).outcomes(tasks)).unwrap();
        for error in outcomes.into_iter().filter_map(Result::err) {
            let death = death(error.failure());
            assert!(matches!(death, (None | Some(9), None)), "{error}");
        }
    }
}
