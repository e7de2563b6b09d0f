//! The executable on the nodes: one file there, while it is used.

use std::fs;
use std::path::{Path, PathBuf};

use cluster_harness::{RayCluster, RayOptions};
use parallel::{Parallel, Ray};

use crate::home::{Home, call_home, gone, kill};
use crate::tools::with_deadline;

/// The copies in a node's folder for temporary files.
fn copies(node: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(node)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let ours = entries.filter(|it| {
        it.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("parallel-")
    });
    ours.flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect()
}

#[test]
fn a_node_has_one_copy_of_the_executable_while_it_is_used() {
    let _alone = crate::alone();
    with_deadline(|| {
        let options = RayOptions {
            cpus: Some(2),
            ..RayOptions::default()
        };
        let cluster = RayCluster::start_with(options);
        let nodes = [cluster.head(), cluster.node()].map(|it| it.folder().to_owned());
        for way in 0..2 {
            let ray = Ray::connect(cluster.address()).unwrap();
            let home = Home::new();
            let parallel = Parallel::new(4).backend(ray).batch_size(1);
            let path = home.path();
            let mut slots = Vec::new();
            let call = || parallel.map(call_home, (0..4).map(|i| (path.clone(), i)));
            let results = home.during(call, |home| {
                let callers: Vec<_> = (0..4).map(|_| home.next()).collect();
                for node in &nodes {
                    assert_eq!(copies(node).len(), 1, "{:?}", copies(node));
                }
                slots.extend(callers.iter().map(|it| it.slot));
                if way == 1 {
                    callers.iter().for_each(|caller| kill(caller.engine));
                } else {
                    callers.into_iter().for_each(crate::home::Caller::answer);
                }
            });
            results.unwrap();
            drop(parallel);
            slots.into_iter().for_each(gone);
            // Who removes it is the last that runs it.
            for process in cluster.processes() {
                if process.executable.starts_with(&nodes[0])
                    || process.executable.starts_with(&nodes[1])
                {
                    gone(process.pid);
                }
            }
            for node in &nodes {
                assert!(copies(node).is_empty(), "{:?}", copies(node));
            }
        }
    });
}
