//! What is counted, and the table of it.

use std::fmt;

use parallel::Failure;

use crate::kind::Kind;

/// How a task may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Ok,
    Panicked,
    Died,
    OutOfMemory,
    TimedOut,
    /// Its call was stopped: nobody asked what became of it.
    Stopped,
    /// Its call should tell, and does not.
    Lost,
    /// Another failure.
    Other,
}

const ENDS: usize = End::Other as usize + 1;

const HEADS: [&str; ENDS] = [
    "ok",
    "panicked",
    "died",
    "no memory",
    "timed out",
    "stopped",
    "lost",
    "other",
];

impl End {
    pub(crate) fn of(failure: &Failure) -> Self {
        match failure {
            Failure::Panicked { .. } => Self::Panicked,
            Failure::Died { .. } => Self::Died,
            Failure::OutOfMemory => Self::OutOfMemory,
            Failure::TimedOut { .. } => Self::TimedOut,
            _ => Self::Other,
        }
    }
}

/// All that is counted in a run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) storms: u64,
    pub(crate) calls: u64,
    outcomes: [[u64; ENDS]; Kind::ALL.len()],
    pub(crate) kills: u64,
    pub(crate) stops: u64,
    pub(crate) retries: u64,
    /// Tasks that ran for too long without having been asked to, nor stopped.
    pub(crate) slow: u64,
    /// Tasks that died in a worker whose descriptors an earlier task had closed.
    pub(crate) bystanders: u64,
    pub(crate) twice: u64,
    pub(crate) late: u64,
    pub(crate) misattributed: u64,
    wrong: u64,
    pub(crate) leaks: Vec<(&'static str, Vec<String>)>,
}

/// So many of a kind are printed; the others are counted.
const PRINTED: usize = 30;

impl Tally {
    pub(crate) fn count(&mut self, kind: Kind, end: End) {
        self.outcomes[kind as usize][end as usize] += 1;
    }

    /// Something is not as it must be.
    pub(crate) fn complain(&mut self, what: impl fmt::Display) {
        self.wrong += 1;
        if self.wrong <= PRINTED as u64 {
            eprintln!("WRONG: {what}");
        }
    }

    fn all(&self, end: End) -> u64 {
        self.outcomes.iter().map(|row| row[end as usize]).sum()
    }

    /// A busy machine makes few tasks slow. Many are ended by someone who cannot tell the time.
    pub(crate) fn weigh_slowness(&mut self) {
        let tasks: u64 = self.outcomes.iter().flatten().sum();
        if self.slow > 5 + tasks / 1000 {
            self.complain("so many tasks cannot have been slowed down to a timeout");
        }
    }

    fn must_be_zero(&self) -> Vec<(&'static str, u64)> {
        let mut rows = vec![
            ("tasks lost", self.all(End::Lost)),
            ("tasks run twice without leave", self.twice),
            ("tasks started after their call", self.late),
            ("lines told of another task", self.misattributed),
            ("things wrong in all", self.wrong),
        ];
        let leaks = self.leaks.iter();
        rows.extend(leaks.map(|(name, which)| (*name, which.len() as u64)));
        rows
    }

    pub(crate) fn is_good(&self) -> bool {
        self.must_be_zero().iter().all(|(_, count)| *count == 0)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, asked: &str, ends: [String; ENDS]| {
            write!(f, "{name:<18}{asked:>9}")?;
            ends.iter().try_for_each(|end| write!(f, "{end:>11}"))?;
            writeln!(f)
        };
        let numbers = |row: [u64; ENDS]| row.map(|n| n.to_string());
        line("task", "tasks", HEADS.map(str::to_owned))?;
        let mut sums = [0; ENDS];
        for kind in Kind::ALL {
            let row = self.outcomes[kind as usize];
            std::iter::zip(&mut sums, row).for_each(|(sum, n)| *sum += n);
            let asked: u64 = row.iter().sum();
            line(kind.name(), &asked.to_string(), numbers(row))?;
        }
        let asked: u64 = sums.iter().sum();
        line("all", &asked.to_string(), numbers(sums))?;
        let told = [
            ("storms", self.storms),
            ("calls", self.calls),
            ("workers killed from outside", self.kills),
            ("workers stopped from outside", self.stops),
            ("retries", self.retries),
            ("tasks slowed down to a timeout", self.slow),
            ("tasks that died of closed files", self.bystanders),
        ];
        for (title, rows) in [("", told.to_vec()), ("must be 0", self.must_be_zero())] {
            writeln!(f, "\n{title}")?;
            rows.iter()
                .try_for_each(|(name, count)| writeln!(f, "{name:<34}{count:>9}"))?;
        }
        self.leaks
            .iter()
            .flat_map(|(name, which)| which.iter().take(PRINTED).map(move |one| (name, one)))
            .try_for_each(|(name, one)| writeln!(f, "{name}: {one}"))
    }
}
