//! What happens while a slot runs a batch, for who watches the call: the answer has it all, and what takes its time
//! is told meanwhile.
//!
//! ```text
//!                               ┌─ all of it ───────────────────────► answer, when the batch has ended
//!   observer ──events──► Heard ─┤
//!                               └─ what is new, after half a second ─► a message of its own, while it runs
//! ```
//!
//! A message may come late, or not at all. So it says which events these are, and the answer repeats them: the program
//! tells what it has not told yet; see [`Progress`](super::telling::Progress).

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select};
use parking_lot::Mutex;

use super::batch::{Happened, SoFar, Time, Told};
use crate::observe::{Event, Observers, OutputStream};
use crate::work::Watching;

/// More than so many events are counted and not told: what tasks print may be much.
const MOST_TOLD: usize = 1 << 16;

/// So long what is new waits for more, and for the answer.
const SOON: Duration = Duration::from_millis(500);

/// A message has no more text than this, but for its last event. The rest waits for the next one.
const MOST_TEXT: usize = 16 << 10;

/// What happened so far in one run of a batch.
pub(super) struct Heard {
    pub(super) watching: Watching,
    events: Arc<Mutex<Events>>,
    /// What tells this run from others of the same batch.
    run: u64,
    /// Whether there is something new.
    renewed: Sender<()>,
    news: Receiver<()>,
}

#[derive(Default)]
struct Events {
    /// And when they happened.
    told: Vec<(Told, Instant)>,
    lost: u64,
    /// The task that runs, and which attempt at it.
    running: Option<(u64, u32)>,
}

impl Events {
    fn add(&mut self, event: &Event) {
        match event {
            Event::TaskStarted { index, attempt, .. } => {
                self.running = Some((*index as u64, *attempt));
            }
            Event::TaskFinished { .. } | Event::Retried { .. } => self.running = None,
            _ => {}
        }
        let now = Instant::now();
        match portable(event, now) {
            Some(told) if self.told.len() < MOST_TOLD => self.told.push((told, now)),
            Some(_) => self.lost += 1,
            None => {}
        }
    }
}

impl Heard {
    pub(super) fn begin() -> Option<Self> {
        let events = Arc::<Mutex<Events>>::default();
        let (renewed, news) = bounded(1);
        let mut observers = Observers::default();
        observers.add({
            let (events, renewed) = (Arc::clone(&events), renewed.clone());
            move |event: &Event| {
                events.lock().add(event);
                let _ = renewed.try_send(());
            }
        });
        Some(Self {
            watching: Watching::begin(observers.telling()?, None, 1),
            events,
            run: RandomState::new().hash_one(0),
            renewed,
            news,
        })
    }

    /// Tells what happens until the batch has ended.
    pub(super) fn tell_meanwhile(&self, ended: &Receiver<()>, tell: impl Fn(&SoFar)) {
        let (mut before, mut running) = (0, None);
        loop {
            select! {
                recv(ended) -> _ => return,
                recv(self.news) -> _ => {}
            }
            if ended.recv_timeout(SOON) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let so_far = self.so_far(before);
            before = usize::try_from(so_far.numbers.end).unwrap_or(usize::MAX);
            if !so_far.happened.events.is_empty() || so_far.running != running {
                tell(&so_far);
            }
            running = so_far.running;
            if self.events.lock().told.len() > before {
                let _ = self.renewed.try_send(());
            }
        }
    }

    /// What is new after so many events, or the first of it.
    fn so_far(&self, before: usize) -> SoFar {
        let events = self.events.lock();
        let (mut text, mut end) = (0, before);
        let mut new = Vec::new();
        for (told, _) in events.told.iter().skip(before) {
            if text >= MOST_TEXT {
                break;
            }
            end += 1;
            // The end of a task comes with its outcome.
            if !matches!(told, Told::Ran { .. }) {
                text += size_of::<Told>() + told.text();
                new.push(told.clone());
            }
        }
        SoFar {
            happened: Happened {
                run: self.run,
                events: new,
            },
            numbers: before as u64..end as u64,
            running: events.running,
        }
    }

    /// All that happened, once nothing does any more.
    pub(super) fn end(&self) -> Happened {
        self.watching.end();
        let events = std::mem::take(&mut *self.events.lock());
        let told = events.told.into_iter();
        let lost = (events.lost > 0).then_some(Told::Lost {
            events: events.lost,
        });
        Happened {
            run: self.run,
            events: told.map(|(told, at)| told.later(&at)).chain(lost).collect(),
        }
    }
}

/// What of an event the program cannot know.
fn portable(event: &Event, now: Instant) -> Option<Told> {
    Some(match event {
        Event::TaskFinished {
            index,
            attempt,
            started,
            run_time,
            wait_time,
            failure: None,
            ..
        } => Told::Ran {
            index: *index as u64,
            time: Time {
                attempt: *attempt,
                ago: now.saturating_duration_since(*started),
                run_time: *run_time,
                wait_time: *wait_time,
            },
        },
        Event::Retried {
            index,
            attempt,
            failure,
            ..
        } => Told::Retried {
            index: *index as u64,
            attempt: *attempt,
            failure: failure.clone(),
        },
        Event::WorkerDied { pid, how, .. } => Told::Died {
            pid: *pid,
            how: how.clone(),
        },
        Event::Line {
            task, stream, text, ..
        } => Told::Line {
            task: task.map(|index| index as u64),
            stderr: *stream == OutputStream::Stderr,
            text: text.clone(),
        },
        Event::Lost { events } => Told::Lost { events: *events },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_does_not_wait_for_the_ends_of_tasks_before_it() {
        let heard = Heard::begin().unwrap();
        let ended = |index| Event::TaskFinished {
            run: 1,
            index,
            attempt: 1,
            worker: 0,
            started: Instant::now(),
            run_time: Duration::ZERO,
            wait_time: Duration::ZERO,
            failure: None,
        };
        let line = Event::Line {
            run: 1,
            worker: 0,
            task: None,
            stream: OutputStream::Stdout,
            text: "I- Ordered Pizza".to_owned(),
        };
        for index in 0..1000 {
            heard.events.lock().add(&ended(index));
        }
        heard.events.lock().add(&line);
        let so_far = heard.so_far(0);
        assert_eq!(so_far.numbers, 0..1001);
        assert!(matches!(&so_far.happened.events[..], [Told::Line { .. }]));
        // The first event is that the call has begun, which nobody is told.
        assert_eq!(heard.end().events.len(), 1001);
    }
}
