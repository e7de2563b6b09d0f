//! More jobs than there are CPUs.

use std::time::Duration;

use parallel::{Parallel, Processes, delayed};
use rayon::prelude::*;

use crate::case::{Aim, Case, OURS, Unit};
use crate::tasks::{each, spin, steps_for};

const JOBS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

pub(super) fn cases() -> Vec<Case> {
    vec![threads(), processes()]
}

fn threads() -> Case {
    let n = 100_000;
    let mut case = case("jobs-threads", "Threads, 1 to 64 jobs", n);
    for jobs in JOBS {
        case = case
            .peer(ours(jobs), move |_| {
                let parallel = Parallel::new(jobs);
                let steps = steps_for(WORK);
                move || each(n, || parallel.run((0..n).map(|_| delayed(spin, steps))))
            })
            .at(OURS, jobs as f64);
    }
    for jobs in JOBS {
        case = case
            .peer(format!("rayon, {jobs} threads"), move |_| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build();
                let pool = pool.expect("rayon has its pool");
                let steps = steps_for(WORK);
                let tasks = move || (0..n).into_par_iter().map(move |_| spin(steps));
                move || each(n, || pool.install(|| tasks().collect::<Vec<_>>()))
            })
            .at("rayon par_iter", jobs as f64);
    }
    case
}

fn processes() -> Case {
    let n = 100_000;
    let mut case = case("jobs-processes", "Processes, 1 to 64 jobs", n);
    for jobs in JOBS {
        case = case
            .peer(ours(jobs), move |_| {
                let parallel = Parallel::new(jobs).backend(Processes::new());
                let steps = steps_for(WORK);
                move || each(n, || parallel.run((0..n).map(|_| delayed(spin, steps))))
            })
            .at(OURS, jobs as f64);
    }
    case
}

const WORK: Duration = Duration::from_micros(1);

/// The throughput is never more than 5 % below that of two jobs.
fn case(name: &str, title: &str, n: u64) -> Case {
    let case = Case::new(name, title, Unit::Seconds)
        .about(format!("{n} tasks of 1 µs a call; wall time for each."));
    let crowds = JOBS.into_iter().filter(|&jobs| jobs > 2);
    crowds.fold(case, |case, jobs| {
        case.aim(Aim::times(1.0 / 0.95, &[&ours(2)]).of(ours(jobs)))
    })
}

fn ours(jobs: usize) -> String {
    format!("{OURS}, {jobs} jobs")
}
