//! What a lane sends to its worker and receives from it.

use std::time::{Duration, Instant};

use super::lane::{Lane, ParcelOut, discard};
use super::process::Process;
use super::queued::Queued;
use super::ring::Corrupt;
use crate::delayed::Portable;
use crate::error::Failure;
use crate::observe::Stretch;
use crate::wire::attachments::{self, Entered};
use crate::wire::frame::{
    At, Garbled, HEADER, Header, Kind, MAX_PAYLOAD, TAKES_PARCEL, split_answer,
};
use crate::wire::inbox::PIECE;
use crate::wire::parcel::{Parcel, exchange};
use crate::{panics, wire};

/// So much is encoded at a time: room for a whole ring is not needed before the worker has begun.
const ENCODE: usize = 1 << 16;

/// Where a batch lasts less than this, the next one is sent before it ends: the time in which the
/// worker would wait for it, up to 0.1 ms (a warm call of one task takes 0.07), matters. Where it lasts
/// longer, another worker may be free for it sooner.
const AHEAD: Duration = Duration::from_millis(5);

/// What a worker calls in place of a task that could not be sent.
fn nothing(_: &[u8], _: &mut Vec<u8>) -> Result<(), Failure> {
    Ok(())
}

/// Why a worker is of no use any more.
pub(super) enum Useless {
    /// It does not keep to the protocol.
    Mad,
    /// Its initializer failed.
    Unfit(Failure),
}

impl From<Corrupt> for Useless {
    fn from(_: Corrupt) -> Self {
        Self::Mad
    }
}

impl From<Garbled> for Useless {
    fn from(_: Garbled) -> Self {
        Self::Mad
    }
}

impl<T: Portable> Lane<'_, '_, T>
where
    T::Output: Send + 'static,
{
    /// Sends and receives what can be without waiting; whether that was anything.
    pub(super) fn exchange(&mut self) -> Result<bool, Useless> {
        let sent = self.send()?;
        let received = self.receive()?;
        Ok(sent || received)
    }

    fn send(&mut self) -> Result<bool, Useless> {
        let mut any = false;
        loop {
            if self.written == self.outbox.len() {
                self.outbox.clear();
                self.outbox.shrink_to(2 * ENCODE);
                self.written = 0;
                if self.parcel_out.is_none() {
                    self.encode();
                }
                // A task that could not be encoded may have ended the call.
                if self.work.stopped() {
                    return Ok(any);
                }
            }
            let Some(process) = &mut self.process else {
                return Ok(any);
            };
            if process.posting && !process.courier.flush() {
                return Ok(any);
            }
            process.posting = false;
            let written = if self.written < self.outbox.len() {
                let written = process.link.write(&self.outbox[self.written..])?;
                self.written += written;
                written
            } else if let Some(parcel) = &mut self.parcel_out {
                let contents = self.queue[self.sent].task.contents();
                let rest = &contents.map_or(&[][..], |contents| contents.bytes)[parcel.written..];
                let written = process.link.write(&rest[..rest.len().min(PIECE)])?;
                parcel.written += written;
                if written == rest.len() {
                    self.outbox.extend(parcel.task.to_bytes());
                    self.sent += 1;
                    self.parcel_out = None;
                }
                written
            } else {
                0
            };
            if written == 0 {
                return Ok(any);
            }
            any = true;
            process.link.announce();
        }
    }

    /// Turns tasks into frames, up to a size. A task that cannot be sent fails here.
    fn encode(&mut self) {
        let most = self.queue.len().min(self.most_sent());
        if self.sent >= most {
            return;
        }
        let session = attachments::enter(None);
        while self.sent < most.min(self.queue.len())
            && self.outbox.len() < ENCODE
            && self.parcel_out.is_none()
            && !self.work.stopped()
        {
            let queued = &self.queue[self.sent];
            let outbox = &mut self.outbox;
            let at = At {
                index: queued.index,
                attempt: queued.attempt(),
                all_or_nothing: self.work.stops_at_failure()
                    && !self.limits.retries_panic(queued.history()),
                watched: self.watches,
            };
            if self.told != Some(at) {
                let header = Header::new(Kind::At, self.generation, 0, at.to_word());
                outbox.extend(header.to_bytes());
                self.told = Some(at);
            }
            let begin = outbox.len();
            outbox.extend([0; HEADER]);
            let started = self.watches.then(Instant::now);
            let (mut name, mut parcel) = (None, None);
            // What they give is noted, and what comes back is small: it is copied some times on its way.
            let encoded = panics::catch(|| {
                name = self.image.name_of(queued.task.entry_point());
                let contents = queued.task.contents();
                parcel = contents.map(|contents| (contents.bytes.len(), contents.width));
                if parcel.is_none() {
                    queued.task.encode(outbox).map_err(Box::new)
                } else {
                    Ok(())
                }
            });
            let payload = outbox.len() - begin - HEADER;
            let longest = payload.max(parcel.map_or(0, |(bytes, _)| bytes));
            let objects = session.take();
            let not_sent = |message: String| Failure::Encode {
                type_name: std::any::type_name::<T>().to_owned(),
                message,
            };
            let failure = match (encoded, name) {
                (Err(panic), _) => panic.of_task(),
                (Ok(Err(failure)), _) => *failure,
                _ if longest > MAX_PAYLOAD => {
                    not_sent(format!("it takes more than {MAX_PAYLOAD} bytes"))
                }
                (_, None) => not_sent(
                    "its function is not part of the executable but of a shared library, where \
                     a worker cannot find it: compile it into the program"
                        .to_owned(),
                ),
                (_, Some(name)) => {
                    let takes_parcel = queued.task.takes_contents();
                    let task = Header::new(
                        queued.kind,
                        self.generation,
                        payload,
                        name | if takes_parcel { TAKES_PARCEL } else { 0 },
                    );
                    let place = self.sent;
                    if let Some(started) = started {
                        self.queue[place].more_mut().encoded = Some(Stretch::since(started));
                    }
                    self.queue[place].generation = self.generation;
                    self.queue[place].take_unsent();
                    let frame = match parcel {
                        None => {
                            self.sent += 1;
                            task
                        }
                        Some((payload, width)) => {
                            self.parcel_out = Some(ParcelOut { written: 0, task });
                            Header::new(Kind::Parcel, task.generation(), payload, width as u64)
                        }
                    };
                    frame.put_before(&mut outbox[begin..]);
                    self.send_along(begin, place, objects);
                    self.told = Some(at.next());
                    continue;
                }
            };
            outbox.truncate(begin);
            if self.ends_batch_of_others() {
                self.send_end_of_batch(failure);
            } else if let Some(queued) = self.remove(self.sent) {
                self.fail_unsent(queued, failure);
            }
        }
    }

    /// Whether the task that is sent next is the last one of a batch of which the worker has others, which it is
    /// to run.
    fn ends_batch_of_others(&self) -> bool {
        let begun = match self.sent.checked_sub(1) {
            Some(before) => self.queue[before].kind != Kind::TaskLast,
            None => self.of_batch > 0,
        };
        begun && self.queue[self.sent].kind == Kind::TaskLast && !self.work.stops_at_failure()
    }

    /// Sends something that does nothing in place of the next task, which failed like this: the worker shall
    /// know that the batch has ended. The failure is told when that is done.
    fn send_end_of_batch(&mut self, failure: Failure) {
        let queued = &mut self.queue[self.sent];
        let at = At {
            index: queued.index,
            attempt: queued.attempt(),
            all_or_nothing: false,
            watched: false,
        };
        let name = self.image.name_of(nothing).unwrap_or_default();
        queued.generation = self.generation;
        queued.more_mut().unsent = Some(Box::new(failure));
        for (kind, word) in [(Kind::At, at.to_word()), (Kind::TaskLast, name)] {
            let header = Header::new(kind, self.generation, 0, word);
            self.outbox.extend(header.to_bytes());
        }
        self.told = Some(at.next());
        self.sent += 1;
    }

    /// A task that could not be sent, for this reason, has come to its end.
    fn fail_unsent(&mut self, mut queued: Queued<T>, failure: Failure) {
        let history = queued.take_history();
        self.fail(queued, history.len(), failure, history);
    }

    fn receive(&mut self) -> Result<bool, Useless> {
        let Some(mut process) = self.process.take() else {
            return Ok(false);
        };
        let result = self.receive_from(&mut process);
        self.process = Some(process);
        self.hand_over();
        self.tell_begun();
        result
    }

    pub(super) fn receive_from(&mut self, process: &mut Process) -> Result<bool, Useless> {
        let any = process.link.read(&mut process.inbox)? > 0;
        while process.inbox.next_landing(|header| self.landing(header))? {
            let header = process.inbox.header();
            match header.kind() {
                Kind::Begun | Kind::Unfit if !process.beginning => return Err(Useless::Mad),
                Kind::Begun => {
                    process.beginning = false;
                    continue;
                }
                Kind::Unfit => {
                    let failure = wire::decode(process.inbox.payload());
                    return Err(failure.map_or(Useless::Mad, Useless::Unfit));
                }
                Kind::Parcel if self.awaits(header) => {
                    self.parcel = process.inbox.take_parcel();
                    continue;
                }
                Kind::Ran if self.watches => {
                    self.note_time(header.word, process.inbox.payload())?;
                    continue;
                }
                Kind::Told if self.crew.contract.setup.tracing.is_some() => {
                    self.note_told(process.inbox.payload())?;
                    continue;
                }
                _ => {}
            }
            let (number, nanos) = split_answer(header.word);
            // Exact but for what the worker leaves out too.
            let next = process.answered as u16;
            if number != next || !self.awaits(header) {
                return Err(Useless::Mad);
            }
            let run_time = Duration::from_nanos(nanos);
            let session = self.session_of_result(process, header.kind(), number)?;
            self.outcome(header.kind(), run_time, process.inbox.payload(), session)?;
            process.answered += 1;
        }
        Ok(any)
    }

    /// Whether a frame is of the first task in the queue.
    #[inline]
    fn awaits(&self, header: Header) -> bool {
        let sent = self.queue.front().filter(|_| self.sent > 0);
        sent.is_some_and(|queued| queued.generation == header.generation())
    }

    /// Where a parcel goes that has begun to come: to the place of the argument of which it is the result, which
    /// has been read, if that is not needed for another try.
    fn landing(&mut self, header: Header) -> Option<Parcel> {
        if !self.awaits(header) || self.limits.retries > 0 {
            return None;
        }
        let task = &mut self.queue.front_mut()?.task;
        if !task.contents()?.can_become(header.payload(), header.word) {
            return None;
        }
        self.landed = true;
        task.take_contents()
    }

    /// Takes in what came of the first task in the queue.
    fn outcome(
        &mut self,
        kind: Kind,
        run_time: Duration,
        payload: &[u8],
        session: Option<Entered>,
    ) -> Result<(), Useless> {
        self.landed = false;
        let started = self.watches.then(Instant::now);
        let failure = self.queue.front_mut().and_then(Queued::take_unsent);
        let unsent = failure.is_some();
        let decoded = match (failure, kind) {
            (Some(failure), _) => Err(failure),
            (None, Kind::Done | Kind::DoneWith) => {
                let decode = || panics::catch(|| T::decode(payload).map_err(Box::new));
                let decoded = exchange(&mut self.parcel, false, decode);
                drop(session);
                decoded.unwrap_or_else(|panic| Err(Box::new(panic.of_task())))
            }
            (None, Kind::Failed) => match wire::decode::<Failure>(payload) {
                Ok(failure) => Err(Box::new(failure)),
                Err(_) => return Err(Useless::Mad),
            },
            _ => return Err(Useless::Mad),
        };
        self.parcel = None;
        if let Some(started) = started {
            self.watched.decoded = Some(Stretch::since(started));
        }
        let queued = self.remove(0).ok_or(Useless::Mad)?;
        self.received += 1;
        if queued.generation != self.generation_of_batch {
            // What came before is of a batch that has been taken apart.
            self.generation_of_batch = queued.generation;
            self.of_batch = 0;
        }
        self.of_batch += 1;
        self.barren = 0;
        if queued.kind == Kind::TaskLast {
            self.ahead = run_time < AHEAD;
            self.work.measured(self.of_batch, run_time);
            self.of_batch = 0;
        }
        match decoded {
            Err(failure) if unsent => self.fail_unsent(queued, *failure),
            Err(failure) => self.started_and_failed(queued, *failure),
            Ok(value) => {
                if self.watches {
                    let attempt = queued.attempt();
                    let ran = self.ran(&queued, attempt);
                    drop(self.watched.end(queued.index, attempt));
                    if let Some(watching) = self.work.watching() {
                        watching.finished(queued.index, ran, None);
                    }
                }
                if queued.index != self.first_value + self.values.len() {
                    self.hand_over();
                    self.first_value = queued.index;
                }
                self.values.push(value);
                discard(queued.task);
            }
        }
        Ok(())
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
}
