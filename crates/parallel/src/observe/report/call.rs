//! What is kept of one call: 32 bytes a task, and a few texts.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::packed::{Labels, Packed, Row};

use crate::observe::{OutputStream, Totals};

/// So many failures, incidents, batch sizes and lines are kept, each of so many bytes.
const MOST_NOTES: usize = 1000;
const LONGEST_NOTE: usize = 2000;

const FAILED: u16 = 1 << 15;

/// One that begins has nothing.
pub(super) struct Call {
    pub(super) run: u64,
    pub(super) expected: Option<usize>,
    pub(super) n_jobs: usize,
    pub(super) origin: Instant,
    /// Tasks that ran. Their own are how long they waited, in seconds as `f32`; beside it stands how often
    /// they were started, with the highest bit set if they failed.
    pub(super) tasks: Packed,
    /// For each task that is drawn the place of its label in `labels`; empty if none has any.
    pub(super) labelled: Vec<u32>,
    pub(super) labels: Labels,
    /// Parts of tasks. Their own are the places of their labels in `part_labels`, as `u32`; beside it stands in
    /// how many other parts they lie.
    pub(super) parts: Packed,
    pub(super) part_labels: Labels,
    pub(super) workers: Vec<Option<String>>,
    pub(super) running: BTreeMap<usize, Running>,
    pub(super) failures: Notes<FailureNote>,
    pub(super) incidents: Notes<Incident>,
    pub(super) batches: Notes<(f64, usize)>,
    pub(super) lines: Notes<Line>,
    pub(super) counts: Counts,
    pub(super) ended: Option<Totals>,
}

/// Sums over all tasks, drawn or not.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct Counts {
    pub(super) finished: usize,
    pub(super) failed: usize,
    pub(super) retried: usize,
    /// In seconds.
    pub(super) busy: f64,
    /// Events that nobody told.
    pub(super) lost: u64,
}

/// A task that has begun.
#[derive(Clone, Serialize)]
pub(super) struct Running {
    pub(super) index: usize,
    pub(super) started: f64,
    pub(super) label: Option<String>,
}

/// A task that has finished.
pub(super) struct Ran {
    pub(super) index: usize,
    pub(super) attempt: u32,
    pub(super) worker: usize,
    pub(super) started: Instant,
    pub(super) run_time: Duration,
    pub(super) wait_time: Duration,
}

/// A part of a task that has ended.
pub(super) struct Part {
    pub(super) index: usize,
    pub(super) worker: usize,
    pub(super) depth: usize,
    pub(super) started: Instant,
    pub(super) run_time: Duration,
}

/// What went wrong with a task.
#[derive(Clone, Serialize)]
pub(super) struct FailureNote {
    pub(super) index: usize,
    pub(super) worker: usize,
    pub(super) attempt: u32,
    pub(super) label: Option<String>,
    pub(super) message: String,
}

/// What happened to a worker, or to a task that goes on.
#[derive(Clone, Serialize)]
pub(super) struct Incident {
    pub(super) at: f64,
    pub(super) worker: usize,
    pub(super) text: String,
}

/// What a worker printed.
#[derive(Clone, Serialize)]
pub(super) struct Line {
    pub(super) worker: usize,
    pub(super) task: Option<usize>,
    pub(super) stderr: bool,
    pub(super) text: String,
}

/// The last ones of many.
pub(super) struct Notes<N> {
    kept: VecDeque<N>,
    /// How many there were.
    pub(super) all: usize,
}

impl<N: Clone> Notes<N> {
    fn new() -> Self {
        Self {
            kept: VecDeque::new(),
            all: 0,
        }
    }

    fn push(&mut self, note: N) {
        if self.kept.len() == MOST_NOTES {
            self.kept.pop_front();
        }
        self.kept.push_back(note);
        self.all += 1;
    }

    /// Those that came after so many, as far as they are kept.
    pub(super) fn since(&self, seen: usize) -> Vec<N> {
        let gone = self.all - self.kept.len();
        self.kept
            .iter()
            .skip(seen.saturating_sub(gone))
            .cloned()
            .collect()
    }
}

impl Call {
    pub(super) fn new(run: u64, expected: Option<usize>, n_jobs: usize) -> Self {
        Self {
            run,
            expected,
            n_jobs,
            origin: Instant::now(),
            tasks: Packed::default(),
            labelled: Vec::new(),
            labels: Labels::default(),
            parts: Packed::default(),
            part_labels: Labels::default(),
            workers: Vec::new(),
            running: BTreeMap::new(),
            failures: Notes::new(),
            incidents: Notes::new(),
            batches: Notes::new(),
            lines: Notes::new(),
            counts: Counts::default(),
            ended: None,
        }
    }

    /// In seconds since the beginning.
    pub(super) fn at(&self, when: Instant) -> f64 {
        match when.checked_duration_since(self.origin) {
            Some(since) => since.as_secs_f64(),
            // The call had begun when we were told that it begins.
            None => -self.origin.duration_since(when).as_secs_f64(),
        }
    }

    pub(super) fn now(&self) -> f64 {
        self.at(Instant::now())
    }

    pub(super) fn worker(&mut self, worker: usize, name: impl FnOnce() -> String) {
        if worker >= self.workers.len() {
            self.workers.resize(worker + 1, None);
        }
        self.workers[worker].get_or_insert_with(name);
    }

    pub(super) fn begin(&mut self, worker: usize, index: usize, label: Option<String>) {
        let started = self.now();
        let running = Running {
            index,
            started,
            label,
        };
        self.running.insert(worker, running);
    }

    pub(super) fn finish(&mut self, ran: &Ran, failure: Option<String>, label: Option<String>) {
        self.counts.finished += 1;
        self.counts.busy += ran.run_time.as_secs_f64();
        if self
            .running
            .get(&ran.worker)
            .is_some_and(|running| running.index == ran.index)
        {
            self.running.remove(&ran.worker);
        }
        // What never began has no place in the picture.
        if ran.attempt > 0 {
            self.draw(ran, failure.is_some(), label.clone());
        }
        if let Some(message) = failure {
            self.counts.failed += 1;
            self.failures.push(FailureNote {
                index: ran.index,
                worker: ran.worker,
                attempt: ran.attempt,
                label,
                message: cut(message),
            });
        }
    }

    fn draw(&mut self, ran: &Ran, failed: bool, label: Option<String>) {
        let attempt = u16::try_from(ran.attempt).unwrap_or(u16::MAX);
        let row = Row {
            started: self.at(ran.started),
            run: ran.run_time.as_secs_f32(),
            own: ran.wait_time.as_secs_f32().to_le_bytes(),
            index: ran.index,
            worker: ran.worker,
            flags: attempt.min(FAILED - 1) | if failed { FAILED } else { 0 },
        };
        if self.tasks.push(&row)
            && let Some(label) = label
        {
            let place = self.labels.place(label);
            self.labelled.push(place);
        }
    }

    /// A part of a task has ended.
    pub(super) fn part(&mut self, part: &Part, label: String) {
        let place = self.part_labels.place_if_few(label);
        self.parts.push(&Row {
            started: self.at(part.started),
            run: part.run_time.as_secs_f32(),
            own: place.to_le_bytes(),
            index: part.index,
            worker: part.worker,
            flags: u16::try_from(part.depth).unwrap_or(u16::MAX),
        });
    }

    pub(super) fn incident(&mut self, worker: usize, text: String) {
        let at = self.now();
        let text = cut(text);
        self.incidents.push(Incident { at, worker, text });
    }

    pub(super) fn batch(&mut self, tasks: usize) {
        let at = self.now();
        self.batches.push((at, tasks));
    }

    pub(super) fn line(
        &mut self,
        worker: usize,
        task: Option<usize>,
        stream: OutputStream,
        text: &str,
    ) {
        self.lines.push(Line {
            worker,
            task,
            stderr: stream == OutputStream::Stderr,
            text: cut(text.to_owned()),
        });
    }
}

/// At most so long that a task cannot fill the memory by what it says.
fn cut(mut text: String) -> String {
    if text.len() > LONGEST_NOTE {
        text.truncate(text.floor_char_boundary(LONGEST_NOTE));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::packed::{MOST_ROWS, ROW};
    use super::*;

    #[test]
    fn the_last_notes_are_kept() {
        let mut notes = Notes::new();
        (0..MOST_NOTES + 5).for_each(|n| notes.push(n));
        assert_eq!(notes.since(0).len(), MOST_NOTES);
        assert_eq!(notes.since(0)[0], 5);
        assert_eq!(
            notes.since(MOST_NOTES + 3),
            [MOST_NOTES + 3, MOST_NOTES + 4]
        );
        assert_eq!(notes.since(notes.all), [0_usize; 0]);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("µ".to_owned()), "µ");
        let long = cut("µ".repeat(LONGEST_NOTE));
        assert!(long.ends_with("µ…") && long.len() <= LONGEST_NOTE + '…'.len_utf8());
    }

    #[test]
    fn a_task_takes_32_bytes_and_an_endless_call_no_more_than_its_share() {
        let mut call = Call::new(1, None, 1);
        let ran = Ran {
            index: 0,
            attempt: 1,
            worker: 0,
            started: call.origin,
            run_time: Duration::from_micros(1),
            wait_time: Duration::ZERO,
        };
        for _ in 0..MOST_ROWS + 10 {
            call.finish(&ran, None, None);
        }
        let bytes: usize = call.tasks.chunks.iter().map(String::len).sum();
        assert_eq!(bytes, MOST_ROWS * ROW);
        assert_eq!(call.counts.finished, MOST_ROWS + 10);
    }
}
