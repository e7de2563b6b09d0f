//! What arrays that processes have in common promise when workers die, and what is there of them when.

use std::fs;
use std::process;

use procfs::process::{MMapPath, MemoryMap, Process};
use rustix::process::{Pid, Signal, kill_process};

use serde::{Deserialize, Serialize, Serializer};

use parallel::{Error, Failure, Parallel, Processes, Shared, current, delayed};

use crate::tools::{until, with_deadline};

const LEN: usize = 1 << 20;

fn on(n_jobs: i32, processes: Processes) -> Parallel<Processes> {
    Parallel::new(n_jobs).backend(processes)
}

fn numbers() -> Shared<[u64]> {
    (0..LEN as u64).collect()
}

/// What a process has mapped of arrays, in KiB: all of it, and its share of what several have.
fn mapped(pid: u32) -> (u64, u64) {
    let process = Process::new(pid.cast_signed());
    let Ok(maps) = process.and_then(|process| process.smaps()) else {
        return (0, 0);
    };
    let is_array = |map: &MemoryMap| match &map.pathname {
        MMapPath::Path(path) => path.to_string_lossy().contains("memfd:parallel-shared"),
        _ => false,
    };
    let of_arrays = maps.into_iter().filter(is_array);
    let sizes = of_arrays.map(|map| (map.extension.map["Rss"], map.extension.map["Pss"]));
    let (all, share) = sizes.fold((0, 0), |sum, size| (sum.0 + size.0, sum.1 + size.1));
    (all >> 10, share >> 10)
}

#[test]
fn who_dies_with_an_array_costs_itself() {
    fn read(((array, i), way): ((Shared<[u64]>, usize), u32)) -> u64 {
        if i % 10 == 3 {
            if way == 0 {
                process::abort();
            }
            kill_process(rustix::process::getpid(), Signal::KILL).unwrap();
        }
        array[i]
    }
    let array = numbers();
    for way in [0, 1] {
        let parallel = on(2, Processes::new()).batch_size(8);
        let tasks = (0..50).map(|i| delayed(read, ((array.clone(), i), way)));
        let outcomes = with_deadline(|| parallel.outcomes(tasks)).unwrap();
        for (i, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(value) => assert_eq!(value, i as u64),
                Err(error) => {
                    assert_eq!((error.index(), i % 10), (i, 3));
                    assert!(matches!(error.failure(), Failure::Died { .. }), "{error}");
                }
            }
        }
    }
    assert_eq!(array[LEN - 1], LEN as u64 - 1);
}

#[test]
fn an_array_is_there_for_the_next_attempt() {
    fn second_try(array: Shared<[u64]>) -> u64 {
        if current().unwrap().attempt() == 1 {
            process::abort();
        }
        array[7]
    }
    let parallel = on(2, Processes::new().retries(1));
    // Only the call has them.
    let tasks = (0..6).map(|_| delayed(second_try, numbers()));
    assert_eq!(with_deadline(|| parallel.run(tasks)).unwrap(), [7; 6]);
}

#[test]
fn arrays_that_a_worker_has_returned_outlive_it() {
    fn make(i: u64) -> Shared<[u64]> {
        if i == 5 {
            process::abort();
        }
        (i..i + 50_000).collect()
    }
    let parallel = on(1, Processes::new()).batch_size(6);
    let outcomes = with_deadline(|| parallel.outcomes((0..6).map(|i| delayed(make, i)))).unwrap();
    drop(parallel);
    for (i, outcome) in (0..5).zip(&outcomes) {
        assert_eq!(outcome.as_ref().unwrap()[49_999], i + 49_999);
    }
    assert!(outcomes[5].is_err());
}

#[test]
fn memory_is_counted_once_and_goes_with_the_last_clone() {
    with_deadline(|| {
        let parallel = on(4, Processes::new()).batch_size(1);
        let array = numbers();
        let look = |array: Shared<[u64]>| {
            // Read all of it, and be there long enough for others to be as well.
            let sum: u64 = array.iter().sum();
            std::hint::black_box(sum);
            process::id()
        };
        let mut workers: Vec<u32> = Vec::new();
        while workers.len() < 4 {
            workers.extend(parallel.map(look, vec![array.clone(); 64]).unwrap());
            workers.sort_unstable();
            workers.dedup();
        }
        // Other tests have arrays in this process, so only the workers are asked.
        let size = (LEN * 8 / 1024) as u64;
        let (mut all, mut share) = (0, 0);
        for worker in &workers {
            let memory = mapped(*worker);
            assert_eq!(memory.0, size, "each has all of it");
            all += memory.0;
            share += memory.1;
        }
        assert_eq!(all, 4 * size);
        assert!(share <= size + 4, "{share} KiB instead of {size}");

        // Nobody calls: idle workers hear of it all the same.
        drop(array);
        until(|| workers.iter().all(|worker| mapped(*worker).0 == 0));
    });
}

/// A number; who writes it has a stopped worker go on, if it is given one.
#[derive(Deserialize)]
struct GoOn {
    number: u64,
    worker: i32,
}

impl Serialize for GoOn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(worker) = Pid::from_raw(self.worker) {
            kill_process(worker, Signal::CONT).unwrap();
        }
        (self.number, 0).serialize(serializer)
    }
}

#[test]
fn what_a_worker_cannot_take_yet_waits() {
    with_deadline(|| {
        let parallel = on(1, Processes::new()).batch_size(500);
        let worker = parallel.map(|()| process::id(), [()]).unwrap()[0] as i32;
        kill_process(Pid::from_raw(worker).unwrap(), Signal::STOP).unwrap();
        let first = |(array, number): (Shared<[u64]>, GoOn)| array[0] + number.number;
        // More than the socket has room for.
        let tasks = (0..500).map(move |number| {
            let worker = if number == 499 { worker } else { 0 };
            delayed(first, (vec![1; 10_000].into(), GoOn { number, worker }))
        });
        assert!(parallel.run(tasks).unwrap().into_iter().eq(1..=500));
    });
}

/// Cannot be written if it says so.
#[derive(Deserialize)]
struct Refuses(bool);

impl Serialize for Refuses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 {
            return Err(serde::ser::Error::custom("it refuses"));
        }
        self.0.serialize(serializer)
    }
}

#[test]
fn arrays_of_a_call_that_failed_are_there_for_the_next_one() {
    let sum = |(arrays, _): (Vec<Shared<[u64]>>, Refuses)| {
        arrays.iter().map(|array| array[0]).sum::<u64>()
    };
    let parallel = on(1, Processes::new()).batch_size(2);
    with_deadline(|| {
        for _ in 0..10 {
            // So many that they take some time to come.
            let arrays: Vec<Shared<[u64]>> = (0..300).map(|i| vec![i; 10_000].into()).collect();
            let refused = [
                delayed(sum, (arrays.clone(), Refuses(false))),
                delayed(sum, (Vec::new(), Refuses(true))),
            ];
            assert!(matches!(parallel.run(refused), Err(Error::Task(_))));
            let again = [delayed(sum, (arrays, Refuses(false)))];
            assert_eq!(parallel.run(again).unwrap(), [300 * 299 / 2]);
        }
    });
}

#[test]
fn a_file_that_is_cut_off_costs_who_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers");
    fs::write(&path, vec![7; 1 << 20]).unwrap();
    let array = Shared::<[u8]>::map_file(&path).unwrap();
    let cut = |(array, path): (Shared<[u8]>, String)| {
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(4096)
            .unwrap();
        array[(1 << 20) - 1]
    };
    let parallel = on(1, Processes::new());
    let path = path.to_str().unwrap().to_owned();
    let error = with_deadline(|| parallel.run([delayed(cut, (array.clone(), path))])).unwrap_err();
    assert!(error.to_string().contains("SIGBUS"), "{error}");
    // From now on it is seen before.
    let error = parallel
        .run([delayed(|array: Shared<[u8]>| array[0], array)])
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("has been changed since it was mapped"),
        "{error}"
    );
}

#[test]
fn a_file_that_a_worker_has_mapped_is_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers");
    fs::write(&path, [1, 2]).unwrap();
    let map = |path: String| Shared::<[u8]>::map_file(path).unwrap();
    let path = path.to_str().unwrap().to_owned();
    let Err(Error::Task(error)) = on(1, Processes::new()).run([delayed(map, path)]) else {
        panic!("it is refused");
    };
    let Failure::Encode { message, .. } = error.failure() else {
        panic!("{error}");
    };
    assert!(message.contains("return its path"), "{message}");
}
