//! Workers and schedulers that are killed, cut off, or come late, and what the user sees of it.

use std::path::PathBuf;
use std::time::Duration;

use cluster_harness::DaskCluster;
use parallel::{Dask, Failure, Parallel, PreDispatch, cpu_share, delayed};

use super::here;
use crate::home::{Home, call_home, good, outcomes, told};
use crate::tools::{Signal, meet, with_deadline};

/// Each has one thread, and so a slot.
fn two_workers_of_a_node_share_its_cpus(dask: &Dask) {
    fn share(task: (PathBuf, Vec<PathBuf>)) -> (usize, String) {
        meet(task);
        // Dask itself sets some of its kin.
        let threads = std::env::var("RAYON_NUM_THREADS").unwrap();
        (cpu_share(), threads)
    }
    let signals = [Signal::new(), Signal::new()];
    let paths = || signals.iter().map(Signal::path);
    let tasks: Vec<_> = paths().map(|path| (path, paths().collect())).collect();
    let parallel = Parallel::new(-1).backend(dask.clone()).batch_size(1);
    let shares = with_deadline(|| parallel.map(share, tasks)).unwrap();
    let half = (cpu_share() / 2).max(1);
    let both = [(half, half.to_string()), (half, half.to_string())];
    assert_eq!(shares, both);
}

#[test]
fn workers_share_a_node_one_that_is_cut_off_costs_nothing_and_a_killed_scheduler_all_that_is_pending()
 {
    let mut cluster = DaskCluster::start();
    let dask = Dask::connect(cluster.address()).unwrap();
    assert_eq!(dask.slots(), 2);
    two_workers_of_a_node_share_its_cpus(&dask);
    let address = cluster.address().to_owned();
    let all = outcomes(&dask, 4, |home| {
        let callers = [home.next(), home.next()];
        let there: Vec<_> = cluster.workers()[0].processes();
        let (lost, kept): (Vec<_>, Vec<_>) = callers
            .into_iter()
            .partition(|caller| there.iter().any(|it| it.pid == caller.worker));
        assert_eq!((lost.len(), kept.len()), (1, 1));
        // With all that runs there, the nanny too.
        cluster.remove_worker(0);
        lost.into_iter()
            .for_each(crate::home::Caller::wait_until_gone);
        kept.into_iter().for_each(crate::home::Caller::answer);
        // One that came since takes its place.
        cluster.add_worker();
    });
    good(all, 4);

    let all = outcomes(&dask, 4, |home| {
        let _callers = [home.next(), home.next()];
        cluster.scheduler().kill();
    });
    told(all, &[&address, "its scheduler is gone"]);
    let again = Parallel::new(1).backend(dask).map(|i: u64| i, 0..1);
    told(
        again.map(|_| Vec::new()),
        &[&address, "its scheduler is gone"],
    );
}

#[test]
fn a_timeout_ends_the_process_on_the_node() {
    let _alone = super::losses::alone();
    let home = Home::new();
    let dask = here().timeout(Duration::from_secs(3));
    let parallel = Parallel::new(2).backend(dask).batch_size(2);
    let path = home.path();
    let tasks = (0..4u64).map(move |i| delayed(call_home, (path.clone(), i)));
    let outcomes = home.during(
        || parallel.outcomes(tasks),
        |home| {
            let mut late = None;
            for _ in 0..4 {
                let caller = home.next();
                // The others have no time to wait for its end.
                if caller.index == 0 {
                    late = Some(caller);
                } else {
                    caller.answer();
                }
            }
            crate::home::gone(late.unwrap().worker);
        },
    );
    for (i, outcome) in outcomes.unwrap().into_iter().enumerate() {
        match outcome {
            Ok(value) => assert_eq!(value, i as u64),
            Err(error) => {
                let timed_out = matches!(error.failure(), Failure::TimedOut { .. });
                assert!(timed_out && i == 0, "{error}");
            }
        }
    }
}

#[test]
fn to_drop_a_stream_ends_what_runs_there() {
    let home = Home::new();
    with_deadline(|| {
        let parallel = Parallel::new(3).backend(here()).batch_size(1);
        let path = home.path();
        let stream = parallel.iter((0..).map(move |i| delayed(call_home, (path.clone(), i))));
        let callers = [home.next(), home.next(), home.next()];
        drop(stream);
        for caller in callers {
            crate::home::gone(caller.worker);
        }
        assert_eq!(parallel.map(|i: u64| i + 1, 0..3).unwrap(), [1, 2, 3]);
    });
}

#[test]
fn a_worker_that_comes_later_counts_also_for_a_call_that_runs() {
    let mut cluster = DaskCluster::start_with(1, 1, &[]);
    let dask = Dask::connect(cluster.address()).unwrap();
    // Of a stream no more tasks are pulled than there are jobs.
    let parallel = Parallel::new(-1).backend(dask.clone()).batch_size(1);
    let parallel = parallel.pre_dispatch(PreDispatch::PerJob(1));
    for streams in [true, false] {
        assert_eq!(dask.slots(), 1);
        let home = Home::new();
        let path = home.path();
        let tasks = (0..6).map(move |i| delayed(call_home, (path.clone(), i)));
        let call = || match streams {
            true => Ok(parallel.iter(tasks).collect()),
            false => parallel.outcomes(tasks),
        };
        let all = home.during(call, |home| home.two_once(|| cluster.add_worker()));
        good(all, 6);
        assert_eq!(dask.slots(), 2);
        cluster.remove_worker(1);
        with_deadline(|| crate::tools::until(|| dask.slots() == 1));
    }
}

#[test]
fn a_backend_can_be_named() {
    let name = format!("dask={}", super::address());
    let backend = parallel::AnyBackend::named(&name).unwrap();
    let parallel = Parallel::new(-1).backend(backend);
    let squares = with_deadline(|| parallel.map(|i: u64| i * i, 0..100)).unwrap();
    assert!(squares.into_iter().eq((0..100).map(|i| i * i)));
}
