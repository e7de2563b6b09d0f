//! What is drawn in a row: blocks, of which none overlaps another, but for parts within a block.

use super::json::Object;

/// A block in a row. Times are in nanoseconds since the trace began.
#[derive(Debug)]
pub(super) struct Block {
    /// What kind it is: `task`, `span`, `way`.
    pub(super) category: &'static str,
    pub(super) name: String,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) args: Object,
    /// What lies within it.
    pub(super) parts: Vec<Block>,
}

/// More parts of a block are not drawn.
const MOST_PARTS: usize = 4096;

/// What was done with a task before and after it ran, in its worker.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) decode: Block,
    pub(super) encode: Block,
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
    /// Of the task that ends next: its parts, and its way.
    parts: Vec<Block>,
    way: Option<Way>,
}

impl Row {
    /// A task begins.
    pub(super) fn begin(&mut self, index: usize, attempt: u32, now: u64) {
        self.begun = Some((index, attempt, now));
        self.parts.clear();
        self.way = None;
    }

    /// A part of the task that ends next.
    pub(super) fn add(&mut self, part: Block) {
        if self.parts.len() < MOST_PARTS {
            self.parts.push(part);
        }
    }

    /// The way of the task that ends next.
    pub(super) fn carry(&mut self, way: Way) {
        self.way = Some(way);
    }

    /// A task has ended: what is to be drawn of it, one after the other.
    pub(super) fn end(&mut self, task: Block) -> Vec<Block> {
        let parts = std::mem::take(&mut self.parts);
        let task = Block { parts, ..task };
        let blocks = match self.way.take() {
            Some(Way { decode, encode }) => vec![decode, task, encode],
            None => vec![task],
        };
        blocks.into_iter().map(|block| self.place(block)).collect()
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
            parts: std::mem::take(&mut self.parts),
            category: "task",
        });
        self.way = None;
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
        block.trim_parts();
        block
    }
}

impl Block {
    /// Cuts from its parts what lies outside of it, and puts them in the order in which they begin, the one
    /// that lies around others before these.
    fn trim_parts(&mut self) {
        let (start, end) = (self.start, self.end);
        for part in &mut self.parts {
            part.start = part.start.clamp(start, end);
            part.end = part.end.clamp(part.start, end);
        }
        self.parts
            .sort_by_key(|part| (part.start, std::cmp::Reverse(part.end)));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn block(start: u64, end: u64) -> Block {
        Block {
            category: "task",
            name: String::new(),
            start,
            end,
            args: Object::default(),
            parts: Vec::new(),
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
    fn parts_lie_within_their_task() {
        let mut row = Row::default();
        row.begin(0, 1, 0);
        for (start, end) in [(20, 30), (10, 45), (90, 200), (0, 15)] {
            row.add(block(start, end));
        }
        let [task] = &row.end(block(10, 100))[..] else {
            panic!("there is one block")
        };
        let parts = task.parts.iter().map(|part| (part.start, part.end));
        assert!(parts.eq([(10, 45), (10, 15), (20, 30), (90, 100)]));
        row.begin(1, 1, 100);
        assert!(row.end(block(100, 110))[0].parts.is_empty());
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
