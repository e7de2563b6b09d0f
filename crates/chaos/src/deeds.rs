//! The worker's side: tasks, and what they do there.

use std::io::{self, Write};
use std::process::{self, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, getpid, kill_current_process_group, kill_process};
use serde::{Deserialize, Serialize};

use crate::crash;
use crate::journal::{Call, Note};
use crate::kind::{Deed, Kind};

/// What a task is given.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    call: Call,
    index: u32,
    kind: Kind,
    amount: u32,
    load: String,
}

/// What a task gives.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) attempt: u32,
    index: u32,
    worker: usize,
    load: String,
}

impl Order {
    pub(crate) fn new(call: Call, index: u32, deed: Deed) -> Self {
        let load = match deed.kind {
            Kind::Large if !index.is_multiple_of(3) => text(index, deed.amount),
            _ => String::new(),
        };
        Self {
            call,
            index,
            kind: deed.kind,
            amount: deed.amount,
            load,
        }
    }
}

impl Answer {
    /// Whether this is what the task had to give.
    pub(crate) fn is_right(&self, index: u32, deed: Deed, jobs: usize) -> bool {
        self.index == index && self.worker < jobs && self.load == result(index, deed)
    }
}

fn result(index: u32, deed: Deed) -> String {
    match deed.kind {
        Kind::Large if index % 3 != 1 => text(index.wrapping_neg(), deed.amount),
        _ => String::new(),
    }
}

/// So many KiB that are like no other task's.
fn text(number: u32, kib: u32) -> String {
    format!("{number:015x}|").repeat(kib as usize * 64)
}

/// What a task that panics says.
pub(crate) fn last_word(index: u32) -> String {
    format!("task {index} was asked to panic")
}

/// A task.
pub(crate) fn serve(order: Order) -> Answer {
    let here = parallel::current().expect("it is a task");
    let (index, attempt) = (order.index, here.attempt());
    Note {
        call: order.call,
        index,
        attempt,
        pid: process::id(),
    }
    .write();
    assert_eq!(here.index(), index as usize, "the task's place");
    let deed = Deed {
        kind: order.kind,
        amount: order.amount,
    };
    let sent = Order::new(order.call, index, deed).load;
    assert!(order.load == sent, "the argument is not what was sent");
    act(index, deed);
    Answer {
        attempt,
        index,
        worker: here.worker(),
        load: result(index, deed),
    }
}

fn act(index: u32, Deed { kind, amount }: Deed) {
    match kind {
        Kind::Nothing | Kind::Large => {}
        Kind::Spin => spin(micros(amount)),
        Kind::Sleep => thread::sleep(micros(amount)),
        Kind::Flood => flood(index, amount),
        Kind::Fork => crash::fork_and_wait(),
        Kind::LeaveGrandchild => leave_a_process(),
        Kind::Panic => panic!("{}", last_word(index)),
        Kind::Abort => process::abort(),
        Kind::Segfault => crash::segfault(),
        Kind::Exit => process::exit(amount as i32),
        Kind::CorruptHeap => crash::corrupt_heap(amount),
        Kind::CloseAll => crash::close_all(),
        Kind::KillGroup => kill_current_process_group(Signal::KILL).expect("it is ours"),
        Kind::UseUpMemory => use_up_memory(),
        Kind::Hang => hang(),
        Kind::StopItself => {
            kill_process(getpid(), Signal::STOP).expect("it is this process");
            // Somebody lets it go on: still it must not come to an end.
            hang();
        }
    }
}

fn micros(amount: u32) -> Duration {
    Duration::from_micros(u64::from(amount))
}

fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

fn hang() -> ! {
    loop {
        thread::park();
    }
}

/// The bytes of a line of a flood, its end included.
const LINE: usize = 128;

/// Whether anybody hears it, and whether it has anything to print into, is not the task's affair.
fn flood(index: u32, kib: u32) {
    let line = format!("flood {index:08} {:~<1$}\n", "", LINE - 16);
    debug_assert_eq!(line.len(), LINE);
    let some = line.repeat(64 << 10 >> 7);
    for _ in 0..kib / 64 {
        let _ = io::stdout().write_all(some.as_bytes());
        let _ = io::stderr().write_all(some.as_bytes());
    }
}

/// Which task it was if this is a whole line of a flood.
pub(crate) fn task_that_flooded(line: &str) -> Option<usize> {
    let whole = line.len() == LINE - 1 && line.ends_with('~');
    let rest = line.strip_prefix("flood ").filter(|_| whole)?;
    rest.get(..8)?.parse().ok()
}

#[allow(
    clippy::zombie_processes,
    reason = "it is left behind for the library to end"
)]
fn leave_a_process() {
    let sleep = Command::new("sleep")
        .arg("1000")
        .stdin(Stdio::null())
        .spawn();
    sleep.expect("a process can be started");
}

/// Asks for more than there is, without using it: nobody else goes short.
fn use_up_memory() {
    let mut all = Vec::new();
    loop {
        all.push(std::hint::black_box(Vec::<u8>::with_capacity(16 << 20)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_flood_is_known() {
        let line = format!("flood {:08} {:~<2$}", 17, "", LINE - 16);
        assert_eq!(task_that_flooded(&line), Some(17));
        assert_eq!(task_that_flooded(&line[..LINE - 2]), None, "it is cut off");
        assert_eq!(task_that_flooded(&line.replace("flood", "about")), None);
    }
}
