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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// To the worker: a task. The word is its entry point, the payload its argument.
    #[default]
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
    /// To the worker, before a task: it needs what so many packets have brought.
    Given = 9,
    /// To the parent: a task's result. For the word see [`answer`].
    Done = 17,
    /// To the parent: a task's failure, encoded. The word as for `Done`.
    Failed = 18,
    /// To the parent: what was to be done first is done.
    Begun = 19,
    /// To the parent: it could not be done. The payload is the failure.
    Unfit = 20,
    /// To the parent, before the answer of a task that is watched: when its worker began with it, by the
    /// clock that both see, is the word; how long it took to decode the argument, to run, and to encode the
    /// result are the payload; all in nanoseconds.
    Ran = 21,
    /// To the parent, before the answer of a task: what it told `tracing`, encoded.
    Told = 22,
    /// To the parent: as `Done`, and objects have been sent that belong to the result.
    DoneWith = 23,
}

impl Kind {
    pub(crate) const ALL: [Self; 16] = [
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
        Self::Given,
        Self::Begun,
        Self::Unfit,
        Self::Ran,
        Self::Told,
        Self::DoneWith,
    ];

    const BY_BYTE: [Option<Self>; 32] = {
        let mut kinds = [None; 32];
        let mut i = 0;
        while i < Self::ALL.len() {
            kinds[Self::ALL[i] as usize] = Some(Self::ALL[i]);
            i += 1;
        }
        kinds
    };

    #[inline]
    fn from_byte(byte: u8) -> Option<Self> {
        *Self::BY_BYTE.get(usize::from(byte))?
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    /// The kind, the generation and the length of the payload. As they are sent: two words stay in registers
    /// on their way from hand to hand, which four fields do not.
    first: u64,
    pub(crate) word: u64,
}

/// Bytes that are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what came is no frame: it begins with {0:#018x}")]
pub(crate) struct Garbled(pub(super) u64);

impl Header {
    #[inline]
    pub(crate) fn new(kind: Kind, generation: u16, payload: usize, word: u64) -> Self {
        debug_assert!(payload <= MAX_PAYLOAD);
        let first = kind as u64 | u64::from(generation) << 8 | (payload as u64) << 24;
        Self { first, word }
    }

    #[inline]
    pub(crate) fn kind(self) -> Kind {
        // One of the kinds: this was looked at when it was made.
        Kind::from_byte(self.first as u8).unwrap_or_default()
    }

    /// Counts how often a worker was told to forget what it had not started.
    #[inline]
    pub(crate) fn generation(self) -> u16 {
        // Exact, but for what is not its own.
        (self.first >> 8) as u16
    }

    /// How many bytes it has.
    #[inline]
    pub(crate) fn payload(self) -> usize {
        // Exact: `from_bytes` and `new` saw to that.
        (self.first >> 24) as usize
    }

    pub(crate) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        self.put_before(&mut bytes);
        bytes
    }

    /// Makes a frame of its payload, before which room has been left for this. Half by half: to copy what
    /// has just been written in halves as a whole makes a processor wait for both.
    ///
    /// # Panics
    /// If there is less room.
    #[inline]
    pub(crate) fn put_before(self, frame: &mut [u8]) {
        frame[..8].copy_from_slice(&self.first.to_le_bytes());
        frame[8..HEADER].copy_from_slice(&self.word.to_le_bytes());
    }

    #[inline]
    pub(crate) fn from_bytes(bytes: [u8; HEADER]) -> Result<Self, Garbled> {
        let [first, word] = [0, 8].map(|at| {
            let mut half = [0; 8];
            half.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(half)
        });
        let whole_numbers = || matches!(word, 1 | 2 | 4 | 8) && (first >> 24).is_multiple_of(word);
        let sound = match Kind::from_byte(first as u8) {
            None => false,
            Some(Kind::Parcel) => whole_numbers(),
            Some(_) => true,
        };
        if sound && usize::try_from(first >> 24).is_ok() {
            Ok(Self { first, word })
        } else {
            Err(Garbled(first))
        }
    }
}

/// Where the frame ends in which byte `at` of `frames`, which are whole frames, lies; `at` itself if
/// it is where one begins.
pub(crate) fn frame_end(frames: &[u8], at: usize) -> usize {
    let mut end = 0;
    while end < at {
        let header = frames[end..].first_chunk::<HEADER>();
        match header.and_then(|header| Header::from_bytes(*header).ok()) {
            Some(header) => end += HEADER + header.payload(),
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
