//! One call on a cluster: sends batches, and takes in what came of them.
//!
//! ```text
//!   sends     a number that is free ──► take ──► encode ──► bridge
//!                  ▲                                          │
//!   receives       └──────── decode, finish ◄──── answers ◄───┘
//! ```
//!
//! Each batch has a number below that of the jobs, by which its tasks know their worker. So no more run than there
//! are jobs, and no two with the same number. Where batches are short, one more of the same number is sent ahead,
//! which the engine begins with when the one before has ended: see [`Lanes`]. Two threads do it, however many jobs.
//!
//! Where the number of jobs counts from the cluster's slots it changes as those come and go. The thread that receives
//! hears of it, and makes room for more tasks, for which the other one may wait.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};
use parking_lot::Mutex;

use super::Cluster;
use super::batch::{self, Terms};
use super::lanes::Lanes;
use super::routes::Event;
use super::telling::Progress;
use crate::backend::processes::Image;
use crate::delayed::Portable;
use crate::error::{BackendError, Failure, TaskError};
use crate::panics;
use crate::shared::Object;
use crate::wire::attachments;
use crate::wire::frame::Kind;
use crate::work::{Batch, Work};

/// A batch is no longer than this, unless one task is.
const MOST_BYTES: usize = 4 << 20;

/// So often a batch is run in all whose slot dies, unless it is said otherwise.
const TRIES: u64 = 3;

/// How long the cluster may take to end what runs. It takes as long as a task may go on after a failure
/// elsewhere, and some messages.
const END: Duration = Duration::from_secs(20);

/// What the thread that sends is told.
enum News {
    /// The batch that was sent by this number has been answered.
    Landed(usize),
    /// So many may run from now on.
    Jobs(usize),
}

/// A batch on its way.
pub(super) struct Flight {
    pub(super) first: usize,
    pub(super) tasks: usize,
    /// Its number among those on their way.
    pub(super) lane: usize,
    pub(super) taken: Instant,
    /// The arrays to which its tasks refer.
    pub(super) arrays: Vec<Arc<Object>>,
    /// What has been told of it.
    pub(super) progress: Mutex<Progress>,
}

/// A call.
pub(super) struct Call<'c, 'w, T: Portable>
where
    T::Output: Send + 'static,
{
    pub(super) cluster: &'c Cluster,
    pub(super) work: &'c Work<'w, T>,
    /// What the cluster knows it by.
    id: u64,
    /// How many batches it was allowed to run at a time,
    given: usize,
    /// as many as there can be anyway,
    most: usize,
    /// and how many may run now.
    jobs: AtomicUsize,
    flights: Mutex<HashMap<u64, Arc<Flight>>>,
    news: (Sender<News>, Receiver<News>),
    /// Whether batches were short of late.
    pub(super) short: AtomicBool,
    pub(super) error: Mutex<Option<BackendError>>,
}

impl<'c, 'w, T: Portable> Call<'c, 'w, T>
where
    T::Output: Send + 'static,
{
    /// Runs all tasks of the work, so many batches at a time.
    pub(super) fn run(
        cluster: &'c Cluster,
        lanes: usize,
        work: &'c Work<'w, T>,
    ) -> Result<(), BackendError> {
        let (tell, events) = unbounded();
        let id = cluster.bridge.open(tell.clone())?;
        let (stop, stopped) = bounded::<()>(1);
        work.on_stop({
            let tell = tell.clone();
            move || {
                drop(stop);
                let _ = tell.send(Event::Stop);
            }
        });
        // It may have changed since the number of jobs was found.
        let _ = tell.send(Event::Slots);
        let most = work.lanes_needed(usize::MAX);
        let jobs = lanes.min(most);
        let call = Self {
            cluster,
            work,
            id,
            given: lanes,
            most,
            jobs: AtomicUsize::new(jobs),
            flights: Mutex::default(),
            news: unbounded(),
            short: AtomicBool::new(false),
            error: Mutex::default(),
        };
        let over = std::thread::scope(|scope| {
            let receiver = std::thread::Builder::new()
                .name("parallel-cluster".to_owned())
                .spawn_scoped(scope, || call.receive(&events));
            let sent = panics::catch(|| call.send(Lanes::new(work.workers(jobs)), &stopped));
            let _ = tell.send(Event::Over);
            let received = receiver.map(std::thread::ScopedJoinHandle::join);
            (sent, received)
        });
        cluster.bridge.close(id);
        if let (_, Err(error)) = over {
            return Err(BackendError::with_source("cannot start a thread", error));
        }
        call.error.into_inner().map_or(Ok(()), Err)
    }

    /// Sends batches until there are no more and all have been answered.
    fn send(&self, mut lanes: Lanes, stopped: &Receiver<()>) {
        loop {
            self.send_all(&mut lanes, stopped);
            // Each answer is told, so this ends when the last one is.
            while !lanes.all_idle() {
                let Ok(news) = self.news.1.recv() else {
                    return;
                };
                self.hear(news, &mut lanes);
            }
            if self.error.lock().is_some() || self.work.all_taken() {
                return;
            }
        }
    }

    fn hear(&self, news: News, lanes: &mut Lanes) {
        match news {
            News::Landed(number) => lanes.landed(number),
            News::Jobs(jobs) => lanes.set(self.work.workers(jobs)),
        }
    }

    /// Sends batches until there are no more, or nothing more shall start.
    fn send_all(&self, lanes: &mut Lanes, stopped: &Receiver<()>) {
        while !self.work.stopped() && self.error.lock().is_none() {
            for news in self.news.1.try_iter() {
                self.hear(news, lanes);
            }
            if let Some(number) = lanes.idle() {
                let Some(taken) = self.work.take() else {
                    return;
                };
                if let Some(batch) = self.send_next(taken, number, None) {
                    lanes.sent(number, batch);
                }
                continue;
            }
            let ahead = self.short.load(Ordering::Relaxed).then(|| lanes.busy());
            if let Some((number, before)) = ahead.flatten()
                && let Some(taken) = self.work.take_now()
            {
                if let Some(batch) = self.send_next(taken, number, Some(before)) {
                    lanes.sent(number, batch);
                }
                continue;
            }
            select! {
                recv(self.news.1) -> news => news.into_iter().for_each(|news| self.hear(news, lanes)),
                // It ends when nothing more shall start.
                recv(stopped) -> _ => return,
            }
        }
    }

    /// Sends a batch by this number, to begin after another one; its own, if anything of it could be sent.
    fn send_next(&self, taken: Batch<T>, lane: usize, after: Option<u64>) -> Option<u64> {
        let (first, at) = (taken.first, Instant::now());
        let mut bytes = batch::begin(&Terms {
            setup: self.cluster.setup.clone(),
            first: first as u64,
            worker: lane as u64,
            jobs: self.jobs.load(Ordering::Relaxed) as u64,
            all_or_nothing: self.work.stops_at_failure(),
            watched: self.work.watching().is_some(),
        });
        let mut arrays = self.cluster.arrays.clone();
        let (tasks, rest) = self.encode(taken, &mut bytes, &mut arrays);
        if let Some(rest) = rest {
            self.work.give_back(rest);
        }
        if tasks == 0 {
            return None;
        }
        if let Some(watching) = self.work.watching() {
            watching.worker(lane, None);
        }
        let bridge = &self.cluster.bridge;
        each_once(&mut arrays);
        bridge.give(&arrays);
        let batch = bridge.number();
        let flight = Flight {
            first,
            tasks,
            lane,
            taken: at,
            arrays: arrays.clone(),
            progress: Mutex::default(),
        };
        self.flights.lock().insert(batch, Arc::new(flight));
        let tries = match self.cluster.setup.retries {
            Some(0) => 1,
            _ => TRIES,
        };
        let submitted = bridge.submit(self.id, batch, tries, after, &arrays, &bytes);
        if let Err(why) = submitted {
            self.give_up(&why);
        }
        Some(batch)
    }

    /// Encodes the first tasks of a batch: how many, and the rest, which begins with one that has failed or
    /// for which there is no room. The arrays to which they refer are added to `arrays`.
    fn encode(
        &self,
        taken: Batch<T>,
        bytes: &mut Vec<u8>,
        arrays: &mut Vec<Arc<Object>>,
    ) -> (usize, Option<Batch<T>>) {
        let session = attachments::enter(None);
        let image = Image::of_this_process();
        let mut tasks = taken.into_iter();
        let mut encoded = 0;
        while let Some((index, task)) = tasks.next() {
            let sent = batch::frame(bytes, Kind::Task, |out| {
                let encoded = panics::catch(|| {
                    task.encode(out)?;
                    Ok(task.entry_point())
                });
                let entry = encoded.unwrap_or_else(|panic| Err(panic.of_task()))?;
                image.name_of(entry).ok_or_else(|| Failure::Encode {
                    type_name: std::any::type_name::<T>().to_owned(),
                    message: "its function is not part of the executable but of a shared library, where a \
                              worker cannot find it: compile it into the program"
                        .to_owned(),
                })
            });
            let _ = panics::catch(|| drop(task));
            let refers_to = session.take();
            if sent.is_ok() && !refers_to.is_empty() {
                batch::ids(bytes, &refers_to);
                arrays.extend(refers_to);
            }
            encoded += usize::from(sent.is_ok());
            if let Err(failure) = &sent {
                self.work.fail(TaskError::new(index, 0, failure.clone()));
            }
            // Consecutive tasks make a batch.
            if sent.is_err() || bytes.len() > MOST_BYTES {
                let tasks: Vec<T> = tasks.map(|(_, task)| task).collect();
                let first = index + 1;
                let rest = (!tasks.is_empty()).then_some(Batch { first, tasks });
                return (encoded, rest);
            }
        }
        (encoded, None)
    }

    /// Takes in answers until all have come.
    fn receive(&self, events: &Receiver<Event>) {
        let mut deadline = None;
        loop {
            let event = match deadline {
                None => events.recv().ok(),
                Some(at) => events.recv_deadline(at).ok(),
            };
            match event {
                Some(Event::Over) => return,
                Some(Event::Answer {
                    batch,
                    status,
                    bytes,
                }) => {
                    let flight = self.flights.lock().remove(&batch);
                    if let Some(flight) = flight {
                        self.land(&flight, status, &bytes);
                        let _ = self.news.0.send(News::Landed(flight.lane));
                    }
                }
                Some(Event::Told { batch, bytes }) => {
                    let flight = self.flights.lock().get(&batch).map(Arc::clone);
                    if let Some(flight) = flight {
                        self.tell_so_far(&flight, &bytes);
                    }
                }
                Some(Event::Slots) => self.follow(),
                Some(Event::Stop) => {
                    self.cluster.bridge.cancel(self.id);
                    deadline = Instant::now().checked_add(END);
                }
                Some(Event::Dead(why)) => self.give_up(&why),
                None => {
                    self.give_up("it did not end the tasks of a call that was stopped");
                    deadline = None;
                }
            }
        }
    }

    /// Has as many batches run as the number of jobs means now.
    fn follow(&self) {
        let allowed = self.work.lanes_among(self.cluster.slots(), self.given);
        let jobs = allowed.min(self.most);
        if self.jobs.swap(jobs, Ordering::Relaxed) != jobs {
            self.work.has_lanes(jobs);
            let _ = self.news.0.send(News::Jobs(jobs));
        }
    }

    /// No answer will come any more.
    fn give_up(&self, why: &str) {
        let error = self.cluster.bridge.error(why);
        let message = error.to_string();
        self.error.lock().get_or_insert(error);
        let flights = std::mem::take(&mut *self.flights.lock());
        for flight in flights.into_values() {
            self.lose(&flight, &message);
            let _ = self.news.0.send(News::Landed(flight.lane));
        }
    }

    /// The cluster has lost these tasks.
    pub(super) fn lose(&self, flight: &Flight, message: &str) {
        for index in flight.first..flight.first + flight.tasks {
            if self.work.stopped() {
                return;
            }
            let message = message.to_owned();
            let error = TaskError::new(index, 1, Failure::Lost { message });
            self.work.fail(error);
        }
    }
}

/// Each of them once, in any order.
fn each_once(arrays: &mut Vec<Arc<Object>>) {
    arrays.sort_unstable_by_key(|array| array.id().to_bytes());
    arrays.dedup_by_key(|array| array.id());
}
