//! How a process that was started as a worker comes to be one, and how it ends with its parent.

use std::ffi::CString;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, kill_current_process_group, setrlimit};

use super::hello::Hello;
use super::link::{Link, Side};
use super::memory::Memory;
use super::output::Marker;
use super::shelf::Shelf;
use super::start;
use super::worker::Worker;
use crate::context::{self, Inherited};

/// Takes over the connection from standard input, which is empty from then on.
pub(super) fn connect() -> io::Result<Worker> {
    let stdin = rustix::stdio::stdin();
    let hello = Hello::receive(stdin)?;
    let lifeline = rustix::io::fcntl_dupfd_cloexec(stdin, 3)?;
    let empty = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(empty)?;
    let memory = Memory::open(hello.memory)?;
    let shelf = Shelf::new(lifeline);
    watch(&shelf)?;
    name_after_program();
    let terms = hello.terms;
    let marker = terms.marks.map(Marker::new).transpose()?;
    if marker.is_some() {
        start::print_by_line();
    }
    if let Some(limit) = terms.memory_limit {
        let most = getrlimit(Resource::Data)
            .maximum
            .unwrap_or(limit)
            .min(limit);
        let (current, maximum) = (Some(most), Some(most));
        setrlimit(Resource::Data, Rlimit { current, maximum })?;
    }
    memory.control().set_ready();
    context::enter_worker(&Inherited::share_only(terms.shares));
    let link = Link::new(Side::Worker, Arc::clone(&memory), hello.hear, hello.tell);
    let tell = Arc::new(link.teller()?);
    Ok(Worker::new(link, memory, tell, terms, marker, shelf))
}

/// Has `ps` and `top` call this process as they call the program, and not `exe` after the link that
/// was started.
fn name_after_program() {
    let path = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&path).file_name().unwrap_or_default();
    // The kernel keeps the first 15 bytes. Without a name it goes on as it is.
    if let Ok(name) = CString::new(name.as_encoded_bytes()) {
        let _ = rustix::thread::set_name(&name);
    }
}

/// Ends this process and all that it started.
pub(super) fn end_group() -> ! {
    let _ = kill_current_process_group(Signal::KILL);
    std::process::abort()
}

/// Ends this process and all that it started as soon as the parent is gone. Until then, takes in the objects
/// that it gives.
fn watch(shelf: &Arc<Shelf>) -> io::Result<()> {
    let shelf = Arc::clone(shelf);
    let wait = move || {
        shelf.listen();
        end_group()
    };
    std::thread::Builder::new()
        .name("parallel-lifeline".to_owned())
        .stack_size(1 << 17)
        .spawn(wait)?;
    Ok(())
}
