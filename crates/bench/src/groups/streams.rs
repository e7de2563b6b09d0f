//! Results one after the other, in order, while the rest goes on.

use std::time::Duration;

use parallel::{Parallel, delayed};
use pariter::IteratorExt;

use crate::case::{Aim, Case, JOBS, OURS, Unit};
use crate::probe;
use crate::tasks::{each, noop, spin, steps_for};

const TASKS: u64 = 1_000_000;

pub(super) fn cases() -> Vec<Case> {
    let slow = Duration::from_nanos(500);
    vec![
        stream(
            "stream",
            "A stream of no-op tasks in order",
            Duration::ZERO,
            Duration::ZERO,
        ),
        stream(
            "stream-slow-consumer",
            "A stream in order, its consumer slow",
            Duration::ZERO,
            slow,
        ),
        stream(
            "stream-slow-source",
            "A stream in order, its source slow",
            slow,
            Duration::ZERO,
        ),
        memory(),
    ]
}

/// A source and a consumer that work so long for each task.
fn stream(name: &str, title: &str, source: Duration, consumer: Duration) -> Case {
    let few = TASKS / 20;
    let python = [2000.0, source.as_secs_f64(), consumer.as_secs_f64()];
    Case::new(name, title, Unit::Seconds)
        .about(format!(
            "{TASKS} no-op tasks, for pariter {few} and for joblib 2000; wall time for each. The source works \
             {} ns for a task, the consumer {} ns for a result.",
            source.as_nanos(),
            consumer.as_nanos(),
        ))
        .aim(Aim::times(0.5, &["pariter"]))
        .peer(OURS, move |_| {
            let parallel = Parallel::new(JOBS);
            let (source, consumer) = (steps_for(source), steps_for(consumer));
            move || {
                let tasks = numbers(TASKS, source).map(|i| delayed(noop, i));
                each(TASKS, || parallel.iter(tasks).for_each(|_| work(consumer)))
            }
        })
        .peer("pariter", move |_| {
            let (source, consumer) = (steps_for(source), steps_for(consumer));
            move || {
                let tasks = numbers(few, source);
                let results = tasks.parallel_map_custom(|o| o.threads(JOBS), noop);
                each(few, || results.for_each(|_| work(consumer)))
            }
        })
        .python("joblib threading, generator", "GeneratorThreading", &python)
        .python("joblib loky, generator", "Generator", &python)
}

fn numbers(n: u64, steps: u64) -> impl Iterator<Item = u64> + Send + 'static {
    (0..n).inspect(move |_| work(steps))
}

fn work(steps: u64) {
    if steps > 0 {
        spin(steps);
    }
}

/// The proof that it needs no more for more tasks.
fn memory() -> Case {
    let mut case = Case::new("stream-memory", "Peak memory of a stream", Unit::Bytes).about(
        "The most that a process ever had in memory (VmHWM) that did nothing but stream so many tasks.",
    );
    for (line, probe) in [(OURS, "stream-parallel"), ("pariter", "stream-pariter")] {
        for power in [3, 4, 5, 6] {
            let n = 10_u64.pow(power);
            let name = format!("{line}, {n} tasks");
            case = case
                .try_peer(name, move |_| Ok(probe::round(probe, n)))
                .at(line, n as f64);
        }
    }
    let few = format!("{OURS}, 10000 tasks");
    case.aim(Aim::times(1.05, &[&few]).of(format!("{OURS}, 1000000 tasks")))
}
