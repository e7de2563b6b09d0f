//! Results one after the other, in order, while the rest goes on.

use std::time::Duration;

use parallel::{Parallel, delayed};
use pariter::IteratorExt;

use crate::case::{Aim, Case, Context, JOBS, OURS, Unit};
use crate::probe;
use crate::tasks::{each, noop, repeated, spin, steps_for};

const TASKS: u64 = 1_000_000;

pub(super) fn cases() -> Vec<Case> {
    vec![
        stream(
            "stream",
            "A stream of no-op tasks, in order",
            Slow::Nobody,
            0,
        ),
        stream(
            "stream-slow-consumer",
            "A stream, its consumer slow",
            Slow::Consumer,
            100,
        ),
        stream(
            "stream-slow-source",
            "A stream, its source slow",
            Slow::Source,
            100,
        ),
        stream(
            "stream-slower-consumer",
            "A stream, its consumer slower",
            Slow::Consumer,
            1000,
        ),
        stream(
            "stream-slower-source",
            "A stream, its source slower",
            Slow::Source,
            1000,
        ),
        memory(),
    ]
}

#[derive(Clone, Copy, PartialEq)]
enum Slow {
    Nobody,
    Source,
    Consumer,
}

const ALONE: &str = "the slow one alone";

/// One of its ends works so long for each task.
fn stream(name: &str, title: &str, slow: Slow, nanos: u64) -> Case {
    let work = Duration::from_nanos(nanos);
    let of = move |who| if slow == who { work } else { Duration::ZERO };
    let (source, consumer) = (of(Slow::Source), of(Slow::Consumer));
    let tasks = if nanos < 1000 { TASKS } else { TASKS / 10 };
    let few = TASKS / 20;
    let python = [2000.0, source.as_secs_f64(), consumer.as_secs_f64()];
    let case = Case::new(name, title, Unit::Seconds)
        .about(format!(
            "{tasks} no-op tasks, for pariter {few} and for joblib 2000; wall time for each. The source works \
             {} ns for a task, the consumer {} ns for a result.",
            source.as_nanos(),
            consumer.as_nanos(),
        ))
        .peer(OURS, move |_| {
            let parallel = Parallel::new(JOBS);
            let (source, consumer) = (steps_for(source), steps_for(consumer));
            move || {
                let numbers = numbers(tasks, source).map(|i| delayed(noop, i));
                each(tasks, || parallel.iter(numbers).for_each(|_| spin_for(consumer)))
            }
        })
        .peer("pariter", move |_| {
            let (source, consumer) = (steps_for(source), steps_for(consumer));
            move || {
                let numbers = numbers(few, source);
                let results = numbers.parallel_map_custom(|o| o.threads(JOBS), noop);
                each(few, || results.for_each(|_| spin_for(consumer)))
            }
        })
        .python("joblib threading, generator", "GeneratorThreading", &python)
        .python("joblib loky, generator", "Generator", &python);
    if nanos < 1000 {
        return case.aim(Aim::times(0.5, &["pariter"]));
    }
    // Nobody is quicker than the slow one, so how far from it tells, and not how far from others.
    case.aim(Aim::times(1.05, &[ALONE]))
        .aim(Aim::times(1.0, &["pariter"]))
        .peer(ALONE, move |_| {
            let steps = steps_for(work);
            move || repeated(tasks, || spin(steps))
        })
        .yardstick()
}

fn numbers(n: u64, steps: u64) -> impl Iterator<Item = u64> + Send + 'static {
    (0..n).inspect(move |_| spin_for(steps))
}

fn spin_for(steps: u64) {
    if steps > 0 {
        spin(steps);
    }
}

/// The proof that it needs no more for more tasks.
fn memory() -> Case {
    let mut case = Case::new("stream-memory", "Peak memory of a stream", Unit::Bytes).about(
        "The most that a process ever had in memory (VmHWM) that did nothing but stream so many tasks.",
    );
    for (line, probe, largest) in [
        (OURS, "stream-parallel", 7),
        ("pariter", "stream-pariter", 6),
    ] {
        for power in 4..=largest {
            let n = 10_u64.pow(power);
            let name = format!("{line}, {n} tasks");
            let start = move |_: &Context| Ok(probe::round(probe, n));
            case = case.try_peer(name, start).at(line, n as f64);
        }
    }
    let few = format!("{OURS}, 1000000 tasks");
    case.aim(Aim::times(1.1, &[&few]).of(format!("{OURS}, 10000000 tasks")))
        .fresh()
}
