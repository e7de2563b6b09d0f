//! What is drawn in the row of a worker: blocks, of which none overlaps another.

use super::json::Object;

/// A block in a row. Times are in nanoseconds since the trace began.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) name: String,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) args: Object,
}

/// The row of a worker.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// Where the last block ends.
    end: u64,
    /// The task that has begun, in which attempt, and when.
    begun: Option<(usize, u32, u64)>,
    /// An attempt that failed, of which nobody tells how long it took.
    failed: Option<Block>,
}

impl Row {
    /// A task begins.
    pub(super) fn begin(&mut self, index: usize, attempt: u32, now: u64) {
        self.begun = Some((index, attempt, now));
    }

    /// An attempt has failed: a block from its beginning to now, or to when the next one begins, since
    /// this may be told late.
    pub(super) fn fail(&mut self, index: usize, attempt: u32, now: u64, args: Object) {
        let begun = self.begun.take();
        let start = match begun {
            Some((i, a, start)) if (i, a) == (index, attempt) => start,
            _ => now,
        };
        self.failed = Some(Block {
            name: format!("task {index}"),
            start,
            end: now,
            args,
        });
    }

    /// The attempt that failed, if there was one since this was last asked.
    pub(super) fn failed_before(&mut self, next: u64) -> Option<Block> {
        let mut failed = self.failed.take()?;
        failed.end = failed.end.min(next);
        Some(self.place(failed))
    }

    /// Cuts from the block what lies in the one before it. Times that come from a worker process may be
    /// off by some microseconds.
    pub(super) fn place(&mut self, mut block: Block) -> Block {
        block.start = block.start.max(self.end);
        block.end = block.end.max(block.start);
        self.end = block.end;
        block
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn block(start: u64, end: u64) -> Block {
        Block {
            name: String::new(),
            start,
            end,
            args: Object::default(),
        }
    }

    #[test]
    fn blocks_do_not_overlap() {
        let mut row = Row::default();
        let mut place = |start, end| {
            let placed = row.place(block(start, end));
            (placed.start, placed.end)
        };
        assert_eq!(place(10, 20), (10, 20));
        assert_eq!(place(18, 30), (20, 30));
        assert_eq!(place(5, 8), (30, 30));
        assert_eq!(place(40, 50), (40, 50));
    }

    #[test]
    fn a_failed_attempt_ends_where_the_next_begins() {
        let mut row = Row::default();
        row.begin(3, 1, 100);
        row.fail(3, 1, 900, Object::default());
        let failed = row.failed_before(400).unwrap();
        assert_eq!((failed.start, failed.end), (100, 400));
        assert!(row.failed_before(500).is_none());
        // Of another one that begun here nothing is known.
        row.begin(4, 1, 500);
        row.fail(3, 2, 900, Object::default());
        let failed = row.failed_before(u64::MAX).unwrap();
        assert_eq!((failed.start, failed.end), (900, 900));
    }
}
