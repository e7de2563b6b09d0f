//! What a worker sends, and how it waits.

use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::memory::clock;
use super::ring::SPACE;
use super::worker::{End, Worker};
use crate::wire::Contents;
use crate::wire::frame::{HEADER, Header, Kind};
use crate::wire::inbox::PIECE;

/// A buffer that has room for more than this gives it back after use.
const KEEP: usize = 1 << 20;

impl Worker {
    /// Tells when a task began that has just ended.
    pub(super) fn tell_time(&mut self, generation: u16, began: Duration) -> Result<(), End> {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let run_time = nanos(clock().saturating_sub(began)).to_le_bytes();
        let header = Header {
            kind: Kind::Ran,
            generation,
            payload: run_time.len(),
            word: nanos(began),
        };
        // The frame of the task itself is made already.
        let answer = std::mem::take(&mut self.frame);
        self.frame.extend([0; HEADER]);
        self.frame.extend(run_time);
        let sent = self.send(header);
        self.frame = answer;
        sent
    }

    /// Sends the frame that was made, with this header.
    pub(super) fn send(&mut self, header: Header) -> Result<(), End> {
        self.frame[..HEADER].copy_from_slice(&header.to_bytes());
        let mut frame = std::mem::take(&mut self.frame);
        self.write(&frame)?;
        if frame.capacity() <= KEEP {
            frame.clear();
            self.frame = frame;
        }
        Ok(())
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), End> {
        while !bytes.is_empty() {
            let written = self.link.write(bytes)?;
            bytes = &bytes[written..];
            if written == 0 {
                self.sleep(SPACE)?;
            }
        }
        Ok(())
    }

    /// Sends what came of a task beside its frame.
    pub(super) fn send_parcel(&mut self, generation: u16) -> Result<(), End> {
        let Some(parcel) = self.parcel.take() else {
            return Ok(());
        };
        let Contents { bytes, width } = parcel.contents();
        let header = Header {
            kind: Kind::Parcel,
            generation,
            payload: bytes.len(),
            word: width as u64,
        };
        self.write(&header.to_bytes())?;
        for piece in bytes.chunks(PIECE) {
            self.write(piece)?;
            self.link.announce();
        }
        Ok(())
    }

    /// Waits until there is something to read, or room to write.
    pub(super) fn sleep(&mut self, events: u32) -> Result<(), End> {
        // Nobody who sleeps leaves the other side asleep over what it has sent.
        self.link.announce();
        if !self.link.fall_asleep(events)? {
            return Ok(());
        }
        let start = Instant::now();
        let heard = rustix::io::read(self.link.bell(), &mut [0; 16]);
        self.link.wake_up();
        if let Some(batch_start) = &mut self.batch_start {
            *batch_start += start.elapsed();
        }
        match heard {
            // End of file: the parent is gone.
            Ok(0) => Err(End::Lost),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(_) => Err(End::Lost),
        }
    }
}
