//! The worker's side: what a process does that was started to run tasks.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use super::aside::Times;
use super::connect::{connect, end_group};
use super::hello::{MARK, Terms};
use super::image::Image;
use super::link::Link;
use super::memory::{Memory, clock};
use super::output::Marker;
use super::revoked::Revoked;
use super::ring::{Corrupt, DATA};
use super::shelf::Shelf;
use super::spans::{self, Gathered};
use super::start;
use crate::batch_end::Batches;
use crate::context::Inherited;
use crate::current::Here;
use crate::error::Failure;
use crate::observe::spans::SpanSink;
use crate::shared::Shared;
use crate::spin::Spin;
use crate::wire::EntryPoint;
use crate::wire::attachments::{self, Entered};
use crate::wire::frame::{At, HEADER, Header, Kind, MAX_PAYLOAD, TAKES_PARCEL, answer};
use crate::wire::inbox::Inbox;
use crate::wire::parcel::{Parcel, exchange};
use crate::{context, panics, wire};

/// Runs tasks until the parent is through. Never returns.
pub(super) fn main() -> ! {
    match connect() {
        Ok(mut worker) => {
            let code = match worker.serve() {
                Ok(()) => 0,
                Err(End::Unfit) => 3,
                Err(End::Lost) => end_group(),
            };
            // It is not dropped: a task may have closed some of its descriptors, and std aborts over one that is closed
            // already, where that is checked.
            std::process::exit(code)
        }
        Err(error) => {
            eprintln!(
                "this process was started as a worker ({MARK} is set) and cannot become one: {error}. \
                 If you set {MARK} yourself, unset it"
            );
            std::process::exit(2)
        }
    }
}

/// What was printed is out: with C's standard output, Rust's has a buffer too.
fn flush() {
    let _ = io::stdout().flush();
    start::flush_c();
}

/// Why a worker ends without having been asked to.
pub(super) enum End {
    /// The connection is lost or makes no sense.
    Lost,
    /// Its initializer failed, which the parent has been told.
    Unfit,
}

impl From<Corrupt> for End {
    fn from(_: Corrupt) -> Self {
        Self::Lost
    }
}

pub(super) struct Worker {
    pub(super) link: Link,
    pub(super) spin: Spin,
    memory: Arc<Memory>,
    tell: Arc<OwnedFd>,
    pub(super) terms: Terms,
    marker: Option<Marker>,
    /// What its tasks tell `tracing`, if that is wanted.
    pub(super) told: Option<Arc<Gathered>>,
    /// The task that comes next.
    next: At,
    here: Here,
    /// Of the tasks that `here` knows how to see revoked.
    call: u32,
    /// Whether a task of this call has failed with which all the others have.
    all_failed: bool,
    image: &'static Image,
    shelf: Arc<Shelf>,
    /// In which arguments are decoded and results encoded.
    session: Entered,
    pub(super) inbox: Inbox,
    /// What came for the next task, and then what came of it, beside a frame.
    pub(super) parcel: Option<Parcel>,
    /// The memory of one that was sent, for one that comes.
    pub(super) spare: Option<Parcel>,
    /// The frame that is being made.
    pub(super) frame: Vec<u8>,
    /// The number of the next answer.
    answers: u16,
    /// When the first task of this batch started, put off by the time since in which it waited.
    pub(super) batch_start: Option<Instant>,
    batches: Batches,
}

impl Worker {
    pub(super) fn new(
        link: Link,
        memory: Arc<Memory>,
        tell: Arc<OwnedFd>,
        terms: Terms,
        marker: Option<Marker>,
        shelf: Arc<Shelf>,
    ) -> Self {
        let call = memory.control().call();
        let revoked = Revoked {
            memory: Arc::clone(&memory),
            tell: Arc::clone(&tell),
            call,
        };
        let told = spans::gathered(terms.tracing);
        let sink = told.clone().map(|told| told as Arc<dyn SpanSink>);
        let here = Here::enter(terms.worker, Arc::new(revoked), sink);
        let next = At {
            index: 0,
            attempt: 1,
            all_or_nothing: false,
            watched: false,
        };
        Self {
            link,
            spin: Spin::default(),
            memory,
            tell,
            terms,
            marker,
            told,
            next,
            here,
            call,
            all_failed: false,
            image: Image::of_this_process(),
            session: attachments::enter(Some(Arc::clone(&shelf) as _)),
            shelf,
            inbox: Inbox::default(),
            parcel: None,
            spare: None,
            frame: Vec::new(),
            answers: 0,
            batch_start: None,
            batches: Batches::begin(),
        }
    }

    /// Takes frames until one says to leave.
    fn serve(&mut self) -> Result<(), End> {
        loop {
            let next = self.inbox.next_landing(|_| self.spare.take());
            if !next.map_err(|_| End::Lost)? {
                while self.link.read(&mut self.inbox)? == 0 {
                    self.sleep(DATA)?;
                }
                continue;
            }
            let header = self.inbox.header();
            match header.kind() {
                Kind::Exit => {
                    // The rest of a batch may have gone to another worker.
                    self.end_batch();
                    return Ok(());
                }
                Kind::Begin => self.begin(header)?,
                Kind::At => self.next = At::from_word(header.word),
                Kind::Given => self.shelf.wait_for(header.word),
                Kind::Inherit => self.inherit()?,
                Kind::Parcel => self.parcel = self.inbox.take_parcel(),
                _ => self.serve_task(header)?,
            }
        }
    }

    /// Does all that follows as a part of this call.
    fn inherit(&mut self) -> Result<(), End> {
        let inherited = wire::decode(self.inbox.payload());
        let inherited: Inherited = inherited.map_err(|_| End::Lost)?;
        context::enter_worker(&inherited);
        // A slot's worker: its program is on another machine.
        self.session.goes_far(inherited.worker().is_some());
        let known_as = inherited.worker().unwrap_or(self.terms.worker);
        self.here.know_worker_as(known_as);
        Ok(())
    }

    /// Does what is to be done before all tasks. A worker that cannot is of no use.
    fn begin(&mut self, header: Header) -> Result<(), End> {
        let initialize = |call: EntryPoint, argument: &[u8], result: &mut Vec<u8>| {
            call(&wire::decode::<Shared<[u8]>>(argument)?, result)
        };
        let done = self.run_task(header.word, initialize) == Kind::Done;
        // What it refers to came with no task.
        drop(self.session.take());
        let kind = if done { Kind::Begun } else { Kind::Unfit };
        self.send(Header::new(
            kind,
            header.generation(),
            self.frame.len() - HEADER,
            header.word,
        ))?;
        self.link.announce();
        if done { Ok(()) } else { Err(End::Unfit) }
    }

    /// Runs a task, unless it has been revoked, and sends what came of it.
    fn serve_task(&mut self, task: Header) -> Result<(), End> {
        let at = self.next;
        self.next = at.next();
        if let Some(marker) = &self.marker {
            marker.mark(Some(at.index));
        }
        let control = self.link.memory().control();
        if self.terms.timed {
            control.set_claimed_at(clock());
        }
        let call = control.call();
        let may_start = !self.all_failed || call != self.call;
        if !may_start || !control.claim(task.generation()) {
            // The rest of the batch has been revoked.
            self.parcel = None;
            if self.batch_start.take().is_some() {
                self.end_batch();
            }
            return Ok(());
        }
        let batch_start = *self.batch_start.get_or_insert_with(Instant::now);
        if call != self.call {
            self.call = call;
            self.all_failed = false;
            let revoked = Revoked {
                memory: Arc::clone(&self.memory),
                tell: Arc::clone(&self.tell),
                call,
            };
            self.here.renew(Arc::new(revoked));
        }
        self.listen(at);
        self.here.task(at.index, at.attempt);
        let mut run = || self.run_task(task.word, |call, argument, result| call(argument, result));
        let (mut kind, times) = if at.watched {
            let (kind, times) = Times::of(run);
            (kind, Some(times))
        } else {
            (run(), None)
        };
        self.here.between_tasks();
        self.tell_aside(task.generation(), times)?;
        self.all_failed |= kind == Kind::Failed && at.all_or_nothing;
        if self.marker.is_some() {
            // What is printed without a line feed has its task too.
            flush();
        }
        let mut run_time = 0;
        if task.kind() == Kind::TaskLast {
            let nanos = batch_start.elapsed().as_nanos().max(1);
            run_time = u64::try_from(nanos).unwrap_or(u64::MAX);
            self.batch_start = None;
            self.end_batch();
        }
        let objects = self.session.take();
        if kind == Kind::Done && !objects.is_empty() {
            kind = Kind::DoneWith;
            // The parent may have to take in others first.
            self.link.announce();
            let given = self.shelf.give(self.answers, &objects);
            given.map_err(|_| End::Lost)?;
        }
        let header = Header::new(
            kind,
            task.generation(),
            self.frame.len() - HEADER,
            answer(self.answers, run_time),
        );
        self.answers = self.answers.wrapping_add(1);
        self.send_parcel(task.generation())?;
        self.send(header)?;
        // A failure may end the call: the sooner the better.
        if task.kind() != Kind::Task || kind == Kind::Failed {
            self.link.announce();
        }
        Ok(())
    }

    /// What the tasks left to do is done, and what they printed is out, before their call returns.
    fn end_batch(&self) {
        self.batches.end_of_batch();
        flush();
        if let Some(marker) = &self.marker {
            marker.mark(None);
        }
    }

    /// Makes the call by `with`, and a frame of what came of it but for its header.
    #[inline]
    fn run_task(
        &mut self,
        entry: u64,
        with: impl FnOnce(EntryPoint, &[u8], &mut Vec<u8>) -> Result<(), Failure>,
    ) -> Kind {
        let frame = &mut self.frame;
        frame.clear();
        frame.extend([0; HEADER]);
        let takes_parcel = entry & TAKES_PARCEL != 0;
        let entry = entry & !TAKES_PARCEL;
        let failure = match self.image.entry_named(entry) {
            None => Failure::Decode {
                type_name: "fn".to_owned(),
                message: format!("this executable has no function at {entry:#x}"),
            },
            Some(call) => {
                let argument = self.inbox.payload();
                let result = exchange(&mut self.parcel, takes_parcel, || {
                    panics::catch(|| with(call, argument, frame).map_err(Box::new))
                });
                start::end_if_forked();
                match result {
                    Ok(Ok(())) if frame.len() - HEADER <= MAX_PAYLOAD => return Kind::Done,
                    Ok(Ok(())) => Failure::Encode {
                        type_name: "the result".to_owned(),
                        message: format!("it takes more than {MAX_PAYLOAD} bytes"),
                    },
                    Ok(Err(failure)) => *failure,
                    Err(panic) => panic.of_task(),
                }
            }
        };
        self.parcel = None;
        frame.truncate(HEADER);
        wire::encode(&failure, frame).expect("a failure is made of texts and numbers");
        Kind::Failed
    }
}
