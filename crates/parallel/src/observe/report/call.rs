//! What is kept of one call: 32 bytes a task, and a few texts.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::observe::{OutputStream, Totals};

/// A task takes so many bytes: 24 in base64, which is how the page gets them, so that nothing remains to be
/// converted when the call ends. They are when it began and how long it ran and waited, in
/// seconds as `f64`, `f32`, `f32`; its index, as `u32`; its worker and how often it was started, as `u16`,
/// with the highest bit set if it failed. Little-endian.
pub(super) const TASK: usize = 32;

/// Tasks beyond these are counted and not drawn, so that a call that never ends does not fill the memory.
pub(super) const MOST_TASKS: usize = 1 << 22;

/// So many tasks lie together, and travel together.
pub(super) const CHUNK: usize = 1 << 15;

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
    /// All of them full, but for the last one.
    pub(super) chunks: Vec<String>,
    pub(super) drawn: usize,
    /// For each task that is drawn the place of its label in `labels`; empty if none has any.
    pub(super) labelled: Vec<u32>,
    pub(super) labels: Vec<String>,
    places: HashMap<String, u32>,
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
            chunks: Vec::new(),
            drawn: 0,
            labelled: Vec::new(),
            labels: Vec::new(),
            places: HashMap::new(),
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
        if self.drawn == MOST_TASKS {
            return;
        }
        let started = self.at(ran.started);
        if self.drawn.is_multiple_of(CHUNK) {
            self.chunks.push(String::new());
        }
        let Some(chunk) = self.chunks.last_mut() else {
            return;
        };
        let small = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        let attempt = small(ran.attempt as usize).min(FAILED - 1);
        let flags = attempt | if failed { FAILED } else { 0 };
        let mut bytes = [0; TASK / 4 * 3];
        bytes[..8].copy_from_slice(&started.to_le_bytes());
        bytes[8..12].copy_from_slice(&ran.run_time.as_secs_f32().to_le_bytes());
        bytes[12..16].copy_from_slice(&ran.wait_time.as_secs_f32().to_le_bytes());
        let index = u32::try_from(ran.index).unwrap_or(u32::MAX);
        bytes[16..20].copy_from_slice(&index.to_le_bytes());
        bytes[20..22].copy_from_slice(&small(ran.worker).to_le_bytes());
        bytes[22..].copy_from_slice(&flags.to_le_bytes());
        STANDARD.encode_string(bytes, chunk);
        self.drawn += 1;
        if let Some(label) = label {
            let place = self.place(label);
            self.labelled.push(place);
        }
    }

    /// Many tasks may have the same label.
    fn place(&mut self, label: String) -> u32 {
        if let Some(place) = self.places.get(&label) {
            return *place;
        }
        let place = u32::try_from(self.labels.len()).unwrap_or(u32::MAX);
        self.labels.push(label.clone());
        self.places.insert(label, place);
        place
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
        for _ in 0..MOST_TASKS + 10 {
            call.finish(&ran, None, None);
        }
        let bytes: usize = call.chunks.iter().map(String::len).sum();
        assert_eq!(bytes, MOST_TASKS * TASK);
        assert_eq!(call.counts.finished, MOST_TASKS + 10);
    }
}
