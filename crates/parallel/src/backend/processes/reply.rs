//! What a worker sends, and how it waits.

use std::time::Instant;

use rustix::io::Errno;

use super::ring::SPACE;
use super::worker::{End, Worker};
use crate::wire::Contents;
use crate::wire::frame::{Header, Kind};
use crate::wire::inbox::PIECE;

/// A buffer that has room for more than this gives it back after use.
const KEEP: usize = 1 << 20;

impl Worker {
    /// Sends the frame that was made, with this header.
    pub(super) fn send(&mut self, header: Header) -> Result<(), End> {
        header.put_before(&mut self.frame);
        let written = self.link.write(&self.frame)?;
        if written < self.frame.len() {
            let frame = std::mem::take(&mut self.frame);
            self.write(&frame[written..])?;
            if frame.capacity() <= KEEP {
                self.frame = frame;
            }
        }
        self.frame.clear();
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
        let header = Header::new(Kind::Parcel, generation, bytes.len(), width as u64);
        self.write(&header.to_bytes())?;
        for piece in bytes.chunks(PIECE) {
            self.write(piece)?;
            self.link.announce();
        }
        if bytes.len() <= KEEP {
            self.spare = Some(parcel);
        }
        Ok(())
    }

    /// Waits until there is something to read, or room to write.
    pub(super) fn sleep(&mut self, events: u32) -> Result<(), End> {
        // Nobody who sleeps leaves the other side asleep over what it has sent.
        self.link.announce();
        let start = Instant::now();
        let midway = events == SPACE || self.inbox.is_midway();
        let seen = self.link.look(&mut self.spin, midway, events)?;
        let slept = !seen && self.link.fall_asleep(events)?;
        let heard = if slept {
            let heard = rustix::io::read(self.link.bell(), &mut [0; 16]);
            self.link.wake_up();
            heard
        } else {
            Ok(1)
        };
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
