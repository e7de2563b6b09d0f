//! What a lane tells of its tasks and workers, if anybody wants to know.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::lane::Lane;
use super::mail::Useless;
use super::memory::clock;
use super::process::Process;
use crate::delayed::Portable;
use crate::observe::Event;
use crate::work::Ran;

/// What is known of the tasks of a worker.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// The task that was told to have begun last, its attempt, and when that was told.
    begun: Option<(usize, u32, Instant)>,
    /// When the task began that is answered next, and how long it ran.
    ran: Option<(Instant, Duration)>,
}

impl<T: Portable> Lane<'_, '_, T>
where
    T::Output: Send + 'static,
{
    /// A worker has come.
    pub(super) fn tell_worker(&self, process: &Process) {
        if let Some(watching) = self.work.watching() {
            watching.worker(process.number, Some(process.pid()));
        }
    }

    /// A worker has ended.
    pub(super) fn tell_death(&self, process: &Process, status: Option<ExitStatus>) {
        if let Some(watching) = self.work.watching() {
            let how = status.map_or_else(|| "out of reach".to_owned(), |status| status.to_string());
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
        let Some(watching) = self.work.watching() else {
            return;
        };
        let (Some(front), Some(process)) = (self.queue.front(), &self.process) else {
            return;
        };
        let (index, attempt) = (front.index, 1 + front.history.len() as u32);
        let told = self
            .watched
            .begun
            .map(|(index, attempt, _)| (index, attempt));
        if self.sent > 0 && told != Some((index, attempt)) {
            self.watched.begun = Some((index, attempt, Instant::now()));
            watching.started(index, attempt, process.number);
        }
    }

    /// A worker told when the task ran that it answers for next.
    pub(super) fn note_time(&mut self, began: u64, payload: &[u8]) -> Result<(), Useless> {
        let run_time = payload.try_into().map(u64::from_le_bytes);
        let run_time = Duration::from_nanos(run_time.map_err(|_| Useless::Mad)?);
        let ago = clock().saturating_sub(Duration::from_nanos(began));
        let now = Instant::now();
        self.watched.ran = Some((now.checked_sub(ago).unwrap_or(now), run_time));
        Ok(())
    }

    /// When and where a task ran that has just ended, by whatever way.
    pub(super) fn ran(&mut self, index: usize, attempt: u32, taken: Instant) -> Ran {
        let now = Instant::now();
        let begun = self
            .watched
            .begun
            .filter(|begun| (begun.0, begun.1) == (index, attempt));
        let (started, run_time) = self.watched.ran.take().unwrap_or_else(|| {
            let started = begun.map_or(now, |begun| begun.2);
            (started, now.saturating_duration_since(started))
        });
        if begun.is_none()
            && attempt > 0
            && let Some(watching) = self.work.watching()
        {
            watching.started(index, attempt, self.worker());
        }
        Ran {
            worker: self.worker(),
            attempt,
            taken,
            started,
            run_time,
        }
    }
}
