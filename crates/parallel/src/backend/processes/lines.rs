//! Lines out of a stream of bytes in which marks say whose they are. Pure.
//!
//! ```text
//!   … some text \n more te │ nonce, task │ xt of the next task \n …
//!                           └─ a mark, written as a whole between what tasks print
//! ```

/// What a mark begins with: which nobody prints by accident.
pub(super) type Nonce = [u8; 16];

const MARK: usize = size_of::<Nonce>() + 8;

/// A line that never ends is told in pieces of this size.
const LONGEST_LINE: usize = 1 << 26;

/// Says that what comes next is printed by this task.
pub(super) fn mark(nonce: &Nonce, task: Option<usize>) -> [u8; MARK] {
    let task = task.map_or(u64::MAX, |index| index as u64);
    let mut mark = [0; MARK];
    mark[..nonce.len()].copy_from_slice(nonce);
    mark[nonce.len()..].copy_from_slice(&task.to_le_bytes());
    mark
}

/// Makes lines of bytes with marks between them.
#[derive(Debug)]
pub(super) struct Lines {
    nonce: Nonce,
    /// Not yet a line.
    pending: Vec<u8>,
    task: Option<usize>,
}

impl Lines {
    pub(super) fn new(nonce: Nonce) -> Self {
        Self {
            nonce,
            pending: Vec::new(),
            task: None,
        }
    }

    /// Takes bytes in, and gives the lines that are complete by them. A mark ends a line too.
    pub(super) fn feed(&mut self, bytes: &[u8], line: &mut dyn FnMut(Option<usize>, &[u8])) {
        // Of what is pending, only the beginning of a mark has to be looked at again.
        let mut looked_at = self.pending.len().saturating_sub(MARK);
        self.pending.extend(bytes);
        let mut start = 0;
        while let Some(found) = self.pending[looked_at.max(start)..]
            .iter()
            .position(|byte| *byte == b'\n' || *byte == self.nonce[0])
        {
            let at = looked_at.max(start) + found;
            let rest = &self.pending[at..];
            if rest[0] == b'\n' {
                line(self.task, &self.pending[start..at]);
                start = at + 1;
            } else if let Some(task) = rest
                .strip_prefix(&self.nonce)
                .and_then(|rest| rest.first_chunk())
            {
                if start < at {
                    line(self.task, &self.pending[start..at]);
                }
                self.task = usize::try_from(u64::from_le_bytes(*task))
                    .ok()
                    .filter(|index| *index != usize::MAX);
                start = at + MARK;
            } else if rest.len() < MARK && is_beginning(rest, &self.nonce) {
                break;
            }
            looked_at = start.max(at + 1);
        }
        self.pending.drain(..start);
        if self.pending.len() > LONGEST_LINE {
            line(self.task, &self.pending);
            self.pending.clear();
        }
    }

    /// A line that nothing ended.
    pub(super) fn rest(&mut self) -> Option<(Option<usize>, Vec<u8>)> {
        let rest = std::mem::take(&mut self.pending);
        (!rest.is_empty()).then_some((self.task, rest))
    }
}

/// Whether so few bytes may be the beginning of a mark.
fn is_beginning(bytes: &[u8], nonce: &Nonce) -> bool {
    let len = bytes.len().min(nonce.len());
    bytes[..len] == nonce[..len]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONCE: Nonce = *b"\x1e0123456789abcde";

    fn lines(pieces: impl Iterator<Item = Vec<u8>>) -> Vec<(Option<usize>, String)> {
        let (mut lines, mut out) = (Lines::new(NONCE), Vec::new());
        let text = |line: &[u8]| String::from_utf8(line.to_vec()).unwrap();
        for piece in pieces {
            lines.feed(&piece, &mut |task, line| out.push((task, text(line))));
        }
        if let Some((task, line)) = lines.rest() {
            out.push((task, text(&line)));
        }
        out
    }

    proptest! {
        #[test]
        fn lines_come_with_their_task_however_they_are_cut(
            printed in prop::collection::vec((prop::option::of(0..1000usize), "[a-c\x1e]{0,9}", any::<bool>()), 0..20),
            piece in 1..60usize,
        ) {
            let (mut stream, mut expected) = (Vec::new(), Vec::new());
            for (task, line, ended) in printed {
                stream.extend(mark(&NONCE, task));
                stream.extend(line.as_bytes());
                stream.extend(if ended { "\n" } else { "" }.as_bytes());
                if ended || !line.is_empty() {
                    expected.push((task, line));
                }
            }
            let told = lines(stream.chunks(piece).map(<[u8]>::to_vec));
            prop_assert_eq!(told, expected);
        }
    }
}
