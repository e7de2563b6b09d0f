//! Threads: many small tasks, and calls of few.

use std::time::Duration;

use orx_parallel::{IterIntoParIter, Par};
use parallel::{Parallel, delayed};
use pariter::IteratorExt;
use rayon::prelude::*;

use crate::case::{Aim, Case, JOBS, OURS, Unit};
use crate::tasks::{each, noop, repeated, spin, steps_for};

const ARBITRARY: [&str; 3] = ["orx-parallel", "rayon par_bridge", "pariter"];
const INDEXED: &str = "rayon par_iter";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    // One that does nothing carries nothing but its number.
    cases.push(collected(0, || |i| i, noop));
    cases.extend([10, 100, 1000].map(working));
    cases.push(unknown_length());
    cases.extend([2, 10, 100].map(warm_call));
    cases
}

/// Tasks that work for so long.
fn working(nanos: u64) -> Case {
    let argument = move || {
        let steps = steps_for(Duration::from_nanos(nanos));
        move |i| (i, steps)
    };
    collected(nanos, argument, task)
}

/// A million results in order, or so many that a round takes a tenth of a second.
fn collected<A, F>(
    nanos: u64,
    argument: impl Fn() -> F + Copy + 'static,
    task: impl Fn(A) -> u64 + Copy + Send + Sync + 'static,
) -> Case
where
    A: Send + Sync + 'static,
    F: Fn(u64) -> A + Copy + Send + Sync + 'static,
{
    let n = if nanos < 1000 { 1_000_000 } else { 200_000 };
    let factor = if nanos < 100 { 2.0 } else { 1.0 };
    Case::new(
        format!("threads-{nanos}ns"),
        format!("Threads, tasks of {nanos} ns, collected in order"),
        Unit::Seconds,
    )
    .about(format!(
        "{n} tasks from an iterator, a call; wall time for each. `par_iter` gets a range, the others an \
         iterator. `par_bridge` gives its results in no order. The scoped threads have half of the range each."
    ))
    .aim(Aim::times(1.0, &ARBITRARY))
    .aim(Aim::times(factor, &[INDEXED]))
    .peer(OURS, move |_| {
        let parallel = Parallel::new(JOBS);
        let argument = argument();
        move || each(n, || parallel.run((0..n).map(|i| delayed(task, argument(i)))))
    })
    .peer("orx-parallel", move |_| {
        let argument = argument();
        move || {
            let tasks = (0..n).map(argument).iter_into_par();
            each(n, || tasks.num_threads(JOBS).map(task).collect::<Vec<_>>())
        }
    })
    .peer(INDEXED, move |_| {
        let argument = argument();
        let tasks = move || (0..n).into_par_iter().map(move |i| task(argument(i)));
        move || each(n, || tasks().collect::<Vec<_>>())
    })
    .peer("rayon par_bridge", move |_| {
        let argument = argument();
        let tasks = move || (0..n).par_bridge().map(move |i| task(argument(i)));
        move || each(n, || tasks().collect::<Vec<_>>())
    })
    .peer("pariter", move |_| {
        let argument = argument();
        // It is so much slower that fewer tell as much.
        let n = n / 100;
        move || {
            each(n, || {
                let tasks = (0..n).map(argument);
                let results = tasks.parallel_map_custom(|o| o.threads(JOBS), task);
                results.collect::<Vec<_>>()
            })
        }
    })
    .peer("std scoped threads", move |_| {
        let argument = argument();
        move || each(n, || halves(n, move |i| task(argument(i))))
    })
}

/// A source that does not say how many it has: nobody can write results in their place at once.
fn unknown_length() -> Case {
    let n = 1_000_000;
    let tasks = move || (0..n).filter(move |&i| noop(i) != n);
    Case::new(
        "threads-unknown-length",
        "Threads, tasks of 0 ns, from a source of unknown length",
        Unit::Seconds,
    )
    .about(format!("{n} tasks a call; wall time for each."))
    .aim(Aim::times(1.0, &ARBITRARY))
    .peer(OURS, move |_| {
        let parallel = Parallel::new(JOBS);
        move || each(n, || parallel.run(tasks().map(|i| delayed(noop, i))))
    })
    .peer("orx-parallel", move |_| {
        move || {
            let tasks = tasks().iter_into_par();
            each(n, || tasks.num_threads(JOBS).map(noop).collect::<Vec<_>>())
        }
    })
    .peer("rayon par_bridge", move |_| {
        move || each(n, || tasks().par_bridge().map(noop).collect::<Vec<_>>())
    })
    .peer("pariter", move |_| {
        let n = n / 100;
        let tasks = move || tasks().take(n as usize);
        move || {
            each(n, || {
                let results = tasks().parallel_map_custom(|o| o.threads(JOBS), noop);
                results.collect::<Vec<_>>()
            })
        }
    })
}

/// A call whose workers are there already.
fn warm_call(n: u64) -> Case {
    let work = Duration::from_nanos(1500);
    let calls = 2000 / n;
    Case::new(
        format!("threads-warm-{n}"),
        format!("Threads, a warm call of {n} tasks of 1.5 µs"),
        Unit::Seconds,
    )
    .about(format!(
        "{calls} calls a round, one after the other; time for each call."
    ))
    .aim(Aim::times(1.0, &[INDEXED]))
    .peer(OURS, move |_| {
        let parallel = Parallel::new(JOBS);
        let steps = steps_for(work);
        move || repeated(calls, || parallel.run((0..n).map(|_| delayed(spin, steps))))
    })
    .peer(INDEXED, move |_| {
        let steps = steps_for(work);
        let tasks = move || (0..n).into_par_iter().map(move |_| spin(steps));
        move || repeated(calls, || tasks().collect::<Vec<_>>())
    })
    .peer("orx-parallel", move |_| {
        let steps = steps_for(work);
        let tasks = move || (0..n).map(move |_| steps).iter_into_par().num_threads(JOBS);
        move || repeated(calls, || tasks().map(spin).collect::<Vec<_>>())
    })
    .peer("a loop, no threads", move |_| {
        let steps = steps_for(work);
        let tasks = move || (0..n).map(move |_| spin(steps));
        move || repeated(calls, || tasks().collect::<Vec<_>>())
    })
    .yardstick()
}

/// Works, and gives back its number.
#[inline]
fn task((i, steps): (u64, u64)) -> u64 {
    if steps > 0 {
        spin(steps);
    }
    noop(i)
}

fn halves(n: u64, task: impl Fn(u64) -> u64 + Copy + Send) -> Vec<u64> {
    let share = move |range: std::ops::Range<u64>| range.map(task).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let second = scope.spawn(move || share(n / 2..n));
        let mut results = share(0..n / 2);
        results.extend(second.join().expect("no task panics"));
        results
    })
}
