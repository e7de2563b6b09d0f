//! Nodes that are killed, and what the user sees of it.

use cluster_harness::{RayCluster, RayOptions};
use parallel::{Parallel, Ray, delayed};

use crate::home::{Home, call_home, good, outcomes, told};
use crate::tools::{until, with_deadline};

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

fn a_node_counts_for_a_call_that_runs(cluster: &mut RayCluster, ray: &Ray) {
    with_deadline(|| until(|| ray.slots() == 1));
    let home = Home::new();
    let parallel = Parallel::new(-1).backend(ray.clone()).batch_size(1);
    let path = home.path();
    let call = || parallel.outcomes((0..4).map(|i| delayed(call_home, (path.clone(), i))));
    let all = home.during(call, |home| home.two_once(|| cluster.add_node()));
    good(all, 4);
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
fn a_killed_node_costs_nothing_a_new_one_counts_and_a_killed_head_costs_all_that_is_pending() {
    let _alone = crate::alone();
    let options = RayOptions {
        cpus: Some(1),
        ..RayOptions::default()
    };
    let mut cluster = RayCluster::start_with(options);
    let ray = Ray::connect(cluster.address()).unwrap();
    a_killed_node_costs_nothing(&cluster, &ray);
    cluster.remove_node();
    a_node_counts_for_a_call_that_runs(&mut cluster, &ray);
    a_killed_head_fails_what_is_pending(&cluster, &ray);
}
