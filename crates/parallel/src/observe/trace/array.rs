//! A JSON array in a file that grows, and is whole whenever it is closed.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

/// The end of an array, which the next element is written over.
const END: &[u8] = b"\n]";

/// The array, and the file that it is in.
pub(super) struct Array {
    out: BufWriter<File>,
    empty: bool,
    closed: bool,
}

impl Array {
    /// An empty one. What was in the file is gone.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let mut array = Self {
            out: BufWriter::new(File::create(path)?),
            empty: true,
            closed: false,
        };
        array.out.write_all(b"[")?;
        array.close()?;
        // A pipe is refused here, and not after the first call.
        array.out.stream_position()?;
        Ok(array)
    }

    pub(super) fn push(&mut self, element: &impl Display) -> io::Result<()> {
        if self.closed {
            self.out.seek(SeekFrom::Current(-(END.len() as i64)))?;
            self.closed = false;
        }
        let between: &[u8] = if self.empty { b"\n" } else { b",\n" };
        self.out.write_all(between)?;
        self.empty = false;
        write!(self.out, "{element}")
    }

    /// Makes the file whole.
    pub(super) fn close(&mut self) -> io::Result<()> {
        if !self.closed {
            self.out.write_all(END)?;
            self.closed = true;
        }
        self.out.flush()
    }
}
