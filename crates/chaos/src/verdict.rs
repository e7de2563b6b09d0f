//! Whether what became of a task may become of it.

use std::collections::{HashMap, HashSet};

use parallel::{Failure, TaskError};

use crate::deeds::{Answer, last_word};
use crate::hits::Hits;
use crate::journal::{Call, Note};
use crate::kind::{Deed, Kind};
use crate::setup::Setup;
use crate::tally::{End, Tally};

/// One call, after its end.
pub(crate) struct Verdict<'a> {
    pub(crate) call: Call,
    pub(crate) setup: &'a Setup,
    pub(crate) deeds: &'a [Deed],
    pub(crate) hits: &'a Hits,
    notes: HashMap<(u32, u32), Vec<u32>>,
    /// Workers that have closed their descriptors. They are out of reach, so that a task that comes next and
    /// takes its time, or has much to tell, may die of it as well.
    closed: HashSet<u32>,
}

impl<'a> Verdict<'a> {
    /// `notes` are all that have come since the wave began.
    pub(crate) fn new(
        call: Call,
        setup: &'a Setup,
        deeds: &'a [Deed],
        hits: &'a Hits,
        notes: &[Note],
    ) -> Self {
        let mut verdict = Self {
            call,
            setup,
            deeds,
            hits,
            notes: HashMap::new(),
            closed: HashSet::new(),
        };
        for note in notes {
            if note.call != call {
                continue;
            }
            let pids = verdict.notes.entry((note.index, note.attempt)).or_default();
            pids.push(note.pid);
            if deeds[note.index as usize].kind == Kind::CloseAll {
                verdict.closed.insert(note.pid);
            }
        }
        verdict
    }

    /// Counts the starts of a task of which this is known: how often at most, if that is told.
    pub(crate) fn starts(&self, index: u32, told: Option<u32>, tally: &mut Tally) {
        let most = 1 + self.setup.retries;
        let attempts: Vec<&Vec<u32>> = (1..=most)
            .filter_map(|attempt| self.notes.get(&(index, attempt)))
            .collect();
        let started: usize = attempts.iter().map(|pids| pids.len()).sum();
        let repeated = attempts.iter().any(|pids| pids.len() > 1);
        if repeated || started > told.unwrap_or(most) as usize {
            tally.twice += 1;
            self.complain(index, tally, format_args!("was started by {attempts:?}"));
        }
    }

    /// Notes of attempts that nobody has allowed.
    pub(crate) fn unknown_starts(&self, tally: &mut Tally) {
        let known = 1..=1 + self.setup.retries;
        for (&(index, attempt), pids) in &self.notes {
            if !known.contains(&attempt) {
                tally.twice += 1;
                self.complain(
                    index,
                    tally,
                    format_args!("was attempt {attempt}: {pids:?}"),
                );
            }
        }
    }

    /// Nothing is told of a task.
    pub(crate) fn no_outcome(&self, index: u32, end: End, tally: &mut Tally) {
        tally.count(self.deeds[index as usize].kind, end);
        self.starts(index, None, tally);
    }

    pub(crate) fn answer(&self, index: u32, answer: &Answer, tally: &mut Tally) {
        let deed = self.deeds[index as usize];
        let jobs = self.setup.jobs as usize;
        if !answer.is_right(index, deed, jobs) {
            self.complain(index, tally, "has another's result, or a garbled one");
        }
        let may_succeed = matches!(
            deed.kind,
            Kind::Nothing
                | Kind::Spin
                | Kind::Sleep
                | Kind::Large
                | Kind::Flood
                | Kind::Fork
                | Kind::LeaveGrandchild
                | Kind::CloseAll
        );
        if !may_succeed {
            self.complain(index, tally, "cannot have succeeded");
        }
        if !self.notes.contains_key(&(index, answer.attempt)) {
            self.complain(index, tally, "has a result and was never started");
        }
        tally.count(deed.kind, End::Ok);
        tally.retries += u64::from(answer.attempt - 1);
        self.starts(index, Some(answer.attempt), tally);
    }

    pub(crate) fn error(&self, index: u32, error: &TaskError, tally: &mut Tally) {
        if error.index() != index as usize {
            self.complain(index, tally, format_args!("has the error of another one"));
        }
        let (attempts, history) = (error.attempts(), error.history());
        if attempts == 0
            || attempts > 1 + self.setup.retries
            || history.len() + 1 != attempts as usize
        {
            self.complain(index, tally, "has a wrong number of attempts");
        }
        for (before, failure) in history.iter().chain([error.failure()]).enumerate() {
            self.failure(index, before as u32 + 1, failure, tally);
        }
        let deed = self.deeds[index as usize];
        tally.count(deed.kind, End::of(error.failure()));
        tally.retries += history.len() as u64;
        self.starts(index, Some(attempts), tally);
    }

    /// What came of one attempt.
    fn failure(&self, index: u32, attempt: u32, failure: &Failure, tally: &mut Tally) {
        let deed = self.deeds[index as usize];
        let pids = self.notes.get(&(index, attempt));
        // Who is hit before it has written its note has been hit all the same.
        let is_one_of = |some: &HashSet<u32>| match pids {
            Some(pids) => pids.iter().any(|pid| some.contains(pid)),
            None => !some.is_empty(),
        };
        if self.is_its_own(index, deed, failure) {
            return;
        }
        match failure {
            Failure::Died {
                signal: Some(9), ..
            } if is_one_of(&self.hits.killed) => {}
            Failure::Died {
                signal: None | Some(9),
                ..
            } if is_one_of(&self.closed) => tally.bystanders += 1,
            // Who cannot print cannot say why it aborts.
            Failure::Died {
                signal: Some(6), ..
            } if deed.kind == Kind::UseUpMemory && is_one_of(&self.closed) => {}
            Failure::TimedOut { .. } if is_one_of(&self.hits.stopped) => {}
            // A machine that is busy elsewhere makes tasks slow; it is told how many.
            Failure::TimedOut { limit } if Some(*limit) == self.setup.timeout => tally.slow += 1,
            _ => self.complain(
                index,
                tally,
                format_args!("by {pids:?}, at attempt {attempt} ended so: {failure}"),
            ),
        }
    }

    /// Whether a task ends so by what it does.
    fn is_its_own(&self, index: u32, deed: Deed, failure: &Failure) -> bool {
        let died = |signals: &[i32]| matches!(failure, Failure::Died { signal: Some(signal), .. } if signals.contains(signal));
        match deed.kind {
            Kind::Panic => {
                matches!(failure, Failure::Panicked { message, .. } if *message == last_word(index))
            }
            Kind::Abort => died(&[libc::SIGABRT]),
            Kind::Segfault => died(&[libc::SIGSEGV]),
            Kind::Exit => {
                matches!(failure, Failure::Died { code: Some(code), .. } if *code == deed.amount as i32)
            }
            // What it hits first is not told beforehand.
            Kind::CorruptHeap => died(&[libc::SIGABRT, libc::SIGSEGV, libc::SIGBUS]),
            // A worker that sees its lifeline gone before it has begun to watch it kills itself.
            Kind::CloseAll => {
                died(&[libc::SIGKILL]) || matches!(failure, Failure::Died { signal: None, .. })
            }
            Kind::KillGroup => died(&[libc::SIGKILL]),
            Kind::UseUpMemory => matches!(failure, Failure::OutOfMemory),
            Kind::Hang | Kind::StopItself => {
                matches!(failure, Failure::TimedOut { limit } if Some(*limit) == self.setup.timeout)
            }
            _ => false,
        }
    }

    fn complain(&self, index: u32, tally: &mut Tally, what: impl std::fmt::Display) {
        let Call {
            storm,
            wave,
            caller,
        } = self.call;
        let name = self.deeds[index as usize].kind.name();
        tally.complain(format!(
            "storm {storm}, wave {wave}, caller {caller}: task {index} ({name}) {what}"
        ));
    }
}
