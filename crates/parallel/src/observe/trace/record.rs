//! An element of a trace, as the trace-event format has it.

use std::fmt::{self, Display};

use super::json::{Object, Text};

/// One event of the format. What each field is called, and which an event must have, is up to the
/// format: <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) name: &'a str,
    pub(super) phase: Phase,
    /// In nanoseconds.
    pub(super) time: u64,
    /// A group of rows: for the format, a process.
    pub(super) group: usize,
    /// For the format, a thread.
    pub(super) row: usize,
    pub(super) args: Object,
}

/// What kind of event, with what belongs to that kind.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// A block, from its beginning to its end. Blocks in a row may lie in one another.
    Complete {
        category: &'static str,
        duration: u64,
    },
    /// A mark in a row, beside the rows of a group, or beside all: `t`, `p` or `g`.
    Instant {
        scope: &'static str,
    },
    Counter,
    /// What a row or a group of them is called.
    Metadata,
    /// The beginning of something that may overlap others.
    AsyncBegin {
        category: &'static str,
        id: String,
    },
    /// Its end.
    AsyncEnd {
        category: &'static str,
        id: String,
    },
}

impl Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, time) = (Text(self.name), microseconds(self.time));
        write!(f, r#"{{"name":{name},"ts":{time}"#)?;
        write!(f, r#","pid":{},"tid":{}"#, self.group, self.row)?;
        match &self.phase {
            Phase::Complete { category, duration } => {
                let duration = microseconds(*duration);
                write!(f, r#","ph":"X","cat":"{category}","dur":{duration}"#)?;
            }
            Phase::Instant { scope } => write!(f, r#","ph":"i","s":"{scope}""#)?,
            Phase::Counter => write!(f, r#","ph":"C""#)?,
            Phase::Metadata => write!(f, r#","ph":"M""#)?,
            Phase::AsyncBegin { category, id } => {
                write!(f, r#","ph":"b","cat":"{category}","id":"{id}""#)?;
            }
            Phase::AsyncEnd { category, id } => {
                write!(f, r#","ph":"e","cat":"{category}","id":"{id}""#)?;
            }
        }
        write!(f, r#","args":{}}}"#, self.args)
    }
}

/// What the format counts in.
pub(super) fn microseconds(nanoseconds: u64) -> impl Display {
    let (micros, rest) = (nanoseconds / 1000, nanoseconds % 1000);
    fmt::from_fn(move |f| write!(f, "{micros}.{rest:03}"))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact() {
        assert_eq!(microseconds(0).to_string(), "0.000");
        assert_eq!(microseconds(1_002_034).to_string(), "1002.034");
        assert_eq!(microseconds(u64::MAX).to_string(), "18446744073709551.615");
    }
}
