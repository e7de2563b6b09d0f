//! Tasks that call home, so that a test knows where they run, and has them wait while it kills somebody.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use procfs::process::Process;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use parallel::{AnyBackend, Error, Outcome, Parallel, delayed};

use crate::tools::with_deadline;

/// Where tasks call.
pub struct Home {
    listener: UnixListener,
    folder: tempfile::TempDir,
    /// No task will call any more.
    through: AtomicBool,
}

/// A task that waits for an answer, and where it runs.
pub struct Caller {
    stream: UnixStream,
    /// What the task said.
    pub index: u64,
    /// The process that runs it,
    pub worker: i32,
    /// the slot, which is its parent,
    pub slot: i32,
    /// and the engine's own worker process, which is the parent of that.
    pub engine: i32,
}

/// What a task does: calls, and returns what it is answered.
pub fn call_home((home, index): (PathBuf, u64)) -> u64 {
    let mut stream = UnixStream::connect(home).expect("somebody is at home");
    writeln!(stream, "{index} {}", std::process::id()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.parse().expect("an answer")
}

impl Home {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("home")).unwrap();
        Self {
            listener,
            folder,
            through: AtomicBool::new(false),
        }
    }

    /// For a task to call.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Makes a call whose tasks call home, while `meanwhile` sees to the first of them. All others are answered
    /// until the call is through: also those that run again, since another test has killed who ran them.
    pub fn during<R: Send>(
        &self,
        call: impl FnOnce() -> R + Send,
        meanwhile: impl FnOnce(&Self),
    ) -> R {
        let path = self.path();
        let call = move || {
            let result = catch_unwind(AssertUnwindSafe(call));
            writeln!(UnixStream::connect(path).unwrap(), "{THROUGH}").unwrap();
            result.unwrap_or_else(|panic| resume_unwind(panic))
        };
        with_deadline(|| {
            thread::scope(|scope| {
                let call = scope.spawn(call);
                let seen = catch_unwind(AssertUnwindSafe(|| meanwhile(self)));
                while let Some(caller) = self.caller() {
                    caller.answer();
                }
                seen.unwrap_or_else(|panic| resume_unwind(panic));
                call.join().unwrap()
            })
        })
    }

    /// Waits for a task that calls.
    pub fn next(&self) -> Caller {
        self.caller().expect("the call has tasks yet")
    }

    /// The same, or nobody if the call is through.
    fn caller(&self) -> Option<Caller> {
        while !self.through.load(Ordering::Relaxed) {
            let (stream, _) = self.listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            if line.trim() == THROUGH {
                self.through.store(true, Ordering::Relaxed);
            } else if let Some(caller) = Caller::of(stream, &line) {
                return Some(caller);
            }
        }
        None
    }

    /// Answers two at once after `more`, with one of them there before: or neither would go on.
    pub fn two_once<R>(&self, more: impl FnOnce() -> R) {
        let first = self.next();
        more();
        let both = [first, self.next()];
        both.into_iter().for_each(Caller::answer);
    }
}

/// What is said here when the call is through.
const THROUGH: &str = "through";

impl Caller {
    /// Nobody if it was killed meanwhile.
    fn of(stream: UnixStream, line: &str) -> Option<Self> {
        let mut words = line.split_whitespace().map(|word| word.parse().unwrap());
        let (index, pid): (u64, u64) = (words.next()?, words.next()?);
        let worker = i32::try_from(pid).unwrap();
        let slot = parent(worker)?;
        Some(Self {
            stream,
            index,
            worker,
            slot,
            engine: parent(slot)?,
        })
    }

    /// Has the task return its own index.
    pub fn answer(mut self) {
        self.reply();
    }

    /// The same, for one who waits for its end.
    pub fn reply(&mut self) {
        // Who was killed meanwhile needs none.
        let _ = write!(self.stream, "{}", self.index);
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }

    /// Waits until neither the worker process nor its slot is there.
    pub fn wait_until_gone(self) {
        gone(self.worker);
        gone(self.slot);
    }
}

/// The process that started this one, if it is there.
pub fn parent(pid: i32) -> Option<i32> {
    Some(Process::new(pid).ok()?.stat().ok()?.ppid)
}

/// Waits for the end of a process that need not be a child.
pub fn gone(pid: i32) {
    if let Ok(process) = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) {
        poll(&mut [PollFd::new(&process, PollFlags::IN)], None).unwrap();
    }
}

pub fn kill(pid: i32) {
    send(Signal::KILL, pid);
}

pub fn send(signal: Signal, pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Has so many tasks call home, each from a batch of its own, while `meanwhile` sees to them.
pub fn outcomes(
    cluster: &(impl Clone + Into<AnyBackend>),
    tasks: u64,
    meanwhile: impl FnOnce(&Home),
) -> Result<Vec<Outcome<u64>>, Error> {
    let home = Home::new();
    let parallel = Parallel::new(2)
        .backend(cluster.clone().into())
        .batch_size(1);
    let path = home.path();
    let call = || parallel.outcomes((0..tasks).map(|i| delayed(call_home, (path.clone(), i))));
    home.during(call, meanwhile)
}

pub fn good(outcomes: Result<Vec<Outcome<u64>>, Error>, tasks: u64) {
    let outcomes: Vec<_> = outcomes.unwrap().into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes, (0..tasks).collect::<Vec<_>>());
}

/// All tasks that were pending have failed, and say why.
pub fn told(all: Result<Vec<Outcome<u64>>, Error>, words: &[&str]) {
    let all = match all {
        Ok(outcomes) => outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_err().to_string())
            .collect(),
        Err(error) => vec![error.to_string()],
    };
    for error in all {
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
}
