//! A worker process as its parent sees it: started, waited for, ended, reaped.
//!
//! It is the leader of a process group of its own, so that what its tasks start goes with it, and it
//! holds the other end of a socket, its lifeline: when this process is gone, by whatever way, the
//! worker ends its group itself.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::contract::Contract;
use super::courier::Courier;
use super::hello::{Hello, MARK, Terms};
use super::initializer::Initializer;
use super::link::{Link, Side};
use super::memory::Memory;
use super::output::Printed;
use super::start;
use crate::context::Inherited;
use crate::spin::Spin;
use crate::wire::frame::{Header, Kind};
use crate::wire::inbox::Inbox;

/// The executable that this process runs, even if its file has been replaced or removed since.
pub(super) const EXECUTABLE: &str = "/proc/self/exe";

/// What a worker that was asked to leave has to do before it is killed: run its exit handlers.
const LEAVE: Duration = Duration::from_secs(1);

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// The worker rang.
    Bell,
    /// The worker has given something, or can be given something.
    Given,
    /// The worker printed something.
    Printed,
    /// The worker is no more, or can be reached no more.
    Gone,
    /// The call: nothing more shall start, or another lane has nothing left.
    Call,
    /// It is late.
    Late,
}

/// A worker process that has not been reaped.
#[derive(Debug)]
pub(super) struct Process {
    /// Which process started it. A fork of that one has no part in it.
    owner: u32,
    child: Child,
    /// Readable once the process has ended. A descriptor names the process for good.
    pidfd: OwnedFd,
    /// It has the socket of which the other end is the worker's lifeline.
    pub(super) courier: Arc<Courier>,
    /// Whether the courier has something to send before more tasks are.
    pub(super) posting: bool,
    pub(super) link: Link,
    /// Whether it pays off to look what it sends before sleeping.
    pub(super) spin: Spin,
    pub(super) inbox: Inbox,
    pub(super) printed: Printed,
    /// Its number among those of a call.
    pub(super) number: usize,
    /// Whether its initializer has not answered yet.
    pub(super) beginning: bool,
    /// What its tasks inherit, as it was told last; `None` if that may not have reached it.
    pub(super) inherited: Option<Inherited>,
    /// How many tasks it has answered for in its life.
    pub(super) answered: u64,
    generation: u16,
    reaped: Option<ExitStatus>,
}

impl Process {
    /// Starts a worker. It comes up by itself; tasks can be sent to it at once.
    pub(super) fn spawn(contract: &Contract, number: usize) -> io::Result<Self> {
        let (memory, memfd) = Memory::create()?;
        let (hear, their_tell) = pipe_with(PipeFlags::CLOEXEC)?;
        let (their_hear, tell) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&hear, true)?;
        let (lifeline, stdin) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let marks = contract.marks();
        let hello = Hello {
            terms: Terms {
                worker: number,
                shares: contract.inherited.shares(),
                timed: contract.timed,
                memory_limit: contract.memory_limit,
                marks,
                tracing: contract.setup.tracing,
            },
            memory: memfd.as_fd(),
            hear: their_hear.as_fd(),
            tell: their_tell.as_fd(),
        };
        hello.send(&lifeline)?;

        let mut command = Command::new(EXECUTABLE);
        if let Some(name) = std::env::args_os().next() {
            command.arg0(name);
        }
        contract.equip(&mut command, number);
        let nonce = marks.unwrap_or_default();
        let printed = Printed::direct(contract.setup.output, nonce, &mut command)?;
        let mut child = command
            .env(MARK, start::own_mark().unwrap_or_default())
            .stdin(Stdio::from(stdin))
            .process_group(0)
            .spawn()?;
        let pidfd = match pidfd_open(pid(&child), PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(error) => {
                child.kill()?;
                child.wait()?;
                return Err(error.into());
            }
        };
        Ok(Self {
            owner: std::process::id(),
            child,
            pidfd,
            courier: Courier::new(lifeline),
            posting: false,
            link: Link::new(Side::Parent, memory, hear, tell),
            spin: Spin::default(),
            inbox: Inbox::default(),
            printed,
            number,
            beginning: false,
            inherited: Some(Inherited::share_only(contract.inherited.shares())),
            answered: 0,
            generation: 0,
            reaped: None,
        })
    }

    /// Has the worker make a call before anything else. It is new, so there is room for the frames.
    pub(super) fn begin(&mut self, initializer: &Initializer) {
        self.beginning = true;
        if let Some(packets) = self.courier.post(&initializer.arrays) {
            self.posting = !self.courier.flush();
            self.send(Kind::Given, packets, &[]);
        }
        self.send(Kind::Begin, initializer.name, &initializer.argument);
    }

    /// Sends a frame; false if it does not fit as a whole.
    fn send(&mut self, kind: Kind, word: u64, payload: &[u8]) -> bool {
        let header = Header::new(kind, self.generation, payload.len(), word);
        let frame = [&header.to_bytes(), payload].concat();
        let sent = self.link.write(&frame) == Ok(frame.len());
        self.link.announce();
        sent
    }

    /// Its number in the system.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The generation of the tasks that are sent now.
    pub(super) fn generation(&self) -> u16 {
        self.generation
    }

    /// Nothing that was sent so far starts from now on. How many tasks of the last generation had.
    pub(super) fn next_generation(&mut self) -> u64 {
        self.generation = self.generation.wrapping_add(1);
        self.link.memory().control().revoke(self.generation)
    }

    /// The same, and whoever still runs is told that nobody wants it any more.
    pub(super) fn end_call(&mut self) -> u64 {
        let started = self.next_generation();
        self.link.memory().control().end_call();
        started
    }

    /// Revokes too, but only if the last task of this generation that started is that one; whether it is.
    pub(super) fn next_generation_at(&mut self, started: u64) -> bool {
        let next = self.generation.wrapping_add(1);
        let control = self.link.memory().control();
        let revoked = control.revoke_at(self.generation, started, next);
        if revoked {
            self.generation = next;
        }
        revoked
    }

    /// Sleeps until something happens, also if the call lets one of these know. The link must have
    /// [fallen asleep](Link::fall_asleep).
    pub(super) fn wait(&self, call: &[BorrowedFd<'_>], deadline: Option<Instant>) -> Woken {
        let bell = self.link.bell();
        let mut fds = vec![
            PollFd::new(&bell, PollFlags::IN),
            PollFd::new(&self.pidfd, PollFlags::IN),
        ];
        let courier = match self.posting {
            true => PollFlags::IN | PollFlags::OUT,
            false => PollFlags::IN,
        };
        fds.push(PollFd::from_borrowed_fd(self.courier.socket(), courier));
        let of_call = fds.len()..fds.len() + call.len();
        fds.extend(call.iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
        let printed = self.printed.fds();
        fds.extend(printed.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let woken = loop {
            let timeout = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let timeout = timeout.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut fds, timeout.as_ref()) {
                Ok(0) => break Woken::Late,
                Ok(_) => {
                    let [bell, ended, given] = [0, 1, 2].map(|at| fds[at].revents());
                    let of_call = &fds[of_call.clone()];
                    let called = of_call.iter().any(|fd| !fd.revents().is_empty());
                    break if bell.contains(PollFlags::IN) {
                        Woken::Bell
                    } else if !bell.is_empty()
                        || !ended.is_empty()
                        || given.contains(PollFlags::HUP)
                    {
                        Woken::Gone
                    } else if !given.is_empty() {
                        Woken::Given
                    } else if called {
                        Woken::Call
                    } else if deadline.is_some_and(|at| at <= Instant::now()) {
                        // Who prints without end is late all the same.
                        Woken::Late
                    } else {
                        Woken::Printed
                    };
                }
                Err(Errno::INTR) => {}
                // Out of kernel memory: the worker cannot be waited for.
                Err(_) => break Woken::Gone,
            }
        };
        self.link.wake_up();
        if woken == Woken::Bell {
            // What was rung for is looked at now; more than one byte there is after a late ring only.
            let _ = rustix::io::read(bell, &mut [0; 16]);
        }
        woken
    }

    fn is_ours(&self) -> bool {
        self.owner == std::process::id()
    }

    /// Asks the worker to leave. It does so when it has read what was sent before.
    fn ask_to_leave(&mut self) {
        self.end_call();
        if !self.send(Kind::Exit, 0, &[]) {
            self.end();
        }
    }

    /// Whether the process ends by itself in this time.
    pub(super) fn ends_within(&self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).unwrap_or_default();
            let mut ended = [PollFd::new(&self.pidfd, PollFlags::IN)];
            match poll(&mut ended, Some(&left)) {
                Err(Errno::INTR) => {}
                ended => return ended == Ok(1),
            }
        }
    }

    /// Ends the process and all of its group, however it is, and says how it ended.
    pub(super) fn end(&mut self) -> Option<ExitStatus> {
        if self.reaped.is_none() && self.is_ours() {
            // Until it is reaped its number, and so that of its group, is nobody else's. Killing a
            // process that has ended does not change how it ended.
            let _ = kill_process_group(pid(&self.child), Signal::KILL);
            let _ = self.child.kill();
            self.reaped = self.child.wait().ok();
        }
        self.reaped
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Lets idle workers go: they run their exit handlers, all at the same time, and are killed if they
/// have not left after a second.
pub(super) fn dismiss(mut processes: Vec<Process>) {
    processes.retain(Process::is_ours);
    processes.iter_mut().for_each(Process::ask_to_leave);
    let deadline = Instant::now() + LEAVE;
    for process in &mut processes {
        // An idle worker sends nothing, so the bell stays quiet until its end.
        while process.reaped.is_none() {
            match process.wait(&[], Some(deadline)) {
                Woken::Bell => {}
                Woken::Given if process.courier.take_in() => {}
                Woken::Printed => process.printed.read(&mut drop),
                Woken::Given | Woken::Gone | Woken::Call | Woken::Late => break,
            }
        }
        process.printed.read_rest(&mut drop);
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}
