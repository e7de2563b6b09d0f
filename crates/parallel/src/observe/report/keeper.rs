//! Keeps the calls that are going on, for whoever shows them.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::call::{Call, Part, Ran};
use super::names::Names;
use super::update::{Cursor, Update};
use crate::observe::{Event, spans};

/// Noting takes the lock for as long as it takes to copy a few bytes; so does asking what is new.
#[derive(Default)]
pub(super) struct Keeper {
    kept: Mutex<Kept>,
    changed: Condvar,
}

#[derive(Default)]
struct Kept {
    title: Option<String>,
    calls: BTreeMap<u64, Call>,
    /// Grows with each event.
    version: u64,
    closing: bool,
}

impl Kept {
    fn title(&self) -> String {
        let title = self.title.clone();
        title.unwrap_or_else(|| "Report of a run".to_owned())
    }
}

/// What somebody who waits is told.
pub(super) enum News {
    Update(Box<Update>),
    Nothing,
    Closing,
}

impl Keeper {
    pub(super) fn set_title(&self, title: String) {
        self.kept.lock().title = Some(title);
    }

    pub(super) fn title(&self) -> String {
        self.kept.lock().title()
    }

    /// Takes a call out that has ended.
    pub(super) fn take(&self, run: u64) -> Option<Call> {
        self.kept.lock().calls.remove(&run)
    }

    /// What is new; waits so long if nothing is.
    pub(super) fn news(&self, cursor: &mut Cursor, seen: &mut u64, patience: Duration) -> News {
        let mut kept = self.kept.lock();
        if kept.version == *seen && !kept.closing {
            self.changed.wait_for(&mut kept, patience);
        }
        if kept.version == *seen {
            return if kept.closing {
                News::Closing
            } else {
                News::Nothing
            };
        }
        let Some(call) = kept.calls.values().next_back() else {
            *seen = kept.version;
            return News::Nothing;
        };
        let update = Update::of(call, cursor, &kept.title(), true);
        if !update.more {
            *seen = kept.version;
        }
        News::Update(Box::new(update))
    }

    /// Waits for so long, or until there is something that should be shown at once: an end.
    pub(super) fn rest(&self, time: Duration) {
        let mut kept = self.kept.lock();
        self.changed.wait_while_for(
            &mut kept,
            |kept| {
                let last = kept.calls.values().next_back();
                !kept.closing && last.is_none_or(|call| call.ended.is_none())
            },
            time,
        );
    }

    pub(super) fn close(&self) {
        self.kept.lock().closing = true;
        self.changed.notify_all();
    }

    pub(super) fn version(&self) -> u64 {
        self.kept.lock().version
    }

    pub(super) fn note(&self, event: &Event, names: &Names) {
        // The user's functions are called without the lock.
        let label = match event {
            Event::TaskStarted { index, .. } | Event::TaskFinished { index, .. } => {
                names.task(*index)
            }
            _ => None,
        };
        let mut kept = self.kept.lock();
        kept.version += 1;
        if let Event::RunStarted { run, tasks, n_jobs } = event {
            kept.calls.retain(|_, call| call.ended.is_none());
            kept.calls.insert(*run, Call::new(*run, *tasks, *n_jobs));
        } else if let Event::Lost { events } = event {
            for call in kept.calls.values_mut() {
                call.counts.lost += events;
            }
        } else if let Some(call) = event.run().and_then(|run| kept.calls.get_mut(&run)) {
            note(call, event, label, names);
        }
        drop(kept);
        self.changed.notify_all();
    }
}

fn note(call: &mut Call, event: &Event, label: Option<String>, names: &Names) {
    match event {
        Event::WorkerStarted { worker, .. } => call.worker(*worker, || names.worker(*worker)),
        Event::TaskStarted { worker, index, .. } => call.begin(*worker, *index, label),
        Event::TaskFinished {
            index,
            attempt,
            worker,
            started,
            run_time,
            wait_time,
            failure,
            ..
        } => {
            let ran = Ran {
                index: *index,
                attempt: *attempt,
                worker: *worker,
                started: *started,
                run_time: *run_time,
                wait_time: *wait_time,
            };
            if *attempt > 0 {
                call.worker(*worker, || names.worker(*worker));
            }
            call.finish(&ran, failure.as_ref().map(ToString::to_string), label);
        }
        Event::Retried {
            index,
            attempt,
            worker,
            failure,
            ..
        } => {
            call.counts.retried += 1;
            call.incident(
                *worker,
                format!(
                    "task {index} is to be started again, after attempt {attempt}: it {failure}"
                ),
            );
        }
        Event::WorkerDied {
            worker, pid, how, ..
        } => call.incident(*worker, format!("process {pid} has ended: {how}")),
        Event::BatchSize { tasks, .. } => call.batch(*tasks),
        Event::Line {
            worker,
            task,
            stream,
            text,
            ..
        } => call.line(*worker, *task, *stream, text),
        Event::Span {
            index,
            worker,
            name,
            fields,
            depth,
            started,
            run_time,
            ..
        } => {
            let part = Part {
                index: *index,
                worker: *worker,
                depth: *depth,
                started: *started,
                run_time: *run_time,
            };
            call.part(&part, spans::label(name, fields));
        }
        Event::RunFinished { totals, .. } => {
            call.running.clear();
            call.ended = Some(*totals);
        }
        Event::RunStarted { .. } | Event::Lost { .. } | Event::Carried { .. } => {}
    }
}
