//! What came of a batch, taken in.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::batch::{self, Failed, Report};
use super::call::{Call, Flight};
use super::routes::Status;
use super::telling;
use crate::delayed::Portable;
use crate::error::{BackendError, TaskError};
use crate::wire::attachments::{self, Attached};
use crate::wire::frame::Kind;
use crate::wire::inbox::Inbox;
use crate::{panics, wire};

impl<T: Portable> Call<'_, '_, T>
where
    T::Output: Send + 'static,
{
    /// Takes in what became of a batch.
    pub(super) fn land(&self, flight: &Flight, status: Status, bytes: &[u8]) {
        let text = || String::from_utf8_lossy(bytes).into_owned();
        let bridge = &self.cluster.bridge;
        match status {
            Status::Done => {
                if self.outcomes(flight, bytes).is_err() {
                    self.lose(flight, &bridge.message("it sent what makes no sense"));
                }
            }
            Status::Cancelled => self.lose(flight, &bridge.message("somebody cancelled its task")),
            Status::Lost => self.lose(flight, &bridge.message(&text())),
            Status::Failed => {
                self.error.lock().get_or_insert(bridge.error(&text()));
                self.work.stop();
            }
        }
    }

    fn outcomes(&self, flight: &Flight, bytes: &[u8]) -> Result<(), batch::Nonsense> {
        let (report, mut inbox) = batch::open::<Report>(bytes)?;
        if let Some(error) = report.error {
            let error = format!("{error} (on {})", report.host);
            self.error.lock().get_or_insert(BackendError::new(error));
            self.work.stop();
            return Ok(());
        }
        if report.ran > 0 {
            let ran = usize::try_from(report.ran).unwrap_or(usize::MAX);
            self.work.measured(ran.min(flight.tasks), report.run_time);
            let short = report.run_time <= 2 * self.cluster.batch_time();
            self.short.store(short, Ordering::Relaxed);
        }
        let arrived = Instant::now();
        self.tell_rest(flight, report.happened, arrived);
        let answered = self.take_in(flight, &mut inbox, &report.host, arrived)?;
        if report.cancelled {
            self.work.cancel();
        }
        // What was not started of a batch that was stopped is wanted by nobody.
        if answered < flight.tasks && !self.work.stopped() {
            return Err(batch::Nonsense);
        }
        Ok(())
    }

    /// Takes in outcomes; how many there were.
    fn take_in(
        &self,
        flight: &Flight,
        inbox: &mut Inbox,
        host: &str,
        arrived: Instant,
    ) -> Result<usize, batch::Nonsense> {
        // A result may refer to what went there, and to nothing else.
        let there = flight.arrays.iter();
        let there: Attached = there.map(|it| (it.id(), Ok(Arc::clone(it)))).collect();
        let _session = (!there.is_empty()).then(|| attachments::enter(Some(Arc::new(there))));
        let (mut answered, mut first, mut values) = (0, flight.first, Vec::new());
        let hand_over = |first: &mut usize, next: usize, values: &mut Vec<T::Output>| {
            let values = std::mem::take(values);
            if !values.is_empty() {
                self.work.succeed(*first, values);
            }
            *first = next;
        };
        while inbox.next().map_err(|_| batch::Nonsense)? {
            let header = inbox.header();
            let index = usize::try_from(header.word).map_err(|_| batch::Nonsense)?;
            if !(flight.first..flight.first + flight.tasks).contains(&index) {
                return Err(batch::Nonsense);
            }
            answered += 1;
            let payload = inbox.payload();
            let failed = match header.kind() {
                Kind::Done => {
                    let decoded = panics::catch(|| T::decode(payload));
                    match decoded.unwrap_or_else(|panic| Err(panic.of_task())) {
                        Ok(value) => {
                            if index != first + values.len() {
                                hand_over(&mut first, index, &mut values);
                            }
                            values.push(value);
                            continue;
                        }
                        Err(failure) => (1, failure, Vec::new(), None),
                    }
                }
                Kind::Failed => {
                    let failed: Failed = wire::decode(payload).map_err(|_| batch::Nonsense)?;
                    let Failed {
                        attempts,
                        failure,
                        history,
                        time,
                    } = failed;
                    (attempts, failure, history, Some(time))
                }
                _ => return Err(batch::Nonsense),
            };
            hand_over(&mut first, index + 1, &mut values);
            let (attempts, failure, history, time) = failed;
            let error = TaskError::new(index, attempts, failure).with_history(history);
            let error = error.on_host(host.to_owned());
            match time {
                Some(time) => {
                    let ran = telling::ran(flight, time, arrived);
                    if let Some(watching) = self.work.watching()
                        && ran.attempt > 0
                    {
                        telling::begin(watching, flight, header.word, ran.attempt);
                    }
                    self.work.fail_after(error, ran);
                }
                None => self.work.fail(error),
            }
        }
        hand_over(&mut first, 0, &mut values);
        Ok(answered)
    }
}
