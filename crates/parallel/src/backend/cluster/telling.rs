//! What happens on a node, told to who watches the call: with the answer of a batch, or before, if a message of it came.
//! A task's end is told with its outcome, so with the answer.

use std::collections::HashSet;
use std::time::Instant;

use super::batch::{self, SoFar, Time, Told};
use super::call::{Call, Flight};
use crate::delayed::Portable;
use crate::observe::{self, OutputStream};
use crate::work::{Ran, Watching};

/// What has been told of a batch.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// In which run of it. If the slot of that is lost, another one begins from the start.
    run: u64,
    /// So many of its events.
    events: u64,
    /// By index and attempt, the tasks of which it was told that they began.
    begun: HashSet<(u64, u32)>,
}

impl Progress {
    /// Whether nobody was told yet that this begins.
    fn begins(&mut self, index: u64, attempt: u32) -> bool {
        self.begun.insert((index, attempt))
    }

    /// What of this has not been told, and may be.
    fn news(&mut self, so_far: SoFar, is_all: bool) -> Vec<Told> {
        if self.run != so_far.run {
            self.run = so_far.run;
            self.events = 0;
        }
        // The answer has what a message had that is missing.
        if so_far.before > self.events {
            return Vec::new();
        }
        let told = self.events;
        self.events = told.max(so_far.before + so_far.events.len() as u64);
        let events = (so_far.before..).zip(so_far.events);
        let news = events.filter(|(number, event)| match event {
            Told::Ran { .. } => is_all,
            _ => *number >= told,
        });
        news.map(|(_, event)| event).collect()
    }
}

impl<T: Portable> Call<'_, '_, T>
where
    T::Output: Send + 'static,
{
    /// Tells what has happened so far in a batch that runs.
    pub(super) fn hear(&self, flight: &Flight, bytes: &[u8]) {
        // What makes no sense is seen when the answer makes none.
        if let Ok((so_far, _)) = batch::open::<SoFar>(bytes) {
            self.tell_all(flight, so_far, false, Instant::now());
        }
    }

    /// Tells what has happened, of all of a batch or of what it has done so far.
    pub(super) fn tell_all(&self, flight: &Flight, so_far: SoFar, is_all: bool, arrived: Instant) {
        let Some(watching) = self.work.watching() else {
            return;
        };
        let running = so_far.running;
        let news = flight.progress.lock().news(so_far, is_all);
        for told in news {
            tell(watching, flight, told, arrived);
        }
        if let Some((index, attempt)) = running {
            begin(watching, flight, index, attempt);
        }
    }
}

/// A task begins, or has begun, unless that was told.
pub(super) fn begin(watching: &Watching, flight: &Flight, index: u64, attempt: u32) {
    if flight.progress.lock().begins(index, attempt) {
        watching.started(number(index), attempt, flight.lane);
    }
}

fn tell(watching: &Watching, flight: &Flight, told: Told, arrived: Instant) {
    let worker = flight.lane;
    match told {
        Told::Ran { index, time } => {
            begin(watching, flight, index, time.attempt);
            watching.finished(number(index), ran(flight, time, arrived), None);
        }
        Told::Retried {
            index,
            attempt,
            failure,
        } => watching.retried(number(index), attempt, worker, failure),
        Told::Died { pid, how } => watching.tell(|run| observe::Event::WorkerDied {
            run,
            worker,
            pid,
            how,
        }),
        Told::Line { task, stderr, text } => watching.tell(|run| observe::Event::Line {
            run,
            worker,
            task: task.map(number),
            stream: if stderr {
                OutputStream::Stderr
            } else {
                OutputStream::Stdout
            },
            text,
        }),
        Told::Lost { events } => watching.tell(|_| observe::Event::Lost { events }),
    }
}

fn number(index: u64) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// When a task ran, by the clock of this machine: as long ago as the node says.
pub(super) fn ran(flight: &Flight, time: Time, arrived: Instant) -> Ran {
    let started = arrived.checked_sub(time.ago).unwrap_or(flight.taken);
    let started = started.max(flight.taken);
    Ran {
        worker: flight.lane,
        attempt: time.attempt,
        taken: started.checked_sub(time.wait_time).unwrap_or(started),
        started,
        run_time: time.run_time,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: usize) -> Told {
        Told::Line {
            task: None,
            stderr: false,
            text: text.to_string(),
        }
    }

    fn so_far(run: u64, before: u64, lines: std::ops::Range<usize>) -> SoFar {
        SoFar {
            run,
            before,
            events: lines.map(line).collect(),
            running: None,
        }
    }

    fn texts(told: Vec<Told>) -> Vec<String> {
        let text = |told| match told {
            Told::Line { text, .. } => text,
            other => panic!("{other:?}"),
        };
        told.into_iter().map(text).collect()
    }

    #[test]
    fn each_event_is_told_once_whichever_messages_come() {
        let mut progress = Progress::default();
        assert_eq!(texts(progress.news(so_far(7, 0, 0..2), false)), ["0", "1"]);
        // That from 2 to 4 got lost, and one came twice.
        assert!(progress.news(so_far(7, 4, 4..5), false).is_empty());
        assert!(progress.news(so_far(7, 0, 0..2), false).is_empty());
        assert_eq!(
            texts(progress.news(so_far(7, 0, 0..6), true)),
            ["2", "3", "4", "5"]
        );
        // Another run prints its lines itself.
        assert_eq!(texts(progress.news(so_far(8, 0, 0..1), false)), ["0"]);
        assert!(progress.begins(3, 1) && !progress.begins(3, 1) && progress.begins(3, 2));
    }
}
