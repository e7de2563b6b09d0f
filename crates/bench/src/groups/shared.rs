//! One large array that many tasks read.

use parallel::{Parallel, Processes, Shared, delayed};

use crate::case::{Aim, Case, JOBS, OURS, Unit};
use crate::probe;
use crate::tasks::each;

const GIB: usize = 1 << 30;
const TASKS: usize = 100;

pub(super) fn cases() -> Vec<Case> {
    vec![time(), memory()]
}

fn time() -> Case {
    Case::new("shared-1gib", "Processes, an array of 1 GiB shared by 100 tasks", Unit::Seconds)
        .about(
            "A later call of 100 tasks, each of which is given the array and reads its ends; time of the call. \
             The first call, in which workers map it, does not count.",
        )
        .aim(Aim::amount(1e-3))
        .aim(Aim::times(1.0, &["joblib loky, memmap"]))
        .peer(OURS, |_| {
            let parallel = Parallel::new(JOBS).backend(Processes::new());
            let array = (0..GIB / 8).map(|i| i as f64).collect::<Shared<[f64]>>();
            move || {
                let tasks = (0..TASKS).map(|_| delayed(ends, array.clone()));
                each(1, || parallel.run(tasks))
            }
        })
        .python("joblib loky, memmap", "LokyShared", &[GIB as f64, TASKS as f64])
        .heavy()
}

fn memory() -> Case {
    Case::new(
        "shared-memory",
        "Memory of an array of 1 GiB that two workers have",
        Unit::Bytes,
    )
    .about("What the program and its workers have together, what they share counted once (`Pss`).")
    .aim(Aim::amount(1.05 * GIB as f64))
    .try_peer(OURS, |_| Ok(probe::round("shared-memory", GIB as u64)))
    .heavy()
}

fn ends(array: Shared<[f64]>) -> f64 {
    array[0] + array[array.len() - 1]
}
