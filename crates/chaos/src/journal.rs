//! What was started: each task notes it in a file before it does anything else.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where the environment says in which folder the journal is.
pub(crate) const FOLDER: &str = "CHAOS_FOLDER";

pub(crate) const NAME: &str = "journal";

/// Which of a run's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) storm: u32,
    /// Calls of one wave are made at the same time.
    pub(crate) wave: u32,
    pub(crate) caller: u32,
}

/// A task was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Note {
    pub(crate) call: Call,
    pub(crate) index: u32,
    pub(crate) attempt: u32,
    pub(crate) pid: u32,
}

/// The bytes of a note. A page holds a whole number of them: who is killed while writing has written all
/// or nothing.
const SIZE: usize = 32;

const SEAL: u32 = 0x0b5e_55ed;

impl Note {
    pub(crate) fn write(self) {
        let folder = std::env::var_os(FOLDER).expect("the folder is told");
        let mut file = OpenOptions::new()
            .append(true)
            .open(PathBuf::from(folder).join(NAME))
            .expect("the journal is there");
        let written = file.write(&self.to_bytes()).expect("it can be written to");
        assert_eq!(written, SIZE, "it takes the note as a whole");
    }

    fn to_bytes(self) -> [u8; SIZE] {
        let Call {
            storm,
            wave,
            caller,
        } = self.call;
        let (index, attempt, pid) = (self.index, self.attempt, self.pid);
        let words = [storm, wave, caller, index, attempt, pid, 0, SEAL];
        let mut bytes = [0; SIZE];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// `None` if this is no note: something else was written to the journal.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut words = [0; SIZE / 4];
        for (word, place) in words.iter_mut().zip(bytes.chunks_exact(4)) {
            *word = u32::from_le_bytes(place.try_into().ok()?);
        }
        let [storm, wave, caller, index, attempt, pid, 0, SEAL] = words else {
            return None;
        };
        Some(Self {
            call: Call {
                storm,
                wave,
                caller,
            },
            index,
            attempt,
            pid,
        })
    }
}

/// Reads the journal while it grows.
#[derive(Debug)]
pub(crate) struct Reader {
    file: File,
    rest: Vec<u8>,
}

impl Reader {
    /// From the start of a journal.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            file: File::open(folder.join(NAME))?,
            rest: Vec::new(),
        })
    }

    /// The notes that have come since it was last asked.
    pub(crate) fn read(&mut self) -> io::Result<Vec<Note>> {
        self.file.read_to_end(&mut self.rest)?;
        let whole = self.rest.len() / SIZE * SIZE;
        let notes = self.rest[..whole]
            .chunks_exact(SIZE)
            .map(|bytes| {
                Note::from_bytes(bytes).ok_or_else(|| io::Error::other("the journal is garbled"))
            })
            .collect();
        self.rest.drain(..whole);
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let call = Call {
            storm: 3,
            wave: 1,
            caller: 2,
        };
        let note = Note {
            call,
            index: 7,
            attempt: 2,
            pid: 4711,
        };
        let mut bytes = note.to_bytes();
        assert_eq!(Note::from_bytes(&bytes), Some(note));
        bytes[31] ^= 1;
        assert_eq!(Note::from_bytes(&bytes), None);
    }
}
