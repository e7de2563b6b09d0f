//! How much CPU time the workers of a call have used, for who decides whether more of them are of use.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use parking_lot::Mutex;

/// The workers that lanes have, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Busy(Mutex<BTreeMap<usize, Worker>>);

#[derive(Clone, Copy, Debug)]
struct Worker {
    pid: Pid,
    /// What it had used in the calls before this one.
    before: Duration,
}

impl Busy {
    /// The worker of this number is now this process.
    pub(super) fn insert(&self, number: usize, pid: u32) {
        let pid = Pid::from_raw(pid.cast_signed());
        let before = cpu_time_of(pid).unwrap_or_default();
        self.0.lock().insert(number, Worker { pid, before });
    }

    /// The CPU time that all of them have used so far, their tasks' own threads included. Not known when one has ended.
    pub(super) fn cpu_time(&self) -> Option<Duration> {
        let workers: Vec<Worker> = self.0.lock().values().copied().collect();
        let used = |worker: Worker| Some(cpu_time_of(worker.pid)?.saturating_sub(worker.before));
        workers.into_iter().map(used).sum()
    }
}

fn cpu_time_of(pid: Pid) -> Option<Duration> {
    let clock = clock_getcpuclockid(pid).ok()?;
    Some(clock_gettime(clock).ok()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::with_deadline;

    #[test]
    fn it_grows_while_somebody_works_and_is_not_known_of_nobody() {
        with_deadline(|| {
            let busy = Busy::default();
            assert_eq!(busy.cpu_time(), Some(Duration::ZERO));
            let mut child = std::process::Command::new("sh")
                .args(["-c", "while :; do :; done"])
                .spawn()
                .unwrap();
            busy.insert(0, child.id());
            let before = busy.cpu_time().unwrap();
            while busy.cpu_time().unwrap() == before {
                std::thread::yield_now();
            }
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(busy.cpu_time(), None);
        });
    }
}
