//! The copy of the executable on a node goes when nobody uses it any more.
//!
//! ```text
//!   runtime.py ──"tidy"──► this executable ──"tidying"──► this executable, which nobody has as a child
//!      │                    (ends at once)                   │
//!      └── shared lock ──► the copy ◄── exclusive lock ──────┘  which it gets when all others have ended
//! ```
//!
//! Engines kill their worker processes, and some their children as well, without a word. The kernel gives
//! locks back however their owner ends, and Ray does not know the children of children.

use std::env;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::fs::{FlockOperation, flock};

use super::slot::MARK;

/// Asks for somebody to wait and remove the file.
const TIDY: &str = "tidy";

/// That is who waits.
const TIDYING: &str = "tidying";

/// Does what the mark asks for, if that is a matter of the copy.
pub(super) fn main(mark: &str) -> Option<io::Result<()>> {
    match mark {
        TIDY => Some(begin()),
        TIDYING => Some(remove_when_unused()),
        _ => None,
    }
}

fn begin() -> io::Result<()> {
    let mut tidying = Command::new("/proc/self/exe");
    // In a group of its own, for those who end groups.
    tidying.env(MARK, TIDYING).current_dir("/").process_group(0);
    tidying
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    tidying.spawn().map(drop)
}

fn remove_when_unused() -> io::Result<()> {
    let path = env::current_exe()?;
    let copy = File::open(&path)?;
    flock(&copy, FlockOperation::LockExclusive)?;
    fs::remove_file(&path)?;
    // Others may have files there.
    path.parent().map_or(Ok(()), fs::remove_dir)
}
