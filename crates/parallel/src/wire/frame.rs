//! Messages in a stream of bytes, between a program and its workers.
//!
//! ```text
//!  ┌──────┬─────────────┬───────────────┬──────────┬─────────────┐
//!  │ kind │ generation  │ payload bytes │   word   │   payload   │
//!  │ 1 B  │     2 B     │      5 B      │   8 B    │             │
//!  └──────┴─────────────┴───────────────┴──────────┴─────────────┘
//! ```
//!
//! What comes in is believed as little as if a stranger had sent it: a frame that does not make sense
//! is an error, and space is made for bytes that came, not for bytes that were announced.

use std::ops::Range;

/// The bytes before the payload.
pub(crate) const HEADER: usize = 16;

/// No payload is longer: five bytes of length.
pub(crate) const MAX_PAYLOAD: usize = (1 << 40) - 1;

/// The kinds of frames, and which side sends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// To the worker: a task. The word is its entry point, the payload its argument.
    Task = 1,
    /// The same; wake the parent, if it sleeps, when it is done.
    TaskTell = 2,
    /// The same; and it ends a batch.
    TaskLast = 3,
    /// To the worker: leave.
    Exit = 4,
    /// To the worker, before all tasks: what to do first. The word is an entry point.
    Begin = 5,
    /// To the worker: which task comes next, as [`At`] says. Those behind it are counted on from there.
    At = 6,
    /// To the worker, before the tasks of a call: what they inherit. The payload is it, encoded.
    Inherit = 7,
    /// To the worker, before a task: it needs what so many parcels have brought.
    Given = 8,
    /// To the parent: a task's result. For the word see [`answer`].
    Done = 17,
    /// To the parent: a task's failure, encoded. The word as for `Done`.
    Failed = 18,
    /// To the parent: what was to be done first is done.
    Begun = 19,
    /// To the parent: it could not be done. The payload is the failure.
    Unfit = 20,
    /// To the parent, before the answer of a task that is watched: when it began, by the clock that both
    /// see, is the word, and how long it ran the payload; both in nanoseconds.
    Ran = 21,
    /// To the parent: as `Done`, and objects have been sent that belong to the result.
    DoneWith = 22,
}

impl Kind {
    pub(crate) const ALL: [Self; 14] = [
        Self::Task,
        Self::TaskTell,
        Self::TaskLast,
        Self::Exit,
        Self::Done,
        Self::Failed,
        Self::Begin,
        Self::At,
        Self::Inherit,
        Self::Given,
        Self::Begun,
        Self::Unfit,
        Self::Ran,
        Self::DoneWith,
    ];

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// Which task one is, and how often it has been started with this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) index: usize,
    pub(crate) attempt: u32,
    /// Whether nothing behind it shall be started if it fails.
    pub(crate) all_or_nothing: bool,
    /// Whether the parent wants to know when it ran.
    pub(crate) watched: bool,
}

const INDEX_BITS: u32 = 48;
const ATTEMPT_BITS: u32 = 14;

impl At {
    /// As the word of a frame. Numbers that need more than 48 and 14 bits are told as the largest.
    pub(crate) fn to_word(self) -> u64 {
        let index = (self.index as u64).min((1 << INDEX_BITS) - 1);
        let attempt = u64::from(self.attempt).min((1 << ATTEMPT_BITS) - 1);
        index
            | attempt << INDEX_BITS
            | u64::from(self.all_or_nothing) << (INDEX_BITS + ATTEMPT_BITS)
            | u64::from(self.watched) << (INDEX_BITS + ATTEMPT_BITS + 1)
    }

    pub(crate) fn from_word(word: u64) -> Self {
        let index = word & ((1 << INDEX_BITS) - 1);
        Self {
            index: usize::try_from(index).unwrap_or(usize::MAX),
            // Exact: fourteen bits are left.
            attempt: (word >> INDEX_BITS & ((1 << ATTEMPT_BITS) - 1)) as u32,
            all_or_nothing: word >> (INDEX_BITS + ATTEMPT_BITS) & 1 == 1,
            watched: word >> (INDEX_BITS + ATTEMPT_BITS + 1) == 1,
        }
    }

    /// The task behind it, which is started for the first time.
    pub(crate) fn next(self) -> Self {
        Self {
            index: self.index + 1,
            attempt: 1,
            ..self
        }
    }
}

/// The word of an answer: which one it is since the worker came up, so that none counts twice, and after
/// a `TaskLast` the batch's run time in nanoseconds. Of both there is as much as fits: the number begins
/// again at 0, and no time is longer than three days.
pub(crate) fn answer(number: u16, nanos: u64) -> u64 {
    u64::from(number) | nanos.min(u64::MAX >> 16) << 16
}

/// The number of an answer and the run time, of its word.
pub(crate) fn split_answer(word: u64) -> (u16, u64) {
    // Exact: these are the low bits.
    (word as u16, word >> 16)
}

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    /// Counts how often a worker was told to forget what it had not started.
    pub(crate) generation: u16,
    pub(crate) payload: usize,
    pub(crate) word: u64,
}

/// Bytes that are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what came is no frame: it begins with {0:#018x}")]
pub(crate) struct Garbled(u64);

impl Header {
    pub(crate) fn to_bytes(self) -> [u8; HEADER] {
        debug_assert!(self.payload <= MAX_PAYLOAD);
        let first =
            self.kind as u64 | u64::from(self.generation) << 8 | (self.payload as u64) << 24;
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&first.to_le_bytes());
        bytes[8..].copy_from_slice(&self.word.to_le_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; HEADER]) -> Result<Self, Garbled> {
        let [first, word] = [0, 8].map(|at| {
            let mut half = [0; 8];
            half.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(half)
        });
        let [kind, low, high, ..] = first.to_le_bytes();
        Ok(Self {
            kind: Kind::from_byte(kind).ok_or(Garbled(first))?,
            generation: u16::from_le_bytes([low, high]),
            payload: usize::try_from(first >> 24).map_err(|_| Garbled(first))?,
            word,
        })
    }
}

/// Bytes that came in, from which frames are taken.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    /// Where the first frame that was not taken begins.
    start: usize,
}

/// An inbox that has room for more than this gives it back once it is empty.
const KEEP: usize = 1 << 20;

/// Room is made for this much of an announced payload at a time.
pub(crate) const RESERVE: usize = 1 << 24;

impl Inbox {
    /// Where new bytes are appended.
    pub(crate) fn space(&mut self) -> &mut Vec<u8> {
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(KEEP);
            self.start = 0;
        } else if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        &mut self.bytes
    }

    /// The next frame, its payload as a range of [`payload`](Self::payload); `None` if it is not there
    /// yet as a whole.
    pub(crate) fn next(&mut self) -> Result<Option<(Header, Range<usize>)>, Garbled> {
        let rest = &self.bytes[self.start..];
        let Some(header) = rest.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let header = Header::from_bytes(*header)?;
        let begin = self.start + HEADER;
        // No overflow: a payload has less than 2^40 bytes.
        let end = begin + header.payload;
        if end > self.bytes.len() {
            self.make_room(end - self.bytes.len());
            return Ok(None);
        }
        self.start = end;
        Ok(Some((header, begin..end)))
    }

    /// For how many bytes room has been made.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Makes room for what is missing of a frame, or a part of it: by no more than came already, or
    /// `RESERVE`. It is exact, since each time a vector is left to itself it doubles what it has, and by
    /// that what was never sent.
    fn make_room(&mut self, missing: usize) {
        let room = missing.min(RESERVE.max(self.bytes.len()));
        // Not for each piece that comes: the bytes may be moved every time.
        if self.bytes.capacity() - self.bytes.len() < room / 2 {
            self.bytes.reserve_exact(room);
        }
    }

    /// The payload of the frame that was taken last.
    pub(crate) fn payload(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }
}

/// Where the frame ends in which byte `at` of `frames`, which are whole frames, lies; `at` itself if
/// it is where one begins.
pub(crate) fn frame_end(frames: &[u8], at: usize) -> usize {
    let mut end = 0;
    while end < at {
        let header = frames[end..].first_chunk::<HEADER>();
        match header.and_then(|header| Header::from_bytes(*header).ok()) {
            Some(header) => end += HEADER + header.payload,
            None => return frames.len(),
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_kind() -> impl Strategy<Value = Kind> {
        prop::sample::select(&Kind::ALL[..])
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in(
            frames in prop::collection::vec(
                (any_kind(), any::<u16>(), any::<u64>(), prop::collection::vec(any::<u8>(), 0..50)), 0..20),
            piece in 1..40usize,
        ) {
            let mut stream = Vec::new();
            let mut begins = vec![0];
            for (kind, generation, word, payload) in &frames {
                let header = Header { kind: *kind, generation: *generation, payload: payload.len(), word: *word };
                stream.extend(header.to_bytes());
                stream.extend(payload);
                begins.push(stream.len());
            }
            let (mut inbox, mut out) = (Inbox::default(), Vec::new());
            for bytes in stream.chunks(piece) {
                inbox.space().extend(bytes);
                while let Some((header, range)) = inbox.next().unwrap() {
                    out.push((header.kind, header.generation, header.word, inbox.payload(range).to_vec()));
                }
            }
            prop_assert_eq!(out, frames);
            for at in 0..=stream.len() {
                let end = begins.iter().copied().find(|begin| *begin >= at);
                prop_assert_eq!(Some(frame_end(&stream, at)), end);
            }
        }

        #[test]
        fn a_place_comes_out_as_it_went_in(index in 0..1usize << INDEX_BITS, attempt in 0..1u32 << ATTEMPT_BITS, all_or_nothing: bool, watched: bool) {
            let at = At { index, attempt, all_or_nothing, watched };
            prop_assert_eq!(At::from_word(at.to_word()), at);
        }

        #[test]
        fn nonsense_is_an_error_or_waits_for_more(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut inbox = Inbox::default();
            inbox.space().extend(&bytes);
            while let Ok(Some((_, range))) = inbox.next() {
                prop_assert!(inbox.payload(range).len() <= bytes.len());
            }
            prop_assert!(inbox.capacity() <= bytes.len() * 2 + RESERVE);
        }
    }
}
