//! What is left of a batch that lasts, when another worker has nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use parallel::{
    Error, Event, Failure, Outcome, Parallel, Portable, Processes, Shared, at_batch_end, current,
    delayed,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::deaths::Folder;
use crate::tools::{seed, until, with_deadline};

/// Nobody knows how many there are: most are nothing, so that the last ones are a batch, as it were.
const ALL: usize = 4_000;

/// From here on they last.
const LONG: usize = ALL - 60;

const BATCH_END: &str = "end";

/// Leaves a note, another one each time.
fn note(folder: &Path, what: impl std::fmt::Display) {
    let note = format!("{what} {} {:x}", process::id(), rand::random::<u128>());
    fs::write(folder.join(note), "").unwrap();
}

/// What was noted, and in which process.
fn notes(folder: &Path) -> Vec<(String, String)> {
    let notes = fs::read_dir(folder).unwrap().map(|note| {
        let note = note.unwrap().file_name().into_string().unwrap();
        let mut words = note.split(' ').map(str::to_owned);
        (words.next().unwrap(), words.next().unwrap())
    });
    notes.collect()
}

/// Those that last do so until another process has had one, too.
fn lasts(i: usize, folder: &Path) {
    if i < LONG {
        return;
    }
    note(folder, i);
    until(|| {
        let processes = notes(folder).into_iter().map(|(_, process)| process);
        processes.collect::<BTreeSet<_>>().len() > 1
    });
    assert!(!current().unwrap().cancelled(), "the call goes on");
}

fn folder() -> Folder {
    Folder::new(&format!("apart-{:x}", rand::random::<u64>()))
}

fn unknown_length<T>(tasks: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    let mut tasks = tasks;
    std::iter::from_fn(move || tasks.next())
}

/// Runs them, of which those that last note when they start: each does once.
fn outcomes<T: Portable>(
    parallel: &Parallel<Processes>,
    task: impl Fn(usize, PathBuf) -> T + Sync,
) -> Vec<Outcome<T::Output>>
where
    T::Output: Send + 'static,
{
    let folder = folder();
    let tasks = unknown_length((0..ALL).map(|i| task(i, folder.0.clone())));
    let outcomes = with_deadline(|| parallel.outcomes(tasks)).unwrap();
    let notes = notes(&folder.0).into_iter();
    let mut started: Vec<usize> = notes.filter_map(|(what, _)| what.parse().ok()).collect();
    started.sort_unstable();
    assert!(started.into_iter().eq(LONG..ALL), "each has started once");
    outcomes
}

fn on(processes: Processes) -> Parallel<Processes> {
    Parallel::new(2).backend(processes)
}

#[test]
fn what_is_left_of_a_batch_that_lasts_is_shared() {
    let task = |(i, folder): (usize, PathBuf)| {
        lasts(i, &folder);
        i
    };
    let patient = Processes::new().timeout(Duration::from_secs(1000));
    for parallel in [
        on(Processes::new()),
        on(Processes::new()).observer(|_: &Event| ()),
        on(patient),
        on(Processes::new().max_tasks_per_worker(70)),
    ] {
        let outcomes = outcomes(&parallel, |i, folder| delayed(task, (i, folder)));
        assert!(outcomes.into_iter().map(Result::unwrap).eq(0..ALL));
        // The same workers know nothing of it any more.
        assert!(parallel.map(|i| i, 0..ALL).unwrap().into_iter().eq(0..ALL));
    }
}

#[test]
fn a_stream_shares_too() {
    let task = |(i, folder): (usize, PathBuf)| {
        lasts(i, &folder);
        i
    };
    let folder = folder();
    let path = folder.0.clone();
    let tasks = unknown_length((0..ALL).map(move |i| delayed(task, (i, path.clone()))));
    with_deadline(|| {
        let results = on(Processes::new()).iter(tasks);
        assert!(results.map(Result::unwrap).eq(0..ALL));
    });
}

#[test]
fn large_arguments_and_arrays_are_taken_back() {
    // The folder's name, and behind it nothing.
    let large = |(i, bytes): (usize, usize), folder: PathBuf| {
        let mut argument = format!("{i} {}\n", folder.display()).into_bytes();
        argument.resize(argument.len() + bytes, b'x');
        argument
    };
    let task = |argument: Vec<u8>| {
        let line = argument.split(|byte| *byte == b'\n').next().unwrap();
        let (i, folder) = str::from_utf8(line).unwrap().split_once(' ').unwrap();
        lasts(i.parse().unwrap(), Path::new(folder));
        argument.len()
    };
    let bytes = |i| if i < LONG { 0 } else { 1 << 17 };
    let parallel = on(Processes::new());
    let outcomes_of = outcomes(&parallel, |i, folder| {
        delayed(task, large((i, bytes(i)), folder))
    });
    for (i, outcome) in outcomes_of.into_iter().enumerate() {
        assert!((bytes(i)..bytes(i) + 1000).contains(&outcome.unwrap()));
    }

    let array: Shared<[u64]> = (0..100_000).collect();
    let task = |(i, folder, array): (usize, PathBuf, Shared<[u64]>)| {
        lasts(i, &folder);
        array[i]
    };
    // Each of those that last has one of its own as well.
    let outcomes = outcomes(&parallel, |i, folder| {
        let array = match i {
            LONG.. => (0..100_000).collect(),
            _ => array.clone(),
        };
        delayed(task, (i, folder, array))
    });
    assert!(outcomes.into_iter().map(Result::unwrap).eq(0..ALL as u64));
}

#[test]
fn what_fails_then_costs_itself() {
    let task = |(i, folder): (usize, PathBuf)| {
        lasts(i, &folder);
        match i {
            LONG => process::abort(),
            3_950 => panic!("no more flour"),
            3_960 => loop {
                std::thread::park();
            },
            _ => i,
        }
    };
    let parallel = on(Processes::new().timeout(Duration::from_secs(2)));
    let outcomes = outcomes(&parallel, |i, folder| delayed(task, (i, folder)));
    for (i, outcome) in outcomes.into_iter().enumerate() {
        match (i, outcome.as_ref().map_err(parallel::TaskError::failure)) {
            (LONG, Err(Failure::Died { signal, .. })) => assert_eq!(*signal, Some(6)),
            (3_950, Err(Failure::Panicked { .. })) | (3_960, Err(Failure::TimedOut { .. })) => {}
            (_, value) => assert_eq!(value.unwrap(), &i),
        }
    }
}

#[test]
fn what_tasks_left_for_the_end_of_their_batch_is_done() {
    let task = |(i, folder): (usize, PathBuf)| {
        lasts(i, &folder);
        if i >= LONG {
            at_batch_end(move || note(&folder, BATCH_END));
        }
    };
    let folder = folder();
    let tasks = unknown_length((0..ALL).map(|i| delayed(task, (i, folder.0.clone()))));
    with_deadline(|| on(Processes::new()).run(tasks)).unwrap();
    let ends = notes(&folder.0);
    let ends = ends.iter().filter(|(what, _)| what == BATCH_END).count();
    assert_eq!(ends, ALL - LONG);
}

#[test]
fn a_task_can_end_the_call_then() {
    let task = |(i, folder): (usize, PathBuf)| {
        lasts(i, &folder);
        if i == LONG {
            current().unwrap().cancel();
            until(|| current().unwrap().cancelled());
        }
    };
    let parallel = on(Processes::new());
    let folder = folder();
    let tasks = unknown_length((0..ALL).map(|i| delayed(task, (i, folder.0.clone()))));
    let error = with_deadline(|| parallel.run(tasks)).unwrap_err();
    let Error::Task(error) = error else {
        panic!("{error:?}")
    };
    assert!(matches!(error.failure(), Failure::Cancelled), "{error}");
    assert!(
        parallel
            .map(|_| current().unwrap().cancelled(), 0..100)
            .unwrap()
            .iter()
            .all(|c| !c)
    );
}

#[test]
fn a_batch_of_a_fixed_size_stays_whole() {
    let task = |_: usize| {
        std::thread::sleep(Duration::from_millis(1));
        process::id()
    };
    let parallel = on(Processes::new()).batch_size(20);
    let processes = parallel.map(task, 0..20).unwrap();
    assert_eq!(processes, vec![processes[0]; 20]);
}

/// Sleeps, dies or panics; a task that is tried again does neither.
fn any((i, folder, what): (usize, PathBuf, u32)) -> usize {
    note(&folder, i);
    let first = current().unwrap().attempt() == 1;
    match what {
        0 if first => process::abort(),
        1 if first => panic!("a panic that is printed"),
        2..20 => std::thread::sleep(Duration::from_micros(u64::from(what) * 200)),
        _ => {}
    }
    i
}

#[test]
fn whatever_lasts_each_task_ends_once() {
    let mut rng = StdRng::seed_from_u64(seed());
    for retries in [0, 1] {
        let processes = Processes::new().retries(retries).retry_panics(true);
        let parallel = Parallel::new(4).backend(processes);
        for _ in 0..10 {
            let folder = folder();
            let quick = rng.random_range(0..2_000);
            let tasks: Vec<u32> = (0..quick)
                .map(|_| 99)
                .chain((0..200).map(|_| rng.random_range(0..100)))
                .collect();
            let whats = tasks.clone();
            let tasks = tasks.into_iter().enumerate();
            let tasks = tasks.map(|(i, what)| delayed(any, (i, folder.0.clone(), what)));
            let outcomes = with_deadline(|| parallel.outcomes(unknown_length(tasks))).unwrap();
            let mut started = vec![0; outcomes.len()];
            for (what, _) in notes(&folder.0) {
                started[what.parse::<usize>().unwrap()] += 1;
            }
            for (i, (outcome, what)) in outcomes.into_iter().zip(whats).enumerate() {
                let fails = what < 2;
                assert_eq!(started[i], if fails { 1 + retries } else { 1 }, "{i}");
                assert_eq!(outcome.ok(), (!fails || retries > 0).then_some(i));
            }
        }
    }
}
