//! A program of a cluster, and everything that it starts.
//!
//! ```text
//!  tests ──stdin──► keeper.py ──► dask worker ──► its nanny ──► …
//!    ▲                            (a session of its own)     │
//!    └───────────────── one pipe for what they all print ────┘
//! ```
//!
//! When the tests end, by whatever signal, the keeper sees the end of its input and kills what it has started.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const KEEPER: &str = include_str!("keeper.py");

/// How long a line may take that is waited for, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running program. Dropped, it ends, with all that it has started.
pub struct Program {
    name: String,
    keeper: Child,
    said: Arc<Said>,
    reader: Option<JoinHandle<()>>,
    pid: i32,
    folder: PathBuf,
}

/// What the program has printed so far.
#[derive(Default)]
struct Said {
    lines: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Default)]
struct Lines {
    all: Vec<String>,
    ended: bool,
}

/// A process, as `/proc` tells of it.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// Its command line, with spaces between the arguments.
    pub command: String,
    /// What it runs.
    pub executable: PathBuf,
}

impl Program {
    /// Starts a program under a name by which failures call it.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start<A: AsRef<OsStr>>(
        name: &str,
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(&str, &str)],
    ) -> Self {
        let (output, input) = io::pipe().expect("cannot make a pipe");
        let again = input.try_clone().expect("cannot copy a descriptor");
        let keeper = Command::new(crate::python())
            .args(["-u", "-c", KEEPER])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(input)
            .stderr(again)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let said = Arc::new(Said::default());
        let reader = {
            let said = Arc::clone(&said);
            thread::spawn(move || said.read(BufReader::new(output)))
        };
        let mut started = Self {
            name: name.to_owned(),
            keeper,
            said,
            reader: Some(reader),
            pid: 0,
            folder: PathBuf::new(),
        };
        (started.pid, started.folder) = started.wait_for(|line| {
            let told = line.strip_prefix("keeper: process ")?;
            let (pid, folder) = told.split_once(" in ")?;
            Some((pid.parse().ok()?, folder.into()))
        });
        started
    }

    /// The number of the process itself.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Its home, where it has its temporary files as well.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Kills the process itself, by `SIGKILL`, and none of those that it has started.
    pub fn kill(&self) {
        kill(self.pid);
    }

    /// Waits for a line of which `find` makes something, also one that was printed before.
    ///
    /// # Panics
    ///
    /// When the program ends before, or no such line comes, with all that was printed.
    pub fn wait_for<T>(&self, mut find: impl FnMut(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = 0;
        let mut lines = self.said.lock();
        loop {
            for line in &lines.all[seen..] {
                if let Some(found) = find(line) {
                    return found;
                }
            }
            seen = lines.all.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if lines.ended || left.is_zero() {
                let why = if lines.ended { "ended" } else { "is late" };
                let all = lines.all.join("\n");
                panic!(
                    "{} {why} without having said what was waited for:\n{all}",
                    self.name
                );
            }
            let woken = self.said.changed.wait_timeout(lines, left);
            lines = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// All that was printed so far.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        self.said.lock().all.clone()
    }

    /// The processes that come from this one and are there now, itself included, also those that have lost
    /// their parents.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        let all = processes();
        let keeper = i32::try_from(self.keeper.id()).unwrap_or_default();
        let mut family = vec![keeper];
        let mut next = 0;
        while let Some(&parent) = family.get(next) {
            family.extend(
                all.iter()
                    .filter(|process| process.parent == parent)
                    .map(|it| it.pid),
            );
            next += 1;
        }
        let belongs = |process: &Process| process.pid != keeper && family.contains(&process.pid);
        all.into_iter().filter(belongs).collect()
    }
}

impl Said {
    fn lock(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, mut output: impl BufRead) {
        let mut line = Vec::new();
        while matches!(output.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            self.lock().all.push(text);
            self.changed.notify_all();
        }
        self.lock().ended = true;
        self.changed.notify_all();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let ended = self.keeper.wait();
        // Whoever still held the pipe would be a process that outlived the keeper.
        if let Some(reader) = self.reader.take() {
            let read = reader.join();
            if !thread::panicking() {
                ended.unwrap_or_else(|error| panic!("cannot wait for {}: {error}", self.name));
                read.unwrap_or_else(|_| panic!("the output of {} was not read", self.name));
            }
        }
    }
}

/// Kills one process by `SIGKILL`.
///
/// # Panics
///
/// When it is not there.
pub(crate) fn kill(pid: i32) {
    let pid = Pid::from_raw(pid).expect("a process has a number");
    kill_process(pid, Signal::KILL)
        .unwrap_or_else(|error| panic!("cannot kill process {pid:?}: {error}"));
}

impl Process {
    /// Kills it by `SIGKILL`.
    ///
    /// # Panics
    ///
    /// When it is not there.
    pub fn kill(&self) {
        kill(self.pid);
    }
}

/// All processes of this machine that can be looked at. Those that have ended, and wait for their parents to
/// notice, are left out.
fn processes() -> Vec<Process> {
    let all = procfs::process::all_processes().expect("/proc is there");
    all.filter_map(|process| look_at(&process.ok()?)).collect()
}

fn look_at(process: &procfs::process::Process) -> Option<Process> {
    let stat = process.stat().ok()?;
    if stat.state == 'Z' {
        return None;
    }
    Some(Process {
        pid: stat.pid,
        parent: stat.ppid,
        command: process.cmdline().ok()?.join(" "),
        executable: process.exe().unwrap_or_default(),
    })
}

/// Texts as arguments.
pub(crate) fn words(text: &str) -> Vec<OsString> {
    text.split_whitespace().map(OsString::from).collect()
}
