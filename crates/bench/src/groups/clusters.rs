//! On a Dask scheduler with two workers, and on Ray with two nodes: two slots each.

use crate::case::{Aim, Case, JOBS, OURS, Unit};
use crate::stage::Stage;

/// An engine, and what its own ways are called.
struct Engine {
    name: &'static str,
    title: &'static str,
    plain: &'static str,
    plain_class: &'static str,
    joblib: &'static str,
    joblib_class: &'static str,
    firsts: &'static [First],
}

/// A way to connect, and what it is called.
struct First {
    name: &'static str,
    title: &'static str,
    ours: &'static str,
    class: &'static str,
    /// Seconds in which the first result shall be there; `None` where the engine by itself takes longer.
    ready: Option<f64>,
}

const ENGINES: [Engine; 2] = [
    Engine {
        name: "dask",
        title: "Dask",
        plain: "client.map",
        plain_class: "DaskMap",
        joblib: "joblib on Dask",
        joblib_class: "DaskJoblib",
        firsts: &[First {
            name: "first",
            title: "the first result",
            ours: "first",
            class: "DaskFirst",
            ready: Some(1.0),
        }],
    },
    Engine {
        name: "ray",
        title: "Ray",
        plain: "ray.remote",
        plain_class: "RayTasks",
        joblib: "joblib on Ray",
        joblib_class: "RayJoblib",
        firsts: &[
            First {
                name: "first",
                title: "the first result, on a node of the cluster",
                ours: "first node",
                class: "RayFirst",
                ready: Some(2.0),
            },
            First {
                name: "client-first",
                title: "the first result, from elsewhere",
                ours: "first",
                class: "RayClientFirst",
                // Ray starts a process for its client, and that takes 1.2 to 2.8 s.
                ready: None,
            },
        ],
    },
];

/// How long tasks last, in microseconds, and how many of them a call of ours, of the plain engine and of joblib has.
const TASKS: [(u64, u64, u64, u64); 4] = [
    (0, 200_000, 200, 2000),
    (1000, 4000, 400, 1000),
    (10_000, 2000, 100, 200),
    (100_000, 20, 10, 20),
];

pub(super) fn cases() -> Vec<Case> {
    let stage = Stage::default();
    let mut cases = Vec::new();
    for engine in ENGINES {
        for lengths in TASKS {
            cases.push(tasks(&stage, &engine, lengths));
        }
        for way in engine.firsts {
            cases.push(first(&stage, &engine, way));
        }
        cases.push(memory(&stage, &engine));
    }
    cases
}

fn tasks(stage: &Stage, engine: &Engine, lengths: (u64, u64, u64, u64)) -> Case {
    let (micros, ours, plain, joblib) = lengths;
    let seconds = micros as f64 / 1e6;
    let (short, long) = match micros {
        0 => ("noop".to_owned(), "no-op tasks".to_owned()),
        _ => {
            let millis = micros / 1000;
            (format!("{millis}ms"), format!("tasks of {millis} ms"))
        }
    };
    let busy = match micros {
        0 => String::new(),
        _ => " They sleep, as the scheduler needs the processors here too. Half of a task's time is what cannot be \
              less, with two slots."
            .to_owned(),
    };
    let case = Case::new(
        format!("cluster-{}-{short}", engine.name),
        format!("{}, {long}", engine.title),
        Unit::Seconds,
    )
    .about(format!(
        "A later call of {ours} tasks on a running cluster with two slots, of {plain} by {}, of {joblib} by joblib; \
         time for each task.{busy}",
        engine.plain
    ));
    let case = match micros {
        0 => case.aim(Aim::times(0.02, &[engine.plain])),
        // 95 % of what the slots have.
        10_000 => case.aim(Aim::amount(seconds / JOBS as f64 / 0.95)),
        _ => case,
    };
    let name = engine.name;
    let python = |class, n| format!("{name} python {class} {n} {seconds}");
    let case = on(case, stage, OURS, format!("{name} tasks {ours} {micros}"));
    let case = on(case, stage, engine.plain, python(engine.plain_class, plain)).of_python();
    on(
        case,
        stage,
        engine.joblib,
        python(engine.joblib_class, joblib),
    )
    .of_python()
    .heavy()
}

fn first(stage: &Stage, engine: &Engine, way: &First) -> Case {
    let name = engine.name;
    let case = Case::new(
        format!("cluster-{name}-{}", way.name),
        format!("{}, {}", engine.title, way.title),
        Unit::Seconds,
    )
    .about(
        "A new connection to a running cluster, and one task: until its result is there. For the plain engine: a \
         program in Python that does that, from its start.",
    )
    .aim(match way.ready {
        Some(seconds) => Aim::amount(seconds),
        None => Aim::times(1.1, &[engine.plain]),
    });
    let case = on(case, stage, OURS, format!("{name} {}", way.ours));
    on(
        case,
        stage,
        engine.plain,
        format!("{name} python {}", way.class),
    )
    .of_python()
    .heavy()
}

fn memory(stage: &Stage, engine: &Engine) -> Case {
    let name = engine.name;
    let case = Case::new(
        format!("cluster-{name}-memory"),
        format!("{}, memory for a million tasks", engine.title),
        Unit::Bytes,
    )
    .about(
        "By how much the Python process that speaks with the engine grows in a call of a million no-op tasks, after \
         one of a tenth of that.",
    )
    .aim(Aim::amount(2.0 * 1024.0 * 1024.0));
    on(case, stage, OURS, format!("{name} memory 1000000")).exact()
}

fn on(case: Case, stage: &Stage, peer: &'static str, words: String) -> Case {
    let stage = stage.clone();
    case.try_peer(peer, move |context| stage.round(context, words))
}
