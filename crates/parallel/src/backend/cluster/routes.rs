//! Who is told what comes from a bridge.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read};
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::Sender;
use parking_lot::Mutex;

use super::bridge;
use super::frames::{self, Frame, Kind};

/// So many of the last lines of its standard error are kept.
const LAST_LINES: usize = 12;

/// What a call is told.
#[derive(Debug)]
pub(super) enum Event {
    Answer {
        batch: u64,
        status: Status,
        bytes: Vec<u8>,
    },
    /// What happens in a batch that has no answer yet.
    Told { batch: u64, bytes: Vec<u8> },
    /// The bridge is gone, or the cluster: why.
    Dead(String),
    /// The cluster has another number of slots.
    Slots,
    /// Nothing more shall start.
    Stop,
    /// Everything has been taken and answered.
    Over,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// It was run; its outcomes follow.
    Done,
    /// It was cancelled before it ran.
    Cancelled,
    /// The engine lost it; how follows.
    Lost,
    /// It could not be run; why follows.
    Failed,
}

impl Status {
    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Done),
            1 => Some(Self::Cancelled),
            2 => Some(Self::Lost),
            3 => Some(Self::Failed),
            _ => None,
        }
    }
}

/// What the thread that reads has a part in.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) routes: Mutex<Routes>,
    pub(super) slots: AtomicUsize,
    last_lines: Mutex<VecDeque<String>>,
}

#[derive(Default)]
pub(super) struct Routes {
    /// Who is told of each batch, with the number of the call.
    pub(super) batches: HashMap<u64, (u64, Sender<Event>)>,
    pub(super) calls: HashMap<u64, Sender<Event>>,
    /// Why there is nothing to be had any more.
    pub(super) dead: Option<String>,
}

/// Where it is told that the engine has been reached, or why not.
pub(super) type Connected = Sender<Result<usize, String>>;

impl Shared {
    /// Gives each answer to whom it is for, until there will be none; why there will be none.
    pub(super) fn read(&self, stdout: impl Read, ready: &Connected) -> Option<String> {
        let mut stdout = BufReader::new(stdout);
        loop {
            let Frame {
                kind,
                word,
                mut payload,
            } = match frames::read(&mut stdout) {
                Ok(Some(frame)) => frame,
                Ok(None) => return None,
                Err(error) => return Some(format!("its bridge sent {error}")),
            };
            let number = usize::try_from(word).unwrap_or(usize::MAX);
            match kind {
                Kind::Ready => drop(ready.try_send(Ok(number))),
                Kind::Slots => {
                    self.slots.store(number, Ordering::Relaxed);
                    for tell in self.routes.lock().calls.values() {
                        let _ = tell.send(Event::Slots);
                    }
                }
                Kind::Fatal => {
                    let why = String::from_utf8_lossy(&payload).into_owned();
                    // It says what to do as well.
                    let _ = ready.try_send(Err(why.clone()));
                    return Some(why);
                }
                Kind::Answer => {
                    let status = payload.pop().and_then(Status::from_byte);
                    let Some(status) = status else {
                        return Some("its bridge sent an answer without a status".to_owned());
                    };
                    // Nobody waits for it if the call has ended since.
                    let route = self.routes.lock().batches.remove(&word);
                    if let Some((_, tell)) = route {
                        let bytes = payload;
                        let _ = tell.send(Event::Answer {
                            batch: word,
                            status,
                            bytes,
                        });
                    }
                }
                Kind::Told => {
                    let route = self.routes.lock().batches.get(&word).cloned();
                    if let Some((_, tell)) = route {
                        let _ = tell.send(Event::Told {
                            batch: word,
                            bytes: payload,
                        });
                    }
                }
                _ => return Some("its bridge sent what only a program sends".to_owned()),
            }
        }
    }

    /// There will be no more answers.
    pub(super) fn die(&self, why: Option<String>, ready: &Connected) {
        let why = why.unwrap_or_else(|| {
            let mut why = "its bridge, a Python process, has ended".to_owned();
            let lines = self.last_lines.lock();
            if !lines.is_empty() {
                why += "; the last lines on its standard error:";
                lines
                    .iter()
                    .for_each(|line| why += &format!("\n    {line}"));
            }
            why
        });
        let calls = {
            let mut routes = self.routes.lock();
            routes.dead = Some(why.clone());
            routes.batches.clear();
            std::mem::take(&mut routes.calls)
        };
        for tell in calls.into_values() {
            let _ = tell.send(Event::Dead(why.clone()));
        }
        let behind = if why.contains('\n') { "\n" } else { ". " };
        let _ = ready.try_send(Err(format!("{why}{behind}{}", bridge::advice())));
    }
}

/// Keeps the end of what comes on standard error.
pub(super) fn keep_last_lines(stderr: impl Read, shared: &Shared) {
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    while let Ok(1..) = stderr.by_ref().take(1 << 16).read_until(b'\n', &mut line) {
        let mut lines = shared.last_lines.lock();
        if lines.len() == LAST_LINES {
            lines.pop_front();
        }
        let text = String::from_utf8_lossy(&line);
        lines.push_back(text.trim_end().to_owned());
        line.clear();
    }
}
