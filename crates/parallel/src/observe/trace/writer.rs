//! From what happens to what is drawn.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::array::Array;
use super::record::{Phase, Record};
use super::rows::{Block, Row};
use crate::observe::{Event, OutputStream};

/// To wait for less is not worth drawing.
const LONG: Duration = Duration::from_micros(100);

/// What is written, and all that must be remembered for it.
pub(super) struct Writer {
    array: Array,
    path: String,
    /// The first one.
    error: Option<io::Error>,
    begun: Instant,
    /// The group of rows of each call that goes on.
    calls: BTreeMap<u64, usize>,
    /// Of each group and worker.
    rows: HashMap<(usize, usize), Row>,
    /// So many groups have a name.
    groups: usize,
}

/// Where to draw.
#[derive(Clone, Copy)]
struct At {
    group: usize,
    row: usize,
    time: u64,
}

impl Writer {
    pub(super) fn new(array: Array, path: String) -> Self {
        Self {
            array,
            path,
            error: None,
            begun: Instant::now(),
            calls: BTreeMap::new(),
            rows: HashMap::new(),
            groups: 0,
        }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        let closed = self.array.close();
        self.keep(closed);
        match &self.error {
            None => Ok(()),
            Some(error) => {
                let text = format!("cannot write the trace to {}: {error}", self.path);
                Err(io::Error::new(error.kind(), text))
            }
        }
    }

    fn keep(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }

    fn push(&mut self, record: &Record<'_>) {
        if self.error.is_none() {
            let pushed = self.array.push(record);
            self.keep(pushed);
        }
    }

    pub(super) fn event(&mut self, event: &Event) {
        let now = self.since_begun(Instant::now());
        if let Event::RunStarted { run, tasks, n_jobs } = event {
            let group = self.free_group();
            self.calls.insert(*run, group);
            let args = json!({ "tasks": tasks, "n_jobs": n_jobs });
            return self.call(Phase::AsyncBegin, *run, group, now, args);
        }
        let Some(run) = event.run() else {
            if let Event::Lost { events } = event {
                let what = format!("{events} events were lost");
                self.instant(At::group(1, now), "g", &what, Value::Null);
            }
            return;
        };
        if let Some(group) = self.calls.get(&run).copied() {
            self.event_of(run, group, event, now);
        }
    }

    fn event_of(&mut self, run: u64, group: usize, event: &Event, now: u64) {
        match event {
            Event::WorkerStarted { worker, pid, .. } => {
                let at = self.at(group, *worker, now);
                if let Some(pid) = pid {
                    self.instant(at, "t", "process", json!({ "pid": pid }));
                }
            }
            Event::TaskStarted {
                index,
                attempt,
                worker,
                ..
            } => self.row(group, *worker).begin(*index, *attempt, now),
            Event::TaskFinished { .. } => self.finished(group, event, now),
            Event::Retried {
                index,
                attempt,
                worker,
                failure,
                ..
            } => {
                let at = self.at(group, *worker, now);
                let args = json!({
                    "index": index, "attempt": attempt, "failure": failure.to_string(),
                });
                self.instant(at, "t", &format!("retry of task {index}"), args.clone());
                self.row(group, *worker).fail(*index, *attempt, now, args);
            }
            Event::WorkerDied {
                worker, pid, how, ..
            } => {
                let at = self.at(group, *worker, now);
                self.instant(at, "t", "died", json!({ "pid": pid, "how": how }));
            }
            Event::BatchSize { tasks, .. } => self.push(&Record {
                args: json!({ "tasks": tasks }),
                ..At::group(group, now).record(Phase::Counter, "batch size")
            }),
            Event::Line {
                worker,
                task,
                stream,
                text,
                ..
            } => {
                let at = self.at(group, *worker, now);
                let stream = match stream {
                    OutputStream::Stdout => "stdout",
                    OutputStream::Stderr => "stderr",
                };
                let args = json!({ "index": task, "stream": stream, "text": text });
                self.instant(at, "t", "printed", args);
            }
            Event::RunFinished { totals, .. } => {
                self.draw_failed(group);
                let args = json!({
                    "succeeded": totals.succeeded,
                    "failed": totals.failed,
                    "retried": totals.retried,
                    "wall_us": totals.wall.as_micros() as u64,
                });
                self.call(Phase::AsyncEnd, run, group, now, args);
                self.calls.remove(&run);
                let closed = self.array.close();
                self.keep(closed);
            }
            // These belong to no call, or begin one.
            Event::RunStarted { .. } | Event::Lost { .. } => {}
        }
    }

    fn finished(&mut self, group: usize, event: &Event, now: u64) {
        let Event::TaskFinished {
            run,
            index,
            attempt,
            worker,
            started,
            run_time,
            wait_time,
            failure,
        } = event
        else {
            return;
        };
        let mut args = json!({
            "index": index,
            "attempt": attempt,
            "waited_us": wait_time.as_nanos() as f64 / 1000.0,
        });
        if let Some(failure) = failure {
            args["failure"] = failure.to_string().into();
        }
        let name = format!("task {index}");
        if *attempt == 0 {
            let name = format!("{name} did not run");
            return self.instant(At::group(group, now), "p", &name, args);
        }
        let start = self.since_begun(*started);
        let at = self.at(group, *worker, start);
        if let Some(failed) = self.row(group, *worker).failed_before(start) {
            self.block(at, &failed);
        }
        if *wait_time >= LONG {
            let id = Some(format!("{run}.{index}"));
            let taken = started.checked_sub(*wait_time).unwrap_or(self.begun);
            let time = self.since_begun(taken);
            for (phase, time) in [(Phase::AsyncBegin, time), (Phase::AsyncEnd, start)] {
                self.push(&Record {
                    category: "wait",
                    id: id.clone(),
                    ..At { time, ..at }.record(phase, "wait")
                });
            }
        }
        let end = start.saturating_add(run_time.as_nanos() as u64);
        let block = Block {
            name,
            start,
            end,
            args,
        };
        let block = self.row(group, *worker).place(block);
        self.block(at, &block);
    }

    fn block(&mut self, at: At, block: &Block) {
        let time = block.start;
        self.push(&Record {
            category: "task",
            duration: Some(block.end - block.start),
            args: block.args.clone(),
            ..At { time, ..at }.record(Phase::Complete, &block.name)
        });
    }

    fn instant(&mut self, at: At, scope: &'static str, name: &str, args: Value) {
        self.push(&Record {
            scope: Some(scope),
            args,
            ..at.record(Phase::Instant, name)
        });
    }

    fn call(&mut self, phase: Phase, run: u64, group: usize, time: u64, args: Value) {
        let name = format!("call {run}");
        self.push(&Record {
            category: "call",
            id: Some(run.to_string()),
            args,
            ..At::group(group, time).record(phase, &name)
        });
    }

    /// Attempts that failed and were not followed by another task.
    fn draw_failed(&mut self, group: usize) {
        let rows = self.rows.iter_mut().filter(|((of, _), _)| *of == group);
        let failed: Vec<_> = rows
            .filter_map(|((_, worker), row)| Some((*worker, row.failed_before(u64::MAX)?)))
            .collect();
        for (worker, failed) in failed {
            let at = self.at(group, worker, failed.start);
            self.block(at, &failed);
        }
    }

    /// The first group of rows that no call has.
    fn free_group(&mut self) -> usize {
        let taken: Vec<_> = self.calls.values().collect();
        let free = (1..).find(|group| !taken.contains(&group));
        let free = free.unwrap_or(usize::MAX);
        if free > self.groups {
            self.groups = free;
            let name = match free {
                1 => "parallel".to_owned(),
                _ => format!("parallel, {free} calls at a time"),
            };
            self.name(At::group(free, 0), "process_name", &name);
        }
        free
    }

    /// The row of a worker. It gets its name when there is first something to draw.
    fn at(&mut self, group: usize, worker: usize, time: u64) -> At {
        self.row(group, worker);
        let row = worker + 1;
        At { group, row, time }
    }

    fn row(&mut self, group: usize, worker: usize) -> &mut Row {
        if !self.rows.contains_key(&(group, worker)) {
            let row = worker + 1;
            let at = At {
                group,
                row,
                time: 0,
            };
            self.name(at, "thread_name", &format!("worker {worker}"));
        }
        self.rows.entry((group, worker)).or_default()
    }

    fn name(&mut self, at: At, what: &'static str, name: &str) {
        self.push(&Record {
            args: json!({ "name": name }),
            ..at.record(Phase::Metadata, what)
        });
    }

    fn since_begun(&self, then: Instant) -> u64 {
        then.saturating_duration_since(self.begun).as_nanos() as u64
    }
}

impl At {
    /// Beside the rows.
    fn group(group: usize, time: u64) -> Self {
        Self {
            group,
            row: 0,
            time,
        }
    }

    fn record(self, phase: Phase, name: &str) -> Record<'_> {
        Record {
            name,
            category: "",
            phase,
            time: self.time,
            duration: None,
            pid: self.group,
            tid: self.row,
            id: None,
            scope: None,
            args: Value::Null,
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let now = self.since_begun(Instant::now());
        for (run, group) in std::mem::take(&mut self.calls) {
            self.draw_failed(group);
            self.call(Phase::AsyncEnd, run, group, now, Value::Null);
        }
        let closed = self.array.close();
        self.keep(closed);
    }
}
