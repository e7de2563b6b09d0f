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
//! is an error. [`Inbox`](super::inbox::Inbox) takes them apart.

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
    /// To either side, before a task or a result that has no payload: a large vector of numbers that it is made
    /// of, as it is in memory. The word is the width of a number.
    Parcel = 8,
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
}

impl Kind {
    pub(crate) const ALL: [Self; 13] = [
        Self::Task,
        Self::TaskTell,
        Self::TaskLast,
        Self::Exit,
        Self::Done,
        Self::Failed,
        Self::Begin,
        Self::At,
        Self::Inherit,
        Self::Parcel,
        Self::Begun,
        Self::Unfit,
        Self::Ran,
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

/// In the word of a task: its result may come as a parcel.
pub(crate) const TAKES_PARCEL: u64 = 1 << 63;

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
pub(crate) struct Garbled(pub(super) u64);

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
        let header = Self {
            kind: Kind::from_byte(kind).ok_or(Garbled(first))?,
            generation: u16::from_le_bytes([low, high]),
            payload: usize::try_from(first >> 24).map_err(|_| Garbled(first))?,
            word,
        };
        let whole_numbers =
            || matches!(word, 1 | 2 | 4 | 8) && (header.payload as u64).is_multiple_of(word);
        if header.kind == Kind::Parcel && !whole_numbers() {
            return Err(Garbled(first));
        }
        Ok(header)
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

    proptest! {
        #[test]
        fn a_place_comes_out_as_it_went_in(index in 0..1usize << INDEX_BITS, attempt in 0..1u32 << ATTEMPT_BITS, all_or_nothing: bool, watched: bool) {
            let at = At { index, attempt, all_or_nothing, watched };
            prop_assert_eq!(At::from_word(at.to_word()), at);
        }
    }
}
