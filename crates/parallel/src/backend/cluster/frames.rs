//! Messages between this program and its bridge, and between a slot and what started it: a header of
//! two numbers, and a payload.
//!
//! ```text
//!  ┌──────┬───────────────┬───────────────┬─────────────┐
//!  │ kind │ payload bytes │     word      │   payload   │
//!  │ 1 B  │      7 B      │      8 B      │             │
//!  └──────┴───────────────┴───────────────┴─────────────┘
//!
//!  program ──► bridge   Text*  Hello  Ship  Submit*  Cancel*  Give*  Forget*  Shutdown
//!  bridge ──► program   Ready | Fatal       Answer*  Slots*  Told*  Fatal
//!  runtime ──► slot     Submit*  Cancel*  Give*  Forget*
//!  slot ──► runtime     Told*  Answer*
//! ```
//!
//! `bridge.py` and `runtime.py` write and read the same. What comes in is believed as little as if a
//! stranger had sent it: room is made for bytes that came, not for bytes that were announced.

use std::io::{self, Read, Write};

/// Changes with everything that the two sides of a pipe must agree on.
pub(super) const VERSION: u64 = 2;

/// The bytes before the payload.
const HEADER: usize = 16;

/// No payload is longer.
pub(super) const MAX_PAYLOAD: u64 = 1 << 40;

/// The kinds of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// To the bridge, before all others: a Python source text, its name before the first NUL.
    Text = 1,
    /// To the bridge: which engine, where, and with which options. The word is the [`VERSION`].
    Hello = 2,
    /// To the bridge: the executable to ship, as a path.
    Ship = 3,
    /// To the bridge, to a slot: a batch. The word is its number.
    Submit = 4,
    /// To the bridge: nothing of this call shall start any more; the word is its number. To a slot: nothing
    /// of the batch of this number.
    Cancel = 5,
    /// To the bridge: leave.
    Shutdown = 6,
    /// To the bridge, to a slot: an array that batches after it refer to, as [`Place`](super::arrays::Place)
    /// has it.
    Give = 7,
    /// To the bridge, to a slot: the array of this id is needed no more.
    Forget = 8,
    /// From the bridge: the engine has been reached. The word is the number of slots, the payload a text
    /// that names versions.
    Ready = 17,
    /// From the bridge: it cannot go on. The payload says why.
    Fatal = 18,
    /// From the bridge, from a slot: what came of the batch whose number is the word.
    Answer = 19,
    /// From the bridge: so many slots there are now.
    Slots = 20,
    /// From the bridge, from a slot: what happens in the batch whose number is the word, before its answer.
    Told = 21,
}

impl Kind {
    const ALL: [Self; 13] = [
        Self::Text,
        Self::Hello,
        Self::Ship,
        Self::Submit,
        Self::Cancel,
        Self::Shutdown,
        Self::Give,
        Self::Forget,
        Self::Ready,
        Self::Fatal,
        Self::Answer,
        Self::Slots,
        Self::Told,
    ];

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) word: u64,
    pub(super) payload: Vec<u8>,
}

/// Writes a frame whose payload is made of these parts.
pub(super) fn write(
    out: &mut impl Write,
    kind: Kind,
    word: u64,
    payload: &[&[u8]],
) -> io::Result<()> {
    let len = payload.iter().map(|part| part.len() as u64).sum::<u64>();
    if len > MAX_PAYLOAD {
        return Err(io::Error::other("a message of more than a tebibyte"));
    }
    let first = kind as u64 | len << 8;
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&first.to_le_bytes());
    header[8..].copy_from_slice(&word.to_le_bytes());
    out.write_all(&header)?;
    payload.iter().try_for_each(|part| out.write_all(part))?;
    out.flush()
}

/// The next frame; `None` at the end.
pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Frame>> {
    let mut header = Vec::with_capacity(HEADER);
    from.by_ref().take(HEADER as u64).read_to_end(&mut header)?;
    if header.is_empty() {
        return Ok(None);
    }
    let garbled = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let [first, word] = [0, 8].map(|at| {
        let half = header.get(at..at + 8).and_then(|half| half.try_into().ok());
        half.map(u64::from_le_bytes)
    });
    let (Some(first), Some(word)) = (first, word) else {
        return Err(garbled("a message that ends in its header"));
    };
    let [kind, ..] = first.to_le_bytes();
    let kind = Kind::from_byte(kind).ok_or_else(|| garbled("a message of no known kind"))?;
    let len = first >> 8;
    if len > MAX_PAYLOAD {
        return Err(garbled("a message of more than a tebibyte"));
    }
    let mut payload = Vec::new();
    if from.by_ref().take(len).read_to_end(&mut payload)? as u64 != len {
        return Err(garbled("a message that ends too early"));
    }
    Ok(Some(Frame {
        kind,
        word,
        payload,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in(
            frames in prop::collection::vec(
                (prop::sample::select(&Kind::ALL[..]), any::<u64>(), prop::collection::vec(any::<u8>(), 0..50)), 0..9)
        ) {
            let mut stream = Vec::new();
            for (kind, word, payload) in &frames {
                let (a, b) = payload.split_at(payload.len() / 2);
                write(&mut stream, *kind, *word, &[a, b]).unwrap();
            }
            let mut rest = &stream[..];
            for (kind, word, payload) in frames {
                prop_assert_eq!(read(&mut rest).unwrap(), Some(Frame { kind, word, payload }));
            }
            prop_assert_eq!(read(&mut rest).unwrap(), None);
        }

        #[test]
        fn nonsense_is_an_error_or_the_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut rest = &bytes[..];
            while let Ok(Some(frame)) = read(&mut rest) {
                prop_assert!(frame.payload.len() <= bytes.len());
            }
        }
    }
}
