//! A storm: one `Parallel`, some calls of it, and someone who hits its workers meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::thread::ScopedJoinHandle;

use parallel::{Error, Parallel, Processes, TaskError, delayed};
use rand::RngExt;

use crate::deeds::{Answer, Order, serve};
use crate::hits::{Hits, Outside};
use crate::journal::{Call, Note, Reader};
use crate::kind::{Deed, deeds};
use crate::seeds::Seeds;
use crate::setup::Setup;
use crate::tally::{End, Tally};
use crate::verdict::Verdict;
use crate::watch::watched;

/// One call to be made.
struct Asked {
    call: Call,
    deeds: Vec<Deed>,
    stops_at_failure: bool,
}

/// What it gave.
enum Gave {
    Outcomes(Vec<Result<Answer, TaskError>>),
    /// It stopped at the first failure.
    Failure(TaskError),
    Nothing(Error),
}

/// Lets a storm happen, with all that it takes made and dropped again.
pub(crate) fn storm(seeds: Seeds, folder: &Path, journal: &mut Reader, tally: &mut Tally) {
    let setup = Setup::draw(&mut seeds.of_setup());
    let (hits, wave) = (Mutex::default(), AtomicU32::new(0));
    let misattributed = Arc::new(AtomicU64::new(0));
    let (over, waiting) = channel();
    std::thread::scope(|scope| {
        if let Some(within) = setup.hit_within {
            let outside = Outside {
                hits: &hits,
                rng: seeds.of_hits(),
                within,
                may_stop: setup.timeout.is_some(),
                wave: &wave,
                storm: seeds.storm,
            };
            scope.spawn(move || outside.run(folder, &waiting));
        }
        let parallel = setup.build(&misattributed);
        for number in 0..setup.waves {
            wave.store(number, Ordering::Relaxed);
            let asked = ask(seeds, number, &setup);
            let what = format!(
                "--seed {}, wave {number} of {seeds:?}, {setup:?}",
                seeds.seed
            );
            let gave = watched(&what, folder, || call_all(&parallel, &asked));
            let hits = hits.lock().unwrap_or_else(PoisonError::into_inner);
            let notes = notes_of(seeds.storm, number, journal, tally);
            for (asked, gave) in asked.iter().zip(&gave) {
                let verdict = Verdict::new(asked.call, &setup, &asked.deeds, &hits, &notes);
                judge(&verdict, gave, tally);
            }
        }
        let what = format!("--seed {}, the end of {setup:?}", seeds.seed);
        watched(&what, folder, || drop(parallel));
        drop(over);
    });
    let hits: Hits = hits.into_inner().unwrap_or_else(PoisonError::into_inner);
    tally.kills += hits.kills;
    tally.stops += hits.stops;
    tally.misattributed += misattributed.load(Ordering::Relaxed);
    tally.storms += 1;
}

/// What the callers of a wave ask for.
fn ask(seeds: Seeds, wave: u32, setup: &Setup) -> Vec<Asked> {
    let mut rng = seeds.of_wave(wave);
    let calls = (0..setup.callers).map(|caller| Asked {
        call: Call {
            storm: seeds.storm,
            wave,
            caller,
        },
        deeds: deeds(setup, &mut rng),
        stops_at_failure: rng.random_bool(0.15),
    });
    calls.collect()
}

fn call_all(parallel: &Parallel<Processes>, asked: &[Asked]) -> Vec<Gave> {
    std::thread::scope(|scope| {
        let callers: Vec<_> = asked
            .iter()
            .map(|asked| scope.spawn(|| call(parallel, asked)))
            .collect();
        let gave = callers.into_iter().map(ScopedJoinHandle::join);
        gave.map(|gave| gave.expect("a call does not panic"))
            .collect()
    })
}

fn call(parallel: &Parallel<Processes>, asked: &Asked) -> Gave {
    let orders = asked.deeds.iter().zip(0..);
    let tasks = orders.map(|(deed, index)| delayed(serve, Order::new(asked.call, index, *deed)));
    let gave = if asked.stops_at_failure {
        let all = parallel.run(tasks);
        all.map(|answers| Gave::Outcomes(answers.into_iter().map(Ok).collect()))
    } else {
        parallel.outcomes(tasks).map(Gave::Outcomes)
    };
    gave.unwrap_or_else(|error| match error {
        Error::Task(error) if asked.stops_at_failure => Gave::Failure(error),
        error => Gave::Nothing(error),
    })
}

/// What was started since the last wave, as far as it is of this one.
fn notes_of(storm: u32, wave: u32, journal: &mut Reader, tally: &mut Tally) -> Vec<Note> {
    let mut notes = journal.read().unwrap_or_else(|error| {
        tally.complain(error);
        Vec::new()
    });
    notes.retain(|note| {
        let in_time = (note.call.storm, note.call.wave) == (storm, wave);
        if !in_time {
            tally.late += 1;
            tally.complain(format_args!(
                "{note:?} was started after its call had ended"
            ));
        }
        in_time
    });
    notes
}

fn judge(verdict: &Verdict<'_>, gave: &Gave, tally: &mut Tally) {
    tally.calls += 1;
    verdict.unknown_starts(tally);
    for index in 0..verdict.deeds.len() as u32 {
        match gave {
            Gave::Outcomes(outcomes) => match outcomes.get(index as usize) {
                Some(Ok(answer)) => verdict.answer(index, answer, tally),
                Some(Err(error)) => verdict.error(index, error, tally),
                None => verdict.no_outcome(index, End::Lost, tally),
            },
            Gave::Failure(error) if error.index() == index as usize => {
                verdict.error(index, error, tally);
            }
            Gave::Failure(_) => verdict.no_outcome(index, End::Stopped, tally),
            Gave::Nothing(_) => verdict.no_outcome(index, End::Lost, tally),
        }
    }
    let (call, asked) = (verdict.call, verdict.deeds.len());
    match gave {
        Gave::Outcomes(outcomes) if outcomes.len() > asked => {
            tally.complain(format_args!("{call:?}: more outcomes than tasks"));
        }
        Gave::Failure(error) if error.index() >= asked => {
            tally.complain(format_args!("{call:?}: no task has the number of: {error}"));
        }
        Gave::Nothing(error) => tally.complain(format_args!("{call:?} gave nothing: {error}")),
        Gave::Outcomes(_) | Gave::Failure(_) => {}
    }
}
