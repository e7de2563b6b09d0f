//! Lines on standard output: live on a terminal, in pieces elsewhere, and always whole.
//!
//! Several cooks write at once, in one process or in several. Whole lines need no lock between them:
//! each write ends with a line, and the kernel does not mix writes, neither in a file nor, up to
//! [`PIECE`] bytes, in a pipe.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::sync::OnceLock;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// A pipe takes so many bytes at once or none of them: `PIPE_BUF`, see pipe(7).
pub const PIECE: usize = 4096;

/// Into a file more goes at once: writers take turns there, however much each has.
const FILE_PIECE: usize = 1 << 16;

/// The lines about most orders take no more.
const USUAL: usize = 1024;

/// How the steps are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Telling {
    /// Not at all.
    Quiet,
    /// In pieces, for a file or a pipe.
    Gathered,
    /// As they happen, for somebody who is watching.
    Live,
}

impl Telling {
    /// What suits standard output as it is.
    ///
    /// ```
    /// # use restaurant::output::Telling;
    /// assert_ne!(Telling::suitable(), Telling::Quiet);
    /// ```
    #[must_use]
    pub fn suitable() -> Self {
        if std::io::IsTerminal::is_terminal(&std::io::stdout()) {
            Self::Live
        } else {
            Self::Gathered
        }
    }
}

/// Why standard output takes no more lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trouble {
    /// The reader has gone, as `head` does when it has enough. No reason to complain.
    Closed,
    /// Anything else, such as a full disk.
    Failed(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => write!(f, "the reader of standard output has gone"),
            Self::Failed(why) => write!(f, "cannot write to standard output: {why}"),
        }
    }
}

impl std::error::Error for Trouble {}

/// The slip of paper on which the lines about one order are written down. It goes to the cook with
/// the order, to another process too, and so the lines of an order stay together.
///
/// ```
/// use restaurant::output::{Slip, Telling};
///
/// let slip = Slip::new(Telling::Quiet);
/// slip.say(format_args!("Seasoning Cooked {}...", "Flour"));
/// assert!(slip.finish().is_ok());
/// ```
#[derive(Debug, Serialize, Deserialize)]
pub struct Slip {
    telling: Telling,
    /// Several steps of a lazy chain write in turn.
    page: RefCell<Page>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Page {
    lines: String,
    /// The first one. Nothing is written after it.
    trouble: Option<Trouble>,
}

impl Slip {
    /// An empty one.
    #[must_use]
    pub fn new(telling: Telling) -> Self {
        Self {
            telling,
            page: RefCell::new(Page {
                lines: String::new(),
                trouble: None,
            }),
        }
    }

    /// Adds a line, which shall be shorter than [`PIECE`]. If it cannot be written, `finish` says so.
    pub fn say(&self, line: fmt::Arguments<'_>) {
        if self.telling == Telling::Quiet {
            return;
        }
        let mut page = self.page.borrow_mut();
        let before = page.lines.len();
        if before > 0 && page.lines.capacity() < USUAL {
            page.lines.reserve(USUAL);
        }
        page.lines.write_fmt(line).expect("a String takes any text");
        page.lines.push('\n');
        if self.telling == Telling::Live {
            page.write_out();
        }
    }

    /// Hands over what is not written yet. It goes out with the lines about the cook's other dishes, at
    /// the end of the batch at the latest.
    ///
    /// # Errors
    /// If any line could not be written, of this slip or of one before it.
    pub fn finish(self) -> Result<(), Trouble> {
        let page = self.page.into_inner();
        page.trouble.map_or(Ok(()), Err)?;
        let first = TRAY.with_borrow_mut(|tray| {
            let first = tray.lines.is_empty();
            tray.add(&page.lines);
            first
        });
        if first {
            // Outside of a task, that is now.
            parallel::at_batch_end(|| TRAY.with_borrow_mut(Tray::write_out));
        }
        let trouble = TRAY.with_borrow_mut(|tray| tray.trouble.take());
        trouble.map_or(Ok(()), Err)
    }
}

thread_local! {
    static TRAY: RefCell<Tray> = const { RefCell::new(Tray { lines: String::new(), trouble: None }) };
}

/// Where the slips of one cook gather.
struct Tray {
    lines: String,
    /// The first one, until somebody asks.
    trouble: Option<Trouble>,
}

impl Tray {
    fn add(&mut self, lines: &str) {
        if self.lines.len() + lines.len() > piece() {
            self.write_out();
        }
        if lines.len() <= piece() {
            return self.lines.push_str(lines);
        }
        // No write holds them all, so others may come between.
        for line in lines.split_inclusive('\n') {
            if self.lines.len() + line.len() > piece() {
                self.write_out();
            }
            self.lines.push_str(line);
        }
    }

    fn write_out(&mut self) {
        let written = write_all(self.lines.as_bytes());
        self.trouble = self.trouble.take().or(written.err());
        self.lines.clear();
    }
}

/// How many bytes are written at once: as many as stay together.
fn piece() -> usize {
    static PIECE_HERE: OnceLock<usize> = OnceLock::new();
    *PIECE_HERE.get_or_init(|| {
        let stdout = rustix::fs::fstat(rustix::stdio::stdout());
        let is_file =
            stdout.is_ok_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::RegularFile);
        if is_file { FILE_PIECE } else { PIECE }
    })
}

impl Page {
    fn write_out(&mut self) {
        if self.trouble.is_none() {
            self.trouble = write_all(self.lines.as_bytes()).err();
        }
        self.lines.clear();
    }
}

/// Not by way of `std::io::stdout`, which keeps a part of what it could not write, and gives up when
/// somebody made the pipe non-blocking.
fn write_all(mut bytes: &[u8]) -> Result<(), Trouble> {
    let stdout = rustix::stdio::stdout();
    while !bytes.is_empty() {
        match rustix::io::write(stdout, bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                // Whatever comes of waiting, the next write tells.
                let _ = poll(&mut [PollFd::new(&stdout, PollFlags::OUT)], None);
            }
            Err(Errno::PIPE) => return Err(Trouble::Closed),
            Err(error) => return Err(Trouble::Failed(error.to_string())),
        }
    }
    Ok(())
}

/// Whether the reader of standard output has gone: nobody needs to cook any more.
///
/// ```
/// assert!(!restaurant::output::closed());
/// ```
#[must_use]
pub fn closed() -> bool {
    let stdout = rustix::stdio::stdout();
    let mut asked = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec::default();
    poll(&mut asked, Some(&at_once)).is_ok()
        && asked[0]
            .revents()
            .intersects(PollFlags::ERR | PollFlags::HUP)
}
