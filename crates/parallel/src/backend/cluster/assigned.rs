//! A batch at the slot that runs it, as the work behind a [`Work`](crate::Work): tasks that stay encoded, and
//! outcomes that are gathered for the answer.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::arrays::Arrays;
use super::batch::{self, Failed, Report, Terms, Time};
use super::heard::Heard;
use crate::backend::processes::Image;
use crate::current;
use crate::delayed::{Portable, Task};
use crate::error::{BackendError, Failure, TaskError};
use crate::shared::Object;
use crate::wire;
use crate::wire::EntryPoint;
use crate::wire::attachments;
use crate::wire::frame::Kind;
use crate::wire::inbox::Inbox;
use crate::work::{Batch, OnFailure, Origin, Ran, Watching};

/// A task whose argument and result stay bytes.
pub(super) struct Sent {
    entry: EntryPoint,
    argument: Vec<u8>,
    /// To which it refers, or why one is not here.
    arrays: Result<Vec<Arc<Object>>, String>,
}

impl Task for Sent {
    type Output = Vec<u8>;

    fn call(self) -> Vec<u8> {
        unreachable!("it is only sent on")
    }
}

impl Portable for Sent {
    fn entry_point(&self) -> EntryPoint {
        self.entry
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let refused = |message| Failure::Decode {
            type_name: "Shared".to_owned(),
            message,
        };
        for array in self.arrays.as_ref().map_err(|why| refused(why.clone()))? {
            attachments::attach(array).map_err(refused)?;
        }
        out.extend_from_slice(&self.argument);
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        Ok(bytes.to_owned())
    }
}

/// A batch that this slot runs.
pub(super) struct Assigned {
    parts: Arc<Parts>,
    all_or_nothing: bool,
}

struct Parts {
    /// Batches that no lane has.
    batches: Mutex<Vec<Batch<Sent>>>,
    answer: Mutex<Answer>,
    /// If anybody wants to know what happens.
    heard: Option<Heard>,
    /// Of this slot on its node.
    number: usize,
    /// Of this slot in the call.
    known_as: usize,
}

#[derive(Default)]
struct Answer {
    /// Of the outcomes.
    frames: Vec<u8>,
    failed: Vec<(usize, Failed, Instant)>,
    ran: usize,
    run_time: Duration,
}

impl Assigned {
    pub(super) fn new(
        terms: &Terms,
        inbox: &mut Inbox,
        number: usize,
        arrays: &Arrays,
    ) -> Result<Self, String> {
        let image = Image::of_this_process();
        let mut tasks: Vec<Sent> = Vec::new();
        let garbled = |_| "the batch makes no sense: is it another build's?".to_owned();
        while inbox.next().map_err(garbled)? {
            let header = inbox.header();
            if header.kind() == Kind::Given {
                if let Some(task) = tasks.last_mut() {
                    task.arrays = arrays.all(&batch::read_ids(inbox.payload()));
                }
                continue;
            }
            let entry = image.entry_named(header.word).ok_or_else(|| {
                format!(
                    "this executable has no function at {:#x}: it is not the one that the program runs",
                    header.word
                )
            })?;
            tasks.push(Sent {
                entry,
                argument: inbox.payload().to_owned(),
                arrays: Ok(Vec::new()),
            });
        }
        let first = usize::try_from(terms.first).map_err(|error| error.to_string())?;
        Ok(Self {
            all_or_nothing: terms.all_or_nothing,
            parts: Arc::new(Parts {
                batches: Mutex::new(vec![Batch { first, tasks }]),
                answer: Mutex::default(),
                heard: terms.watched.then(Heard::begin).flatten(),
                number,
                known_as: usize::try_from(terms.worker).unwrap_or_default(),
            }),
        })
    }

    pub(super) fn on_failure(&self) -> OnFailure {
        if self.all_or_nothing {
            OnFailure::Stop
        } else {
            OnFailure::GoOn
        }
    }

    /// What happens while it runs, if anybody wants to know.
    pub(super) fn heard(&self) -> Option<&Heard> {
        self.parts.heard.as_ref()
    }

    pub(super) fn origin(&self) -> Box<dyn Origin<Sent>> {
        Box::new(Running(Arc::clone(&self.parts)))
    }

    /// What to answer, once nothing of it runs any more.
    pub(super) fn into_answer(self, driven: Result<(), BackendError>, cancelled: bool) -> Vec<u8> {
        let happened = self.heard().map(Heard::end).unwrap_or_default();
        let answer = std::mem::take(&mut *self.parts.answer.lock());
        let now = Instant::now();
        let mut bytes = batch::begin(&Report {
            host: current::host().to_owned(),
            ran: answer.ran as u64,
            run_time: answer.run_time,
            cancelled,
            error: driven.err().map(|error| error.to_string()),
            happened,
        });
        bytes.extend(answer.frames);
        for (index, mut failed, started) in answer.failed {
            failed.time.ago = now.saturating_duration_since(started);
            let _ = batch::frame(&mut bytes, Kind::Failed, |out| {
                wire::encode(&failed, out).map(|()| index as u64)
            });
        }
        bytes
    }
}

/// The work behind the view that is driven.
struct Running(Arc<Parts>);

impl Origin<Sent> for Running {
    fn take(&self, _wait: bool) -> Option<Batch<Sent>> {
        self.0.batches.lock().pop()
    }

    fn give_back(&self, batch: Batch<Sent>) {
        self.0.batches.lock().push(batch);
    }

    fn lanes_needed(&self, _lanes: usize) -> usize {
        1
    }

    fn is_stream(&self) -> bool {
        false
    }

    fn all_taken(&self) -> bool {
        self.0.batches.lock().is_empty()
    }

    fn succeed(&self, first: usize, values: Vec<Vec<u8>>) {
        let mut answer = self.0.answer.lock();
        for (index, value) in (first..).zip(values) {
            let _ = batch::frame(&mut answer.frames, Kind::Done, |out| {
                out.extend_from_slice(&value);
                Ok::<_, Failure>(index as u64)
            });
        }
    }

    fn fail(&self, error: TaskError, ran: Ran) {
        let failed = Failed {
            attempts: error.attempts(),
            failure: error.failure().clone(),
            history: error.history().to_vec(),
            time: Time {
                attempt: ran.attempt,
                ago: Duration::ZERO,
                run_time: ran.run_time,
                wait_time: ran.started.saturating_duration_since(ran.taken),
            },
        };
        let mut answer = self.0.answer.lock();
        answer.failed.push((error.index(), failed, ran.started));
    }

    fn watching(&self) -> Option<&Watching> {
        self.0.heard.as_ref().map(|heard| &heard.watching)
    }

    fn workers(&self, _lanes: usize) -> Range<usize> {
        self.0.number..self.0.number + 1
    }

    fn known_as(&self) -> Option<usize> {
        Some(self.0.known_as)
    }

    fn measured(&self, tasks: usize, run_time: Duration) {
        let mut answer = self.0.answer.lock();
        answer.ran += tasks;
        answer.run_time += run_time;
    }
}
