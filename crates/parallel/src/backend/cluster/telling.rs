//! What happens on a node, told to who watches the call: with the answer of a batch, or before, if a message of it came.
//! A task's end is told with its outcome, so with the answer.

use std::collections::HashSet;
use std::ops::Range;
use std::time::Instant;

use super::batch::{self, Happened, SoFar, Time, Told};
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

    /// What of a message has not been told.
    fn news(&mut self, message: Happened, numbers: &Range<u64>) -> Vec<Told> {
        self.of(message.run);
        // The answer has what a message had that is missing.
        if numbers.start != self.events {
            return Vec::new();
        }
        self.events = numbers.end;
        message.events
    }

    /// What of all that happened has not been told.
    fn rest(&mut self, all: Happened) -> impl Iterator<Item = Told> + use<> {
        self.of(all.run);
        let told = self.events;
        let numbered = (0..).zip(all.events);
        let new = numbered
            .filter(move |(number, event)| *number >= told || matches!(event, Told::Ran { .. }));
        new.map(|(_, event)| event)
    }

    /// Another run has events of its own.
    fn of(&mut self, run: u64) {
        if self.run != run {
            self.run = run;
            self.events = 0;
        }
    }
}

impl<T: Portable> Call<'_, '_, T>
where
    T::Output: Send + 'static,
{
    /// Tells what is new in a batch that runs.
    pub(super) fn tell_so_far(&self, flight: &Flight, bytes: &[u8]) {
        // What makes no sense is seen when the answer makes none.
        let (Some(watching), Ok((so_far, _))) = (self.work.watching(), batch::open::<SoFar>(bytes))
        else {
            return;
        };
        let mut progress = flight.progress.lock();
        let news = progress.news(so_far.happened, &so_far.numbers);
        drop(progress);
        let arrived = Instant::now();
        for told in news {
            tell(watching, flight, told, arrived);
        }
        if let Some((index, attempt)) = so_far.running {
            begin(watching, flight, index, attempt);
        }
    }

    /// Tells the rest, with the answer.
    pub(super) fn tell_rest(&self, flight: &Flight, all: Happened, arrived: Instant) {
        if let Some(watching) = self.work.watching() {
            let rest = flight.progress.lock().rest(all);
            for told in rest {
                tell(watching, flight, told, arrived);
            }
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

    fn happened(run: u64, lines: Range<usize>) -> Happened {
        let events = lines.map(line).collect();
        Happened { run, events }
    }

    fn texts(told: impl IntoIterator<Item = Told>) -> Vec<String> {
        let text = |told| match told {
            Told::Line { text, .. } => text,
            other => panic!("{other:?}"),
        };
        told.into_iter().map(text).collect()
    }

    #[test]
    fn each_event_is_told_once_whichever_messages_come() {
        let mut progress = Progress::default();
        let mut message = |run, lines: Range<usize>| {
            let numbers = lines.start as u64..lines.end as u64;
            texts(progress.news(happened(run, lines), &numbers))
        };
        assert_eq!(message(7, 0..2), ["0", "1"]);
        // That from 2 to 4 got lost, and one came twice.
        assert!(message(7, 4..5).is_empty());
        assert!(message(7, 0..2).is_empty());
        assert_eq!(texts(progress.rest(happened(7, 0..4))), ["2", "3"]);
        // Another run prints its lines itself.
        assert_eq!(texts(progress.rest(happened(8, 0..1))), ["0"]);
        assert!(progress.begins(3, 1) && !progress.begins(3, 1) && progress.begins(3, 2));
    }
}
