//! Whether another executable holds the same code at the same addresses, so that a function has the same name
//! in both: a stripped copy does, another build does not.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use crate::error::BackendError;

/// Refuses an executable whose functions have other names than those of this one.
pub(super) fn check(path: &Path) -> Result<(), BackendError> {
    let cannot =
        |what: String| BackendError::new(format!("{} cannot be shipped: {what}", path.display()));
    let there = Code::read(path).map_err(|error| cannot(error.to_string()))?;
    let here =
        Code::read(Path::new("/proc/self/exe")).map_err(|error| cannot(error.to_string()))?;
    if there.machine != here.machine {
        return Err(cannot(
            "it is for another kind of machine, where a function has another address, by which it is called. \
             Run the program itself on a machine of that kind"
                .to_owned(),
        ));
    }
    if there != here {
        return Err(cannot(
            "it is another build than this program: a function is called by its address, so its code must be \
             the same. Strip a copy of this executable, or build the program that runs here for the target \
             that the nodes need, as x86_64-unknown-linux-musl"
                .to_owned(),
        ));
    }
    Ok(())
}

/// What of an executable file is executed.
#[derive(PartialEq, Eq)]
struct Code {
    machine: u16,
    /// Where each segment lies in memory, and its bytes.
    segments: Vec<(u64, Vec<u8>)>,
}

/// A program header, in bytes.
const ENTRY: usize = 56;

impl Code {
    fn read(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut header = [0; 64];
        file.read_exact(&mut header)?;
        // 64 bits, the bytes of a number the low ones first.
        if !header.starts_with(b"\x7fELF\x02\x01") {
            return Err(io::Error::other("it is no executable of 64 bits"));
        }
        let mut segments = Vec::new();
        let (first, entries) = (number(&header, 32..40), number(&header, 56..58));
        for entry in 0..entries {
            let mut bytes = [0; ENTRY];
            file.seek(SeekFrom::Start(first.saturating_add(entry * ENTRY as u64)))?;
            file.read_exact(&mut bytes)?;
            let (kind, flags) = (number(&bytes, 0..4), number(&bytes, 4..8));
            let (loaded, executed) = (kind == 1, flags & 1 == 1);
            if loaded && executed {
                let (offset, len) = (number(&bytes, 8..16), number(&bytes, 32..40));
                file.seek(SeekFrom::Start(offset))?;
                let mut code = Vec::new();
                file.by_ref().take(len).read_to_end(&mut code)?;
                segments.push((number(&bytes, 16..24), code));
            }
        }
        Ok(Self {
            machine: u16::from_le_bytes([header[18], header[19]]),
            segments,
        })
    }
}

fn number(bytes: &[u8], at: Range<usize>) -> u64 {
    bytes[at]
        .iter()
        .rev()
        .fold(0, |n, byte| n << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_executable_has_its_own_code_and_another_has_not() {
        let this = std::env::current_exe().unwrap();
        check(&this).unwrap();
        let refused = |path: &Path| check(path).unwrap_err().to_string();
        let other = refused(Path::new("/bin/sh"));
        assert!(other.contains("another build"), "{other}");
        let text = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(text.path(), "#!/bin/sh\n".repeat(9)).unwrap();
        assert!(refused(text.path()).contains("no executable"));
        assert!(refused(Path::new("/nowhere")).contains("/nowhere"));
    }

    #[test]
    fn another_kind_of_machine_is_told() {
        let mut bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        bytes[18] ^= 1;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let refused = check(file.path()).unwrap_err().to_string();
        assert!(refused.contains("another kind of machine"), "{refused}");
    }
}
