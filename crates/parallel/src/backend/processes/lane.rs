//! One worker's share of a call: takes tasks, sends them, receives what came of them.
//!
//! ```text
//!           take              encode            claim                 decode
//!   Work ─────────► queue ───────────► ring ───────────► running ───────────► Work
//!                     ▲  not started: sent again            │
//!                     └───────── the worker died ───────────┴─► that task's failure
//! ```
//!
//! A task stays in the queue until its outcome is known, so that what a dead worker had not started
//! goes to the next one. What it had started is told by the control page, and was either finished, its
//! result being in the ring, or is what it died of. So nothing runs twice, and nothing is lost.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Crew;
use super::image::Image;
use super::limits::Limits;
use super::process::{Process, Woken};
use super::ring::{Corrupt, DATA, SPACE};
use super::supervision::Ended;
use crate::delayed::Portable;
use crate::error::{BackendError, Failure, TaskError};
use crate::wire::frame::{Garbled, HEADER, Header, Kind, MAX_PAYLOAD};
use crate::work::{Batch, Work};
use crate::{panics, wire};

/// So much is encoded at a time: room for a whole ring is not needed before the worker has begun.
const ENCODE: usize = 1 << 16;

/// Where a batch lasts less than this, the next one is sent before it ends: the time in which the
/// worker would wait for it, up to 0.1 ms (a warm call of one task takes 0.07), matters. Where it lasts
/// longer, another worker may be free for it sooner.
const AHEAD: Duration = Duration::from_millis(5);

/// In a batch so many times the parent is woken, at even distances, if it sleeps.
const TELLS: usize = 8;

/// A task whose outcome is not known.
pub(super) struct Queued<T> {
    pub(super) index: usize,
    task: T,
    /// The kind of frame by which it is sent.
    kind: Kind,
    /// What happened when it was started before.
    pub(super) history: Vec<Failure>,
}

impl<T> Queued<T> {
    /// How often it was started before, to no good end.
    pub(super) fn attempts(&self) -> u32 {
        // No more than `retries`, which is a `u32`.
        self.history.len() as u32
    }
}

pub(super) struct Lane<'l, 'w, T: Portable>
where
    T::Output: Send + 'static,
{
    work: &'l Work<'w, T>,
    crew: &'l Crew<'l>,
    image: &'static Image,
    pub(super) limits: Limits,
    pub(super) process: Option<Process>,
    /// Of the tasks that were sent to this process.
    generation: u16,
    pub(super) queue: VecDeque<Queued<T>>,
    /// How many of the queue, from its front, were sent to this process.
    pub(super) sent: usize,
    /// How many outcomes came from this process.
    pub(super) received: u64,
    /// Whole frames; up to `written` they are in the ring.
    pub(super) outbox: Vec<u8>,
    pub(super) written: usize,
    /// Batches of which there is something in the queue.
    batches: usize,
    /// Outcomes that came since the end of a batch.
    pub(super) of_batch: usize,
    /// Whether batches are so short that the worker should have the next one before it is through.
    ahead: bool,
    /// Results of consecutive tasks, on their way to `work`.
    values: Vec<T::Output>,
    first_value: usize,
    /// Workers in a row that ended before they did anything.
    pub(super) barren: u32,
    /// Since when the worker has been seen to start nothing of what it has.
    pub(super) stalled_since: Option<Instant>,
}

/// The worker does not keep to the protocol.
pub(super) struct Mad;

impl From<Corrupt> for Mad {
    fn from(_: Corrupt) -> Self {
        Self
    }
}

impl From<Garbled> for Mad {
    fn from(_: Garbled) -> Self {
        Self
    }
}

impl<'l, 'w, T: Portable> Lane<'l, 'w, T>
where
    T::Output: Send + 'static,
{
    pub(super) fn new(work: &'l Work<'w, T>, crew: &'l Crew<'l>) -> Self {
        Self {
            work,
            crew,
            image: Image::of_this_process(),
            limits: crew.limits(),
            process: None,
            generation: 0,
            queue: VecDeque::new(),
            sent: 0,
            received: 0,
            outbox: Vec::new(),
            written: 0,
            batches: 0,
            of_batch: 0,
            ahead: false,
            values: Vec::new(),
            first_value: 0,
            barren: 0,
            stalled_since: None,
        }
    }

    /// Runs tasks until none are left. What could not be run is given back with the error.
    pub(super) fn run(mut self) -> Result<(), BackendError> {
        let result = self.serve();
        if self.work.stopped() {
            self.wind_up();
        }
        for Queued { index, task, .. } in self.queue.drain(..) {
            self.work.give_back(Batch {
                first: index,
                tasks: vec![task],
            });
        }
        if let Some(process) = self.process.take() {
            self.crew.rest(process);
        }
        result
    }

    fn serve(&mut self) -> Result<(), BackendError> {
        while !self.work.stopped() {
            self.refill();
            if self.queue.is_empty() {
                break;
            }
            if self.process.is_none() {
                let process = self.crew.hire()?;
                self.generation = process.generation();
                self.received = 0;
                self.process = Some(process);
            }
            match self.exchange() {
                Ok(true) => {}
                // None of the batch could be sent.
                Ok(false) if self.queue.is_empty() => {}
                Ok(false) => match self.sleep(true, self.deadline()) {
                    Ok(Woken::Bell | Woken::Stop) => {}
                    Ok(Woken::Late) => self.check_time()?,
                    Ok(Woken::Gone) => self.replace(Ended::ByItself)?,
                    Err(Mad) => self.replace(Ended::Mad)?,
                },
                Err(Mad) => self.replace(Ended::Mad)?,
            }
        }
        Ok(())
    }

    /// Takes a batch if there is none, or one more if it is worth while to be ahead. One at a time:
    /// what was taken is sent before the input, which may be slow, is asked again.
    fn refill(&mut self) {
        // Who waits for the input cannot watch the time.
        let ahead = self.ahead && self.limits.timeout.is_none();
        if self.batches <= usize::from(ahead) {
            let Some(batch) = self.work.take() else {
                return;
            };
            let (end, tell) = (batch.len() - 1, batch.len().div_ceil(TELLS));
            let queued = batch
                .into_iter()
                .enumerate()
                .map(|(i, (index, task))| Queued {
                    index,
                    task,
                    kind: match i {
                        _ if i == end => Kind::TaskLast,
                        _ if i % tell == 0 => Kind::TaskTell,
                        _ => Kind::Task,
                    },
                    history: Vec::new(),
                });
            self.queue.extend(queued);
            self.batches += 1;
        }
    }

    /// Sends and receives what can be without waiting; whether that was anything.
    pub(super) fn exchange(&mut self) -> Result<bool, Mad> {
        let sent = self.send()?;
        let received = self.receive()?;
        Ok(sent || received)
    }

    fn send(&mut self) -> Result<bool, Mad> {
        let mut any = false;
        loop {
            if self.written == self.outbox.len() {
                self.outbox.clear();
                self.outbox.shrink_to(2 * ENCODE);
                self.written = 0;
                self.encode();
            }
            let Some(process) = &mut self.process else {
                return Ok(any);
            };
            let written = process.link.write(&self.outbox[self.written..])?;
            if written == 0 {
                return Ok(any);
            }
            self.written += written;
            any = true;
            process.link.announce();
        }
    }

    /// Turns tasks into frames, up to a size. A task that cannot be sent fails here.
    fn encode(&mut self) {
        while self.sent < self.queue.len() && self.outbox.len() < ENCODE {
            let queued = &self.queue[self.sent];
            let begin = self.outbox.len();
            let outbox = &mut self.outbox;
            outbox.extend([0; HEADER]);
            let encoded = panics::catch(|| {
                let entry = queued.task.entry_point();
                queued.task.encode(outbox).map(|()| entry)
            });
            let payload = outbox.len() - begin - HEADER;
            let not_sent = |message: String| Failure::Encode {
                type_name: std::any::type_name::<T>().to_owned(),
                message,
            };
            let failure = match encoded {
                Err(panic) => panic.of_task(),
                Ok(Err(failure)) => failure,
                Ok(Ok(_)) if payload > MAX_PAYLOAD => {
                    not_sent(format!("it takes more than {MAX_PAYLOAD} bytes"))
                }
                Ok(Ok(entry)) => match self.image.name_of(entry) {
                    None => not_sent(
                        "its function is not part of the executable but of a shared library, where \
                         a worker cannot find it: compile it into the program"
                            .to_owned(),
                    ),
                    Some(word) => {
                        let header = Header {
                            kind: queued.kind,
                            generation: self.generation,
                            payload,
                            word,
                        };
                        outbox[begin..begin + HEADER].copy_from_slice(&header.to_bytes());
                        self.sent += 1;
                        continue;
                    }
                },
            };
            outbox.truncate(begin);
            if let Some(queued) = self.remove(self.sent) {
                let attempts = queued.attempts();
                self.fail(queued, attempts, failure);
            }
        }
    }

    fn receive(&mut self) -> Result<bool, Mad> {
        let Some(mut process) = self.process.take() else {
            return Ok(false);
        };
        let result = self.receive_from(&mut process);
        self.process = Some(process);
        self.hand_over();
        result
    }

    pub(super) fn receive_from(&mut self, process: &mut Process) -> Result<bool, Mad> {
        let any = process.link.read(process.inbox.space())? > 0;
        while let Some((header, range)) = process.inbox.next()? {
            if header.generation != self.generation || self.sent == 0 {
                return Err(Mad);
            }
            self.outcome(header, process.inbox.payload(range))?;
        }
        Ok(any)
    }

    /// Takes in what came of the first task in the queue.
    fn outcome(&mut self, header: Header, payload: &[u8]) -> Result<(), Mad> {
        let decoded = match header.kind {
            Kind::Done => panics::catch(|| T::decode(payload)).unwrap_or_else(|p| Err(p.of_task())),
            Kind::Failed => Err(wire::decode::<Failure>(payload).map_err(|_| Mad)?),
            _ => return Err(Mad),
        };
        let queued = self.remove(0).ok_or(Mad)?;
        self.received += 1;
        self.of_batch += 1;
        self.barren = 0;
        if queued.kind == Kind::TaskLast {
            let run_time = Duration::from_nanos(header.word);
            self.ahead = run_time < AHEAD;
            self.work.measured(self.of_batch, run_time);
            self.of_batch = 0;
        }
        match decoded {
            Err(failure) => {
                let attempts = queued.attempts() + 1;
                self.fail(queued, attempts, failure);
            }
            Ok(value) => {
                if queued.index != self.first_value + self.values.len() {
                    self.hand_over();
                    self.first_value = queued.index;
                }
                self.values.push(value);
                discard(queued);
            }
        }
        Ok(())
    }

    /// Takes a task out of the queue whose outcome is known.
    pub(super) fn remove(&mut self, place: usize) -> Option<Queued<T>> {
        let queued = self.queue.remove(place)?;
        self.sent -= usize::from(place < self.sent);
        self.batches -= usize::from(queued.kind == Kind::TaskLast);
        Some(queued)
    }

    /// Puts a task back that is to be started again, before all others.
    pub(super) fn put_back(&mut self, queued: Queued<T>) {
        self.batches += usize::from(queued.kind == Kind::TaskLast);
        self.queue.push_front(queued);
    }

    /// Tells the results that have been gathered.
    pub(super) fn hand_over(&mut self) {
        let values = std::mem::take(&mut self.values);
        let first = self.first_value;
        self.first_value += values.len();
        if !values.is_empty() {
            self.work.succeed(first, values);
        }
    }

    pub(super) fn fail(&mut self, mut queued: Queued<T>, attempts: u32, failure: Failure) {
        self.hand_over();
        let error = TaskError::new(queued.index, attempts, failure);
        let history = std::mem::take(&mut queued.history);
        self.work.fail(error.with_history(history));
        discard(queued);
    }

    /// Waits until something can be sent or received, or it is late; or, if `until_stop`, nothing more
    /// shall start.
    pub(super) fn sleep(&self, until_stop: bool, deadline: Option<Instant>) -> Result<Woken, Mad> {
        let Some(process) = &self.process else {
            return Ok(Woken::Gone);
        };
        let unsent = self.written < self.outbox.len();
        let events = if unsent { DATA | SPACE } else { DATA };
        if !process.link.fall_asleep(events)? {
            return Ok(Woken::Bell);
        }
        let stop = until_stop.then(|| self.crew.stop());
        Ok(process.wait(stop, deadline))
    }
}

/// Drops what a user gave, whose drop may panic.
pub(super) fn discard<V>(value: V) {
    if std::mem::needs_drop::<V>() {
        let _ = panics::catch(|| drop(value));
    }
}
