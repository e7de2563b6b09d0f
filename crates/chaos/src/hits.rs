//! Hits from outside: workers are killed, or stopped, at any time.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::journal::Reader;
use crate::leaks::children;

/// Whom it hit.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    pub(crate) killed: HashSet<u32>,
    pub(crate) stopped: HashSet<u32>,
    pub(crate) kills: u64,
    pub(crate) stops: u64,
}

/// Who hits the workers of a storm.
pub(crate) struct Outside<'s> {
    pub(crate) hits: &'s Mutex<Hits>,
    pub(crate) rng: ChaCha8Rng,
    /// How long it waits at most.
    pub(crate) within: Duration,
    /// Whether those who are stopped are seen to.
    pub(crate) may_stop: bool,
    /// Of the call that is going on.
    pub(crate) wave: &'s AtomicU32,
    pub(crate) storm: u32,
}

/// What it may do in one wave. A lane gives up when three workers in a row end before they have done
/// anything, as it should; so only one is killed of those that have not started a task. One that is
/// stopped between two tasks is missed after ten seconds.
#[derive(Default)]
struct Wave {
    number: u32,
    have_started: HashSet<u32>,
    newcomers_hit: u32,
    stopped: u32,
}

impl Outside<'_> {
    /// Hits one after the other, until the other end of the channel is gone.
    pub(crate) fn run(mut self, folder: &Path, over: &Receiver<()>) {
        let mut journal = Reader::open(folder).expect("the journal is there");
        let mut wave = Wave::default();
        loop {
            let micros = self.within.as_micros() as u64;
            let pause = Duration::from_micros(self.rng.random_range(0..=micros));
            if over.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let number = self.wave.load(Ordering::Relaxed);
            if number != wave.number {
                wave = Wave {
                    number,
                    ..Wave::default()
                };
            }
            // A journal that makes no sense is told at the end of the call.
            let notes = journal.read().unwrap_or_default();
            let ours = notes
                .iter()
                .filter(|n| (n.call.storm, n.call.wave) == (self.storm, number));
            wave.have_started.extend(ours.map(|note| note.pid));
            self.hit(&mut wave);
        }
    }

    fn hit(&mut self, wave: &mut Wave) {
        let stop = self.rng.random_bool(0.15) && self.may_stop && wave.stopped == 0;
        let candidates: Vec<u32> = children()
            .into_iter()
            .filter(|pid| {
                // To stop one that is on its way to become a worker would stop its parent.
                wave.have_started.contains(pid) || !stop && wave.newcomers_hit == 0
            })
            .collect();
        let Some(&victim) = candidates.choose(&mut self.rng) else {
            return;
        };
        let pid = Pid::from_raw(victim as i32).expect("no process has the number 0");
        let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
            return;
        };
        // Until now the number might have become another process's.
        if !children().contains(&victim) {
            return;
        }
        // Known before it can be seen.
        let mut hits = self.hits.lock().expect("nobody panics with it");
        let (whom, signal) = if stop {
            (&mut hits.stopped, Signal::STOP)
        } else {
            (&mut hits.killed, Signal::KILL)
        };
        whom.insert(victim);
        if pidfd_send_signal(pidfd, signal).is_ok() {
            wave.newcomers_hit += u32::from(!wave.have_started.contains(&victim));
            wave.stopped += u32::from(stop);
            *if stop {
                &mut hits.stops
            } else {
                &mut hits.kills
            } += 1;
        }
    }
}
