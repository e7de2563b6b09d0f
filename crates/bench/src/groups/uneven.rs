//! Tasks that are not alike: a long one that comes last has all others wait for it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use orx_parallel::{IterIntoParIter, Par};
use parallel::{Parallel, delayed};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use crate::case::{Aim, Case, JOBS, OURS, Unit};
use crate::tasks::{each, steps_for, timed_spin};

const TASKS: u64 = 10_000;
const SHORT: Duration = Duration::from_micros(5);
const IDEAL: &str = "ideal schedule";

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("first", "the long ones first", || hundredfold(Place::First)),
        case("last", "the long ones last", || hundredfold(Place::Last)),
        case("random", "long ones anywhere", || {
            hundredfold(Place::Anywhere)
        }),
        case("rising", "each longer than the one before", rising),
        case("falling", "each shorter than the one before", || {
            rising().into_iter().rev().collect()
        }),
    ]
}

/// `lengths` gives the steps of each task.
fn case(name: &str, title: &str, lengths: fn() -> Vec<u64>) -> Case {
    let ideal = Rc::new(Cell::new(0.0));
    let seen = Rc::clone(&ideal);
    Case::new(
        format!("uneven-{name}"),
        format!("Threads, uneven tasks: {title}"),
        Unit::Seconds,
    )
    .about(format!(
        "{TASKS} tasks a call; wall time of the call. The ideal schedule is the time that our tasks ran in \
         the same call, in equal shares for {JOBS} threads."
    ))
    .aim(Aim::times(1.0, &["rayon par_iter", "orx-parallel"]))
    .aim(Aim::times(1.03, &[IDEAL]))
    .peer(OURS, move |_| {
        let parallel = Parallel::new(JOBS);
        let lengths = lengths();
        move || {
            let tasks = lengths.iter().map(|&steps| delayed(timed_spin, steps));
            let mut run = Vec::new();
            let time = each(1, || run = parallel.run(tasks).expect("no task fails"));
            ideal.set(run.iter().sum::<Duration>().as_secs_f64() / JOBS as f64);
            time
        }
    })
    .derived(IDEAL, move || seen.get())
    .peer("rayon par_iter", move |_| {
        let lengths = lengths();
        let tasks = move || lengths.par_iter().map(|&steps| timed_spin(steps)).collect::<Vec<_>>();
        move || each(1, &tasks)
    })
    .peer("rayon par_bridge", move |_| {
        let lengths = lengths();
        let tasks = move || {
            let bridge = lengths.iter().par_bridge();
            bridge.map(|&steps| timed_spin(steps)).collect::<Vec<_>>()
        };
        move || each(1, &tasks)
    })
    .peer("orx-parallel", move |_| {
        let lengths = lengths();
        move || {
            let tasks = lengths.iter().copied().iter_into_par().num_threads(JOBS);
            each(1, || tasks.map(timed_spin).collect::<Vec<_>>())
        }
    })
}

enum Place {
    First,
    Last,
    Anywhere,
}

/// One in a hundred is a hundred times longer.
fn hundredfold(place: Place) -> Vec<u64> {
    let short = steps_for(SHORT);
    let mut lengths: Vec<u64> = (0..TASKS)
        .map(|i| if i < TASKS / 100 { 100 * short } else { short })
        .collect();
    match place {
        Place::First => {}
        Place::Last => lengths.reverse(),
        Place::Anywhere => lengths.shuffle(&mut SmallRng::seed_from_u64(1)),
    }
    lengths
}

/// From nothing to four times what is short.
fn rising() -> Vec<u64> {
    let most = 4 * steps_for(SHORT);
    (0..TASKS).map(|i| most * i / TASKS).collect()
}
