//! What the scheduler keeps for programs.

use std::process::Command;

use cluster_harness::{DaskCluster, python};
use parallel::{Dask, Parallel};
use rustix::process::Signal;

use super::losses::bridge_of;
use crate::home::{outcomes, send, told};
use crate::tools::{until, with_deadline};

/// Prints how many of our plugins, and how many queues, events and entries of metadata there are.
const KEPT: &str = "
import sys
import distributed

def kept(dask_scheduler):
    queues = dask_scheduler.extensions['queues'].queues
    events = dask_scheduler.extensions['events']._events
    # Dask has one of its own.
    plugins = [name for name in dask_scheduler.worker_plugins if name.startswith('parallel-')]
    return [len(it) for it in (plugins, queues, events, dask_scheduler.task_metadata)]

print(*distributed.Client(sys.argv[1]).run_on_scheduler(kept))
";

fn kept(address: &str) -> String {
    let mut ask = Command::new(python());
    let output = ask.args(["-c", KEPT, address]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_scheduler_keeps_nothing_of_batches_and_programs_that_are_through() {
    let cluster = DaskCluster::start();
    let dask = Dask::connect(cluster.address()).unwrap();
    with_deadline(|| {
        let parallel = Parallel::new(2).backend(dask.clone().retries(0));
        let all = parallel.batch_size(1).map(|i: u64| i, 0..20).unwrap();
        assert!(all.into_iter().eq(0..20));
        // The plugin and the queue of the program.
        until(|| kept(cluster.address()) == "1 1 0 0");
        drop(dask);
        until(|| kept(cluster.address()) == "0 0 0 0");
    });
}

#[test]
fn a_bridge_that_is_told_to_end_leaves_nothing() {
    let cluster = DaskCluster::start();
    let dask = Dask::connect(cluster.address()).unwrap();
    let all = outcomes(&dask, 2, |home| {
        let callers = [home.next(), home.next()];
        send(Signal::TERM, bridge_of(&dask));
        callers
            .into_iter()
            .for_each(crate::home::Caller::wait_until_gone);
    });
    told(all, &["SIGTERM", cluster.address()]);
    with_deadline(|| drop(dask));
    assert_eq!(kept(cluster.address()), "0 0 0 0");
}
