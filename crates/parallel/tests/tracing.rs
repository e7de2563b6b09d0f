//! What `tracing` is told, by a subscriber that writes it down as people read it.

#![cfg(target_os = "linux")]

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use parallel::{Error, Event, Parallel, Processes, Sequential, SpanLayer, current, delayed};
use tracing::{Level, debug, info, info_span, warn};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::prelude::*;

/// What has been written since the last time somebody listened.
static WRITTEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// One test at a time has the subscriber, which is that of the whole process.
static TURN: Mutex<()> = Mutex::new(());

struct Pen(&'static Mutex<Vec<u8>>);

impl io::Write for Pen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whoever has it hears what is said.
struct Ear(#[expect(dead_code, reason = "held, not read")] MutexGuard<'static, ()>);

impl Ear {
    fn new() -> Self {
        static SET: Once = Once::new();
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        SET.call_once(|| {
            let lines = tracing_subscriber::fmt::layer()
                .with_writer(|| Pen(&WRITTEN))
                .with_ansi(false)
                .without_time()
                .with_span_events(FmtSpan::CLOSE);
            tracing_subscriber::registry()
                .with(lines)
                .with(SpanLayer::new())
                .init();
        });
        WRITTEN.lock().unwrap().clear();
        Self(turn)
    }

    fn lines(&self) -> Vec<String> {
        lines(&WRITTEN)
    }

    /// The lines that say this.
    fn saying(&self, what: &str) -> Vec<String> {
        let says = |line: &String| line.contains(what);
        self.lines().into_iter().filter(says).collect()
    }
}

fn lines(written: &Mutex<Vec<u8>>) -> Vec<String> {
    let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| line.trim().to_owned()).collect()
}

fn cook(dish: usize) -> usize {
    let _span = info_span!("cook", dish).entered();
    info!(heat = 3, "sizzling");
    assert_ne!(dish, 7, "burnt");
    dish
}

#[test]
fn what_a_task_says_is_said_within_it() {
    let ear = Ear::new();
    let outcomes = Parallel::new(2).outcomes((0..10).map(|i| delayed(cook, i)));
    assert_eq!(outcomes.unwrap().len(), 10);
    let said = ear.saying("sizzling");
    assert_eq!(said.len(), 10);
    for index in 0..10 {
        let within = format!(":task{{index={index} attempt=1 worker=");
        let here = format!(":cook{{dish={index}}}: tracing: sizzling heat=3");
        let line = said.iter().find(|line| line.contains(&within)).unwrap();
        let call = r#"INFO call{n_jobs=2 tasks=10 backend="Threads"}:task"#;
        assert!(line.starts_with(call) && line.contains(&here), "{line}");
    }
    let failed = ear.saying("the task has failed");
    assert_eq!(failed.len(), 1);
    assert!(failed[0].starts_with("DEBUG call{"), "{failed:?}");
    assert!(failed[0].contains("burnt"), "{failed:?}");
    // Each span has been closed, that of the call last.
    assert_eq!(ear.saying(": parallel: close").len(), 11);
    assert!(ear.lines().last().unwrap().starts_with("DEBUG call{"));
}

#[test]
fn a_stream_and_a_submitted_task_have_spans_too() {
    let ear = Ear::new();
    let parallel = Parallel::new(2);
    let around = info_span!("evening").entered();
    assert_eq!(parallel.iter((0..3).map(|i| delayed(cook, i))).count(), 3);
    assert_eq!(parallel.submit(delayed(cook, 3)).join().unwrap(), 3);
    drop(around);
    let said = ear.saying("sizzling");
    assert_eq!(said.len(), 4);
    for line in said {
        assert!(line.starts_with("INFO evening:call{n_jobs="), "{line}");
        assert!(line.contains(":task{index="), "{line}");
    }
}

#[test]
fn the_sizes_of_batches_are_traced() {
    let ear = Ear::new();
    Parallel::new(1).map(|i| i, 0..1000).unwrap();
    let sizes = ear.saying("batches have another size");
    assert!(!sizes.is_empty());
    assert!(
        sizes.iter().all(|line| line.starts_with("TRACE call{")),
        "{sizes:?}"
    );
}

#[test]
fn whoever_wants_no_details_hears_none() {
    static QUIET: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    let _ear = Ear::new();
    let quiet = tracing_subscriber::fmt()
        .with_writer(|| Pen(&QUIET))
        .with_ansi(false)
        .without_time()
        .with_max_level(Level::INFO)
        .finish();
    tracing::subscriber::with_default(quiet, || {
        let _around = info_span!("evening").entered();
        let parallel = Parallel::new(1).backend(Sequential::new());
        assert!(parallel.run([delayed(cook, 1), delayed(cook, 7)]).is_err());
    });
    assert_eq!(
        lines(&QUIET),
        [
            "INFO evening:cook{dish=1}: tracing: sizzling heat=3",
            "INFO evening:cook{dish=7}: tracing: sizzling heat=3",
        ]
    );
}

#[test]
fn what_is_said_in_a_worker_comes_back_if_asked_for() {
    let ear = Ear::new();
    let with = |processes| Parallel::new(2).backend(processes);
    with(Processes::new()).map(cook, 0..5).unwrap();
    assert!(ear.saying("sizzling").is_empty());
    with(Processes::new().tracing(Level::INFO))
        .outcomes((0..10).map(|i| delayed(cook, i)))
        .unwrap();
    let said = ear.saying("sizzling");
    assert_eq!(said.len(), 10, "{said:#?}");
    for index in 0..10 {
        let within = format!(":task{{index={index} attempt=1 worker=");
        let line = said.iter().find(|line| line.contains(&within)).unwrap();
        let span = format!(
            r#":span{{task={index} name="cook" origin="tracing" fields="dish={index}"}}: parallel: sizzling task={index} origin="tracing" fields="heat=3""#
        );
        assert!(line.starts_with("INFO call{"), "{line}");
        assert!(line.contains(&span), "{line}");
    }
    let failed = ear.saying("the task has failed");
    assert_eq!(failed.len(), 1);
    assert!(failed[0].contains(":task{index=7 attempt=1"), "{failed:?}");
}

#[test]
fn spans_of_tasks_come_back_one_inside_the_other() {
    fn nested(_: u32) {
        let _outer = info_span!("outer").entered();
        debug!("left out");
        info!("first");
        info_span!("inner").in_scope(|| warn!("second"));
        info!("third");
    }
    let ear = Ear::new();
    let parallel = Parallel::new(1).backend(Processes::new().tracing(Level::INFO));
    parallel.map(nested, [0]).unwrap();
    assert!(ear.saying("left out").is_empty());
    let outer = r#":span{task=0 name="outer" origin="tracing" fields=""}: parallel: "#;
    let inner = r#":span{task=0 name="inner" origin="tracing" fields=""}: parallel: "#;
    for (what, level, within) in [
        ("first", "INFO", outer),
        ("second", "WARN", inner),
        ("third", "INFO", outer),
    ] {
        let [line] = &ear.saying(what)[..] else {
            panic!("{what}")
        };
        assert!(
            line.starts_with(level) && line.contains(&format!("{within}{what}")),
            "{line}"
        );
    }
}

#[test]
fn a_worker_that_floods_is_cut_short_and_the_rest_counted() {
    fn flood(i: usize) -> usize {
        for drop in 0..100_000 {
            info!(drop, "{}", "water ".repeat(10));
        }
        i
    }
    let ear = Ear::new();
    let parallel = Parallel::new(2).backend(Processes::new().tracing(Level::INFO));
    assert_eq!(parallel.map(flood, 0..4).unwrap(), [0, 1, 2, 3]);
    let told = ear.saying("water").len();
    assert!((4..4000).contains(&told), "{told}");
    let counted = ear.saying("the task told more than is passed on");
    assert_eq!(counted.len(), 4);
}

#[test]
fn deaths_are_warned_of_and_retries_told() {
    fn die_once(i: usize) -> usize {
        info!("before");
        if i == 1 && current().unwrap().attempt() == 1 {
            std::process::abort();
        }
        i
    }
    let ear = Ear::new();
    let backend = Processes::new().retries(1).tracing(Level::INFO);
    assert_eq!(
        Parallel::new(1)
            .backend(backend)
            .map(die_once, 0..3)
            .unwrap(),
        [0, 1, 2]
    );
    let died = ear.saying("a worker process has died");
    assert_eq!(died.len(), 1);
    assert!(
        died[0].starts_with("WARN call{") && died[0].contains("SIGABRT"),
        "{died:?}"
    );
    let again = ear.saying("is to be started again");
    assert_eq!(again.len(), 1);
    assert!(
        again[0].contains(":task{index=1 attempt=1 worker=0}: "),
        "{again:?}"
    );
    // What it said before it died is lost with it; the second attempt's is there.
    assert_eq!(ear.saying("before").len(), 3);
}

/// Spans, each as `index/depth name fields`, and where the tasks begin and end.
fn spans_seen<B>(parallel: Parallel<B>) -> (Parallel<B>, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&seen);
    let parallel = parallel.observer(move |event: &Event| {
        let text = match event {
            Event::TaskStarted { index, .. } => format!("{index} begins"),
            Event::TaskFinished { index, .. } => format!("{index} ends"),
            Event::Span {
                index,
                depth,
                name,
                fields,
                attempt: 1,
                worker: 0,
                ..
            } => {
                format!("{index}/{depth} {name} {fields:?}")
            }
            _ => return,
        };
        note.lock().unwrap().push(text);
    });
    (parallel, seen)
}

fn two_steps(dish: u32) -> u32 {
    let _dish = info_span!("dish", dish).entered();
    info_span!("wash").in_scope(|| ());
    let span = info_span!("cook", heat = tracing::field::Empty).entered();
    span.record("heat", 3);
    // Also on a thread that the task starts.
    let here = tracing::Span::current();
    std::thread::scope(|scope| {
        scope.spawn(|| here.in_scope(|| info_span!("stir").in_scope(|| ())));
    });
    dish
}

const STEPS: [&str; 12] = [
    "0 begins",
    "0/1 wash []",
    r#"0/2 stir []"#,
    r#"0/1 cook [("heat", "3")]"#,
    r#"0/0 dish [("dish", "0")]"#,
    "0 ends",
    "1 begins",
    "1/1 wash []",
    "1/2 stir []",
    r#"1/1 cook [("heat", "3")]"#,
    r#"1/0 dish [("dish", "1")]"#,
    "1 ends",
];

#[test]
fn observers_are_told_of_the_spans_of_tasks() {
    let _ear = Ear::new();
    let (parallel, seen) = spans_seen(Parallel::new(1));
    parallel.map(two_steps, 0..2).unwrap();
    assert_eq!(*seen.lock().unwrap(), STEPS);
}

#[test]
fn observers_are_told_of_those_in_workers() {
    fn subscriber_of_its_own() {
        tracing_subscriber::registry().with(SpanLayer::new()).init();
    }
    let _ear = Ear::new();
    let asked = Processes::new().tracing(Level::INFO);
    for processes in [
        asked,
        Processes::new()
            .tracing(Level::INFO)
            .initializer(subscriber_of_its_own),
    ] {
        let (parallel, seen) = spans_seen(Parallel::new(1).backend(processes).batch_size(2));
        parallel.map(two_steps, 0..2).unwrap();
        assert_eq!(*seen.lock().unwrap(), STEPS);
    }
    let (parallel, seen) = spans_seen(Parallel::new(1).backend(Processes::new()));
    parallel.map(two_steps, 0..2).unwrap();
    assert_eq!(seen.lock().unwrap().len(), 4);
}

#[test]
fn spans_of_a_call_inside_of_a_task_are_those_of_its_tasks() {
    fn outer(_: u32) -> Result<usize, Error> {
        let _around = info_span!("outer").entered();
        let (parallel, seen) = spans_seen(Parallel::new(1));
        parallel.map(two_steps, 0..2)?;
        assert_eq!(*seen.lock().unwrap(), STEPS);
        Ok(seen.lock().unwrap().len())
    }
    let _ear = Ear::new();
    let (parallel, seen) = spans_seen(Parallel::new(1));
    assert_eq!(
        parallel.try_run([delayed(outer, 0)]).unwrap(),
        [STEPS.len()]
    );
    assert_eq!(
        *seen.lock().unwrap(),
        ["0 begins", "0/0 outer []", "0 ends"]
    );
}

#[test]
fn they_are_also_where_what_this_library_says_is_filtered_out() {
    let one_step = |dish: u32| info_span!("wash").in_scope(|| dish);
    let (outer, seen) = spans_seen(Parallel::new(1));
    let (inner, seen_inside) = spans_seen(Parallel::new(1));
    // One job: all of it happens on this thread.
    let subscriber = tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .with(SpanLayer::new());
    tracing::subscriber::with_default(subscriber, || {
        let around = |_| info_span!("outer").in_scope(|| inner.map(one_step, 0..2));
        outer.try_run([delayed(around, 0)]).unwrap();
    });
    assert_eq!(
        *seen.lock().unwrap(),
        ["0 begins", "0/0 outer []", "0 ends"]
    );
    assert_eq!(
        *seen_inside.lock().unwrap(),
        [
            "0 begins",
            "0/0 wash []",
            "0 ends",
            "1 begins",
            "1/0 wash []",
            "1 ends"
        ]
    );
}
