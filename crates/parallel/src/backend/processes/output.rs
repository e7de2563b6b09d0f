//! What workers print.
//!
//! ```text
//!  worker                                         parent
//!    stderr ──────── pipe ──────────────────────►   forwards it, drops it, or makes lines of it,
//!    stdout ──────── pipe, for lines only ──────►   and keeps the end of stderr: the last words
//!      marks: the task that prints from here on
//! ```
//!
//! The lane reads when it sleeps, and once more when its worker has ended: whatever was written by then is
//! in the pipe. So a worker that floods its pipe waits for its own lane, and for nobody else.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::pipe::{PipeFlags, pipe_with};

use super::Processes;
use super::lines::{Lines, Nonce, mark};
use crate::observe::OutputStream;

/// What becomes of that which tasks print in worker processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// It goes where this process prints.
    #[default]
    Inherit,
    /// It is dropped.
    Null,
    /// Each line becomes an [`Event::Line`](crate::Event::Line), with the worker and the task that printed it.
    Lines,
}

impl Processes {
    /// What becomes of that which tasks print.
    ///
    /// Standard error passes through this process in any case, so that the last lines of a worker that
    /// dies can be told in [`Failure::Died`](crate::Failure::Died); a task that asks finds that it is no
    /// terminal.
    ///
    /// With [`Output::Lines`] a task costs some microseconds more. Threads that a task leaves behind
    /// print for whichever task runs then.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use parallel::{Event, Output, Parallel, Processes, delayed};
    ///
    /// let heard = Arc::new(Mutex::new(Vec::new()));
    /// let listener = Arc::clone(&heard);
    /// let parallel = Parallel::new(2)
    ///     .backend(Processes::new().output(Output::Lines))
    ///     .observer(move |event: &Event| {
    ///         if let Event::Line { task, text, .. } = event {
    ///             listener.lock().unwrap().push((*task, text.clone()));
    ///         }
    ///     });
    /// parallel.run([delayed(|dish: String| println!("O- Served {dish}"), "Pizza".to_owned())])?;
    /// assert_eq!(*heard.lock().unwrap(), [(Some(0), "O- Served Pizza".to_owned())]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    #[must_use]
    pub fn output(mut self, output: Output) -> Self {
        self.setup.output = output;
        self
    }
}

/// A line that was printed.
pub(super) struct Line {
    pub(super) task: Option<usize>,
    pub(super) stream: OutputStream,
    pub(super) text: String,
}

/// So much is read before the lane looks at its other duties.
const AT_A_TIME: usize = 1 << 16;

/// No pipe holds more, unless root says so: `fs.pipe-max-size` of pipe(7).
const MOST_IN_A_PIPE: usize = 1 << 20;

/// So much of the end of standard error is kept: room for what is said before a backtrace.
const TAIL: usize = 1 << 16;

/// So many lines at most are told of it.
const LAST_WORDS: usize = 10;

/// The worker's side: says which task prints from here on.
pub(super) struct Marker {
    nonce: Nonce,
    /// Descriptors of its own, since a task may direct the usual ones elsewhere.
    streams: [OwnedFd; 2],
}

impl Marker {
    pub(super) fn new(nonce: Nonce) -> io::Result<Self> {
        let stdout = fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
        let stderr = fcntl_dupfd_cloexec(rustix::stdio::stderr(), 3)?;
        Ok(Self {
            nonce,
            streams: [stdout, stderr],
        })
    }

    pub(super) fn mark(&self, task: Option<usize>) {
        let mark = mark(&self.nonce, task);
        for stream in &self.streams {
            // As a whole: it is shorter than what pipes take at once. Nobody listens any more if it fails.
            let _ = rustix::io::write(stream, &mark);
        }
    }
}

/// The parent's side.
#[derive(Debug)]
pub(super) struct Printed {
    output: Output,
    /// Standard error, and standard output if lines are wanted.
    pipes: Vec<Pipe>,
    tail: Vec<u8>,
}

/// Not by `std::io::stderr`, which somebody may hold locked across the call, and which gives up where it would have to wait.
fn write_to_stderr(mut bytes: &[u8]) {
    let stderr = rustix::stdio::stderr();
    while !bytes.is_empty() {
        match rustix::io::write(stderr, bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                // Whatever comes of waiting, the next write tells.
                let _ = poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], None);
            }
            // There is nobody to be told.
            Err(_) => return,
        }
    }
}

impl Printed {
    /// Directs what a new worker prints.
    pub(super) fn direct(output: Output, nonce: Nonce, command: &mut Command) -> io::Result<Self> {
        let (stderr, theirs) = Pipe::create(OutputStream::Stderr, nonce)?;
        command.stderr(theirs);
        let mut pipes = vec![stderr];
        match output {
            Output::Inherit => {}
            Output::Null => {
                command.stdout(Stdio::null());
            }
            Output::Lines => {
                let (stdout, theirs) = Pipe::create(OutputStream::Stdout, nonce)?;
                command.stdout(theirs);
                pipes.push(stdout);
            }
        }
        Ok(Self {
            output,
            pipes,
            tail: Vec::new(),
        })
    }

    /// What becomes readable when something was printed.
    pub(super) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let open = self.pipes.iter().filter(|pipe| pipe.open);
        open.map(|pipe| pipe.fd.as_fd())
    }

    /// Reads what there is, up to what a pipe holds that nobody has made larger.
    pub(super) fn read(&mut self, tell: &mut dyn FnMut(Line)) {
        self.read_up_to(AT_A_TIME, tell);
    }

    fn read_up_to(&mut self, most: usize, tell: &mut dyn FnMut(Line)) {
        let mut chunk = [0; 1 << 13];
        for pipe in &mut self.pipes {
            let mut all = 0;
            while pipe.open && all < most {
                let len = match pipe.fd.read(&mut chunk) {
                    Ok(0) => {
                        pipe.open = false;
                        break;
                    }
                    Ok(len) => len,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(_) => break,
                };
                all += len;
                let bytes = &chunk[..len];
                if self.output == Output::Inherit {
                    write_to_stderr(bytes);
                }
                if self.output == Output::Lines {
                    let (stream, tail) = (pipe.stream, &mut self.tail);
                    pipe.lines.feed(bytes, &mut |task, line| {
                        if stream == OutputStream::Stderr {
                            keep(tail, line);
                            keep(tail, b"\n");
                        }
                        tell(Line {
                            task,
                            stream,
                            text: String::from_utf8_lossy(line).into_owned(),
                        });
                    });
                } else {
                    keep(&mut self.tail, bytes);
                }
            }
        }
    }

    /// The worker is no more: what is left of its last lines comes too.
    pub(super) fn read_rest(&mut self, tell: &mut dyn FnMut(Line)) {
        self.read_up_to(MOST_IN_A_PIPE, tell);
        for pipe in &mut self.pipes {
            let stream = pipe.stream;
            if let Some((task, line)) = pipe.lines.rest() {
                if stream == OutputStream::Stderr {
                    keep(&mut self.tail, &line);
                }
                tell(Line {
                    task,
                    stream,
                    text: String::from_utf8_lossy(&line).into_owned(),
                });
            }
        }
    }

    /// The last lines of standard error, those of backtraces left out.
    pub(super) fn last_words(&self) -> String {
        let text = String::from_utf8_lossy(&self.tail);
        let lines: Vec<&str> = text.lines().filter(|line| !is_backtrace(line)).collect();
        lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n")
    }

    /// Whether one of these texts is in the very last lines of standard error.
    pub(super) fn ends_with(&self, texts: &[&str]) -> bool {
        let last_words = self.last_words();
        let mut lines = last_words.lines().rev().take(3);
        lines.any(|line| texts.iter().any(|text| line.contains(text)))
    }

    /// What is printed from here on has nothing to do with what was printed before.
    pub(super) fn forget(&mut self) {
        self.tail.clear();
    }
}

/// Whether a line is of a backtrace as Rust prints it: `  12: name`, or `      at file:1:2` under it.
fn is_backtrace(line: &str) -> bool {
    let Some(rest) = line.strip_prefix("  ") else {
        return line == "stack backtrace:" || line.starts_with("note: Some details are omitted");
    };
    let rest = rest.trim_start();
    let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.starts_with("at ") || (digits.len() < rest.len() && digits.starts_with(": "))
}

/// Appends to a tail, which keeps its end.
fn keep(tail: &mut Vec<u8>, bytes: &[u8]) {
    tail.extend(&bytes[bytes.len().saturating_sub(TAIL)..]);
    let surplus = tail.len().saturating_sub(TAIL);
    tail.drain(..surplus);
}

#[derive(Debug)]
struct Pipe {
    stream: OutputStream,
    fd: File,
    open: bool,
    lines: Lines,
}

impl Pipe {
    /// A pipe, and the end to print into.
    fn create(stream: OutputStream, nonce: Nonce) -> io::Result<(Self, Stdio)> {
        let (fd, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&fd, true)?;
        let pipe = Self {
            stream,
            fd: File::from(fd),
            open: true,
            lines: Lines::new(nonce),
        };
        Ok((pipe, Stdio::from(theirs)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backtrace_is_no_last_word() {
        let text = "memory allocation of 7 bytes failed\nstack backtrace:\n   0: alloc::rust_oom\n             \
                    at ./src/alloc.rs:1:2\n  10: main\nnote: Some details are omitted, run with …";
        let lines: Vec<_> = text.lines().filter(|line| !is_backtrace(line)).collect();
        assert_eq!(lines, ["memory allocation of 7 bytes failed"]);
        assert!(!is_backtrace("  7 dishes"));
    }

    #[test]
    fn the_tail_keeps_the_end() {
        let mut tail = Vec::new();
        keep(&mut tail, &[b'a'; 3 * TAIL]);
        keep(&mut tail, b"end");
        assert_eq!(tail.len(), TAIL);
        assert!(tail.ends_with(b"aend"));
    }
}
