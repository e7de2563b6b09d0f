//! The bridge: a Python process that speaks with an engine, since neither has a Rust client.
//!
//! ```text
//!   calls ──Submit, Cancel──► stdin   bridge.py, with the engine's own client   ──► scheduler
//!   calls ◄──Answer────────── stdout
//!                             stderr: its last lines are kept, for errors
//! ```
//!
//! One thread reads and gives each answer to the call whose batch it is. When the bridge is gone, by
//! whatever way, each call is told so. When this process is gone, by whatever way, the bridge sees the end
//! of its input, cancels what runs, and leaves.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process_group};

use super::frames::{self, Kind, VERSION};
use super::routes::{Event, Shared, keep_last_lines};
use crate::error::BackendError;
use crate::shared::Object;
use crate::wire::attachments::Id;

/// Which Python to use.
const PYTHON: &str = "PARALLEL_PYTHON";

/// Takes over the pipes and reads the texts that the bridge consists of: no file is left behind.
const LOADER: &str = include_str!("loader.py");

/// What the nodes run.
pub(super) const RUNTIME: &str = concat!(
    include_str!("runtime.py"),
    include_str!("copy.py"),
    include_str!("arrays.py")
);

const TEXTS: [(&str, &str); 2] = [("runtime", RUNTIME), ("bridge", include_str!("bridge.py"))];

/// The engine itself gives up sooner.
const CONNECT: Duration = Duration::from_secs(120);

/// How long it may take to cancel what runs and to leave.
const LEAVE: Duration = Duration::from_secs(15);

/// An empty variable names none, as one that is not set.
pub(super) fn python() -> OsString {
    let named = std::env::var_os(PYTHON).filter(|python| !python.is_empty());
    named.unwrap_or_else(|| "python3".into())
}

/// What to do where the bridge ended, or went wrong, before it had reached the engine.
pub(super) fn advice() -> String {
    let python = python();
    let python = Path::new(&python).display();
    format!(
        "Is {python} a Python 3 with the package of the cluster's version? Name one in {PYTHON}"
    )
}

/// How a bridge finds its engine.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// The name of its module, `dask` or `ray`.
    pub(super) engine: &'static str,
    /// The source of that.
    pub(super) text: &'static str,
    pub(super) address: String,
    /// How long a batch shall last at least.
    pub(super) batch_time: Duration,
    /// What else the engine must know, by name.
    pub(super) options: Vec<(&'static str, String)>,
}

/// A bridge to an engine. Dropped, it lets go of all that it holds there.
pub(super) struct Bridge {
    target: Target,
    shared: Arc<Shared>,
    child: Child,
    stdin: Mutex<Option<ChildStdin>>,
    shipped: Mutex<Option<PathBuf>>,
    /// The arrays that it has, or will have when it has read what was sent.
    pub(super) given: Mutex<HashSet<Id>>,
    next: AtomicU64,
    /// Ends when the bridge has.
    ended: Receiver<()>,
}

impl Bridge {
    /// Starts a bridge and waits until it has reached its engine.
    pub(super) fn start(target: Target) -> Result<Self, BackendError> {
        let python = python();
        let cannot = |error: &io::Error| {
            let python = Path::new(&python).display();
            BackendError::new(format!(
                "cannot reach {} at {}: cannot start {python}: {error}. Install Python with the package of \
                 the cluster's version, or name one that has it in {PYTHON}",
                target.engine, target.address
            ))
        };
        // A group of its own: the terminal's Ctrl-C is for the program, which says what becomes of it.
        let mut child = Command::new(&python)
            .args(["-c", LOADER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| cannot(&error))?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            unreachable!("they are pipes")
        };
        let shared = Arc::new(Shared::default());
        let (ready, connected) = bounded(1);
        let (end, ended) = bounded(0);
        let (lines_end, lines_ended) = bounded::<()>(0);
        let keep = {
            let shared = Arc::clone(&shared);
            move || {
                let _until = lines_end;
                keep_last_lines(stderr, &shared);
            }
        };
        let read = {
            let shared = Arc::clone(&shared);
            move || {
                let _until: Sender<()> = end;
                let why = shared.read(stdout, &ready);
                // What it said last is on its way; what it started may hold the pipe open.
                let _ = lines_ended.recv_timeout(Duration::from_millis(500));
                shared.die(why, &ready);
            }
        };
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        let threads = named("parallel-bridge-stderr")
            .spawn(keep)
            .and_then(|_| named("parallel-bridge").spawn(read));
        let hello = threads.and_then(|_| say_hello(&mut stdin, &target));
        let bridge = Self {
            shared,
            child,
            stdin: Mutex::new(Some(stdin)),
            shipped: Mutex::new(None),
            given: Mutex::default(),
            next: AtomicU64::new(1),
            ended,
            target,
        };
        // If the pipe broke, the bridge says more by its end.
        drop(hello);
        match connected.recv_timeout(CONNECT) {
            Ok(Ok(slots)) => {
                bridge.shared.slots.store(slots, Ordering::Relaxed);
                Ok(bridge)
            }
            Ok(Err(why)) => Err(bridge.error(&why)),
            Err(_) => Err(bridge.error("it has not answered in two minutes")),
        }
    }

    pub(super) fn error(&self, why: &str) -> BackendError {
        BackendError::new(self.message(why))
    }

    /// What went wrong, and where.
    pub(super) fn message(&self, why: &str) -> String {
        let Target {
            engine, address, ..
        } = &self.target;
        format!("the {engine} cluster at {address} cannot be used: {why}")
    }

    /// How many tasks can run there at a time.
    pub(super) fn slots(&self) -> usize {
        self.shared.slots.load(Ordering::Relaxed).max(1)
    }

    /// Ships an executable, unless it is there.
    pub(super) fn ship(&self, executable: &Path) {
        let mut shipped = self.shipped.lock();
        if shipped.as_deref() != Some(executable) {
            let path = executable.as_os_str().as_encoded_bytes();
            self.send(Kind::Ship, 0, &[path]);
            *shipped = Some(executable.to_owned());
        }
    }

    /// Begins a call: its number, and what it is told by.
    pub(super) fn open(&self, tell: Sender<Event>) -> Result<u64, BackendError> {
        let mut routes = self.shared.routes.lock();
        if let Some(why) = &routes.dead {
            return Err(self.error(why));
        }
        let call = self.number();
        routes.calls.insert(call, tell);
        Ok(call)
    }

    /// Ends a call: it is told nothing more.
    pub(super) fn close(&self, call: u64) {
        let mut routes = self.shared.routes.lock();
        routes.calls.remove(&call);
        routes.batches.retain(|_, (of, _)| *of != call);
    }

    /// A number that nothing else has.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Sends a batch of a call, which is told what came of it. If the slot that runs it dies it is run so
    /// often in all. It may refer to these arrays, which have been given. It begins when the batch `after` has
    /// ended, if there is one.
    ///
    /// # Errors
    /// Why there will be no answer, if it is so already.
    pub(super) fn submit(
        &self,
        call: u64,
        batch: u64,
        tries: u64,
        after: Option<u64>,
        arrays: &[Arc<Object>],
        bytes: &[u8],
    ) -> Result<(), String> {
        {
            let mut routes = self.shared.routes.lock();
            if let Some(why) = &routes.dead {
                return Err(why.clone());
            }
            let tell = routes.calls.get(&call).cloned();
            let tell = tell.ok_or("the call has ended")?;
            routes.batches.insert(batch, (call, tell));
        }
        let mut head = Vec::with_capacity(32 + arrays.len() * Id::BYTES);
        for number in [call, tries, after.unwrap_or(0), arrays.len() as u64] {
            head.extend(number.to_le_bytes());
        }
        for array in arrays {
            head.extend(array.id().to_bytes());
        }
        self.send(Kind::Submit, batch, &[&head, bytes]);
        Ok(())
    }

    /// Has nothing of a call start any more, and what runs of it be ended soon.
    pub(super) fn cancel(&self, call: u64) {
        self.send(Kind::Cancel, call, &[]);
    }

    pub(super) fn send(&self, kind: Kind, word: u64, payload: &[&[u8]]) {
        if let Some(stdin) = &mut *self.stdin.lock() {
            // Whoever waits for an answer is told if the bridge has gone.
            let _ = frames::write(stdin, kind, word, payload);
        }
    }

    /// Of the bridge's process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

fn say_hello(stdin: &mut ChildStdin, target: &Target) -> io::Result<()> {
    for (name, text) in TEXTS.into_iter().chain([("engine", target.text)]) {
        let parts = [name.as_bytes(), &[0], text.as_bytes()];
        frames::write(stdin, Kind::Text, 0, &parts)?;
    }
    let mut hello = format!("engine={}\0address={}", target.engine, target.address);
    for (name, value) in &target.options {
        hello += &format!("\0{name}={value}");
    }
    frames::write(stdin, Kind::Hello, VERSION, &[hello.as_bytes()])
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.send(Kind::Shutdown, 0, &[]);
        drop(self.stdin.lock().take());
        // It ends its output when it has let go of everything.
        let _ = self.ended.recv_timeout(LEAVE);
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge")
            .field("address", &self.target.address)
            .field("slots", &self.slots())
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}
