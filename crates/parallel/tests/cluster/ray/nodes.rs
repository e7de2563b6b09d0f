//! Nodes that are killed, and what the user sees of it.

use cluster_harness::{RayCluster, RayOptions};
use parallel::Ray;

use crate::home::{good, outcomes, told};

fn a_killed_node_costs_nothing(cluster: &RayCluster, ray: &Ray) {
    const TASKS: u64 = 40;
    let all = outcomes(ray, TASKS, |home| {
        let two_of_them = || {
            let callers = [home.next(), home.next()];
            // Where they run is known by whose processes they come from.
            let there: Vec<_> = cluster.node().processes().iter().map(|it| it.pid).collect();
            callers
                .into_iter()
                .partition::<Vec<_>, _>(|caller| there.contains(&caller.worker))
        };
        let (mut lost, mut kept) = two_of_them();
        // Ray starts a second one on the head when the first one there waits for the executable.
        while lost.is_empty() {
            kept.into_iter().for_each(crate::home::Caller::answer);
            (lost, kept) = two_of_them();
        }
        let raylets = cluster.node().processes();
        let raylet = raylets.iter().find(|it| it.executable.ends_with("raylet"));
        raylet.unwrap().kill();
        kept.into_iter().for_each(crate::home::Caller::answer);
        lost.into_iter()
            .for_each(crate::home::Caller::wait_until_gone);
    });
    good(all, TASKS);
}

fn a_killed_head_fails_what_is_pending(cluster: &RayCluster, ray: &Ray) {
    let mut callers = Vec::new();
    let all = outcomes(ray, 4, |home| {
        callers.extend([home.next(), home.next()]);
        // The whole machine, as it were.
        cluster.head().processes().iter().for_each(|process| {
            let ours = callers
                .iter()
                .any(|it| [it.worker, it.slot].contains(&process.pid));
            if !ours {
                // Some go with those before.
                let _ = std::panic::catch_unwind(|| process.kill());
            }
        });
    });
    told(all, &[&cluster.address()]);
    callers
        .into_iter()
        .for_each(crate::home::Caller::wait_until_gone);
}

#[test]
fn a_killed_node_costs_nothing_and_a_killed_head_all_that_is_pending() {
    let _alone = crate::alone();
    let options = RayOptions {
        cpus: Some(1),
        ..RayOptions::default()
    };
    let mut cluster = RayCluster::start_with(options);
    let ray = Ray::connect(cluster.address()).unwrap();
    a_killed_node_costs_nothing(&cluster, &ray);
    cluster.remove_node();
    cluster.add_node();
    a_killed_head_fails_what_is_pending(&cluster, &ray);
}
