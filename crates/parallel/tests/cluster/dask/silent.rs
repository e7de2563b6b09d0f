//! A worker that is there and does not answer: it holds up nobody else.

use std::fs;
use std::path::Path;

use cluster_harness::{DaskCluster, Program};
use parallel::Dask;
use rustix::process::Signal;

use crate::home::{gone, good, outcomes, send};
use crate::tools::with_deadline;

/// The process that runs batches on a worker, stopped. Dropped, it goes on.
struct Stopped(i32);

impl Stopped {
    fn new(worker: &Program) -> Self {
        let processes = worker.processes();
        let runs = processes
            .iter()
            .find(|it| it.parent == worker.pid() && it.command.contains("spawn_main"));
        let pid = runs.expect("a nanny has a worker").pid;
        send(Signal::STOP, pid);
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        send(Signal::CONT, self.0);
    }
}

#[test]
fn a_stopped_worker_keeps_no_program_from_the_others() {
    let cluster = DaskCluster::start();
    let stopped = Stopped::new(&cluster.workers()[0]);
    let dask = with_deadline(|| Dask::connect(cluster.address()).unwrap());
    let all = outcomes(&dask, 2, |home| {
        let caller = home.next();
        assert_ne!(caller.engine, stopped.0);
        // The other batch may be there, where the executable comes only now.
        drop(stopped);
        caller.answer();
    });
    good(all, 2);
}

#[test]
fn to_leave_cleans_up_on_the_others_while_a_worker_is_stopped() {
    let cluster = DaskCluster::start();
    let dask = Dask::connect(cluster.address()).unwrap();
    let mut slots = Vec::new();
    let all = outcomes(&dask, 2, |home| {
        for caller in [home.next(), home.next()] {
            slots.push((caller.engine, caller.slot));
            caller.answer();
        }
    });
    good(all, 2);
    let stopped = Stopped::new(&cluster.workers()[0]);
    with_deadline(|| drop(dask));
    slots.retain(|&(engine, _)| engine != stopped.0);
    assert!(!slots.is_empty());
    with_deadline(|| slots.into_iter().for_each(|(_, slot)| gone(slot)));
    assert_eq!(shipped(cluster.workers()[1].folder()), 0);
    let other = cluster.workers()[0].folder();
    assert_eq!(shipped(other), 1, "it is stopped");
}

/// How many files there are in a worker's folders that were shipped to it.
fn shipped(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let counts = entries.map(|entry| {
        if entry.file_type().unwrap().is_dir() {
            shipped(&entry.path())
        } else {
            usize::from(
                entry
                    .file_name()
                    .as_encoded_bytes()
                    .starts_with(b"parallel-"),
            )
        }
    });
    counts.sum()
}
