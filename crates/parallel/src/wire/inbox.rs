//! Bytes that came in, from which frames are taken.
//!
//! Space is made for bytes that came, not for bytes that were announced.

use std::ops::Range;

use super::frame::{Garbled, HEADER, Header, Kind};
use super::parcel::Parcel;

/// Bytes that came in, from which frames are taken.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    /// Where the first frame that was not taken begins.
    start: usize,
    /// Of the frame that was taken last.
    header: Header,
    /// Where it lies.
    payload: Range<usize>,
    /// A parcel that has begun to come.
    incoming: Option<Incoming>,
    /// The one that came last.
    parcel: Option<Parcel>,
}

/// A parcel that comes in.
#[derive(Debug)]
pub(crate) struct Incoming {
    header: Header,
    parcel: Parcel,
    /// So many of its bytes have come.
    came: usize,
    /// Whether it lies in memory of which nobody has been told.
    has_moved: bool,
}

/// So many bytes of a parcel are copied at a time: the other side goes on with what it has meanwhile.
pub(crate) const PIECE: usize = 1 << 16;

impl Incoming {
    fn new(header: Header, landing: Option<Parcel>) -> Result<Self, Garbled> {
        let fits = |landing: &Parcel| {
            let contents = landing.contents();
            contents.can_become(header.payload(), header.word)
        };
        let parcel = match landing.filter(fits) {
            Some(landing) => landing,
            None => Parcel::of_width(header.word).ok_or(Garbled(header.word))?,
        };
        Ok(Self {
            header,
            parcel,
            came: 0,
            has_moved: false,
        })
    }

    /// Where its next bytes go to.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        let whole = self.header.payload();
        let end = whole.min(self.came + PIECE);
        if self.parcel.capacity() < end {
            // For no more than came already, or `RESERVE_PARCEL`.
            let room = RESERVE_PARCEL.max(2 * self.came);
            self.parcel.reserve_exact(whole.min(room));
            self.has_moved = true;
        }
        if self.parcel.contents().bytes.len() < end {
            self.parcel.resize(end);
        }
        &mut self.parcel.bytes_mut()[self.came..end]
    }

    /// The memory in which it lies and of which this has not told yet: where that begins, and how many bytes.
    pub(crate) fn new_memory(&mut self) -> Option<(*const u8, usize)> {
        let parcel = &self.parcel;
        std::mem::take(&mut self.has_moved).then(|| (parcel.start(), parcel.capacity()))
    }

    /// So many bytes have been put there.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.came += bytes;
    }

    fn take_from(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() && !self.is_whole() {
            let space = self.space();
            let piece = space.len().min(bytes.len() - taken);
            space[..piece].copy_from_slice(&bytes[taken..taken + piece]);
            self.advance(piece);
            taken += piece;
        }
        taken
    }

    fn is_whole(&self) -> bool {
        self.came == self.header.payload()
    }
}

/// An inbox that has room for more than this gives it back once it is empty.
const KEEP: usize = 1 << 20;

/// Room is made for this much of an announced payload at a time.
pub(crate) const RESERVE: usize = 1 << 24;

/// The same for a parcel. Room in which nothing is written is no memory yet, and to give it in steps costs more: what
/// came must be moved, or its pages.
pub(crate) const RESERVE_PARCEL: usize = 1 << 28;

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

    /// The parcel of which the next bytes are, if they are of one. Its space is used first then.
    pub(crate) fn incoming(&mut self) -> Option<&mut Incoming> {
        self.incoming
            .as_mut()
            .filter(|incoming| !incoming.is_whole())
    }

    /// Whether a part of a parcel has come.
    pub(crate) fn is_midway(&self) -> bool {
        let incoming = self.incoming.as_ref();
        incoming.is_some_and(|incoming| !incoming.is_whole())
    }

    /// Takes the next frame: its [header](Self::header), and its [payload](Self::payload) or
    /// [parcel](Self::take_parcel). False if it is not there yet as a whole.
    ///
    /// Whoever wants them asks for them: as an option in a result they would be copied in parts on their way,
    /// and a processor waits for parts that it has just written.
    pub(crate) fn next(&mut self) -> Result<bool, Garbled> {
        self.next_landing(|_| None)
    }

    /// The same. A parcel that begins to come goes to the place of the one that `landing` gives, if it fits there:
    /// fresh memory costs more than what is copied to it.
    #[inline]
    pub(crate) fn next_landing(
        &mut self,
        landing: impl FnOnce(Header) -> Option<Parcel>,
    ) -> Result<bool, Garbled> {
        if self.incoming.is_some() {
            return Ok(self.next_parcel());
        }
        let rest = &self.bytes[self.start..];
        let Some(header) = rest.first_chunk::<HEADER>() else {
            return Ok(false);
        };
        self.header = Header::from_bytes(*header)?;
        let begin = self.start + HEADER;
        if self.header.kind() == Kind::Parcel {
            self.begin_parcel(begin, landing(self.header))?;
            return Ok(self.next_parcel());
        }
        // No overflow: a payload has less than 2^40 bytes.
        let end = begin + self.header.payload();
        if end > self.bytes.len() {
            self.make_room(end - self.bytes.len());
            return Ok(false);
        }
        self.start = end;
        self.payload = begin..end;
        Ok(true)
    }

    /// That of the frame that was taken last.
    #[inline]
    pub(crate) fn header(&self) -> Header {
        self.header
    }

    /// A parcel begins to come, with what is there behind its header.
    fn begin_parcel(&mut self, begin: usize, landing: Option<Parcel>) -> Result<(), Garbled> {
        let mut incoming = Incoming::new(self.header, landing)?;
        self.start = begin + incoming.take_from(&self.bytes[begin..]);
        self.incoming = Some(incoming);
        Ok(())
    }

    fn next_parcel(&mut self) -> bool {
        let whole = self.incoming.take_if(|incoming| incoming.is_whole());
        let Some(mut incoming) = whole else {
            return false;
        };
        incoming.parcel.resize(incoming.header.payload());
        (self.header, self.payload) = (incoming.header, 0..0);
        self.parcel = Some(incoming.parcel);
        true
    }

    /// For how many bytes room has been made.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn capacity(&self) -> usize {
        let incoming = self.incoming.as_ref();
        self.bytes.capacity() + incoming.map_or(0, |incoming| incoming.parcel.capacity())
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

    /// The parcel that came last, for the one who asks first.
    pub(crate) fn take_parcel(&mut self) -> Option<Parcel> {
        self.parcel.take()
    }

    /// That of the frame that was taken last. It is gone once [space](Self::space) is made for others.
    #[inline]
    pub(crate) fn payload(&self) -> &[u8] {
        &self.bytes[self.payload.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::frame_end;
    use super::*;
    use proptest::prelude::*;

    /// A frame as it is sent: for a parcel with a width, and whole numbers.
    fn any_frame() -> impl Strategy<Value = (Header, Vec<u8>)> {
        let kind = prop::sample::select(&Kind::ALL[..]);
        let bytes = prop::collection::vec(any::<u8>(), 0..50);
        (kind, any::<u16>(), any::<u64>(), bytes).prop_map(
            |(kind, generation, mut word, mut payload)| {
                if kind == Kind::Parcel {
                    word = 1 << (word % 4);
                    payload.truncate(payload.len() / 8 * 8);
                }
                let header = Header::new(kind, generation, payload.len(), word);
                (header, payload)
            },
        )
    }

    /// As a link reads.
    fn put(inbox: &mut Inbox, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let Some(incoming) = inbox.incoming() else {
                return inbox.space().extend(bytes);
            };
            let space = incoming.space();
            let (here, rest) = bytes.split_at(bytes.len().min(space.len()));
            space[..here.len()].copy_from_slice(here);
            incoming.advance(here.len());
            bytes = rest;
        }
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in(
            frames in prop::collection::vec(any_frame(), 0..20),
            piece in 1..40usize,
        ) {
            let mut stream = Vec::new();
            let mut begins = vec![0];
            for (header, payload) in &frames {
                stream.extend(header.to_bytes());
                stream.extend(payload);
                begins.push(stream.len());
            }
            let (mut inbox, mut out) = (Inbox::default(), Vec::new());
            for bytes in stream.chunks(piece) {
                put(&mut inbox, bytes);
                while inbox.next().unwrap() {
                    let payload = match inbox.take_parcel() {
                        Some(parcel) => parcel.contents().bytes.to_vec(),
                        None => inbox.payload().to_vec(),
                    };
                    out.push((inbox.header(), payload));
                }
            }
            prop_assert_eq!(out, frames);
            for at in 0..=stream.len() {
                let end = begins.iter().copied().find(|begin| *begin >= at);
                prop_assert_eq!(Some(frame_end(&stream, at)), end);
            }
        }

        #[test]
        fn nonsense_is_an_error_or_waits_for_more(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut inbox = Inbox::default();
            put(&mut inbox, &bytes);
            while let Ok(true) = inbox.next() {
                prop_assert!(inbox.payload().len() <= bytes.len());
            }
            prop_assert!(inbox.capacity() <= bytes.len() * 2 + RESERVE_PARCEL);
        }
    }

    #[test]
    fn a_parcel_lands_where_it_fits() {
        let header = Header::new(Kind::Parcel, 0, 800, 8);
        let of_width = |width, bytes| {
            let mut parcel = Parcel::of_width(width).unwrap();
            parcel.resize(bytes);
            parcel
        };
        for (landing, fits) in [
            (of_width(8, 800), true),
            (of_width(8, 896), true),
            (of_width(8, 1000), false),
            (of_width(8, 792), false),
            (of_width(4, 800), false),
        ] {
            let mut inbox = Inbox::default();
            put(&mut inbox, &header.to_bytes());
            let mut landing = Some(landing);
            assert_eq!(inbox.next_landing(|_| landing.take()), Ok(false));
            // Nothing has come for which there was room to make.
            assert_eq!(inbox.incoming().unwrap().parcel.capacity() > 0, fits);
            put(&mut inbox, &[7; 800]);
            assert_eq!((inbox.next(), inbox.header()), (Ok(true), header));
            let parcel = inbox.take_parcel().unwrap();
            assert_eq!(parcel.contents().bytes, [7; 800]);
        }
    }

    #[test]
    fn a_parcel_has_room_for_what_came() {
        let header = Header::new(Kind::Parcel, 0, 1 << 39, 8);
        let mut inbox = Inbox::default();
        put(&mut inbox, &header.to_bytes());
        assert_eq!(inbox.next(), Ok(false));
        for came in 1..=8000 {
            put(&mut inbox, &[7; PIECE]);
            assert!(inbox.capacity() <= RESERVE_PARCEL.max(4 * came * PIECE) + PIECE);
        }
        // No parcel has numbers of such a width, nor a part of one.
        for (payload, word) in [(9, 3), (9, 2), (8, 16)] {
            let mut inbox = Inbox::default();
            let header = Header::new(header.kind(), header.generation(), payload, word);
            put(&mut inbox, &header.to_bytes());
            assert!(inbox.next().is_err());
        }
    }
}
