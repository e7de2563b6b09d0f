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
use std::time::Instant;

use super::Crew;
use super::image::Image;
use super::limits::Limits;
use super::mail::Useless;
use super::output::Line;
use super::process::{Process, Woken};
use super::queued::Queued;
use super::ring::{DATA, SPACE};
use super::supervision::Ended;
use super::watched::Watched;
use crate::delayed::{Portable, Task};
use crate::error::{BackendError, Failure, TaskError};
use crate::observe::Event;
use crate::wire::frame::{At, HEADER, Header, Kind};
use crate::wire::parcel::Parcel;
use crate::work::{AtMany, Batch, Work, spans};
use crate::{panics, wire};

/// A parcel of which the frame has begun.
pub(super) struct ParcelOut {
    pub(super) written: usize,
    /// The frame that follows it.
    pub(super) task: Header,
}

pub(super) struct Lane<'l, 'w, T: Portable>
where
    T::Output: Send + 'static,
{
    pub(super) work: &'l Work<'w, T>,
    pub(super) crew: &'l Crew<'l>,
    pub(super) image: &'static Image,
    pub(super) limits: Limits,
    pub(super) process: Option<Process>,
    /// Of the workers that this lane has, one after the other.
    number: Option<usize>,
    /// Of the tasks that were sent to this process.
    pub(super) generation: u16,
    /// How many of these it has started in the generations before that.
    pub(super) started_before: u64,
    pub(super) queue: VecDeque<Queued<T>>,
    /// How many of the queue, from its front, were sent to this process.
    pub(super) sent: usize,
    /// Which task the worker takes the next one for that is sent.
    pub(super) told: Option<At>,
    /// How many outcomes came from this process.
    pub(super) received: u64,
    /// Whole frames; up to `written` they are in the ring.
    pub(super) outbox: Vec<u8>,
    pub(super) written: usize,
    /// Behind the outbox goes the parcel of the task that is sent next.
    pub(super) parcel_out: Option<ParcelOut>,
    /// What came for the next outcome, beside its frame.
    pub(super) parcel: Option<Parcel>,
    /// Whether that comes to the place of the argument, which is no more.
    pub(super) landed: bool,
    /// Batches of which there is something in the queue.
    pub(super) batches: usize,
    /// Outcomes that came since the end of a batch.
    pub(super) of_batch: usize,
    /// Under which those were sent.
    pub(super) generation_of_batch: u16,
    /// While it has more than the worker is at.
    pub(super) at_many: Option<AtMany<'l>>,
    /// Whether the worker has not been heard of for so long that others shall have the rest.
    pub(super) lasts: bool,
    /// Whether batches are so short that the worker should have the next one before it is through.
    pub(super) ahead: bool,
    /// Results of consecutive tasks, on their way to `work`.
    pub(super) values: Vec<T::Output>,
    pub(super) first_value: usize,
    /// Workers in a row that ended before they did anything.
    pub(super) barren: u32,
    /// Whether anybody wants to know of the tasks.
    pub(super) watches: bool,
    /// What is known of them then.
    pub(super) watched: Watched,
    /// Since when the worker has been seen to start nothing of what it has.
    pub(super) stalled_since: Option<Instant>,
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
            number: None,
            generation: 0,
            started_before: 0,
            queue: VecDeque::new(),
            sent: 0,
            told: None,
            received: 0,
            outbox: Vec::new(),
            written: 0,
            parcel_out: None,
            parcel: None,
            landed: false,
            batches: 0,
            of_batch: 0,
            generation_of_batch: 0,
            at_many: None,
            lasts: false,
            ahead: false,
            values: Vec::new(),
            first_value: 0,
            barren: 0,
            watches: work.watching().is_some()
                || spans::wanted()
                || crew.contract.setup.tracing.is_some(),
            watched: Watched::default(),
            stalled_since: None,
        }
    }

    /// Runs tasks until none are left. What could not be run is given back with the error.
    pub(super) fn run(mut self) -> Result<(), BackendError> {
        let result = self.serve();
        // The last task may have asked for it: what is all here need not be all of the call.
        if self.cancel_asked() {
            self.work.cancel();
        }
        if self.work.stopped() {
            self.wind_up();
        }
        while let Some(Queued { index, task, .. }) = self.queue.pop_front() {
            self.work.give_back(Batch {
                first: index,
                tasks: vec![task],
            });
        }
        self.retire();
        self.hear();
        self.crew.release(self.number);
        if let Some(mut process) = self.process.take() {
            if self.received > 0 {
                // Who has answered has read what came before the task.
                process.inherited = Some(self.crew.contract.inherited.clone());
            }
            self.crew.rest(process);
        }
        result
    }

    fn serve(&mut self) -> Result<(), BackendError> {
        while !self.work.stopped() {
            self.share();
            self.refill();
            if self.queue.is_empty() {
                if self.work.others_share() {
                    continue;
                }
                break;
            }
            self.retire();
            if self.process.is_none() {
                let mut process = self.crew.hire(self.number)?;
                self.number = Some(process.number);
                self.generation = process.generation();
                (self.started_before, self.received) = (0, 0);
                // It knows nothing of what the one before it was told, nor has it done any of its batch.
                self.told = None;
                self.of_batch = 0;
                self.generation_of_batch = self.generation;
                self.brief(&mut process);
                self.tell_worker(&process);
                self.process = Some(process);
                // What was printed between two calls is no task's, and nobody's last word.
                self.hear();
                self.process.iter_mut().for_each(|p| p.printed.forget());
            }
            match self.exchange() {
                Ok(true) => self.stalled_since = None,
                Ok(false) if self.cancel_asked() => self.work.cancel(),
                // None of the batch could be sent.
                Ok(false) if self.queue.is_empty() => {}
                Ok(false) => {
                    let patience = self.end_of_patience();
                    let deadline = self.deadline().into_iter().chain(patience).min();
                    match self.sleep(true, deadline) {
                        Ok(Woken::Bell | Woken::Given | Woken::Printed | Woken::Call) => {}
                        Ok(Woken::Late) if deadline == patience => self.lasts = true,
                        Ok(Woken::Late) => self.check_time()?,
                        Ok(Woken::Gone) => self.replace(Ended::ByItself)?,
                        Err(useless) => self.replace(Ended::Useless(useless))?,
                    }
                }
                Err(useless) => self.replace(Ended::Useless(useless))?,
            }
        }
        Ok(())
    }

    /// What was sent, or was about to be, is nothing that a worker has.
    pub(super) fn forget_sent(&mut self) {
        self.sent = 0;
        self.outbox.clear();
        self.written = 0;
        self.parcel_out = None;
        self.parcel = None;
        self.landed = false;
    }

    /// Begins the outbox for a worker that is new to this lane: with what its tasks inherit, unless it
    /// knows that.
    fn brief(&mut self, process: &mut Process) {
        self.told = None;
        self.forget_sent();
        let inherited = &self.crew.contract.inherited;
        if process.inherited.take().as_ref() == Some(inherited) {
            return;
        }
        self.outbox.extend([0; HEADER]);
        wire::encode(inherited, &mut self.outbox).expect("it is made of a text and a number");
        let header = Header::new(
            Kind::Inherit,
            self.generation,
            self.outbox.len() - HEADER,
            0,
        );
        header.put_before(&mut self.outbox);
    }

    /// Takes a batch if there is none, or one more if it is worth while to be ahead. One at a time:
    /// what was taken is sent before the input, which may be slow, is asked again.
    fn refill(&mut self) {
        // Who waits for the input cannot watch the time.
        let ahead = self.ahead && self.limits.timeout.is_none();
        if self.batches <= usize::from(ahead) {
            // Before the old one is dropped, so that it is known all the time that this lane has some.
            let at_many = self.work.at_many();
            let taken = if self.queue.is_empty() {
                self.work.take()
            } else {
                self.work.take_now()
            };
            let Some(batch) = taken else { return };
            self.at_many = at_many.filter(|_| self.queue.len() + batch.len() > 1);
            let taken = self.watches.then(Instant::now);
            self.queue.extend(Queued::batch(batch, taken));
            self.batches += 1;
        }
    }

    /// Takes a task out of the queue whose outcome is known.
    #[inline]
    pub(super) fn remove(&mut self, place: usize) -> Option<Queued<T>> {
        let queued = match place {
            0 => self.queue.pop_front(),
            _ => self.queue.remove(place),
        }?;
        self.sent -= usize::from(place < self.sent);
        self.batches -= usize::from(queued.kind == Kind::TaskLast);
        Some(queued)
    }

    /// A task that was started has come to this end: it is started again as the next one that is sent, or
    /// it has failed.
    pub(super) fn started_and_failed(&mut self, mut queued: Queued<T>, failure: Failure) {
        let mut history = queued.take_history();
        if self.limits.retry(&failure, &history) && !self.work.stopped() {
            let attempt = 1 + history.len() as u32;
            self.retried(&queued, attempt, &failure);
            history.push(failure);
            queued.more_mut().history = history;
            // A batch by itself: of its own, the end may be behind it already.
            queued.kind = Kind::TaskLast;
            self.batches += 1;
            // The task of which a part was sent comes first.
            let place = self.sent + usize::from(self.parcel_out.is_some());
            self.queue.insert(place, queued);
        } else {
            self.fail(queued, history.len() + 1, failure, history);
        }
    }

    /// Fails a task that was started so often, the last time to this end.
    pub(super) fn fail(
        &mut self,
        queued: Queued<T>,
        attempts: usize,
        failure: Failure,
        history: Vec<Failure>,
    ) {
        self.hand_over();
        // No more than `retries` and one, both `u32`.
        let error = TaskError::new(queued.index, attempts as u32, failure);
        let ran = self.ran(&queued, attempts as u32);
        let span = self.watched.end(queued.index, attempts as u32);
        span.in_scope(|| self.work.fail_after(error.with_history(history), ran));
        discard(queued);
    }

    /// Waits until something can be sent or received, or it is late; or, if it `heeds` the call, until nothing
    /// more shall start, or another lane has nothing left.
    pub(super) fn sleep(
        &mut self,
        heeds: bool,
        deadline: Option<Instant>,
    ) -> Result<Woken, Useless> {
        let Some(process) = &mut self.process else {
            return Ok(Woken::Gone);
        };
        let unsent = self.written < self.outbox.len() || self.parcel_out.is_some();
        let unsent = unsent && !process.posting;
        let events = if unsent { DATA | SPACE } else { DATA };
        let midway = self.parcel_out.is_some() || process.inbox.is_midway();
        let (spin, link) = (&mut process.spin, &process.link);
        if link.look(spin, midway, events)? || !link.fall_asleep(events)? {
            return Ok(Woken::Bell);
        }
        let call = self.crew.signals(heeds, self.at_many.is_some());
        let woken = process.wait(&call, deadline);
        match woken {
            Woken::Printed => self.hear(),
            Woken::Given if !process.courier.take_in() => return Err(Useless::Mad),
            _ => {}
        }
        Ok(woken)
    }

    /// The number of its workers.
    pub(super) fn worker(&self) -> usize {
        self.number.unwrap_or_default()
    }

    /// Whether a task wants the call to be stopped.
    fn cancel_asked(&self) -> bool {
        let asked = |process: &Process| process.link.memory().control().cancel_asked();
        self.process.as_ref().is_some_and(asked)
    }

    /// Reads what the worker has printed.
    fn hear(&mut self) {
        if let Some(process) = &mut self.process {
            let work = self.work;
            process
                .printed
                .read(&mut |line| tell_line(work, process.number, line));
        }
    }
}

/// Tells a line that a worker printed.
pub(super) fn tell_line<T: Task>(work: &Work<'_, T>, worker: usize, line: Line) {
    if let Some(watching) = work.watching() {
        watching.tell(|run| Event::Line {
            run,
            worker,
            task: line.task,
            stream: line.stream,
            text: line.text,
        });
    }
}

/// Drops what a user gave, whose drop may panic.
pub(super) fn discard<V>(value: V) {
    if std::mem::needs_drop::<V>() {
        let _ = panics::catch(|| drop(value));
    }
}
