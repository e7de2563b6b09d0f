//! What observers are told of worker processes.

use std::process;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use parallel::{Event, Parallel, Processes, current};

use crate::tools::with_deadline;

#[test]
fn deaths_retries_and_workers_are_told() {
    fn die_once(i: u32) -> u32 {
        if i == 3 && current().unwrap().attempt() == 1 {
            process::abort();
        }
        process::id()
    }
    let seen = Arc::new(Mutex::new(Vec::new()));
    let events = Arc::clone(&seen);
    let parallel = Parallel::new(1)
        .backend(Processes::new().retries(1))
        .observer(move |event: &Event| events.lock().unwrap().push(event.clone()));
    let pids = with_deadline(|| parallel.map(die_once, 0..6)).unwrap();
    let seen = seen.lock().unwrap();
    let workers = seen.iter().filter_map(|event| match event {
        Event::WorkerStarted { worker: 0, pid, .. } => *pid,
        _ => None,
    });
    assert!(workers.eq([pids[0], pids[5]]));
    let died = seen.iter().find_map(|event| match event {
        Event::WorkerDied { pid, how, .. } => Some((*pid, how.clone())),
        _ => None,
    });
    let (pid, how) = died.unwrap();
    assert_eq!(pid, pids[0]);
    assert!(how.contains("SIGABRT"), "{how}");
    let retried = |event: &&Event| {
        matches!(
            event,
            Event::Retried {
                index: 3,
                attempt: 1,
                ..
            }
        )
    };
    assert_eq!(seen.iter().filter(retried).count(), 1);
    let again = |event: &&Event| {
        matches!(
            event,
            Event::TaskFinished {
                index: 3,
                attempt: 2,
                ..
            }
        )
    };
    assert_eq!(seen.iter().filter(again).count(), 1);
    assert!(matches!(seen.last(), Some(Event::RunFinished { totals, .. }) if totals.retried == 1));
}

#[test]
fn run_times_are_those_of_the_worker() {
    fn nap(i: u64) {
        std::thread::sleep(Duration::from_millis(i));
    }
    let times = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&times);
    let parallel = Parallel::new(1)
        .batch_size(8)
        .backend(Processes::new())
        .observer(move |event: &Event| {
            if let Event::TaskFinished {
                started, run_time, ..
            } = event
            {
                told.lock().unwrap().push((*started, *run_time));
            }
        });
    parallel.map(nap, [5, 1, 7, 3]).unwrap();
    let times = times.lock().unwrap();
    for ((_, run_time), millis) in times.iter().zip([5, 1, 7, 3]) {
        assert!(*run_time >= Duration::from_millis(millis), "{times:?}");
    }
    // One after the other.
    assert!(
        times
            .windows(2)
            .all(|two| two[0].0 + two[0].1 <= two[1].0 + Duration::from_micros(50))
    );
}
