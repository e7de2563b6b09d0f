//! Traces, read back and held against what the trace-event format asks for.

#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use parallel::{Output, Parallel, Processes, Trace, current, delayed};
use serde_json::Value;

/// A file that is gone when this is.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str) -> Self {
        let name = format!("parallel-trace-{}-{name}.json", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// What is in it, as it is now.
    fn read(&self) -> Events {
        let text = fs::read_to_string(&self.0).unwrap();
        let events = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}:\n{text}"));
        let events = Events(events);
        events.check();
        events
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A row: its group and its number.
type Row = (u64, u64);

struct Events(Vec<Value>);

impl Events {
    fn phase<'a>(&'a self, phase: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |event| event["ph"] == phase)
    }

    fn named(&self, name: &str) -> Vec<&Value> {
        self.0
            .iter()
            .filter(|event| event["name"] == name)
            .collect()
    }

    /// The format's rules, and that no two tasks are drawn over each other.
    fn check(&self) {
        let mut blocks: BTreeMap<Row, Vec<(i64, i64)>> = BTreeMap::new();
        let mut parts: BTreeMap<Row, Vec<(i64, i64)>> = BTreeMap::new();
        let mut open = BTreeSet::new();
        let mut named = BTreeSet::new();
        let mut drawn = BTreeSet::new();
        for event in &self.0 {
            let phase = event["ph"].as_str().unwrap();
            assert!(event["name"].is_string(), "{event}");
            assert!(event["ts"].as_f64().unwrap() >= 0.0, "{event}");
            let row = (
                event["pid"].as_u64().unwrap(),
                event["tid"].as_u64().unwrap(),
            );
            let args = &event["args"];
            assert!(args.is_object() || args.is_null(), "{event}");
            match phase {
                "X" => {
                    let start = nanoseconds(&event["ts"]);
                    let time = nanoseconds(&event["dur"]);
                    assert!(time >= 0, "{event}");
                    let parts = if event["cat"] == "span" {
                        &mut parts
                    } else {
                        &mut blocks
                    };
                    parts.entry(row).or_default().push((start, start + time));
                    drawn.insert(row);
                }
                "i" => assert!(
                    ["g", "p", "t"].contains(&event["s"].as_str().unwrap()),
                    "{event}"
                ),
                "C" => assert!(args["tasks"].is_u64(), "{event}"),
                "M" if event["name"] == "thread_sort_index" => {
                    assert!(args["sort_index"].is_u64(), "{event}");
                }
                "M" => {
                    assert!(args["name"].is_string(), "{event}");
                    if event["name"] == "thread_name" {
                        assert!(named.insert(row), "{event}");
                    } else {
                        assert_eq!(event["name"], "process_name");
                    }
                }
                "b" | "e" => {
                    let key = (event["cat"].to_string(), event["id"].to_string());
                    let first_and_last = if phase == "b" {
                        open.insert(key)
                    } else {
                        open.remove(&key)
                    };
                    assert!(first_and_last, "{event}");
                }
                _ => panic!("{event}"),
            }
        }
        assert!(open.is_empty(), "{open:?}");
        assert!(drawn.is_subset(&named), "{drawn:?} {named:?}");
        for blocks in blocks.values_mut() {
            blocks.sort_unstable();
            let apart = |two: &[(i64, i64)]| two[0].1 <= two[1].0;
            assert!(blocks.windows(2).all(apart), "{blocks:?}");
        }
        for (row, parts) in parts {
            for part in parts {
                let within = |block: &(i64, i64)| block.0 <= part.0 && part.1 <= block.1;
                assert!(blocks[&row].iter().any(within), "{part:?}");
            }
        }
    }
}

fn nanoseconds(microseconds: &Value) -> i64 {
    (microseconds.as_f64().unwrap() * 1000.0).round() as i64
}

/// What must be escaped, and what must not.
const ODD: &str = "\"odd\"\n\t\0\x1b[1m \\ é🍕\u{2028}";

fn odd_ones_panic(i: u64) -> u64 {
    assert_eq!(i % 2, 0, "{ODD}");
    i
}

#[test]
fn each_task_on_threads_is_a_block() {
    let file = TempFile::new("threads");
    let trace = Trace::chrome(&file.0).unwrap();
    assert!(file.read().0.is_empty());
    let parallel = Parallel::new(3).observer(trace);
    for calls in 1..=2 {
        let tasks = (0..100).map(|i| delayed(odd_ones_panic, i));
        assert_eq!(parallel.outcomes(tasks).unwrap().len(), 100);
        // The file is whole after each call.
        let events = file.read();
        let blocks: Vec<_> = events.phase("X").collect();
        assert_eq!(blocks.len(), 100 * calls);
        assert!(blocks.iter().all(|block| block["pid"] == 1));
        let failed = blocks
            .iter()
            .filter(|block| block["args"]["failure"].is_string());
        assert_eq!(failed.count(), 50 * calls);
        for index in 0..100 {
            let block = &events.named(&format!("task {index}"))[..];
            assert_eq!(block.len(), calls);
            let args = &block[calls - 1]["args"];
            assert_eq!(
                (&args["index"], &args["attempt"]),
                (&index.into(), &1.into())
            );
            assert!(args["waited_us"].is_f64());
            let failure = args["failure"].as_str().unwrap_or_default();
            assert_eq!(failure.contains(ODD), index % 2 == 1, "{failure}");
        }
        assert_eq!(
            events
                .phase("b")
                .filter(|event| event["cat"] == "call")
                .count(),
            calls
        );
    }
}

#[test]
fn deaths_and_retries_are_drawn() {
    fn die_once(i: u64) {
        println!("{i} begins");
        std::thread::sleep(std::time::Duration::from_millis(2));
        if i == 3 && current().unwrap().attempt() == 1 {
            std::process::abort();
        }
    }
    let file = TempFile::new("processes");
    let parallel = Parallel::new(1)
        .batch_size(4)
        .backend(Processes::new().retries(1).output(Output::Lines))
        .observer(Trace::chrome(&file.0).unwrap());
    parallel.map(die_once, 0..6).unwrap();
    let events = file.read();
    let died = events.named("died");
    assert_eq!(died.len(), 1);
    assert_eq!(died[0]["ph"], "i");
    assert!(died[0]["args"]["how"].as_str().unwrap().contains("SIGABRT"));
    assert_eq!(events.named("retry of task 3").len(), 1);
    let tasks = events.phase("X").filter(|block| block["cat"] == "task");
    assert_eq!(tasks.count(), 7);
    let attempts = events.named("task 3");
    let attempt = |number: u64| {
        let mut of = attempts
            .iter()
            .filter(|block| block["args"]["attempt"] == number);
        *of.next().unwrap()
    };
    assert!(
        attempt(1)["args"]["failure"]
            .as_str()
            .unwrap()
            .contains("SIGABRT")
    );
    assert!(nanoseconds(&attempt(1)["dur"]) > 0);
    assert!(attempt(2)["args"]["failure"].is_null());
    let pids: BTreeSet<_> = events
        .named("process")
        .iter()
        .map(|e| e["args"]["pid"].as_u64())
        .collect();
    assert_eq!(pids.len(), 2);
    // Those that lay behind another one in their batch have waited for it.
    assert!(
        events
            .phase("b")
            .filter(|event| event["cat"] == "wait")
            .count()
            >= 2
    );
    let printed = events.named("printed");
    assert!(
        printed
            .iter()
            .any(|line| line["args"]["text"] == "5 begins" && line["args"]["index"] == 5)
    );
}

#[test]
fn the_way_to_a_worker_and_back_and_the_parts_of_a_task_are_drawn() {
    fn two_parts(text: String) -> String {
        let _around = tracing::info_span!("dish", name = "Pizza").entered();
        tracing::info_span!("cook").in_scope(std::thread::yield_now);
        text
    }
    let file = TempFile::new("ways");
    let parallel = Parallel::new(1)
        .batch_size(2)
        .backend(Processes::new().tracing(tracing::Level::INFO))
        .observer(Trace::chrome(&file.0).unwrap());
    parallel
        .map(two_parts, vec!["x".repeat(100_000); 3])
        .unwrap();
    let events = file.read();
    let ends = |block: &Value| nanoseconds(&block["ts"]) + nanoseconds(&block["dur"]);
    for index in 0..3 {
        let [task] = events.named(&format!("task {index}"))[..] else {
            panic!("task {index} is drawn once")
        };
        // In the parent, and in the worker.
        let [encoded, encoded_there] = events.named(&format!("encode task {index}"))[..] else {
            panic!("its argument and its result were encoded")
        };
        let [decoded, decoded_there] = events.named(&format!("decode task {index}"))[..] else {
            panic!("its argument and its result were decoded")
        };
        for (here, there) in [(encoded, encoded_there), (decoded, decoded_there)] {
            assert!(nanoseconds(&here["dur"]) > 0, "{here}");
            assert!(nanoseconds(&there["dur"]) > 0, "{there}");
            assert_eq!(there["tid"], task["tid"]);
            assert_ne!(here["tid"], task["tid"]);
        }
        for order in [
            &[decoded_there, task, encoded_there][..],
            &[encoded, decoded],
        ] {
            let ends_before = |two: &[&Value]| ends(two[0]) <= nanoseconds(&two[1]["ts"]);
            assert!(order.windows(2).all(ends_before), "{order:#?}");
        }
    }
    let dishes = events.named("dish Pizza");
    assert_eq!(dishes.len(), 3);
    assert_eq!(
        (
            dishes[0]["cat"].as_str(),
            dishes[0]["args"]["name"].as_str()
        ),
        (Some("span"), Some("Pizza"))
    );
    assert_eq!(events.named("cook").len(), 3);
}

#[test]
fn calls_at_the_same_time_have_rows_of_their_own() {
    let file = TempFile::new("two");
    let parallel = Parallel::new(2).observer(Trace::chrome(&file.0).unwrap());
    // A call that has begun and not ended keeps the first rows.
    let (begun, begins) = std::sync::mpsc::sync_channel(1);
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gates = std::sync::Mutex::new(gate);
    let held = move |()| {
        begun.send(()).unwrap();
        gates.lock().unwrap().recv().is_err()
    };
    let held = parallel.submit(delayed(held, ()));
    begins.recv().unwrap();
    assert_eq!(parallel.map(|i| i, 0..10).unwrap().len(), 10);
    drop(open);
    assert!(held.join().unwrap());
    // Of a stream that is dropped the end is told as well, or drawn when nobody watches any more.
    drop(parallel.iter((0..).map(|i| delayed(|i: u64| i, i))).take(3));
    drop(parallel);
    let events = file.read();
    let beside = events.phase("X").filter(|block| block["pid"] == 2);
    assert_eq!(beside.count(), 10);
}

#[test]
fn what_was_cancelled_is_drawn_as_not_run() {
    let file = TempFile::new("cancelled");
    let parallel = Parallel::new(1).observer(Trace::chrome(&file.0).unwrap());
    let outcomes = parallel.outcomes((0..).map(|i: u64| {
        let cancel = |i| {
            if i == 5 {
                current().unwrap().cancel();
            }
        };
        delayed(cancel, i)
    }));
    let number = outcomes.unwrap().len();
    let name = format!("task {} did not run", number - 1);
    assert_eq!(file.read().named(&name).len(), 1);
}

#[test]
fn a_file_that_cannot_be_written_is_told_at_once() {
    let error = Trace::chrome("/nowhere/trace.json").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    let text = error.to_string();
    assert!(
        text.starts_with("cannot write the trace to /nowhere/trace.json: "),
        "{text}"
    );
}

#[test]
fn a_full_disk_is_told_when_asked() {
    let trace = match Trace::chrome("/dev/full") {
        Ok(trace) => trace,
        // Told even earlier.
        Err(error) => return assert!(error.to_string().contains("/dev/full: "), "{error}"),
    };
    let parallel = Parallel::new(2).observer(trace.clone());
    assert_eq!(parallel.map(|i| i, 0..10).unwrap().len(), 10);
    let text = trace.flush().unwrap_err().to_string();
    assert!(text.contains("/dev/full: "), "{text}");
}
