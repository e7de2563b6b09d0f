//! A worker that is there and does not answer: it holds up nobody else.

use cluster_harness::{DaskCluster, Program};
use parallel::Dask;
use rustix::process::{Pid, Signal, kill_process};

use crate::home::{good, outcomes};
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
        signal(pid, Signal::STOP);
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal(self.0, Signal::CONT);
    }
}

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
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
