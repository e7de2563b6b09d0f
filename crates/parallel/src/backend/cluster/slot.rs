//! The node's side: one process of the user's own executable for each slot, which runs batches in a worker
//! process of its own.
//!
//! ```text
//!   runtime.py ──batches──► slot ──ring──► worker process
//!              ◄─answers───      ◄─ring───
//! ```
//!
//! It drives [`Processes`](crate::Processes) with one lane. So what is promised there holds on a cluster,
//! by the same code: a crash costs the task that crashed, the rest of its batch goes on in a fresh worker
//! process. It never decodes an argument or a result. When its input ends, whoever started it is gone, and
//! it ends with all that it started.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use parking_lot::Mutex;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Signal, kill_current_process_group};

use super::arrays::Arrays;
use super::assigned::Assigned;
use super::batch::{self, Report, SoFar, Terms};
use super::copy;
use super::frames::{self, Kind, VERSION};
use super::setup::Setup;
use crate::backend::{Backend, Processes};
use crate::cancel::CancelToken;
use crate::context::Context;
use crate::current;
use crate::work::Work;

/// The environment variable that makes this executable a slot: its number on the node, and how many there
/// are; or [`PROBE`], or what [`copy`] has.
pub(in crate::backend) const MARK: &str = "PARALLEL_SLOT";

/// Asks only whether this executable can be a slot here.
const PROBE: &str = "probe";

/// What was received.
enum Received {
    Batch {
        id: u64,
        bytes: Vec<u8>,
        cancel: CancelToken,
    },
    /// An array that batches after this refer to, as a frame has it.
    Array(Vec<u8>),
    /// An array that no batch will refer to any more.
    Forget(Vec<u8>),
}

/// The batch that was received last: there is one at a time.
type Latest = Mutex<Option<(u64, CancelToken)>>;

/// Runs batches until there will be none. Never returns.
pub(in crate::backend) fn main(mark: &str) -> ! {
    if let Some(removed) = copy::main(mark) {
        std::process::exit(removed.map_or(1, |()| 0));
    }
    if mark == PROBE {
        println!("parallel {VERSION}");
        std::process::exit(0);
    }
    let code = match serve(mark) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!(
                "this process was started as a slot of a cluster ({MARK} is set) and cannot go on: \
                 {error}. If you set {MARK} yourself, unset it"
            );
            2
        }
    };
    std::process::exit(code)
}

fn serve(mark: &str) -> io::Result<()> {
    let place = mark.split_once('/').and_then(|(number, of)| {
        let (number, of) = (number.parse().ok()?, of.parse::<usize>().ok()?);
        Some((number, of.max(1)))
    });
    let (number, slots) = place.ok_or_else(|| io::Error::other("no number"))?;
    let (input, output) = take_over()?;
    let latest = Arc::new(Latest::default());
    let (batches, received) = unbounded();
    let reader = {
        let latest = Arc::clone(&latest);
        move || read(input, &latest, &batches)
    };
    thread::Builder::new()
        .name("parallel-slot".to_owned())
        .spawn(reader)?;
    let here = Slot {
        number,
        slots,
        warm: None,
        arrays: Arrays::default(),
    };
    here.answer_all(&received, &Mutex::new(output))
}

/// Takes over standard input and output, which are empty and standard error from then on: what tasks print
/// must not get among the answers.
fn take_over() -> io::Result<(File, File)> {
    let [stdin, stdout] = [rustix::stdio::stdin(), rustix::stdio::stdout()];
    let input: OwnedFd = rustix::io::fcntl_dupfd_cloexec(stdin, 3)?;
    let output: OwnedFd = rustix::io::fcntl_dupfd_cloexec(stdout, 3)?;
    let empty = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(empty)?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    Ok((input.into(), output.into()))
}

/// Receives batches, and hears while one runs that nobody wants it any more.
fn read(mut input: File, latest: &Latest, batches: &Sender<Received>) {
    while let Ok(Some(frame)) = frames::read(&mut input) {
        match frame.kind {
            Kind::Submit => {
                let cancel = CancelToken::new();
                *latest.lock() = Some((frame.word, cancel.clone()));
                let received = Received::Batch {
                    id: frame.word,
                    bytes: frame.payload,
                    cancel,
                };
                if batches.send(received).is_err() {
                    break;
                }
            }
            Kind::Cancel => {
                let token = latest.lock().clone();
                if let Some((id, token)) = token
                    && id == frame.word
                {
                    token.cancel();
                }
            }
            Kind::Give => drop(batches.send(Received::Array(frame.payload))),
            Kind::Forget => drop(batches.send(Received::Forget(frame.payload))),
            _ => break,
        }
    }
    // Worker processes see by their lifelines that this one is gone.
    let _ = kill_current_process_group(Signal::KILL);
    std::process::abort();
}

/// What stays between batches.
struct Slot {
    number: usize,
    /// How many there are on this node.
    slots: usize,
    /// Worker processes, and what they were set up with.
    warm: Option<(Setup, Processes)>,
    arrays: Arrays,
}

impl Slot {
    fn answer_all(mut self, received: &Receiver<Received>, output: &Mutex<File>) -> io::Result<()> {
        for received in received {
            let (id, bytes, cancel) = match received {
                Received::Batch { id, bytes, cancel } => (id, bytes, cancel),
                Received::Array(place) => {
                    self.arrays.take_in(&place);
                    continue;
                }
                Received::Forget(id) => {
                    self.arrays.forget(&id);
                    continue;
                }
            };
            let tell = |so_far: &SoFar| {
                let bytes = batch::begin(so_far);
                // Who does not hear it does not hear the answer either.
                let _ = frames::write(&mut *output.lock(), Kind::Told, id, &[&bytes]);
            };
            let answer = self.run(bytes, cancel, tell).unwrap_or_else(|error| {
                batch::begin(&Report {
                    host: current::host().to_owned(),
                    error: Some(error),
                    ..Report::default()
                })
            });
            frames::write(&mut *output.lock(), Kind::Answer, id, &[&answer])?;
        }
        Ok(())
    }

    /// What came of a batch; or why it could not be run. What happens meanwhile is told, if somebody watches.
    fn run(
        &mut self,
        bytes: Vec<u8>,
        cancel: CancelToken,
        tell: impl Fn(&SoFar) + Send,
    ) -> Result<Vec<u8>, String> {
        let (terms, mut inbox) = batch::open::<Terms>(&bytes)
            .map_err(|_| "the batch makes no sense: is it another build's?")?;
        drop(bytes);
        let assigned = Assigned::new(&terms, &mut inbox, self.number, &self.arrays)?;
        drop(inbox);
        // Slots of a node share its CPUs, as far as the call uses them.
        let jobs = usize::try_from(terms.jobs).unwrap_or(usize::MAX);
        let context = Context::shared_by(self.slots.min(jobs).max(1));
        let processes = self.processes(terms.setup)?;
        let work = Work::behind(
            assigned.origin(),
            assigned.on_failure(),
            Some(cancel.clone()),
        );
        let (running, ended) = bounded::<()>(0);
        let driven = thread::scope(|scope| {
            if let Some(heard) = assigned.heard() {
                let named = thread::Builder::new().name("parallel-told".to_owned());
                // Without this thread the answer tells it all.
                let _ = named.spawn_scoped(scope, move || heard.tell_meanwhile(&ended, tell));
            }
            let driven = context.enter(|| processes.drive(1, &work));
            drop(running);
            driven
        });
        let cancelled = work.cancelled() && !cancel.is_cancelled();
        drop(work);
        Ok(assigned.into_answer(driven, cancelled))
    }

    fn processes(&mut self, setup: Setup) -> Result<&Processes, String> {
        let warm = match self.warm.take() {
            Some(warm) if warm.0 == setup => warm,
            _ => {
                let processes = setup.processes(&self.arrays)?;
                (setup, processes)
            }
        };
        Ok(&self.warm.insert(warm).1)
    }
}
