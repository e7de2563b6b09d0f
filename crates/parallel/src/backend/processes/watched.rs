//! What a lane tells of its tasks and workers, if anybody wants to know.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use tracing::Span;

use super::aside::Times;
use super::lane::Lane;
use super::mail::Useless;
use super::memory::clock;
use super::process::Process;
use super::queued::{More, Queued};
use super::spans::Told;
use crate::delayed::Portable;
use crate::error::Failure;
use crate::observe::spans::TaskPlace;
use crate::observe::{Event, Stretch};
use crate::work::{Ran, Watching, spans};

/// What is known of the tasks of a worker.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// The task that was told to have begun last.
    begun: Option<Begun>,
    /// Of the task that is answered next, when each part of it was done in the worker.
    there: Option<There>,
    /// When its answer was decoded.
    pub(super) decoded: Option<Stretch>,
    /// What it told `tracing`.
    told: Option<Told>,
}

#[derive(Debug)]
struct Begun {
    index: usize,
    attempt: u32,
    told: Instant,
    /// Closed when the task has ended.
    span: Span,
}

/// When a worker did each part of a task.
#[derive(Clone, Copy, Debug)]
struct There {
    decode: Stretch,
    run: Stretch,
    encode: Stretch,
}

impl There {
    fn new(times: Times) -> Self {
        let now = Instant::now();
        let ago = clock().saturating_sub(times.began);
        let mut started = now.checked_sub(ago).unwrap_or(now);
        // Times come from a worker, which may have gone mad.
        let mut next = |time: Duration| {
            let stretch = Stretch { started, time };
            started = started.checked_add(time).unwrap_or(now);
            stretch
        };
        Self {
            decode: next(times.decode),
            run: next(times.run),
            encode: next(times.encode),
        }
    }
}

impl Watched {
    fn is_at(&self, index: usize, attempt: u32) -> bool {
        let begun = self.begun.as_ref();
        begun.is_some_and(|begun| (begun.index, begun.attempt) == (index, attempt))
    }

    /// Takes out the span of a task that has just ended.
    pub(super) fn end(&mut self, index: usize, attempt: u32) -> Span {
        let ended = self.is_at(index, attempt);
        let begun = self.begun.as_mut().filter(|_| ended);
        begun.map_or_else(Span::none, |begun| {
            std::mem::replace(&mut begun.span, Span::none())
        })
    }

    /// Tells that a task has begun, unless that has been told.
    fn begin(&mut self, task: TaskPlace, watching: Option<&Watching>) {
        let TaskPlace {
            index,
            attempt,
            worker,
        } = task;
        if self.is_at(index, attempt) {
            return;
        }
        self.begun = Some(Begun {
            index,
            attempt,
            told: Instant::now(),
            span: spans::task(index, attempt, worker),
        });
        if let Some(watching) = watching {
            watching.started(index, attempt, worker);
        }
    }

    /// When and where a task ran that has just ended, by whatever way. Tells what happened in it.
    fn ran(&mut self, task: TaskPlace, more: Option<&More>, watching: Option<&Watching>) -> Ran {
        let TaskPlace {
            index,
            attempt,
            worker,
        } = task;
        let now = Instant::now();
        let taken = more.and_then(|more| more.taken).unwrap_or(now);
        if attempt == 0 {
            // It was never sent. What is known is of others.
            return Ran {
                worker,
                attempt,
                taken,
                started: now,
                run_time: Duration::ZERO,
            };
        }
        let begun = self.begun.as_ref();
        let begun = begun.filter(|_| self.is_at(index, attempt));
        let begun = begun.map_or(now, |begun| begun.told);
        self.begin(task, watching);
        let there = self.there.take();
        let decoded = self.decoded.take();
        if let (Some(watching), Some(there)) = (watching, there)
            && let (Some(argument_encoded), Some(result_decoded)) =
                (more.and_then(|more| more.encoded), decoded)
        {
            watching.tell(|run| Event::Carried {
                run,
                index,
                attempt,
                worker,
                argument_encoded,
                argument_decoded: there.decode,
                result_encoded: there.encode,
                result_decoded,
            });
        }
        if let Some(told) = self.told.take() {
            if let Some(watching) = watching {
                watching.tell_all(|run| told.spans(run, task));
            }
            let span = self.begun.as_ref().map(|begun| begun.span.clone());
            span.unwrap_or_else(Span::none)
                .in_scope(|| told.tell_anew(index));
        }
        let run = there.map_or_else(
            || Stretch {
                started: begun,
                time: now.saturating_duration_since(begun),
            },
            |there| there.run,
        );
        Ran {
            worker,
            attempt,
            taken,
            started: run.started,
            run_time: run.time,
        }
    }
}

impl<T: Portable> Lane<'_, '_, T>
where
    T::Output: Send + 'static,
{
    /// A worker has come.
    pub(super) fn tell_worker(&self, process: &Process) {
        spans::worker(process.number, process.pid());
        if let Some(watching) = self.work.watching() {
            watching.worker(process.number, Some(process.pid()));
        }
    }

    /// A worker has ended.
    pub(super) fn tell_death(&self, process: &Process, status: Option<ExitStatus>) {
        let how = status.map_or_else(|| "out of reach".to_owned(), |status| status.to_string());
        spans::died(process.number, process.pid(), &how);
        if let Some(watching) = self.work.watching() {
            watching.tell(|run| Event::WorkerDied {
                run,
                worker: process.number,
                pid: process.pid(),
                how,
            });
        }
    }

    /// The worker is at the first task in the queue by now, or is about to be.
    pub(super) fn tell_begun(&mut self) {
        let (true, Some(front), true) = (
            self.watches,
            self.queue.front(),
            self.process.is_some() && self.sent > 0,
        ) else {
            return;
        };
        let task = self.place(front, front.attempt());
        self.watched.begin(task, self.work.watching());
    }

    fn place(&self, queued: &Queued<T>, attempt: u32) -> TaskPlace {
        TaskPlace {
            index: queued.index,
            attempt,
            worker: self.worker(),
        }
    }

    /// A worker told when the task ran that it answers for next.
    pub(super) fn note_time(&mut self, began: u64, payload: &[u8]) -> Result<(), Useless> {
        let times = Times::from_frame(began, payload).ok_or(Useless::Mad)?;
        self.watched.there = Some(There::new(times));
        Ok(())
    }

    /// A worker passed on what the task told that it answers for next.
    pub(super) fn note_told(&mut self, payload: &[u8]) -> Result<(), Useless> {
        self.watched.told = Some(Told::decode(payload).ok_or(Useless::Mad)?);
        Ok(())
    }

    /// A task that has just ended is to be started again, after so many attempts.
    pub(super) fn retried(&mut self, queued: &Queued<T>, attempt: u32, failure: &Failure) {
        if self.watches {
            self.ran(queued, attempt);
        }
        let index = queued.index;
        let span = self.watched.end(index, attempt);
        span.in_scope(|| spans::retried(index, attempt, failure));
        if let Some(watching) = self.work.watching() {
            watching.retried(index, attempt, self.worker(), failure.clone());
        }
        self.watched = Watched::default();
    }

    /// When and where a task ran that has just ended, by whatever way. Tells what happened in it.
    pub(super) fn ran(&mut self, queued: &Queued<T>, attempt: u32) -> Ran {
        let task = self.place(queued, attempt);
        self.watched.ran(task, queued.more(), self.work.watching())
    }
}
