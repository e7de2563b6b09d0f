//! A batch on its way to a slot, and what came of it on its way back.
//!
//! ```text
//!   batch    terms' length, terms, a frame for each task       as a worker process gets them; behind it, if it
//!                                                              refers to arrays, one with their ids
//!   answer   report's length, report, a frame for each outcome as it gives them
//!   so far   its length, itself                                before the answer, where that takes its time
//! ```
//!
//! All between are opaque bytes to the bridge and to the engine.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::setup::Setup;
use crate::error::Failure;
use crate::shared::Object;
use crate::wire;
use crate::wire::attachments::Id;
use crate::wire::frame::{HEADER, Header, Kind};
use crate::wire::inbox::Inbox;

/// What goes for all tasks of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Terms {
    pub(super) setup: Setup,
    /// The index of the first task.
    pub(super) first: u64,
    /// The number by which the tasks know their worker.
    pub(super) worker: u64,
    /// How many tasks the call runs at a time, wherever.
    pub(super) jobs: u64,
    /// Whether nothing shall start after a failure.
    pub(super) all_or_nothing: bool,
    /// Whether anybody wants to know what happens.
    pub(super) watched: bool,
}

/// What there is to say of a batch that is through, but for the outcomes.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Report {
    /// The machine.
    pub(super) host: String,
    /// So many tasks ran for so long, one after the other.
    pub(super) ran: u64,
    pub(super) run_time: Duration,
    /// Whether a task wants the call to be stopped.
    pub(super) cancelled: bool,
    /// Why no task could be run, if so.
    pub(super) error: Option<String>,
    /// What happened, if anybody wants to know.
    pub(super) happened: Happened,
}

/// What happened in a run of a batch.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Happened {
    /// What tells this run from others of the same batch.
    pub(super) run: u64,
    /// In their order.
    pub(super) events: Vec<Told>,
}

/// What is new in a batch that still runs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SoFar {
    /// What of the events these numbers have may be told before the batch has ended: all but the ends of tasks.
    pub(super) happened: Happened,
    pub(super) numbers: Range<u64>,
    /// The index of the task that runs, and which attempt at it.
    pub(super) running: Option<(u64, u32)>,
}

/// What happened to a task, or what it printed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Told {
    /// It ran to its end, by which it has a result.
    Ran { index: u64, time: Time },
    /// It failed, and was started again.
    Retried {
        index: u64,
        attempt: u32,
        failure: Failure,
    },
    /// A worker process ended.
    Died { pid: u32, how: String },
    Line {
        task: Option<u64>,
        stderr: bool,
        text: String,
    },
    /// There were more than can be told.
    Lost { events: u64 },
}

impl Told {
    /// How many bytes of text it has, about.
    pub(super) fn text(&self) -> usize {
        match self {
            Self::Line { text, .. } | Self::Died { how: text, .. } => text.len(),
            _ => 0,
        }
    }

    /// The same, told later than when it was noted.
    pub(super) fn later(mut self, noted: &Instant) -> Self {
        if let Self::Ran { time, .. } = &mut self {
            time.ago += noted.elapsed();
        }
        self
    }
}

/// When a task ran. The clocks of two machines differ, so times are told as how long ago they were.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Time {
    pub(super) attempt: u32,
    /// From its start to when it was told.
    pub(super) ago: Duration,
    pub(super) run_time: Duration,
    pub(super) wait_time: Duration,
}

/// A failure and what went before.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failed {
    pub(super) attempts: u32,
    pub(super) failure: Failure,
    pub(super) history: Vec<Failure>,
    pub(super) time: Time,
}

/// Bytes that make no sense.
#[derive(Debug, thiserror::Error)]
#[error("what came from the cluster makes no sense")]
pub(super) struct Nonsense;

/// Begins a batch or an answer.
pub(super) fn begin<V: Serialize + 'static>(value: &V) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    wire::encode(value, &mut bytes).expect("it is made of texts and numbers");
    let len = u32::try_from(bytes.len() - 4).unwrap_or(u32::MAX);
    bytes[..4].copy_from_slice(&len.to_le_bytes());
    bytes
}

/// Appends a frame whose payload `encode` appends; nothing if that fails.
pub(super) fn frame<E>(
    bytes: &mut Vec<u8>,
    kind: Kind,
    encode: impl FnOnce(&mut Vec<u8>) -> Result<u64, E>,
) -> Result<(), E> {
    let at = bytes.len();
    bytes.extend([0; HEADER]);
    match encode(bytes) {
        Ok(word) => {
            let header = Header::new(kind, 0, bytes.len() - at - HEADER, word);
            header.put_before(&mut bytes[at..]);
            Ok(())
        }
        Err(error) => {
            bytes.truncate(at);
            Err(error)
        }
    }
}

/// Says to which arrays the task before this refers.
pub(super) fn ids(bytes: &mut Vec<u8>, arrays: &[Arc<Object>]) {
    let all = |out: &mut Vec<u8>| {
        arrays
            .iter()
            .for_each(|array| out.extend(array.id().to_bytes()));
        Ok::<_, Failure>(0)
    };
    let _ = frame(bytes, Kind::Given, all);
}

/// What [`ids`] said.
pub(super) fn read_ids(payload: &[u8]) -> Vec<Id> {
    let (ids, _) = payload.as_chunks();
    ids.iter().copied().map(Id::from_bytes).collect()
}

/// Takes apart what [`begin`] began; the frames are left in the inbox.
pub(super) fn open<V: DeserializeOwned + 'static>(bytes: &[u8]) -> Result<(V, Inbox), Nonsense> {
    let (len, rest) = bytes.split_first_chunk::<4>().ok_or(Nonsense)?;
    let len = usize::try_from(u32::from_le_bytes(*len)).map_err(|_| Nonsense)?;
    let (value, frames) = rest.split_at_checked(len).ok_or(Nonsense)?;
    let value = wire::decode(value).map_err(|_| Nonsense)?;
    let mut inbox = Inbox::default();
    inbox.space().extend_from_slice(frames);
    Ok((value, inbox))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn terms() -> Terms {
        Terms {
            setup: Setup::default(),
            first: 7,
            worker: 1,
            jobs: 2,
            all_or_nothing: true,
            watched: false,
        }
    }

    #[test]
    fn a_batch_comes_out_as_it_went_in() {
        let mut bytes = begin(&terms());
        for word in 0..3u64 {
            let task = |out: &mut Vec<u8>| {
                out.extend([9; 5]);
                Ok::<u64, Nonsense>(word)
            };
            frame(&mut bytes, Kind::Task, task).unwrap();
        }
        frame(&mut bytes, Kind::Task, |out| {
            out.push(1);
            Err(Nonsense)
        })
        .unwrap_err();
        let (there, mut inbox) = open::<Terms>(&bytes).unwrap();
        assert_eq!(there, terms());
        for word in 0..3 {
            assert_eq!(inbox.next(), Ok(true));
            assert_eq!((inbox.header().word, inbox.payload()), (word, &[9; 5][..]));
        }
        assert_eq!(inbox.next(), Ok(false));
    }

    proptest! {
        #[test]
        fn nonsense_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = open::<Terms>(&bytes);
            let _ = open::<SoFar>(&bytes);
            if let Ok((_, mut inbox)) = open::<Report>(&bytes) {
                while let Ok(true) = inbox.next() {
                    prop_assert!(inbox.payload().len() <= bytes.len());
                }
            }
        }
    }
}
