//! Tasks that call home, so that a test knows where they run, and has them wait while it kills somebody.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// Where tasks call.
pub struct Home {
    listener: UnixListener,
    folder: tempfile::TempDir,
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
        Self { listener, folder }
    }

    /// For a task to call.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Waits for a task that calls.
    pub fn next(&self) -> Caller {
        let (stream, _) = self.listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        let mut words = line.split_whitespace().map(|word| word.parse().unwrap());
        let (index, pid): (u64, u64) = (words.next().unwrap(), words.next().unwrap());
        let worker = i32::try_from(pid).unwrap();
        let slot = parent(worker);
        Caller {
            stream,
            index,
            worker,
            slot,
            engine: parent(slot),
        }
    }
}

impl Caller {
    /// Has the task return its own index.
    pub fn answer(mut self) {
        self.reply();
    }

    /// The same, for one who waits for its end.
    pub fn reply(&mut self) {
        write!(self.stream, "{}", self.index).unwrap();
        self.stream.shutdown(std::net::Shutdown::Both).unwrap();
    }

    /// Waits until neither the worker process nor its slot is there.
    pub fn wait_until_gone(self) {
        gone(self.worker);
        gone(self.slot);
    }
}

/// The process that started this one.
pub fn parent(pid: i32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, after_name) = stat.rsplit_once(") ").unwrap();
    after_name.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Waits for the end of a process that need not be a child.
pub fn gone(pid: i32) {
    if let Ok(process) = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) {
        poll(&mut [PollFd::new(&process, PollFlags::IN)], None).unwrap();
    }
}

pub fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}
