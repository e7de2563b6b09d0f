//! What a lane does when its worker has ended, or when nothing more shall start.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lane::{Lane, discard, tell_line};
use super::mail::Useless;
use super::oom;
use super::process::{Process, Woken};
use crate::delayed::Portable;
use crate::error::{BackendError, Failure};
use crate::wire::frame::frame_end;

/// How long a task may go on after another one has ended the call, or after its worker has become out of
/// reach, before it is killed with its worker: long enough for a task of usual size to end and leave a warm worker, too short to annoy.
const GRACE: Duration = Duration::from_millis(100);

const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;

/// So many workers in a row may end before they have done anything.
const TRIES: u32 = 3;

/// How a worker came to be replaced.
pub(super) enum Ended {
    /// It left, or was killed, or is out of reach.
    ByItself,
    /// It was of no use any more.
    Useless(Useless),
    /// Its task ran for longer than this. So many tasks it has started, and no more will start.
    TimedOut { limit: Duration, started: u64 },
}

impl<T: Portable> Lane<'_, '_, T>
where
    T::Output: Send + 'static,
{
    /// Ends the worker, tells what it had done and what it died of, and has the rest sent again.
    pub(super) fn replace(&mut self, ended: Ended) -> Result<(), BackendError> {
        let Some(mut process) = self.process.take() else {
            return Ok(());
        };
        // It may be alive yet: what starts from here on would be started a second time elsewhere.
        let started = match ended {
            Ended::TimedOut { started, .. } => started,
            Ended::ByItself | Ended::Useless(_) => process.next_generation(),
        };
        let ready = process.link.memory().control().is_ready();
        let unfit = match &ended {
            Ended::Useless(Useless::Unfit(failure)) => Some(failure.to_string()),
            _ => None,
        };
        self.barren += 1;
        let status = self.bury(&mut process, started, ended);
        self.forget_sent();
        let how = status.map_or_else(|| "for no known reason".to_owned(), |s| s.to_string());
        if let Some(message) = of_initializer(&process, ready, unfit, &how) {
            // What keeps one worker from its tasks would keep all of them: the call ends.
            self.work.stop();
            return Err(BackendError::new(message));
        }
        if self.barren < TRIES {
            return Ok(());
        }
        Err(barren(ready, &how))
    }

    /// Ends a worker, takes in the results that it left, and fails the task that it was at.
    fn bury(&mut self, process: &mut Process, started: u64, ended: Ended) -> Option<ExitStatus> {
        // It may have cut itself off and live on. Nothing more starts there; what runs may end.
        let by_itself = matches!(ended, Ended::ByItself) && process.ends_within(GRACE);
        let status = process.end();
        let work = self.work;
        let number = process.number;
        process
            .printed
            .read_rest(&mut |line| tell_line(work, number, line));
        self.tell_death(process, status);
        while let Ok(true) = self.receive_from(process) {}
        let out_of_memory = self.out_of_memory(process, status);
        let unanswered = self.unanswered(started);
        // All but the last of them have run to their end, and must not run again. A worker whose
        // answers can be read leaves none of these.
        for _ in 1..unanswered {
            if let Some(mut queued) = self.remove(0) {
                let history = queued.take_history();
                let failure = Failure::Died {
                    signal: None,
                    code: None,
                    oom_likely: false,
                    last_words: String::new(),
                };
                self.fail(queued, history.len() + 1, failure, history);
            }
        }
        // To take a task in takes memory, before the task has started.
        let coming = self.sent > 0 || self.parcel_out.is_some();
        if (unanswered > 0 || out_of_memory && coming)
            && let Some(culprit) = self.remove(0)
        {
            let known = status.filter(|_| by_itself);
            let failure = match ended {
                Ended::TimedOut { limit, .. } => Failure::TimedOut { limit },
                Ended::ByItself | Ended::Useless(_) if out_of_memory => Failure::OutOfMemory,
                Ended::ByItself | Ended::Useless(_) => {
                    let signal = known.and_then(|status| status.signal());
                    Failure::Died {
                        signal,
                        code: known.and_then(|status| status.code()),
                        oom_likely: signal == Some(SIGKILL) && oom::grown(),
                        last_words: process.printed.last_words(),
                    }
                }
            };
            self.barren = 0;
            self.started_and_failed(culprit, failure);
        }
        self.hand_over();
        status
    }

    /// Whether a worker ended because it did not get the memory that it asked for. It aborts then, and
    /// says so: in the words of Rust's standard library, or of C++'s.
    fn out_of_memory(&self, process: &Process, status: Option<ExitStatus>) -> bool {
        let aborted = status.and_then(|status| status.signal()) == Some(SIGABRT);
        let says_so = || {
            process
                .printed
                .ends_with(&["memory allocation of", "bad_alloc"])
        };
        self.limits.memory.is_some() && aborted && says_so()
    }

    /// How many of the tasks that were sent have started, so many having started in the last generation, and
    /// have no outcome.
    pub(super) fn unanswered(&self, started: u64) -> usize {
        // Whatever a worker that has gone mad says: a task of which the result has begun to come has started.
        let unanswered = self
            .started_before
            .saturating_add(started)
            .saturating_sub(self.received)
            .max(u64::from(self.landed));
        usize::try_from(unanswered).map_or(self.sent, |unanswered| unanswered.min(self.sent))
    }

    /// Nothing more starts. What runs may end in a short time; then its worker is killed.
    pub(super) fn wind_up(&mut self) {
        let Some(process) = &mut self.process else {
            return self.give_up(0);
        };
        let started = process.end_call();
        let courier = Arc::clone(&process.courier);
        // Of those that started, the last one may be running; the others' results are on their way.
        self.sent = self.unanswered(started);
        self.give_up(self.sent);
        let cut_off = self.parcel_out.take().is_some();
        let end = if cut_off {
            0
        } else {
            frame_end(&self.outbox, self.written)
        };
        if end < self.outbox.len() {
            self.outbox.truncate(end);
            courier.not_told();
        }
        self.written = self.written.min(end);
        let deadline = Instant::now() + GRACE;
        while !self.queue.is_empty() || self.written < self.outbox.len() {
            let ended = match self.exchange() {
                Ok(true) => continue,
                Ok(false) => match self.sleep(false, Some(deadline)) {
                    Ok(Woken::Bell | Woken::Given | Woken::Printed | Woken::Call) => continue,
                    Ok(Woken::Gone) => Some(Ended::ByItself),
                    Ok(Woken::Late) => None,
                    Err(useless) => Some(Ended::Useless(useless)),
                },
                Err(useless) => Some(Ended::Useless(useless)),
            };
            if let (Some(mut process), Some(ended)) = (self.process.take(), ended) {
                self.bury(&mut process, started, ended);
            }
            break;
        }
        if cut_off && let Some(mut process) = self.process.take() {
            // It waits for the rest of a parcel that nobody has any more.
            process.end();
        }
        self.give_up(0);
    }

    /// Gives up what is in the queue from this place on. If the call was cancelled, what had been started
    /// is told so; the rest never was.
    fn give_up(&mut self, from: usize) {
        // Of what was sent only what has started is left, of which the first runs.
        let mut running = from == 0 && self.sent > 0;
        while let Some(mut queued) = self.remove(from) {
            let history = queued.take_history();
            let attempts = history.len() + usize::from(running);
            if attempts > 0 && self.work.cancelled() {
                self.fail(queued, attempts, Failure::Cancelled, history);
            } else {
                discard(queued);
            }
            running = false;
        }
    }
}

/// What is told of a worker that its initializer kept from its tasks.
fn of_initializer(
    process: &Process,
    ready: bool,
    unfit: Option<String>,
    how: &str,
) -> Option<String> {
    if let Some(unfit) = unfit {
        return Some(format!("the initializer of a worker process {unfit}"));
    }
    if !(process.beginning && ready) {
        return None;
    }
    let mut message = format!("the initializer of a worker process ended it ({how})");
    let last_words = process.printed.last_words();
    if !last_words.is_empty() {
        message += "; the last lines on its standard error:";
        last_words
            .lines()
            .for_each(|line| message += &format!("\n    {line}"));
    }
    Some(message)
}

/// What is told when no worker runs a task.
fn barren(ready: bool, how: &str) -> BackendError {
    BackendError::new(if ready {
        format!("{TRIES} worker processes in a row ended without having run a task ({how})")
    } else {
        format!(
            "{TRIES} worker processes in a row ended before they were ready ({how}): see what they \
             printed on standard error, and whether this program can be started a second time"
        )
    })
}
