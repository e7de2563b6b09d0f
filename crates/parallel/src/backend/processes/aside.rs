//! What a worker tells of its tasks beside their answers, if anybody wants to know.

use std::time::{Duration, Instant};

use super::memory::clock;
use super::spans::{Gathered, nanos};
use super::worker::{End, Worker};
use crate::observe::spans::TaskPlace;
use crate::wire::frame::{At, HEADER, Header, Kind};
use crate::wire::laps;

/// When a task began, and how long each part of it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    /// By the clock that both sides see.
    pub(super) began: Duration,
    /// To decode the argument.
    pub(super) decode: Duration,
    pub(super) run: Duration,
    /// To encode the result.
    pub(super) encode: Duration,
}

impl Times {
    /// Those of a task that `call` runs.
    pub(super) fn of<R>(call: impl FnOnce() -> R) -> (R, Self) {
        let (began, start) = (clock(), Instant::now());
        let (result, laps) = laps::of(call);
        let end = Instant::now();
        let decoded = laps.decoded.unwrap_or(end);
        let returned = laps.returned.unwrap_or(end);
        let times = Self {
            began,
            decode: decoded.saturating_duration_since(start),
            run: returned.saturating_duration_since(decoded),
            encode: end.saturating_duration_since(returned),
        };
        (result, times)
    }

    /// As the word and the payload of a frame.
    fn to_frame(self) -> (u64, Vec<u8>) {
        let parts = [self.decode, self.run, self.encode];
        let payload = parts.map(|time| nanos(time).to_le_bytes()).concat();
        (nanos(self.began), payload)
    }

    /// `None` if the payload is none of these.
    pub(super) fn from_frame(word: u64, payload: &[u8]) -> Option<Self> {
        let ([decode, run, encode], []) = payload.as_chunks::<8>() else {
            return None;
        };
        let time = |bytes: &[u8; 8]| Duration::from_nanos(u64::from_le_bytes(*bytes));
        Some(Self {
            began: Duration::from_nanos(word),
            decode: time(decode),
            run: time(run),
            encode: time(encode),
        })
    }
}

impl Worker {
    /// Has what a task is about to tell gathered, if that is wanted. What its subscriber is, the initializer
    /// of this worker decides first.
    pub(super) fn listen(&mut self, at: At) {
        let Some(told) = &self.told else { return };
        if let Some(most) = self.terms.tracing.take() {
            Gathered::listen(most);
        }
        told.begin(TaskPlace {
            index: at.index,
            attempt: at.attempt,
            worker: self.terms.worker,
        });
    }

    /// Tells of a task that has just ended, before its answer.
    pub(super) fn tell_aside(&mut self, generation: u16, times: Option<Times>) -> Result<(), End> {
        if let Some((word, payload)) = times.map(Times::to_frame) {
            self.send_first(Kind::Ran, generation, word, &payload)?;
        }
        match self.told.as_ref().and_then(|told| told.end()) {
            Some(told) => self.send_first(Kind::Told, generation, 0, &told),
            None => Ok(()),
        }
    }

    /// Sends a frame before that of the task itself, which is made already.
    fn send_first(
        &mut self,
        kind: Kind,
        generation: u16,
        word: u64,
        payload: &[u8],
    ) -> Result<(), End> {
        let header = Header::new(kind, generation, payload.len(), word);
        let answer = std::mem::take(&mut self.frame);
        self.frame.extend([0; HEADER]);
        self.frame.extend(payload);
        let sent = self.send(header);
        self.frame = answer;
        sent
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn times_come_out_as_they_went_in() {
        let (six, times) = Times::of(|| 6);
        assert_eq!((six, times.encode), (6, Duration::ZERO));
        let (word, payload) = times.to_frame();
        assert_eq!(Times::from_frame(word, &payload), Some(times));
        assert_eq!(Times::from_frame(word, &payload[1..]), None);
    }
}
