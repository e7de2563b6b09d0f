//! From what happens to what is drawn.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::time::Instant;

use super::array::Array;
use super::json::Object;
use super::record::{Phase, Record};
use super::rows::Row;
use crate::observe::{Event, OutputStream};

/// What this process does for a worker is in a row of its own, as if it were the worker of this number and
/// the worker's.
pub(super) const WAYS: usize = 1 << 20;

/// What is written, and all that must be remembered for it.
pub(super) struct Writer {
    array: Array,
    path: String,
    /// The first one.
    error: Option<io::Error>,
    pub(super) begun: Instant,
    /// The group of rows of each call that goes on.
    calls: BTreeMap<u64, usize>,
    /// Of each group and worker.
    rows: HashMap<(usize, usize), Row>,
    /// So many groups have a name.
    groups: usize,
}

/// Where to draw.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) group: usize,
    pub(super) row: usize,
    pub(super) time: u64,
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

    pub(super) fn push(&mut self, record: &Record<'_>) {
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
            let args = Object::default().number("n_jobs", n_jobs);
            let args = match tasks {
                Some(tasks) => args.number("tasks", tasks),
                None => args,
            };
            return self.call(*run, At::group(group, now), args, begin);
        }
        let Some(run) = event.run() else {
            if let Event::Lost { events } = event {
                let what = format!("{events} events were lost");
                self.instant(At::group(1, now), "g", &what, Object::default());
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
                    self.instant(at, "t", "process", Object::default().number("pid", pid));
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
                let args = attempt_args(*index, *attempt).text("failure", &failure.to_string());
                self.instant(at, "t", &format!("retry of task {index}"), args.clone());
                self.row(group, *worker).fail(*index, *attempt, now, args);
            }
            Event::WorkerDied {
                worker, pid, how, ..
            } => {
                let at = self.at(group, *worker, now);
                let args = Object::default().number("pid", pid).text("how", how);
                self.instant(at, "t", "died", args);
            }
            Event::BatchSize { tasks, .. } => {
                let args = Object::default().number("tasks", tasks);
                self.push(&At::group(group, now).record(Phase::Counter, "batch size", args));
            }
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
                let args = Object::default().text("stream", stream).text("text", text);
                let args = match task {
                    Some(index) => args.number("index", index),
                    None => args,
                };
                self.instant(at, "t", "printed", args);
            }
            Event::Carried { .. } => self.carried(group, event),
            Event::Span { .. } => self.span(group, event),
            Event::RunFinished { totals, .. } => {
                self.draw_failed(group);
                let args = Object::default()
                    .number("succeeded", totals.succeeded)
                    .number("failed", totals.failed)
                    .number("retried", totals.retried);
                self.call(run, At::group(group, now), args, end);
                self.calls.remove(&run);
                let closed = self.array.close();
                self.keep(closed);
            }
            // These belong to no call, or begin one.
            Event::RunStarted { .. } | Event::Lost { .. } => {}
        }
    }

    pub(super) fn instant(&mut self, at: At, scope: &'static str, name: &str, args: Object) {
        self.push(&at.record(Phase::Instant { scope }, name, args));
    }

    fn call(&mut self, run: u64, at: At, args: Object, edge: Edge) {
        let phase = edge("call", run.to_string());
        self.push(&at.record(phase, &format!("call {run}"), args));
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
    pub(super) fn at(&mut self, group: usize, worker: usize, time: u64) -> At {
        self.row(group, worker);
        let row = worker + 1;
        At { group, row, time }
    }

    pub(super) fn row(&mut self, group: usize, worker: usize) -> &mut Row {
        if !self.rows.contains_key(&(group, worker)) {
            let at = At {
                group,
                row: worker + 1,
                time: 0,
            };
            let (name, place) = match worker.checked_sub(WAYS) {
                None => (format!("worker {worker}"), 2 * worker),
                Some(worker) => (format!("to and from worker {worker}"), 2 * worker + 1),
            };
            self.name(at, "thread_name", &name);
            let args = Object::default().number("sort_index", place);
            self.push(&at.record(Phase::Metadata, "thread_sort_index", args));
        }
        self.rows.entry((group, worker)).or_default()
    }

    fn name(&mut self, at: At, what: &'static str, name: &str) {
        let args = Object::default().text("name", name);
        self.push(&at.record(Phase::Metadata, what, args));
    }

    pub(super) fn since_begun(&self, then: Instant) -> u64 {
        then.saturating_duration_since(self.begun).as_nanos() as u64
    }
}

impl At {
    /// Beside the rows.
    pub(super) fn group(group: usize, time: u64) -> Self {
        Self {
            group,
            row: 0,
            time,
        }
    }

    pub(super) fn record(self, phase: Phase, name: &str, args: Object) -> Record<'_> {
        Record {
            name,
            phase,
            time: self.time,
            group: self.group,
            row: self.row,
            args,
        }
    }
}

/// What makes the beginning or the end of something that may overlap others.
pub(super) type Edge = fn(&'static str, String) -> Phase;

pub(super) fn begin(category: &'static str, id: String) -> Phase {
    Phase::AsyncBegin { category, id }
}

pub(super) fn end(category: &'static str, id: String) -> Phase {
    Phase::AsyncEnd { category, id }
}

pub(super) fn attempt_args(index: usize, attempt: u32) -> Object {
    let args = Object::default().number("index", index);
    args.number("attempt", attempt)
}

impl Drop for Writer {
    fn drop(&mut self) {
        let now = self.since_begun(Instant::now());
        for (run, group) in std::mem::take(&mut self.calls) {
            self.draw_failed(group);
            self.call(run, At::group(group, now), Object::default(), end);
        }
        let closed = self.array.close();
        self.keep(closed);
    }
}
