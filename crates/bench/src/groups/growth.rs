//! Whether a task costs as much among many as among few.

use std::time::Duration;

use parallel::{Parallel, Portable, Processes, delayed};
use rayon::prelude::*;

use crate::case::{Aim, Case, JOBS, Unit};
use crate::probe;
use crate::tasks::{each, noop, spin, steps_for};

const WORK: Duration = Duration::from_nanos(100);

pub(super) fn cases(quick: bool) -> Vec<Case> {
    let largest = if quick { 7 } else { 8 };
    vec![by_tasks(largest), by_jobs(), memory(largest)]
}

const NOOP: &str = "threads, no-op";
const WORKING: &str = "threads, 100 ns";
const PROCESSES: &str = "processes, no-op";
const RAYON: &str = "rayon par_iter, 100 ns";
const RAYON_NOOP: &str = "rayon par_iter, no-op";

fn by_tasks(largest: u32) -> Case {
    let mut case = Case::new("growth-tasks", "Cost of a task, by their number", Unit::Seconds).about(
        "Wall time for each task of a warm call with two jobs. Calls of few are repeated, up to a million tasks \
         a round. The results of ten million and more are in memory that is new for each call, for all peers alike: that is \
         what a no-op task costs more there.",
    );
    for power in 3..=largest {
        let n = 10_u64.pow(power);
        case = case
            .peer(by_number(NOOP, n), move |_| {
                let parallel = Parallel::new(JOBS);
                move || often(n, || parallel.run(noops(n)))
            })
            .at(NOOP, n as f64)
            .peer(by_number(WORKING, n), move |_| {
                let parallel = Parallel::new(JOBS);
                let steps = steps_for(WORK);
                move || often(n, || parallel.run((0..n).map(|_| delayed(spin, steps))))
            })
            .at(WORKING, n as f64)
            .peer(by_number(PROCESSES, n), move |_| {
                let parallel = Parallel::new(JOBS).backend(Processes::new());
                move || often(n, || parallel.run(noops(n)))
            })
            .at(PROCESSES, n as f64)
            .peer(by_number(RAYON, n), move |_| {
                let steps = steps_for(WORK);
                let tasks = move || (0..n).into_par_iter().map(move |_| spin(steps));
                move || often(n, || tasks().collect::<Vec<_>>())
            })
            .at(RAYON, n as f64)
            .peer(by_number(RAYON_NOOP, n), move |_| {
                move || often(n, || (0..n).into_par_iter().map(noop).collect::<Vec<_>>())
            })
            .at(RAYON_NOOP, n as f64);
    }
    for line in [WORKING, PROCESSES] {
        let many = by_number(line, 10_u64.pow(largest));
        case = case.aim(Aim::times(1.1, &[&by_number(line, 1_000_000)]).of(many));
    }
    // A task that does nothing costs the memory of its result, which is new where there are so many.
    let [ours, theirs] = [NOOP, RAYON_NOOP].map(|line| by_number(line, 10_u64.pow(largest)));
    case = case.aim(Aim::times(1.5, &[&theirs]).of(ours));
    let few = by_number(WORKING, 1000);
    case.aim(Aim::times(1.2, &[&by_number(WORKING, 1_000_000)]).of(few))
        .heavy()
}

fn by_jobs() -> Case {
    let n = 1_000_000;
    let mut case = Case::new(
        "growth-jobs",
        "Cost of a no-op task, by the number of jobs",
        Unit::Seconds,
    )
    .about(format!(
        "{n} tasks a call; wall time for each. The machine has fewer CPUs than most of these."
    ));
    for jobs in [1, 2, 4, 8, 16, 32, 64] {
        case = case
            .peer(by_jobs_of(NOOP, jobs), move |_| {
                let parallel = Parallel::new(jobs);
                move || each(n, || parallel.run(noops(n)))
            })
            .at(NOOP, jobs as f64)
            .peer(by_jobs_of(PROCESSES, jobs), move |_| {
                let parallel = Parallel::new(jobs).backend(Processes::new());
                move || each(n, || parallel.run(noops(n)))
            })
            .at(PROCESSES, jobs as f64);
    }
    for line in [NOOP, PROCESSES] {
        let two = by_jobs_of(line, 2);
        case = case.aim(Aim::times(1.0 / 0.95, &[&two]).of(by_jobs_of(line, 64)));
    }
    case
}

fn memory(largest: u32) -> Case {
    let mut case = Case::new("growth-memory", "Peak memory, by the number of tasks", Unit::Bytes).about(
        "The most that a process ever had in memory (VmHWM) that made one call with no-op tasks: `run`, which \
         gives a vector of 8 bytes for each, on threads and on processes, and the stream `iter`.",
    );
    let stream = "iter, threads";
    for power in 3..=largest {
        let n = 10_u64.pow(power);
        for (line, probe) in [
            ("run, threads", "run-parallel"),
            ("run, processes", "run-processes"),
            (stream, "stream-parallel"),
        ] {
            // A stream is slower, and a flat line is long enough.
            if line != stream || power < 8 {
                let name = by_number(line, n);
                case = case
                    .try_peer(name, move |_| Ok(probe::round(probe, n)))
                    .at(line, n as f64);
            }
        }
    }
    let many = by_number(stream, 10_000_000);
    case.aim(Aim::times(1.1, &[&by_number(stream, 1_000_000)]).of(many))
        .fresh()
}

fn noops(n: u64) -> impl Iterator<Item = impl Portable<Output = u64>> + Send {
    (0..n).map(|i| delayed(noop, i))
}

/// Calls of `n` tasks until there were a million: the time of a task.
fn often<R>(n: u64, mut call: impl FnMut() -> R) -> f64 {
    let calls = (1_000_000 / n).max(1);
    let times = (0..calls).map(|_| each(n, &mut call));
    times.sum::<f64>() / calls as f64
}

fn by_number(line: &str, n: u64) -> String {
    format!("{line}, {n} tasks")
}

fn by_jobs_of(line: &str, jobs: usize) -> String {
    format!("{line}, {jobs} jobs")
}
