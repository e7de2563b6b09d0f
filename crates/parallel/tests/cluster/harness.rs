//! The clusters of these tests come up, and leave nothing.

use cluster_harness::{DaskCluster, RayCluster};
use procfs::process::Process;

fn is_there(process: &cluster_harness::Process) -> bool {
    let stat = Process::new(process.pid).and_then(|process| process.stat());
    stat.is_ok_and(|stat| stat.state != 'Z')
}

#[test]
fn a_dask_cluster_leaves_nothing() {
    let mut cluster = DaskCluster::start();
    assert!(cluster.address().starts_with("tcp://127.0.0.1:"));
    assert_eq!(cluster.add_worker(), 2);
    let mut processes = cluster.scheduler().processes();
    let mut folders = vec![cluster.scheduler().folder().to_owned()];
    for worker in cluster.workers() {
        processes.extend(worker.processes());
        folders.push(worker.folder().to_owned());
    }
    // A worker is a nanny, its tracker of resources and what works.
    assert!(processes.len() >= 7, "{processes:#?}");
    cluster.remove_worker(1);
    drop(cluster);
    assert!(!processes.iter().any(is_there), "{processes:#?}");
    assert!(!folders.iter().any(|folder| folder.exists()), "{folders:?}");
}

#[test]
fn a_ray_cluster_leaves_nothing() {
    let mut cluster = RayCluster::start();
    let mut processes = cluster.processes();
    let folders = [cluster.head(), cluster.node()].map(|it| it.folder().to_owned());
    for name in ["gcs_server", "raylet"] {
        let runs = |it: &cluster_harness::Process| it.executable.ends_with(name);
        assert!(processes.iter().any(runs), "{name} in {processes:#?}");
    }
    cluster.remove_node();
    cluster.add_node();
    processes.extend(cluster.processes());
    drop(cluster);
    assert!(!processes.iter().any(is_there), "{processes:#?}");
    assert!(!folders.iter().any(|folder| folder.exists()), "{folders:?}");
}
